package notify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/notify"
	"doorplate/internal/testkit"
)

// strict is the service as operators run it.
func (w *world) strict() *notify.Service {
	keys := testkit.Keys()
	return notify.New(w.db, keys, audit.New(keys, w.clock.Now), w.clock.Now, slog.New(slog.DiscardHandler), notify.Options{BaseURL: "http://door.example"})
}

// within are addresses that no webhook may reach.
var within = []string{
	"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.0.1",
	"100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250",
	"240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
	"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
	"64:ff9b:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "100::1", "5f00::1", "3fff::1",
}

func TestNoAddressInsideIsPublic(t *testing.T) {
	for _, a := range within {
		if notify.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s passes as public", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"} {
		if !notify.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s does not pass", a)
		}
	}
}

// The corpus: each is refused when it is typed, or when it is connected to.
func TestWebhooksReachNothingInside(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		n, ctx := w.strict(), context.Background()
		reached := false
		own := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		defer own.Close()
		port := own.URL[strings.LastIndex(own.URL, ":"):]
		urls := []string{"", "x", "https://", "https:///x", "//evil.example", "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:25/_x",
			"https://user:pass@example.com/", "https://localhost" + port, "https://LOCALHOST." + port, "https://a.localhost" + port, "https://printer.local/", "https://metadata.google.internal/", "https://intranet/",
			"https://2130706433" + port, "https://0x7f000001" + port, "https://0x7f.1" + port, "https://0177.0.0.1" + port, "https://127.1" + port, "https://127.0.0.1" + port + "#x", "https://[::1" + port,
			"https://exa mple.com/", "https://example.com/\r\nX: y", "https://例子.example/", "https://example.com/" + strings.Repeat("a", 600), "javascript:alert(1)", "https://%31%32%37.0.0.1" + port}
		for _, a := range within {
			if strings.Contains(a, ":") {
				a = "[" + strings.ReplaceAll(a, "%", "%25") + "]"
			}
			urls = append(urls, "https://"+a+port+"/hook")
		}
		for _, u := range urls {
			_, err := n.CreateEndpoint(ctx, w.Super, notify.EndpointDraft{Label: "x", URL: u, Kinds: []string{events.Approved}})
			var bad fault.Invalid
			if !errors.As(err, &bad) || bad["url"].Key == "" {
				t.Errorf("%q was taken: %v", u, err)
			}
		}
		if reached {
			t.Error("our own server was asked")
		}
	})
}

// What was typed is one thing, what a name leads to another: the address that is
// really connected to is judged, at each connection anew.
func TestANameThatTurnsInsideIsRefusedAtTheConnection(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		id := w.endpoint("https://hooks.example.com/", events.Rejected)
		for _, inside := range []string{r.URL, "https://127.0.0.1:1/", "http://localhost:1/"} {
			w.exec("UPDATE webhook_endpoints SET url = ? WHERE id = ?", inside, id) // as if checked when it was still outside
			w.decide(w.memberAsks(w.OtherStaff), "rejected", "")
			w.turn()
			if _, err := w.strict().Deliver(context.Background(), notify.Hook); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.all()) != 0 {
			t.Error("was reached")
		}
		if n := w.count("SELECT count(*) FROM messages WHERE channel = 'webhook' AND state = 'given_up' AND last_error LIKE '%public internet%'"); n != 3 {
			t.Errorf("%d of 3 were refused", n)
		}
		for _, address := range []string{r.Listener.Addr().String(), "[::1]:443", "169.254.169.254:80"} {
			if err := notify.OnlyPublic("tcp4", address, nil); err == nil {
				t.Errorf("a connection to %s is let through", address)
			}
		}
		// The real dialer with a name that the system resolves to this machine.
		if err := w.strict().Dial(context.Background(), "localhost"+r.URL[strings.LastIndex(r.URL, ":"):]); err == nil || !strings.Contains(err.Error(), "public internet") {
			t.Errorf("localhost is dialled: %v", err)
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		from := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, q *http.Request) { http.Redirect(a, q, r.URL, http.StatusTemporaryRedirect) }))
		defer from.Close()
		w.endpoint(from.URL, events.Rejected)
		w.decide(w.memberAsks(w.OtherStaff), "rejected", "")
		w.turn()
		w.deliver(notify.Hook)
		if len(r.all()) != 0 || w.count("SELECT count(*) FROM messages WHERE state = 'failed' AND last_error LIKE '%redirects%'") != 1 {
			t.Error("followed")
		}
	})
}

