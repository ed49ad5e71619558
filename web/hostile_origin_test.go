package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"doorplate/web"
)

// No other site makes a reader's browser do anything.
func TestForeignOriginsChangeNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.props()
		super := s.as(s.w.Super)
		state := func() string {
			var all strings.Builder
			for _, table := range []string{"audit_entries", "groups", "codes", "members", "departments", "join_requests", "memberships", "sessions", "approvals",
				"imports", "policies", "phone_codes", "jobs", "throttles", "form_keys", "group_duties", "department_heads"} {
				all.WriteString(table + " " + fmt.Sprint(s.count("SELECT count(*) FROM "+table)) + "\n")
			}
			return all.String()
		}
		forms := p.fields()
		before := state()
		for _, f := range forms {
			form := url.Values{"form_key": {s.deps.Auth.NewFormKey()}}
			for i := 1; i+1 < len(f); i += 2 {
				form.Set(f[i], f[i+1])
			}
			for _, h := range [][2]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://door.example.evil.example"},
				{"Origin", "http://door.example:81"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
				r := hostileRequest(http.MethodPost, p.path(f[0]), form)
				r.Host = "door.example"
				r.Header.Set(h[0], h[1])
				if rec := super.do(r); rec.Code != 403 {
					t.Errorf("POST %s with %s: %s: %d, want 403", f[0], h[0], h[1], rec.Code)
				}
			}
		}
		if after := state(); after != before {
			t.Errorf("something changed:\n%s\n%s", before, after)
		}
		for _, h := range [][2]string{{"Origin", "http://door.example"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}} {
			r := hostileRequest(http.MethodPost, "/lang", url.Values{"lang": {"en"}})
			r.Host = "10.0.0.1"
			r.Header.Set(h[0], h[1])
			want(t, super.do(r), 303)
		}
	})
}

func TestEveryAnswerIsHardened(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p, super := s.props(), s.as(s.w.Super)
		check := func(what string, rec *httptest.ResponseRecorder) {
			h := rec.Header()
			csp := h.Get("Content-Security-Policy")
			if csp == "" || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || !strings.Contains(csp, "frame-ancestors 'none'") ||
				!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "base-uri 'none'") || !strings.Contains(csp, "form-action 'self'") {
				t.Errorf("%s: policy %q", what, csp)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
				t.Errorf("%s: %v", what, h)
			}
			if !strings.Contains(what, " /static/") && !strings.Contains(h.Get("Cache-Control"), "no-store") {
				t.Errorf("%s may be kept: %q", what, h.Get("Cache-Control"))
			}
			for _, ck := range rec.Result().Cookies() {
				if !ck.HttpOnly || ck.SameSite == http.SameSiteNoneMode || ck.SameSite == 0 || ck.Path != "/" || ck.Domain != "" {
					t.Errorf("%s: cookie %v", what, ck)
				}
			}
		}
		for _, r := range web.Routes() {
			path := p.path(r[1])
			for _, b := range []*browser{super, s.visitor()} {
				if r[0] == http.MethodGet {
					check("GET "+path, b.get(path))
				}
			}
			check("PUT "+path, s.visitor().do(httptest.NewRequest(http.MethodPut, path, nil)))
		}
		for _, path := range []string{"/nowhere", "/static/nothing.css", "/static/../go.mod", "/static/%2e%2e/go.mod", "/static/..%2f..%2fgo.mod", "/groups/", "//evil.example/x", "/api/v1/x"} {
			rec := s.visitor().get("http://door.example" + path)
			check("GET "+path, rec)
			if rec.Code < 400 {
				t.Errorf("GET %s: %d %s", path, rec.Code, rec.Header().Get("Location"))
			}
		}
	})
}

// The Host header is typed by a stranger: no link, no redirect and no code repeats it.
func TestTheHostIsNotBelieved(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.props()
		_, code := s.door("approval")
		door := s.printed(code)
		for _, b := range []*browser{s.as(s.w.Super), s.visitor()} {
			for _, r := range web.Routes() {
				if r[0] != http.MethodGet {
					continue
				}
				b.spoofed(p.path(r[1]))
			}
			b.spoofed(door)
			b.spoofed("/codes/" + code)
		}
		super := s.as(s.w.Super)
		rec := super.do(spoof(httptest.NewRequest(http.MethodPost, p.path("/contacts/members/:id/invite"), nil)))
		super.notEvil("invitation", rec)
		super.notEvil("the page of the invitation", super.get(p.path("/contacts/members/:id/invite")))
	})
}

func spoof(r *http.Request) *http.Request {
	r.Host = "evil.example"
	for _, name := range []string{"X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"} {
		r.Header.Set(name, "host=evil.example")
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	return r
}

func (b *browser) spoofed(path string) {
	b.t.Helper()
	b.notEvil(path, b.do(spoof(httptest.NewRequest(http.MethodGet, path, nil))))
}

func (b *browser) notEvil(what string, rec *httptest.ResponseRecorder) {
	b.t.Helper()
	if strings.Contains(rec.Body.String(), "evil.example") || strings.Contains(rec.Header().Get("Location"), "evil") || strings.Contains(rec.Header().Get("Set-Cookie"), "evil") {
		b.t.Errorf("%s repeats the host", what)
	}
}

// elsewhere are spellings of another site's address.
var elsewhere = []string{"//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example", "http:/evil.example", "/\t/evil.example",
	"/\n/evil.example", "\t//evil.example", " //evil.example", "%2f%2fevil.example", "/%2f%2fevil.example", "/%5cevil.example", "javascript:alert(1)", "/..//evil.example",
	"/.//evil.example", "///evil.example", "evil.example", "/\u2028/evil.example", "/%09/evil.example", "http://door.example@evil.example", "?//evil.example", "#//evil.example", "/@evil.example/..//evil.example"}

func TestNextNeverLeavesThisServer(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, next := range elsewhere {
			rec := s.as(s.w.Super).post("/lang", "lang", "en", "next", next)
			staysHere(t, next, rec)
			b := s.visitor()
			s.exec("DELETE FROM throttles")
			rec = b.signIn("13800000005", next)
			want(t, rec, 303)
			staysHere(t, next, rec)
			staysHere(t, next, s.visitor().get(next2path(next)))
		}
		b := s.visitor()
		s.exec("DELETE FROM throttles")
		want(t, b.signIn("13800000005", "/groups?view=all"), 303, "/groups?view=all")
	})
}

// next2path asks for a page whose address is itself such a spelling.
func next2path(next string) string {
	return "/groups/" + url.PathEscape(next) + "?next=" + url.QueryEscape(next)
}

// local fails the test for a redirect that any reading of addresses takes elsewhere.
func staysHere(t *testing.T, next string, rec *httptest.ResponseRecorder) {
	t.Helper()
	to := rec.Header().Get("Location")
	if to == "" {
		return
	}
	base, _ := url.Parse("http://door.example/login")
	u, err := base.Parse(regexp.MustCompile(`[\t\r\n]`).ReplaceAllString(strings.ReplaceAll(to, "\\", "/"), ""))
	if err != nil || u.Host != "door.example" || strings.HasPrefix(u.Path, "//") {
		t.Errorf("next %q leads to %q", next, to)
	}
}
