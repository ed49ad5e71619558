package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// swap sends a decision as htmx does.
func (b *browser) swap(pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/requests/decide", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("HX-Request", "true")
	return b.do(r)
}

// A row that is decided in place says who and when, also when somebody else was first.
func TestARowChangesInPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 1)
		gid := s.gid(g)
		a, b := s.asks(g, s.w.Staff, ""), s.asks(g, s.w.OtherStaff, "")
		head := s.as(s.w.Head)
		won := head.swap("id", a, "decision", "approve")
		want(t, won, 200)
		if doc := page(t, won); doc.Find("#row"+a+`[data-state="approved"]`).Length() != 1 || doc.Find("#q-say").Text() == "" || doc.Find("h1").Length() != 0 {
			t.Errorf("the row: %s", won.Body)
		}
		lost := s.as(s.w.Super).swap("id", a, "decision", "reject", "reason", "晚了")
		want(t, lost, 409)
		if text := page(t, lost).Text(); !strings.Contains(text, s.w.Head.Name) || !strings.Contains(text, "09:00") {
			t.Errorf("who and when: %s", text)
		}
		full := head.swap("id", b, "decision", "approve")
		want(t, full, 409)
		if page(t, full).Find("#row"+b+`[data-state="pending"] .dp-ok`).Length() != 1 {
			t.Error("a full group's request can no longer be decided")
		}
		want(t, head.swap("id", "999999", "decision", "approve"), 404)
		fresh := s.as(s.w.Super).get("/requests/rows?id=" + a + "&new=" + b + "&back=" + url.QueryEscape("group="+gid))
		want(t, fresh, 200)
		if doc := page(t, fresh); doc.Find("#row"+a).Length() != 1 || doc.Find("#row"+b).Length() != 0 || doc.Find(`a[href="/requests?group=`+gid+`"]`).Length() != 1 {
			t.Errorf("rows of an open page: %s", fresh.Body)
		}
		other := s.as(s.w.OtherHead).get("/requests/rows?id=" + a + "&new=" + b)
		want(t, other, 200)
		if strings.Contains(other.Body.String(), s.w.Staff.Name) || page(t, other).Find("a").Length() != 0 {
			t.Error("rows out of scope are shown")
		}
	})
}

func TestDecidingAllThatMatches(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 1)
		gid := s.gid(g)
		s.asks(g, s.w.Staff, "")
		s.asks(g, s.w.OtherStaff, "")
		head := s.as(s.w.Head)
		want(t, head.post("/requests/runs", "decision", "reject", "back", "group="+gid), 422)
		want(t, head.post("/requests/runs", "decision", "approve", "back", "q=nobody"), 422)
		asked := head.post("/requests/runs", "decision", "approve", "back", "group="+gid)
		want(t, asked, 303, "/requests/runs/")
		at := asked.Header().Get("Location")
		if text := page(t, head.get(at)).Find("main").Text(); !strings.Contains(text, "通过 2 条") || !strings.Contains(text, "1 人没有空位") {
			t.Errorf("the question: %s", text)
		}
		if n := s.count("SELECT count(*) FROM join_requests WHERE status = 'pending'"); n != 2 {
			t.Error("decided before anybody confirmed")
		}
		want(t, head.post(at+"/start"), 303, at)
		text := page(t, head.get(at)).Find("main").Text()
		if !strings.Contains(text, "通过了 1 条") || !strings.Contains(text, "1 条没有动") || !strings.Contains(text, s.w.OtherStaff.Name) {
			t.Errorf("what it did: %s", text)
		}
		want(t, head.post(at+"/start"), 409)
	})
}

func TestViewsOfTheQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 9)
		s.asks(g, s.w.Staff, "")
		head := s.as(s.w.Head)
		want(t, head.post("/requests/views", "name", " ", "back", "kind=guest"), 422)
		want(t, head.post("/requests/views", "name", "访客", "default", "on", "back", "kind=guest&evil=1"), 303, "/requests?")
		rows := func(at string) int { return page(t, head.get(at)).Find(".dp-q > li").Length() }
		if a, b, c := rows("/requests"), rows("/requests?all=1"), rows("/requests?kind=member"); a != 0 || b != 1 || c != 1 {
			t.Errorf("%d by default, %d in all, %d staff", a, b, c)
		}
		doc := page(t, head.get("/requests"))
		if doc.Find(`.dp-views a[aria-current]`).Text() != "访客" {
			t.Error("the chosen view is not marked")
		}
		action := doc.Find(`form[action^="/requests/views/"]`).AttrOr("action", "")
		want(t, s.as(s.w.Super).post(action, "action", "delete"), 404)
		want(t, head.post(action, "action", "plain"), 303)
		if n := rows("/requests"); n != 1 {
			t.Errorf("%d rows without a default", n)
		}
		want(t, head.post(action, "action", "delete"), 303)
		want(t, head.post(action, "action", "delete"), 404)
	})
}
