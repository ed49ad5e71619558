package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A decision can be taken back from the note it leaves, from the list of decided
// ones and from the request's own page, for as long as that says.
func TestUndoIsOfferedWhileItWorks(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "external", "approval", s.w.RD, 5)
		head := s.as(s.w.Head)
		a, b := s.asks(g, s.w.Staff, "让我进来"), s.asks(g, s.w.OtherStaff, "我也要")
		want(t, head.post("/requests/decide", "id", a, "id", b, "decision", "approve"), 303, "/requests")
		note := page(t, head.get("/requests")).Find(`form[action="/requests/undo"]`)
		if n := note.Find(`input[name="id"]`).Length(); n != 2 {
			t.Fatalf("the note takes %d back", n)
		}
		want(t, head.post("/requests/undo", "id", a, "id", b), 303, "/requests")
		if n := page(t, head.get("/requests")).Find(".dp-q > li").Length(); n != 2 {
			t.Errorf("%d wait again", n)
		}
		want(t, head.post("/requests/decide", "id", a, "decision", "reject", "reason_preset", "1", "reason", "周一再说"), 303, "/requests")
		if n := page(t, head.get("/requests?state=decided")).Find(`.dp-q form[action="/requests/undo"]`).Length(); n != 1 {
			t.Errorf("%d buttons among the decided", n)
		}
		if n := page(t, s.as(s.w.Super2).get("/requests/"+a)).Find(`form[action="/requests/undo"]`).Length(); n != 1 {
			t.Error("a super admin is offered nothing")
		}
		rec := head.post("/requests/undo", "id", a, "open", "1", "why", strings.Repeat("长", 501))
		want(t, rec, 422)
		want(t, head.post("/requests/undo", "id", a, "open", "1", "why", "点错了"), 303, "/requests/"+a)
		text := page(t, head.get("/requests/"+a)).Find("main").Text()
		for _, word := range []string{"点错了", "周一再说", "信息不完整", "撤销了"} {
			if !strings.Contains(text, word) {
				t.Errorf("the request's page does not say %q", word)
			}
		}
		want(t, head.post("/requests/undo", "id", a), 409)
		want(t, head.post("/requests/decide", "id", a, "decision", "reject", "reason", "不行"), 303, "/requests")
		s.clock.Add(11 * time.Minute)
		if n := page(t, head.get("/requests")).Find(`form[action="/requests/undo"]`).Length(); n != 0 {
			t.Error("offered when it is too late")
		}
		want(t, head.post("/requests/undo", "id", a), 409)
	})
}

// The applicant reads a reason of the list in their language, as it was then.
func TestReasonsReachTheApplicantInTheirLanguage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, code := s.room("研发群", "internal", "approval", s.w.RD, 5)
		super, head := s.as(s.w.Super), s.as(s.w.Head)
		want(t, super.post("/settings/reasons", "decision", "reject", "text_zh", "下个月再来", "text_en", ""), 422)
		want(t, super.post("/settings/reasons", "decision", "reject", "text_zh", "下个月再来", "text_en", "Come back next month"), 303, "/settings/reasons")
		id := fmt.Sprint(s.count("SELECT max(id) FROM decision_reasons"))
		visitor := s.as(s.w.Staff).scan(code)
		want(t, visitor.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x"), 303, "/join")
		request := fmt.Sprint(s.count("SELECT max(id) FROM join_requests WHERE group_id = ?", g))
		want(t, head.post("/requests/decide", "id", request, "decision", "approve", "reason_preset", id), 422)
		want(t, head.post("/requests/decide", "id", request, "decision", "reject", "reason_preset", id, "reason", "PS"), 303, "/requests")
		want(t, super.post("/settings/reasons/"+id, "action", "save", "text_zh", "别的", "text_en", "Else"), 303, "/settings/reasons")
		want(t, super.post("/settings/reasons/"+id, "action", "retire"), 303, "/settings/reasons")
		for lang, say := range map[string]string{"zh-CN": "下个月再来", "en": "Come back next month"} {
			visitor.lang = lang
			if text := page(t, visitor.get("/join")).Find("main").Text(); !strings.Contains(text, say) || !strings.Contains(text, "PS") {
				t.Errorf("%s: %s", lang, text)
			}
		}
		if page(t, head.get("/requests")).Find(`option[value="`+id+`"]`).Length() != 0 {
			t.Error("a retired reason is offered")
		}
		want(t, super.post("/settings/reasons/"+id, "action", "save", "text_zh", "别的", "text_en", "Else"), 409)
		other := s.asks(g, s.w.OtherStaff, "x")
		want(t, head.post("/requests/decide", "id", other, "decision", "reject", "reason_preset", id), 422)
	})
}

// Somebody is let in until a day, asks for more time, gets it and is out when the day has come.
func TestAStayWithAnEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, _ := s.room("研发群", "internal", "approval", s.w.RD, 5)
		var gid string
		s.db.Raw("SELECT gid FROM groups WHERE id = ?", g).Scan(&gid)
		head, staff := s.as(s.w.Head), s.as(s.w.Staff)
		request := s.asks(g, s.w.Staff, "外包三个月")
		for _, wrong := range []string{"昨天", "2020-01-01", "9999-01-01", "2026-13-40"} {
			want(t, head.post("/requests/decide", "id", request, "decision", "approve", "until", wrong), 422)
		}
		day := s.clock.Now().AddDate(0, 0, 30).Format(time.DateOnly)
		want(t, head.post("/requests/decide", "id", request, "decision", "approve", "until", day), 303, "/requests")
		want(t, staff.post("/groups/"+gid+"/time", "note", "再要一个月"), 303, "/groups/"+gid)
		want(t, staff.post("/groups/"+gid+"/time", "note", "再按一次"), 303, "/groups/"+gid)
		list := page(t, head.get("/requests/time")).Find(".dp-list")
		at, there := list.Find("a").Attr("href")
		if !there || !strings.Contains(list.Text(), "再要一个月") || s.count("SELECT count(*) FROM stay_extensions") != 1 {
			t.Fatalf("the list of who asks: %s", list.Text())
		}
		if text := page(t, head.get("/groups/"+gid)).Find("table").Text(); !strings.Contains(text, "23:59") {
			t.Errorf("the roster: %s", text)
		}
		longer := s.clock.Now().AddDate(0, 0, 60).Format(time.DateOnly)
		want(t, head.post(at, "until", ""), 422)
		want(t, head.post(at, "until", longer), 303, "/groups/"+gid)
		want(t, head.post(at, "action", "refuse", "reason", "x"), 409)
		s.clock.Add(40 * 24 * time.Hour)
		if n, err := s.deps.Joins.EndDue(t.Context()); n != 0 || err != nil {
			t.Errorf("%d ended too soon, %v", n, err)
		}
		s.clock.Add(30 * 24 * time.Hour)
		if n, err := s.deps.Joins.EndDue(t.Context()); n != 1 || err != nil {
			t.Errorf("%d ended, %v", n, err)
		}
		if n := s.count("SELECT member_count FROM groups WHERE id = ?", g); n != 0 {
			t.Errorf("%d seats taken", n)
		}
		if n := s.count("SELECT count(*) FROM events WHERE kind IN ('stay.ended', 'stay.asked', 'stay.extended') AND member_id = ?", s.w.Staff.MemberID); n != 3 {
			t.Errorf("%d facts", n)
		}
	})
}
