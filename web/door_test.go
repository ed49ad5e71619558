package web_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every refusal has its own status, words, help and reference.
func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		exec := func(sql string, args ...any) {
			t.Helper()
			if err := s.db.Exec(sql, args...).Error; err != nil {
				t.Fatal(err)
			}
		}
		past, future := s.clock.Now().Add(-time.Hour), s.clock.Now().Add(49*time.Hour)
		for _, c := range []struct {
			name   string
			form   []string
			set    string
			args   []any
			status int
			text   string
		}{
			{"expired", nil, "UPDATE codes SET validity = 'until', valid_until = ? WHERE public_id = ?", []any{past}, 410, "该二维码已失效"},
			{"revoked", nil, "UPDATE codes SET revoked_at = ? WHERE public_id = ?", []any{past}, 410, "撤销"},
			{"suspended", nil, "UPDATE codes SET suspended_at = ? WHERE public_id = ?", []any{past}, 410, "暂停"},
			{"not yet", nil, "UPDATE codes SET valid_from = ? WHERE public_id = ?", []any{future}, 403, "11/24 10:00"},
			{"network", []string{"networks", "10.0.0.0/8"}, "", nil, 403, "网络"},
			{"exhausted", []string{"total_cap", "1"}, "UPDATE code_counters SET total = 1 WHERE code_id = (SELECT id FROM codes WHERE public_id = ?)", []any{}, 429, "用完"},
			{"daily", []string{"daily_cap", "1"}, "UPDATE code_counters SET day = '2026-11-22', day_total = 1 WHERE code_id = (SELECT id FROM codes WHERE public_id = ?)", []any{}, 429, "明天 0 点"},
		} {
			id := s.issue(gid, append([]string{"label", c.name}, c.form...)...)
			door := s.printed(id)
			if c.set != "" {
				exec(c.set, append(c.args, id)...)
			}
			s.refused(t, c.name, door, c.status, c.text)
		}
		s.refused(t, "unknown", "/j/abc", 404, "没有这张码")
		id := s.issue(gid, "label", "还在")
		door := s.printed(id)
		s.refused(t, "tampered", door[:len(door)-1]+"~", 404, "没有这张码")
		exec("INSERT INTO policies (name, value, updated_at) VALUES ('joining_off', 'true', ?)", past)
		s.refused(t, "off", door, 403, "关闭")
		exec("UPDATE groups SET status = 'disbanded', disbanded_at = ?", past)
		s.refused(t, "disbanded", door, 410, "解散")
	})
}

func (s *site) refused(t *testing.T, name, door string, status int, text string) {
	t.Helper()
	rec := s.visitor().get(door)
	if rec.Code != status {
		t.Errorf("%s: %d, want %d", name, rec.Code, status)
	}
	ref := rec.Header().Get("Doorplate-Scan")
	doc := page(t, rec)
	for _, words := range []string{text, "不是你的手机有问题", "可以问", "何时恢复", ref} {
		if ref == "" || !strings.Contains(doc.Find("main").Text(), words) {
			t.Errorf("%s: the page does not say %q: %s", name, words, doc.Find("main").Text())
		}
	}
	if n := rec.Body.Len(); n > 9000 || doc.Find("script").Length() > 0 || doc.Find("link[rel=stylesheet]").Length() != 1 || doc.Find("h1").Length() != 1 {
		t.Errorf("%s: %d bytes, %d headings", name, n, doc.Find("h1").Length())
	}
	if strings.Contains(rec.Body.String(), "许一诺") || strings.Contains(rec.Body.String(), "周岚") {
		t.Errorf("%s: a person's name on a public page", name)
	}
	en := s.visitor()
	en.lang = "en"
	if doc := page(t, en.get(door)); doc.Find("html").AttrOr("lang", "") != "en" || strings.Contains(doc.Find("section").Text(), "二维码") {
		t.Errorf("%s in English: %s", name, doc.Find("section").Text())
	}
}

func TestWaitingTimesAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		door := s.printed(s.issue(gid, "label", "每天一次", "daily_cap", "1"))
		want(t, s.visitor().get(door), 303, "/join/")
		rec := s.visitor().get(door)
		want(t, rec, 429)
		if after, _ := strconv.Atoi(rec.Header().Get("Retry-After")); after != 15*60*60 {
			t.Errorf("Retry-After %s at 09:00", rec.Header().Get("Retry-After"))
		}
		free := s.printed(s.issue(gid, "label", "不限"))
		visitor := s.visitor()
		visitor.cookies["doorplate_join"] = "somebody"
		for range 30 {
			want(t, visitor.get(free), 303)
		}
		rec = visitor.get(free)
		want(t, rec, 429)
		if rec.Header().Get("Retry-After") != "10" {
			t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
		}
		s.clock.Add(10 * time.Second)
		want(t, visitor.get(free), 303)
	})
}

func TestRobotsGetTheNameOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		door := s.printed(s.issue(gid, "label", "只一次", "total_cap", "1"))
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodHead, door, nil), agent(door, "Slackbot-LinkExpanding 1.0"), agent(door, "WhatsApp/2.23.20.0"),
			agent(door, "facebookexternalhit/1.1"), agent("/j/unknown", "Twitterbot/1.0"),
		} {
			rec := s.visitor().do(r)
			want(t, rec, 200)
			if body := rec.Body.String(); strings.Contains(body, "平台") || !strings.Contains(body, "晨星科技") || rec.Header().Get("Doorplate-Scan") == "" {
				t.Errorf("%s %q: %s", r.Method, r.UserAgent(), body)
			}
		}
		want(t, s.visitor().get(door), 303, "/join/")
		want(t, s.visitor().get(door), 429)
	})
}

func agent(door, userAgent string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, door, nil)
	r.Header.Set("User-Agent", userAgent)
	return r
}

// A visitor whom the console session names is refused at the scan. req: A05
func TestTheAudienceOfSomebodySignedIn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		door := s.printed(s.issue(gid, "label", "只给研发", "audience", strconv.FormatInt(s.w.RD, 10)))
		want(t, s.as(s.w.Staff).get(door), 303, "/join/")
		want(t, s.visitor().get(door), 303, "/join/")
		rec := s.as(s.w.OtherStaff).get(door)
		want(t, rec, 403)
		if !strings.Contains(rec.Body.String(), "部门") {
			t.Error("the page does not say why")
		}
	})
}

func TestAScanThatCannotBeRecordedIsSaid(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, id := s.door("approval")
		door := s.printed(id)
		if err := s.db.Exec("ALTER TABLE scans RENAME TO elsewhere").Error; err != nil {
			t.Fatal(err)
		}
		rec := s.visitor().get(door)
		want(t, rec, 503)
		if ref := rec.Header().Get("Doorplate-Scan"); ref == "" || !strings.Contains(rec.Body.String(), ref) || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%v", rec.Header())
		}
		if err := s.db.Exec("ALTER TABLE elsewhere RENAME TO scans").Error; err != nil {
			t.Fatal(err)
		}
		want(t, s.visitor().get(door), 303)
	})
}
