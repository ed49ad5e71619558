package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"doorplate/internal/testkit"
	"doorplate/web"
)

func TestFrame(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		want(t, s.visitor().get("/healthz"), 200)
		want(t, s.visitor().get("/groups"), 303, "/login?next=%2Fgroups")
		want(t, s.as(s.w.Staff).get("/nowhere"), 404)
		want(t, s.as(s.w.Staff).get("/contacts/departments"), 405)
		want(t, s.as(s.w.Staff).get("/audit"), 403)

		r := httptest.NewRequest(http.MethodPost, "/lang", nil)
		r.Header.Set("Origin", "https://evil.example")
		want(t, s.visitor().do(r), 403)
	})
}

func TestMetricsAreForTheMachineAndTheToken(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	s.deps.Config.MetricsToken = "let-me-in"
	s.Handler = web.New(s.deps)
	for _, c := range []struct {
		peer, header, value string
		want                int
	}{
		{"127.0.0.1:5", "", "", 200}, {"[::1]:5", "", "", 200}, {"192.0.2.1:5", "", "", 404},
		{"127.0.0.1:5", "X-Forwarded-For", "192.0.2.1", 404}, {"127.0.0.1:5", "Forwarded", "for=x", 404},
		{"192.0.2.1:5", "Authorization", "Bearer let-me-in", 200}, {"192.0.2.1:5", "Authorization", "Bearer wrong", 404},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = c.peer
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if rec := s.visitor().do(r); rec.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.peer, c.header, rec.Code, c.want)
		}
	}
}

func TestPagesTravelCompressed(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	r := httptest.NewRequest(http.MethodGet, "/groups", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	rec := s.as(s.w.Super).do(r)
	if rec.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("Content-Encoding = %q, %d bytes", rec.Header().Get("Content-Encoding"), rec.Body.Len())
	}
}
