package notify_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/notify"
	"doorplate/internal/testkit"
)

// decoded is a mail's subject and text as a person reads them.
func decoded(t *testing.T, raw string) string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err, raw)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return subject + "\n" + string(body)
}

// Whatever people call themselves, their groups and their organisation: a mail
// has the headers we gave it.
func TestNothingTypedBecomesAHeader(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		evil := "x\r\nBcc: victim@example.org\r\nX-Evil: 1\r\n\r\n<b>body</b>\r\n.\r\nMAIL FROM:<a@b>\r\n"
		w.exec("UPDATE organisation SET name = ?", evil)
		w.exec("UPDATE groups SET name = ? WHERE id = ?", evil+strings.Repeat("长", 4000)+"😀\u202e", w.room)
		id := w.memberAsks(w.OtherStaff)
		w.decide(id, "rejected", evil)
		w.turn()
		w.deliver(notify.Mail)
		got := w.mail.mails()
		if len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		m, err := mail.ReadMessage(strings.NewReader(got[0]))
		if err != nil {
			t.Fatal(err)
		}
		for name := range m.Header {
			if name == "Bcc" || name == "X-Evil" {
				t.Errorf("has the header %s", name)
			}
		}
		if to, err := m.Header.AddressList("To"); err != nil || len(to) != 1 {
			t.Errorf("goes to %v, %v", to, err)
		}
		for line := range strings.Lines(got[0]) {
			if len(line) > 1000 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	})
}

func TestTheMailServerKeepsItsPasswordToItself(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		ctx := context.Background()
		d := notify.MailDraft{Host: "smtp.example.com", Port: "587", Security: notify.StartTLS, Username: "door", Password: "geheim-42", Sender: "door@example.com"}
		w.must(w.n.SaveMail(ctx, w.Super, d))
		var kept []byte
		w.must(db.Raw("SELECT password FROM mail_settings").Row().Scan(&kept))
		if len(kept) == 0 || strings.Contains(string(kept), "geheim") {
			t.Errorf("kept as %q", kept)
		}
		if n := w.count("SELECT count(*) FROM audit_entries WHERE details LIKE '%geheim%'"); n != 0 {
			t.Error("the trail has the password")
		}
		p, err := w.n.MailServer(ctx, w.Super)
		w.must(err)
		if !p.HasPassword || p.Draft.Password != "" {
			t.Errorf("the page has %+v", p)
		}
		d.Password, d.Port = "", "465"
		w.must(w.n.SaveMail(ctx, w.Super, d))
		if p, _ = w.n.MailServer(ctx, w.Super); !p.HasPassword {
			t.Error("lost its password")
		}
		d.Host = "evil.example.com"
		w.must(w.n.SaveMail(ctx, w.Super, d))
		if p, _ = w.n.MailServer(ctx, w.Super); p.HasPassword {
			t.Error("the password goes to a server it was not typed for")
		}
		if err := w.n.SaveMail(ctx, w.Head, d); err == nil {
			t.Error("a head changed the mail server")
		}
	})
}

func TestATestMailSaysWhatTheServerAnswered(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		ctx := context.Background()
		if _, err := w.n.TestMail(ctx, w.Super); err == nil {
			t.Error("tested without a server")
		}
		w.withMail()
		if _, err := w.n.TestMail(ctx, w.Super); err != nil || len(w.mail.mails()) != 1 {
			t.Fatal(err)
		}
		w.clock.Add(hours(1))
		w.mail.refuse("550 no such luck")
		if _, err := w.n.TestMail(ctx, w.Super); err == nil {
			t.Error("a refusal passed as sent")
		}
	})
}

// Encrypted from the first byte, after STARTTLS, and not at all where it must be.
func TestMailIsEncryptedAsSetUp(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		cert := httptest.NewTLSServer(nil)
		defer cert.Close()
		roots := x509.NewCertPool()
		roots.AddCert(cert.Certificate())
		send := func(b *mailbox, security string, roots *x509.CertPool) error {
			n := notify.New(db, testkit.Keys(), audit.New(testkit.Keys(), w.clock.Now), w.clock.Now, slog.New(slog.DiscardHandler), notify.Options{Roots: roots,
				Mail: &notify.MailServer{Host: "127.0.0.1", Port: b.port, Security: security, Username: "door", Password: "geheim", Sender: "door@example.com"}})
			w.clock.Add(time.Minute)
			_, err := n.TestMail(context.Background(), w.Super)
			return err
		}
		w.exec("UPDATE members SET email = 'm' || id || '@example.com'")
		for _, security := range []string{notify.TLS, notify.StartTLS} {
			b := newSecureMailbox(t, cert.TLS, security == notify.TLS)
			if err := send(b, security, roots); err != nil || len(b.mails()) != 1 || b.signedIn() != base64.StdEncoding.EncodeToString([]byte("\x00door\x00geheim")) {
				t.Errorf("%s: %v, %d mails, signed in with %q", security, err, len(b.mails()), b.signedIn())
			}
			if err := send(b, security, nil); err == nil || len(b.mails()) != 1 {
				t.Errorf("%s: an unknown certificate passes: %v", security, err)
			}
		}
		open := newMailbox(t)
		if err := send(open, notify.StartTLS, roots); err == nil || len(open.mails()) != 0 || open.signedIn() != "" {
			t.Errorf("sent without encryption: %v", err)
		}
	})
}
