package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// link is the first address on a page with a text in it.
func (b *browser) link(path, part string) string {
	b.t.Helper()
	return page(b.t, b.get(path)).Find(`a[href*="`+part+`"]`).AttrOr("href", "")
}

// From the scan to the request a visitor sees three pages at most, whatever the
// group asks, and what was typed survives a dead browser.
func TestFromTheScanToTheRequestInThreePages(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, code := s.room("客户群", "external", "approval", s.w.RD, 10)
		var gid, public string
		s.db.Raw("SELECT gid FROM groups WHERE id = ?", g).Scan(&gid)
		s.db.Raw("SELECT public_id FROM codes WHERE id = ?", code).Scan(&public)
		super := s.as(s.w.Super)
		want(t, super.post("/groups/"+gid+"/asking", "invite", "on", "last4", "on", "question", "几楼？", "answers", "三楼", "domains", "example.com",
			"field1_label", "从哪儿知道的", "field1_kind", "choice", "field1_options", "朋友\n海报", "field1_required", "on"), 303, "/groups/"+gid+"/asking")
		want(t, super.post("/groups/"+gid+"/invites", "label", "展会", "quantity", "2"), 303, "/groups/"+gid+"/invites")
		list := page(t, super.get(super.link("/groups/"+gid+"/invites", "/invites/")))
		invite := strings.TrimSpace(list.Find(".dp-invites code").First().Text())
		want(t, super.get(super.link("/groups/"+gid+"/invites", "/invites/")+"/codes.csv"), 200)

		b := s.visitor().scan(code)
		pages := 0
		see := func() *goquery.Document {
			pages++
			return page(t, b.get("/join"))
		}
		see()
		want(t, b.fill("/join", "/join", "phone", "+8613911112222"), 303, "/join")
		ask := see()
		for _, name := range []string{"invite_code", "phone_last4", "answer", "email", "q1", "note"} {
			if ask.Find(`main form [name="`+name+`"]`).Length() != 1 {
				t.Errorf("the form does not ask for %s", name)
			}
		}
		rec := b.post("/join/draft", "note", "展会上见过", "answer", "三 楼", "q1", "海报", "phone_last4", "2222", "password", "geheim")
		want(t, rec, 204)
		again := page(t, b.get("/join"))
		if again.Find(`[name="note"]`).Text() != "展会上见过" || again.Find(`[name="answer"]`).AttrOr("value", "") != "三 楼" ||
			again.Find(`[name="q1"] option[selected]`).Text() != "海报" || again.Find(`[name="phone_last4"]`).AttrOr("value", "") != "" {
			t.Error("the draft is not in the form, or too much of it is")
		}
		// Something is missing: the phone code is not used up, and nothing typed is lost.
		sms := b.codes()["+8613911112222"]
		half := b.fill("/join", "/join", "code", sms, "name", "熊大力", "answer", "三楼", "invite_code", "", "phone_last4", "2222", "email", "x@example.com", "q1", "海报")
		want(t, half, 422)
		if doc := page(t, half); doc.Find(`[name="email"]`).AttrOr("value", "") != "x@example.com" || doc.Find(`[name="note"]`).Text() != "展会上见过" || doc.Find("#iv-e").Length() != 1 {
			t.Error("the form that comes back lost something")
		}
		want(t, b.fill("/join", "/join", "code", sms, "name", "熊大力", "answer", "三楼", "invite_code", invite, "phone_last4", "2222", "email", "x@example.com", "q1", "海报"), 303, "/join")
		see()
		if b.shows("pending"); pages > 3 {
			t.Errorf("%d pages", pages)
		}
		if n := s.count("SELECT count(*) FROM request_answers"); n != 5 {
			t.Errorf("%d answers", n)
		}
		// JSON says the same.
		j := s.visitor().scan(code)
		want(t, j.prove("+8613911113333", "name", "熊二力"), 422)
		trace := page(t, super.get("/codes/trace?ask=1&code="+public)).Find(`[data-after="asks"]`).Text()
		if !strings.Contains(trace, "邀请码") || !strings.Contains(trace, "问卷") {
			t.Errorf("the trace does not name what is asked: %q", trace)
		}
	})
}

// A terms form without the new fields leaves a code's own mode alone; with them it changes.
func TestTermsKeepTheOwnMode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, code := s.room("平台群", "internal", "approval", s.w.Platform, 10)
		var public string
		s.db.Raw("SELECT public_id FROM codes WHERE id = ?", code).Scan(&public)
		head := s.as(s.w.Head)
		want(t, head.post("/codes/"+public+"/terms", "join_mode", "open", "asks", "+last4"), 303)
		mode := func() string {
			var m string
			s.db.Raw("SELECT own_mode || ' ' || own_asks FROM codes WHERE id = ?", code).Scan(&m)
			return m
		}
		if mode() != "open +last4" {
			t.Fatalf("%q", mode())
		}
		want(t, head.post("/codes/"+public+"/terms", "label", "新门"), 303)
		if mode() != "open +last4" {
			t.Errorf("a form without the fields changed it to %q", mode())
		}
		b := s.visitor().scan(code)
		want(t, b.prove(s.w.StaffPhone, "phone_last4", "0005"), 303, "/join")
		b.shows("in")
		s.exec("UPDATE groups SET owner_id = ? WHERE id = ?", s.w.Staff.MemberID, g)
		staff := s.as(s.w.Staff)
		if page(t, staff.get("/codes/"+public+"/terms")).Find(`[name="join_mode"]`).Length() != 0 {
			t.Error("the owner is offered what they may not choose")
		}
		want(t, staff.post("/codes/"+public+"/terms", "join_mode", "approval"), 403)
		want(t, head.post("/codes/"+public+"/terms", "join_mode", "group", "asks", ""), 303)
		if mode() != " " {
			t.Errorf("back to the group: %q", mode())
		}
		if got := fmt.Sprint(s.count("SELECT count(*) FROM memberships WHERE group_id = ?", g)); got != "1" {
			t.Errorf("%s members", got)
		}
	})
}
