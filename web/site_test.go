package web_test

import (
	"context"

	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/code"
	"doorplate/internal/config"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fuse"
	"doorplate/internal/group"
	"doorplate/internal/jobs"
	"doorplate/internal/join"
	"doorplate/internal/notify"
	"doorplate/internal/operations"
	"doorplate/internal/press"
	"doorplate/internal/recert"
	"doorplate/internal/rules"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
	"doorplate/web"
)

// site is a whole server on one test database, with the small organisation in it.
type site struct {
	t     *testing.T
	db    *gorm.DB
	w     testkit.World
	clock *testkit.Clock
	deps  web.Deps
	http.Handler
}

// onBoth runs test on a site per database.
func onBoth(t *testing.T, test func(t *testing.T, s *site)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) { test(t, newSite(t, db)) })
}

// bothAtOnce is onBoth for a long test that measures nothing: the two databases side by side.
func bothAtOnce(t *testing.T, test func(t *testing.T, s *site)) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"sqlite": testkit.SQLite, "postgres": testkit.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, open(t)))
		})
	}
}

func newSite(t *testing.T, db *gorm.DB) *site {
	clock := testkit.NewClock()
	return siteOn(t, db, clock, testkit.Org(t, db, clock))
}

// siteOn is one server on a database that is filled already; several may share it.
func siteOn(t *testing.T, db *gorm.DB, clock *testkit.Clock, w testkit.World) *site {
	log := slog.New(slog.NewTextHandler(testLog{}, nil))
	keys, now := testkit.Keys(), clock.Now
	trail := audit.New(keys, now)
	outbox := jobs.New(db, keys, now, log)
	cfg := config.Config{Addr: "127.0.0.1:8080", BaseURL: "http://door.example", SMS: "log", Timezone: "Asia/Shanghai"}
	groups := group.New(db, trail, now)
	codes := code.New(db, keys, trail, now, cfg.BaseURL)
	s := &site{t: t, db: db, clock: clock, w: w}
	s.deps = web.Deps{
		Config: cfg, Log: log, Now: now, Trail: trail, Audit: audit.NewLog(db, trail),
		Auth: auth.New(db, keys, trail, outbox, now), Directory: directory.New(db, trail, now), Groups: groups,
		Approvals: approval.New(db, trail, groups, codes, now), Codes: codes, Scans: scan.New(db, keys, codes, trail, now),
		Operations: operations.New(db, trail, groups, codes, now), Notices: notify.New(db, keys, trail, now, log, notify.Options{BaseURL: cfg.BaseURL}),
		Hub: events.NewHub(db, log, now), Fuse: fuse.New(db, keys, trail, now),
		Joins: join.New(db, keys, trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, now),
		Rules: rules.New(db, trail, now),
		Press: press.New(db, codes, trail, now, cfg.BaseURL, log), Rounds: recert.New(db, trail, codes, now),
		Demo: func(context.Context) error { return nil }, Ready: func(context.Context) error { return nil },
	}
	t.Cleanup(s.deps.Scans.Close)
	s.deps.Directory.OnDepart(
		directory.Effect{Key: "sessions", End: auth.EndSessions}, directory.Effect{Key: "requests", End: join.CancelFor},
		directory.Effect{Key: "memberships", End: func(tx *gorm.DB, _ access.Actor, id int64, at time.Time) (int64, error) {
			return group.EndFor(tx, id, at, "departed")
		}},
		directory.Effect{Key: "duties", End: group.EndDuties})
	s.deps.Directory.OnMove(codes.OrphansUnder)
	s.Handler = web.New(s.deps)
	return s
}

// browser keeps cookies between requests, like a person's browser.
type browser struct {
	*site
	cookies map[string]string
	lang    string
}

// visitor is a browser that nobody has signed in with.
func (s *site) visitor() *browser {
	return &browser{site: s, cookies: map[string]string{}, lang: "zh-CN"}
}

// as is a browser signed in as a.
func (s *site) as(a access.Actor) *browser {
	s.t.Helper()
	id, err := s.deps.Auth.StartSession(context.Background(), a.MemberID, "192.0.2.1", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.visitor()
	b.cookies["doorplate_session"] = id
	return b
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if r.Header.Get("Accept-Language") == "" {
		r.Header.Set("Accept-Language", b.lang)
	}
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable {
		b.t.Errorf("%s %s answered %d: %s", r.Method, r.URL, rec.Code, rec.Body)
	}
	return rec
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

// post sends a form; pairs are name, value, …
func (b *browser) post(path string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// page parses an answer as HTML.
func page(t *testing.T, rec *httptest.ResponseRecorder) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// want fails the test unless the answer has this status (and, if given, Location prefix).
func want(t *testing.T, rec *httptest.ResponseRecorder, status int, location ...string) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("answered %d, want %d: %.600s", rec.Code, status, rec.Body)
	}
	if len(location) > 0 && !strings.HasPrefix(rec.Header().Get("Location"), location[0]) {
		t.Fatalf("Location = %q, want %q…", rec.Header().Get("Location"), location[0])
	}
}

// testLog drops the server's log; set DOORPLATE_TEST_LOG to read it on a failure.
type testLog struct{}

func (testLog) Write(p []byte) (int, error) {
	if os.Getenv("DOORPLATE_TEST_LOG") != "" {
		return os.Stderr.Write(p)
	}
	return len(p), nil
}