func TestSignaturesFollowTheConvention(t *testing.T) {
	// The vector of the Standard Webhooks reference libraries.
	key, _ := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	got := notify.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		ctx := context.Background()
		id := w.endpoint(r.URL, events.Rejected)
		look := func() string {
			ticket, err := w.n.RevealSecret(ctx, w.Super, id)
			w.must(err)
			if strings.Contains(ticket, "whsec") || w.n.Revealed(w.Super2, id, ticket) != "" || w.n.Revealed(w.Super, id+1, ticket) != "" {
				t.Error("the ticket is good for others too")
			}
			return w.n.Revealed(w.Super, id, ticket)
		}
		first := look()
		if _, err := w.n.RevealSecret(ctx, w.Super, id); err == nil {
			t.Error("the secret was shown twice")
		}
		w.must(w.n.RotateSecret(ctx, w.Super, id))
		second := look()
		send := func() posted {
			w.decide(w.memberAsks(w.OtherStaff), "rejected", "")
			w.turn()
			w.deliver(notify.Hook)
			all := r.all()
			return all[len(all)-1]
		}
		p := send()
		if p.signature != sign(t, second, p)+" "+sign(t, first, p) {
			t.Errorf("signed %s", p.signature)
		}
		w.clock.Add(hours(25))
		if p = send(); p.signature != sign(t, second, p) {
			t.Errorf("the old secret still signs: %s", p.signature)
		}
		var kept []byte
		w.must(db.Raw("SELECT secret FROM webhook_endpoints").Row().Scan(&kept))
		if strings.Contains(string(kept), strings.TrimPrefix(second, "whsec_")) {
			t.Error("kept in the open")
		}
	})
}

func sign(t *testing.T, secret string, p posted) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := strconv.ParseInt(p.at, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return notify.Sign(key, p.id, time.Unix(at, 0), []byte(p.body))
}

func TestAnEndpointThatKeepsFailingIsSwitchedOff(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		id := w.endpoint(r.URL, events.Rejected)
		r.status = 503
		w.exec("UPDATE webhook_endpoints SET failures = ?", notify.MaxFailures-1)
		w.decide(w.memberAsks(w.OtherStaff), "rejected", "")
		w.turn()
		w.deliver(notify.Hook)
		e, err := w.n.Endpoint(context.Background(), w.Super, id)
		w.must(err)
		if e.Enabled || e.DisabledWhy == "" {
			t.Errorf("%+v", e)
		}
		w.turn()
		w.wants("who looks after it", w.bell(w.Super), "Webhook“接收”连续失败，已自动停用")
		r.status = 200
		w.must(w.n.SaveEndpoint(context.Background(), w.Super, id, notify.EndpointDraft{Label: "接收", URL: r.URL, Kinds: []string{events.Rejected}, Enabled: true}))
		w.clock.Add(hours(1))
		w.deliver(notify.Hook)
		if e, _ = w.n.Endpoint(context.Background(), w.Super, id); e.Failures != 0 || !e.Enabled || w.count("SELECT count(*) FROM messages WHERE channel = 'webhook' AND state = 'sent'") != 1 {
			t.Errorf("%+v", e)
		}
	})
}

// What other systems are told holds no phone and no reason.
func TestAWebhookSaysNoMoreThanItMust(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		w.endpoint(r.URL, notify.HookKinds...)
		id := w.asks("李雷")
		w.decide(id, "rejected", "私下的理由")
		w.turn()
		w.deliver(notify.Hook)
		got := r.all()
		if len(got) != 2 {
			t.Fatalf("%d posted", len(got))
		}
		for _, p := range got {
			if strings.Contains(p.body, "137") && strings.Contains(p.body, "+86") || strings.Contains(p.body, "私下") || !strings.Contains(p.body, fmt.Sprintf(`"request":{"id":%d}`, id)) {
				t.Errorf("posted %s", p.body)
			}
		}
	})
}
