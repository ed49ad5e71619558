package notify_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/notify"
	"doorplate/internal/testkit"
)

// world is an organisation with a notifier, a mail server and a place for text messages.
type world struct {
	testkit.World
	t     *testing.T
	db    *gorm.DB
	clock *testkit.Clock
	n     *notify.Service
	mail  *mailbox
	texts *texts
	room  int64
	gid   string
}

func start(t *testing.T, db *gorm.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: testkit.NewClock(), texts: &texts{}}
	w.World = testkit.Org(t, db, w.clock)
	w.room, w.gid = w.Group(t, db, "平台技术交流群", "external", "approval", w.Platform, 500)
	w.mail = newMailbox(t)
	w.n = w.service()
	return w
}

func (w *world) service() *notify.Service {
	keys := testkit.Keys()
	return notify.New(w.db, keys, audit.New(keys, w.clock.Now), w.clock.Now, slog.New(slog.DiscardHandler),
		notify.Options{BaseURL: "http://door.example", SMS: w.texts, AnyAddress: true})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.must(w.db.Exec(sql, args...).Error)
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.db.Raw(sql, args...).Scan(&n).Error)
	return n
}

// withMail sets the mail server up and gives everybody an address.
func (w *world) withMail() {
	w.t.Helper()
	w.must(w.n.SaveMail(context.Background(), w.Super, notify.MailDraft{Host: "127.0.0.1", Port: fmt.Sprint(w.mail.port), Security: notify.Plain, Sender: "门牌 <door@example.com>"}))
	w.exec("UPDATE members SET email = 'm' || id || '@example.com'")
}

// asks writes a request of a new guest.
func (w *world) asks(name string) (id int64) {
	w.t.Helper()
	var guest int64
	w.must(w.db.Raw("INSERT INTO guests (name, phone, created_at) VALUES (?, ?, ?) RETURNING id", name, "+86137"+fmt.Sprintf("%08d", w.count("SELECT count(*) FROM guests")), w.clock.Now()).Scan(&guest).Error)
	w.must(w.db.Raw("INSERT INTO join_requests (group_id, guest_id, name, phone, created_at) VALUES (?, ?, ?, '+8613700000000', ?) RETURNING id", w.room, guest, name, w.clock.Now()).Scan(&id).Error)
	return id
}

// memberAsks writes a request of a member.
func (w *world) memberAsks(who access.Actor) (id int64) {
	w.t.Helper()
	w.must(w.db.Raw("INSERT INTO join_requests (group_id, member_id, name, phone, created_at) VALUES (?, ?, ?, '+8613700000000', ?) RETURNING id", w.room, who.MemberID, who.Name, w.clock.Now()).Scan(&id).Error)
	return id
}

func (w *world) decide(id int64, status, reason string) {
	w.t.Helper()
	w.exec("UPDATE join_requests SET status = ?, reason = ?, decided_by = ?, decided_at = ? WHERE id = ?", status, reason, w.Head.MemberID, w.clock.Now(), id)
}

func (w *world) turn() {
	w.t.Helper()
	for {
		worked, err := w.n.Turn(context.Background())
		w.must(err)
		if !worked {
			return
		}
	}
}

func (w *world) deliver(channel string) {
	w.t.Helper()
	for {
		worked, err := w.n.Deliver(context.Background(), channel)
		w.must(err)
		if !worked {
			return
		}
	}
}

// bell is what stands in somebody's list, newest first.
func (w *world) bell(who access.Actor) (all []string) {
	w.t.Helper()
	p, err := w.n.List(context.Background(), who, 0)
	w.must(err)
	for _, n := range p.Notices {
		title, _ := n.Say("zh-CN")
		all = append(all, title)
	}
	return all
}

func (w *world) wants(what string, got []string, want ...string) {
	w.t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// texts keeps text messages.
type texts struct {
	mu   sync.Mutex
	sent []notify.SMS
}

func (x *texts) Send(_ context.Context, m notify.SMS) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent = append(x.sent, m)
	return nil
}

// mailbox is a mail server that keeps what it is handed.
type mailbox struct {
	port int
	mu   sync.Mutex
	got  []string
	says string // instead of 250 after the text
	auth string
	tls  *tls.Config
	all  bool // from the first byte on
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	return newSecureMailbox(t, nil, false)
}

// newSecureMailbox offers encryption, or with all speaks nothing else.
func newSecureMailbox(t *testing.T, secure *tls.Config, all bool) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &mailbox{port: l.Addr().(*net.TCPAddr).Port, tls: secure, all: all}
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				if b.all {
					c = tls.Server(c, b.tls)
				}
				b.talk(c)
			})
		}
	})
	return b
}

func (b *mailbox) talk(c net.Conn) {
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 box\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "EHLO"):
			if _, secure := c.(*tls.Conn); b.tls != nil && !secure {
				fmt.Fprint(c, "250-box\r\n250 STARTTLS\r\n")
				continue
			}
			fmt.Fprint(c, "250-box\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n")
		case verb == "STARTTLS":
			fmt.Fprint(c, "220 go\r\n")
			c = tls.Server(c, b.tls)
			in = bufio.NewReader(c)
		case strings.HasPrefix(verb, "AUTH PLAIN"):
			b.mu.Lock()
			b.auth = strings.TrimSpace(line[len("AUTH PLAIN"):])
			b.mu.Unlock()
			fmt.Fprint(c, "235 ok\r\n")
		case verb == "DATA":
			fmt.Fprint(c, "354 go\r\n")
			fmt.Fprint(c, b.keep(in))
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func (b *mailbox) keep(in *bufio.Reader) string {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, text.String())
	if b.says != "" {
		return b.says + "\r\n"
	}
	return "250 ok\r\n"
}

// refuse makes every mail get this answer.
func (b *mailbox) refuse(says string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says = says
}

// signedIn is what somebody signed in with.
func (b *mailbox) signedIn() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.auth
}

func (b *mailbox) mails() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.got...)
}

// posted is one webhook as it arrived.
type posted struct {
	id, at, signature string
	body              string
	fields            map[string]any
}

// receiver keeps the webhooks it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []posted
	status int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 204}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		p := posted{id: q.Header.Get("webhook-id"), at: q.Header.Get("webhook-timestamp"), signature: q.Header.Get("webhook-signature"), body: string(body)}
		_ = json.Unmarshal(body, &p.fields)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, p)
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []posted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]posted(nil), r.got...)
}

func (w *world) endpoint(url string, kinds ...string) int64 {
	w.t.Helper()
	id, err := w.n.CreateEndpoint(context.Background(), w.Super, notify.EndpointDraft{Label: "接收", URL: url, Kinds: kinds})
	w.must(err)
	return id
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }
