package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/testkit"
)

// asks inserts a member's pending request.
func (s *site) asks(groupID int64, who access.Actor, note string) string {
	s.t.Helper()
	var id int64
	err := s.db.Raw("INSERT INTO join_requests (group_id, member_id, name, phone, note, created_at) VALUES (?, ?, ?, '+8613800000099', ?, ?) RETURNING id",
		groupID, who.MemberID, who.Name, note, s.clock.Now()).Scan(&id).Error
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(id)
}

type decided struct {
	Results []struct {
		ID          int64
		Outcome, By string
		At          *string
	}
}

// decideJSON sends a decision as a script does.
func (b *browser) decideJSON(pairs ...string) (int, decided) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/requests/decide", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	rec := b.do(r)
	var out decided
	if rec.Code == 200 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			b.t.Fatal(err)
		}
	}
	return rec.Code, out
}

func TestDecidingOne(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 1)
		far, _ := s.room("市场群", "internal", "approval", s.w.Marketing, 9)
		a, b, c := s.asks(g, s.w.Staff, ""), s.asks(g, s.w.OtherStaff, ""), s.asks(far, s.w.Staff, "")
		own := s.asks(g, s.w.Head, "")
		head := s.as(s.w.Head)
		decide := func(pairs ...string) *httptest.ResponseRecorder { return head.post("/requests/decide", pairs...) }

		want(t, decide("id", a, "decision", "maybe"), 422)
		want(t, decide("id", a, "decision", "reject"), 422)
		want(t, decide("id", a, "decision", "reject", "reason", strings.Repeat("长", 501)), 422)
		want(t, decide("decision", "approve"), 422)
		want(t, decide("id", c, "decision", "approve"), 404)
		want(t, decide("id", "999999", "decision", "approve"), 404)
		want(t, decide("id", "<b>", "decision", "approve"), 404)
		want(t, decide("id", "99999999999999999999", "decision", "approve"), 404)
		want(t, decide("id", own, "decision", "approve"), 403)
		want(t, decide("id", a, "decision", "approve"), 303, "/requests")
		if text := page(t, head.get("/requests")).Find(`[role="status"]`).Text(); !strings.Contains(text, s.w.Staff.Name) {
			t.Errorf("the note says %q", text)
		}
		second := s.as(s.w.Super).post("/requests/decide", "id", a, "decision", "reject", "reason", "晚了")
		want(t, second, 409)
		if body := second.Body.String(); !strings.Contains(body, s.w.Head.Name) || !strings.Contains(body, "09:00") {
			t.Error("the second presser is not told who and when")
		}
		full := decide("id", b, "decision", "approve")
		want(t, full, 409)
		if !strings.Contains(full.Body.String(), "已满") {
			t.Error("does not say that the group is full")
		}
		want(t, decide("id", b, "decision", "reject", "reason", "名额已满"), 303, "/requests")
		want(t, s.as(s.w.Staff).post("/requests/decide", "id", b, "decision", "approve"), 403)
		want(t, s.as(s.w.Staff).post("/requests/decide", "id", c, "decision", "maybe"), 404)
		want(t, s.as(s.w.Staff).post("/requests/decide"), 403)
		want(t, s.as(s.w.Staff).get("/requests"), 403)
		want(t, s.as(s.w.OtherHead).get("/requests/"+a), 404)
		want(t, head.get("/requests/"+a), 200)
		want(t, head.get("/requests/nonsense"), 404)
	})
}

func TestDecidingSeveral(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 1)
		far, _ := s.room("市场群", "internal", "approval", s.w.Marketing, 9)
		a, b, c := s.asks(g, s.w.Staff, ""), s.asks(g, s.w.OtherStaff, ""), s.asks(far, s.w.Staff, "")
		head := s.as(s.w.Head)
		status, got := head.decideJSON("decision", "approve", "id", c, "id", a, "id", b)
		if status != 200 || len(got.Results) != 3 {
			t.Fatalf("%d %+v", status, got)
		}
		for i, outcome := range []string{"not_found", "approved", "full"} {
			if got.Results[i].Outcome != outcome {
				t.Errorf("result %d = %+v, want %s", i, got.Results[i], outcome)
			}
		}
		if r := got.Results[1]; r.By != s.w.Head.Name || r.At == nil {
			t.Errorf("who and when of an approval: %+v", r)
		}
		status, got = s.as(s.w.Super).decideJSON("decision", "approve", "id", a)
		if status != 200 || got.Results[0].Outcome != "already" || got.Results[0].By != s.w.Head.Name {
			t.Errorf("%d %+v", status, got)
		}
		want(t, head.post("/requests/decide", "decision", "approve", "id", a, "id", b), 409)
		want(t, head.post("/requests/decide", "decision", "reject", "id", a, "id", b), 422)
		want(t, head.post("/requests/decide", "decision", "reject", "reason", "名额已满", "id", a, "id", b, "id", c), 303, "/requests")
		text := page(t, head.get("/requests")).Find(".dp-note.is-warn").Text()
		if !strings.Contains(text, s.w.Staff.Name) || !strings.Contains(text, s.w.Head.Name) || !strings.Contains(text, "R-"+c) {
			t.Errorf("what was left is told as %q", text)
		}
		if page(t, head.get("/requests")).Find(".dp-note.is-warn").Length() > 0 {
			t.Error("told twice")
		}
	})
}

