package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
)

// settingsPath is where everybody says how they want to be told.
const settingsPath = paths.NoticeSettings

// How a mail server is spoken to.
const (
	StartTLS = "starttls" // refused when the server does not offer it
	TLS      = "tls"
	Plain    = "none"
)

// MailServer is where mail is handed over.
type MailServer struct {
	Host, Security, Username, Password string

	Sender string // name <address> or an address
	Port   int
}

// smtpTimeout bounds each step of the conversation; sendTime bounds the whole.
const smtpTimeout = 10 * time.Second

// errDeparted ends a message whose receiver is no longer there.
var errDeparted = final{errors.New("its receiver is no longer there")}

// sendMail composes a mail in its receiver's language and hands it over.
func (s *Service) sendMail(ctx context.Context, m *Message) error {
	db := s.db.WithContext(ctx)
	server, err := s.server(db)
	if err != nil {
		return err
	} else if server == nil {
		return errors.New("no mail server is set up")
	}
	p, err := loadPerson(db, *m.MemberID)
	switch {
	case err != nil:
		return err
	case p.unknown:
		return errDeparted
	case p.Email == "":
		return final{errors.New("its receiver has no mail address")}
	}
	org, err := directory.LoadOrganisation(db)
	if err != nil {
		return err
	}
	lines, all, err := linesOf(db, m)
	if err != nil {
		return err
	}
	subject, body := s.compose(language(p.Language, org.Language), org.Name, lines, all)
	return s.submit(ctx, *server, p.Email, m.UID, subject, body)
}

func language(own, organisation string) string {
	for _, l := range i18n.Languages {
		if own == l {
			return l
		}
	}
	return organisation
}

// submit speaks with the mail server. Whatever stands in subject and addresses
// cannot start another header: line ends become spaces, and the library encodes
// or refuses the rest.
func (s *Service) submit(ctx context.Context, server MailServer, to, uid, subject, body string) error {
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8))
	if err := msg.From(oneLine(server.Sender)); err != nil {
		return fmt.Errorf("the sender: %w", err)
	}
	if err := msg.To(to); err != nil {
		return final{fmt.Errorf("the mail address: %w", err)}
	}
	msg.Subject(oneLine(subject))
	msg.SetMessageIDWithValue(uid + "@" + domainOf(server.Sender))
	msg.SetDateWithValue(s.now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, body)
	client, err := s.client(ctx, server)
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("hand over a mail: %w", err)
	}
	return nil
}

func (s *Service) client(ctx context.Context, server MailServer) (*gomail.Client, error) {
	secure := &tls.Config{ServerName: server.Host, RootCAs: s.opt.Roots, MinVersion: tls.VersionTLS12}
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: smtpTimeout}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() }) // a server that falls silent ends with the try
		if server.Security != TLS {
			return conn, nil
		}
		return tls.Client(conn, secure), nil
	}
	// A connection of ours that is encrypted already is seen as such only where the library may look for more.
	policy := map[string]gomail.TLSPolicy{StartTLS: gomail.TLSMandatory, TLS: gomail.TLSOpportunistic}[server.Security]
	if server.Security == Plain {
		policy = gomail.NoTLS
	}
	options := []gomail.Option{gomail.WithPort(server.Port), gomail.WithTimeout(smtpTimeout), gomail.WithTLSConfig(secure), gomail.WithTLSPolicy(policy),
		gomail.WithDialContextFunc(dial), gomail.WithHELO(domainOf(server.Sender)), gomail.WithoutNoop()}
	if server.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(server.Username), gomail.WithPassword(server.Password))
	}
	return gomail.NewClient(server.Host, options...)
}

// domainOf is what stands behind the @ of a sender.
func domainOf(sender string) string {
	a, err := mail.ParseAddress(sender)
	if err != nil {
		return "localhost"
	}
	return a.Address[strings.LastIndex(a.Address, "@")+1:]
}

// oneLine keeps what somebody typed from becoming a line of its own.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 }), " ")
}

// TestMail sends a mail to the reader's own address now and says what the
// server answered. At most one in ten seconds.
func (s *Service) TestMail(ctx context.Context, by access.Actor) (to string, err error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return "", err
	}
	db := s.db.WithContext(ctx)
	server, err := s.server(db)
	if err != nil {
		return "", err
	} else if server == nil {
		return "", fault.Conflict{Message: fault.Msg("notices.mail.error.none")}
	}
	p, err := loadPerson(db, by.MemberID)
	if err != nil {
		return "", err
	} else if p.Email == "" {
		return "", fault.Conflict{Message: fault.Msg("notices.mail.error.address")}
	}
	org, err := directory.LoadOrganisation(db)
	if err != nil {
		return "", err
	}
	if err := s.noteTest(ctx, by); err != nil {
		return "", err
	}
	subject, body := s.compose(language(p.Language, org.Language), org.Name, []Line{{Kind: testKind, Times: 1}}, 1)
	limited, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	if err := s.submit(limited, *server, p.Email, newUID(), subject, body); err != nil {
		return "", fault.Conflict{Message: fault.Msg("notices.mail.error.answer", "Answer", storable(err))}
	}
	return p.Email, nil
}

// testTime is what somebody waits in front of the page.
const testTime = 8 * time.Second