func TestTheQueuePage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head := s.as(s.w.Head)
		if empty := page(t, head.get("/requests")); empty.Find(".dp-empty").Length() != 1 {
			t.Error("no empty state")
		}
		g, gid := s.w.Group(t, s.db, "<b>研发</b>", "internal", "approval", s.w.Platform, 10)
		far, _ := s.w.Group(t, s.db, "市场群", "internal", "approval", s.w.Marketing, 10)
		evil := s.w.Staff
		evil.Name = `<img src=x onerror=alert(1)>`
		a := s.asks(g, evil, `"><script>alert(1)</script>`)
		s.asks(far, s.w.OtherStaff, "")
		rec := head.get("/requests")
		if strings.Contains(rec.Body.String(), "<img src=x") || strings.Contains(rec.Body.String(), "<script>alert") || strings.Contains(rec.Body.String(), "<b>研发") {
			t.Error("markup got through")
		}
		doc := page(t, rec)
		if n := doc.Find(`select[name="group"] option[value="` + gid + `"]`).Length(); n != 1 || doc.Find("select option[selected]").Length() > 0 {
			t.Errorf("%d choices for the group, or one is chosen already", n)
		}
		if n := doc.Find(".dp-q > li").Length(); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		if n := doc.Find(`form[action="/requests/decide"] [name="id"][value="` + a + `"]`).Length(); n == 0 {
			t.Error("no control named id")
		}
		if strings.Contains(doc.Text(), "13800000099") || !strings.Contains(doc.Text(), "138****0099") {
			t.Error("the phone is not masked")
		}
		for query, rows := range map[string]int{"?group=" + gid: 1, "?group=nope": 0, "?kind=guest": 0, "?q=DP0005": 1, "?q=0099": 1, "?q=%25": 0,
			"?q=%00": 1, "?after=x-y": 1, "?state=decided": 0, "?state=%3Cb%3E": 1, "?after=zzzzzzzzzzzz-zzzzzzzzzzzzzzzz": 1} {
			rec := head.get("/requests" + query)
			want(t, rec, 200)
			if n := page(t, rec).Find(".dp-q > li").Length(); n != rows {
				t.Errorf("%s: %d rows, want %d", query, n, rows)
			}
		}
		head.lang = "en"
		for _, address := range []string{"/requests", "/requests/" + a, "/requests?state=decided"} {
			if text := page(t, head.get(address)).Find("body").Text(); strings.Contains(text, "‹") {
				t.Errorf("%s misses a text: %s", address, text[strings.Index(text, "‹"):])
			}
		}
		want(t, head.post("/requests/decide", "id", a, "decision", "reject", "open", "1", "reason", " "), 422)
		want(t, head.post("/requests/decide", "id", a, "decision", "reject", "reason_preset", "1"), 303, "/requests")
		if text := page(t, head.get("/requests?state=decided")).Find(".dp-q").Text(); !strings.Contains(text, "Please say who you are") {
			t.Errorf("the decided list: %s", text)
		}
	})
}

// The page's weight follows its rows, not the table.
func TestTheQueuePageStaysLight(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	g, _ := s.room("研发群", "external", "approval", s.w.RD, 500)
	for n := range 400 {
		s.exec("INSERT INTO guests (id, name, phone, created_at) VALUES (?, ?, ?, ?)", 1000+n, fmt.Sprint("访客", n), fmt.Sprintf("+86139%08d", n), s.clock.Now())
		s.exec("INSERT INTO join_requests (group_id, guest_id, name, phone, note, created_at) VALUES (?, ?, ?, ?, '项目转入', ?)",
			g, 1000+n, fmt.Sprint("访客", n), fmt.Sprintf("+86139%08d", n), s.clock.Now())
	}
	head := s.as(s.w.Head)
	first := head.get("/requests")
	next := page(t, first).Find(`a[rel="next"]`).AttrOr("href", "")
	second := head.get(next)
	if a, b := page(t, first).Find(".dp-q > li").Length(), page(t, second).Find(".dp-q > li").Length(); a != 50 || b != 50 {
		t.Errorf("%d and %d rows", a, b)
	}
	if n := first.Body.Len(); n > 110_000 {
		t.Errorf("%d bytes for 50 rows", n)
	}
}
