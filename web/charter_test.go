package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"doorplate/static"
)

// allow saves policies as a super admin does.
func (s *site) allow(pairs ...string) {
	s.t.Helper()
	want(s.t, s.as(s.w.Super).post("/settings/policies", pairs...), 303)
}

// Staff start groups as far as the policy lets them: not at all, with a super
// admin's word, at once.
func TestStaffStartGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		staff := s.as(s.w.Staff)
		want(t, staff.get("/groups/new"), 403)
		s.allow("staff_groups", "approval")
		form := page(t, staff.get("/groups/new"))
		if form.Find("[name=type]").Length() != 1 || form.Find("[name=entry_kind], [name=tier]").Length() != 0 || form.Find("#department_id option[value!='']").Length() != 1 {
			t.Error("the form is not the short one")
		}
		rec := staff.post("/groups", newGroup(s.w.Platform)...)
		want(t, rec, 303, "/approvals/")
		at := rec.Header().Get("Location")
		if crumb := page(t, staff.get(at)).Find(`.breadcrumb a[href="/approvals"]`).Length(); crumb != 0 {
			t.Error("a link to a page that staff may not see")
		}
		if wishes := page(t, staff.get("/groups")).Find(`a[href="` + at + `"]`).Length(); wishes != 1 {
			t.Error("the wish is not shown on the page of groups")
		}
		want(t, s.as(s.w.OtherStaff).get(at), 404)
		want(t, staff.get("/approvals"), 403)
		want(t, s.as(s.w.Head).post("/approvals/decide", "id", last(rec), "decision", "approve"), 403)
		if text := page(t, s.as(s.w.Super).get(at)).Find("main").Text(); !strings.Contains(text, "群主") || strings.Contains(text, "通讯录之外") {
			t.Error("what would happen is not said")
		}
		want(t, s.as(s.w.Super).post("/approvals/decide", "id", last(rec), "decision", "approve"), 303)
		if n := s.count("SELECT count(*) FROM groups WHERE origin = 'user' AND owner_id = ? AND member_count = 1", s.w.Staff.MemberID); n != 1 {
			t.Errorf("%d groups", n)
		}
		// Approved after the policy was switched off: the world has moved.
		rec = staff.post("/groups", newGroup(s.w.Platform)...)
		want(t, rec, 303, "/approvals/")
		s.allow("staff_groups", "off")
		want(t, s.as(s.w.Super).post("/approvals/decide", "id", last(rec), "decision", "approve"), 409)
		s.allow("staff_groups", "on")
		want(t, staff.post("/groups", newGroup(s.w.Marketing)...), 404)
		want(t, staff.post("/groups", newGroup(s.w.RD)...), 404)
		want(t, staff.post("/groups", with(newGroup(s.w.Platform), "type", "external")...), 403)
		rec = staff.post("/groups", newGroup(s.w.Platform)...)
		want(t, rec, 303, "/groups/G")
		own := rec.Header().Get("Location")
		want(t, staff.get(own+"/settings"), 200)
		want(t, staff.post(own+"/codes", "label", "门", "validity", "permanent", "confirm_permanent", "on"), 403)
		want(t, staff.post(own+"/codes", "label", "门"), 303)
		// The head makes it the organisation's.
		want(t, staff.get(own+"/convert/confirm"), 403)
		head := s.as(s.w.Head)
		want(t, head.get(own+"/convert/confirm"), 200)
		want(t, head.post(own+"/convert"), 303, own)
		want(t, head.post(own+"/convert"), 409)
		want(t, head.post(own+"/codes", "label", "门", "validity", "permanent", "confirm_permanent", "on"), 303)
		s.allow("group_creation", "off")
		want(t, head.get("/groups/new"), 403)
		want(t, staff.post("/groups", newGroup(s.w.Platform)...), 403)
		want(t, s.as(s.w.Super).get("/groups/new"), 200)
		s.allow("group_creation", "approval")
		rec = head.post("/groups", newGroup(s.w.Platform)...)
		want(t, rec, 303, "/approvals/")
		want(t, s.as(s.w.Super).post("/settings/policies", "staff_groups", "sometimes"), 422)
	})
}

func TestNoGroupsFromAPhone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		s.allow("no_mobile_creation", "on")
		for agent, status := range map[string]int{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148": 403, "Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0": 303} {
			for _, form := range []struct {
				path  string
				pairs []string
			}{{"/groups", newGroup(s.w.Platform)}, {"/groups/" + gid + "/codes", []string{"label", "门"}}} {
				values := url.Values{}
				for i := 0; i < len(form.pairs); i += 2 {
					values.Set(form.pairs[i], form.pairs[i+1])
				}
				r := httptest.NewRequest(http.MethodPost, form.path, strings.NewReader(values.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("User-Agent", agent)
				rec := s.as(s.w.Super).do(r)
				want(t, rec, status)
				if status == 403 && !strings.Contains(rec.Body.String(), "请换电脑") {
					t.Errorf("%s does not say what to do", form.path)
				}
			}
		}
	})
}

// Who saves later is told who was first, and keeps what was typed.
func TestAStaleFormKeepsWhatWasTyped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		at, head, super := "/groups/"+gid, s.as(s.w.Head), s.as(s.w.Super)
		want(t, super.post(at, "purpose", "先改的", "tier", "核心", "version", "1"), 303)
		rec := head.post(at, "purpose", "后改的", "welcome", "你好", "announcement", "on", "version", "1")
		want(t, rec, 409)
		doc := page(t, rec)
		if !strings.Contains(doc.Find("[role=alert]").Text(), "周岚") || doc.Find("#purpose").Text() != "后改的" || strings.TrimSpace(doc.Find("#welcome").Text()) != "你好" ||
			doc.Find("[name=announcement][checked]").Length() != 1 || doc.Find("[name=version]").AttrOr("value", "") != "2" {
			t.Errorf("%s", doc.Find("main").Text())
		}
		want(t, head.post(at, "purpose", "后改的", "version", "2"), 303)
		r := httptest.NewRequest(http.MethodPost, at, strings.NewReader("purpose=x&version=1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		want(t, head.do(r), 409)
		// The rules alike.
		want(t, super.post(at+"/rules", "rules", "先写的", "version", "0"), 303, at+"/rules")
		rec = head.post(at+"/rules", "rules", "后写的", "version", "0", "again", "on")
		want(t, rec, 409)
		if doc := page(t, rec); strings.TrimSpace(doc.Find("#rules").Text()) != "后写的" || doc.Find("[name=again][checked]").Length() != 1 || !strings.Contains(doc.Find("[role=alert]").Text(), "周岚") {
			t.Error("what was written is gone")
		}
		want(t, head.post(at+"/rules", "rules", strings.Repeat("长", 1001), "version", "1"), 422)
		want(t, head.post(at, "tier", strings.Repeat("长", 21)), 422)
		want(t, head.post(at, "welcome", strings.Repeat("长", 501)), 422)
		if badge := page(t, head.get("/groups?tier="+url.QueryEscape("核心"))).Find("tbody tr").Length(); badge != 1 {
			t.Errorf("%d groups with the label", badge)
		}
		if n := page(t, head.get("/groups?tier=x")).Find("tbody tr").Length(); n != 0 {
			t.Errorf("%d groups with another label", n)
		}
	})
}

// The rules are part of a step there is; nothing else is asked for them, and
// with the longest texts the page stays light.
func TestRulesAtTheDoor(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, code := s.room("客户群", "external", "approval", s.w.RD, 10)
		at := "/groups/" + s.gid(group)
		s.exec("UPDATE groups SET purpose = ?, welcome = ?, announcement = ?, archive = ?, real_name = ?, ask_company = ?, entry_kind = 'link', entry_url = 'https://chat.example/a' WHERE id = ?",
			strings.Repeat("为", 500), "欢迎，先看 https://wiki.example/start。<b>", true, true, true, true, group)
		want(t, s.as(s.w.Head).post(at+"/rules", "rules", strings.Repeat("规", 1000), "version", "0"), 303)
		light := func(rec *httptest.ResponseRecorder) {
			t.Helper()
			links, all := page(t, rec).Find(`link[rel="stylesheet"], script, img`), rec.Body.Len()
			links.Each(func(_ int, link *goquery.Selection) {
				file := httptest.NewRecorder()
				static.Handler().ServeHTTP(file, httptest.NewRequest(http.MethodGet, link.AttrOr("href", link.AttrOr("src", "")), nil))
				if all += file.Body.Len(); file.Code != http.StatusOK || file.Body.Len() == 0 {
					t.Errorf("a file of the page answers %d", file.Code)
				}
			})
			if links.Length() > 2 || all > 15_000 {
				t.Errorf("%d files, with the page %d bytes", links.Length(), all)
			}
		}
		b := s.visitor().scan(code)
		light(b.get("/join"))
		rec := b.prove("+8613900000077", "name", "熊大力", "company", "远山科技", "note", "我来了")
		want(t, rec, 422)
		doc := page(t, rec)
		if doc.Find("#nm").AttrOr("value", "") != "熊大力" || doc.Find("#co").AttrOr("value", "") != "远山科技" || doc.Find("#nt").Text() != "我来了" || doc.Find("#cd").AttrOr("value", "") == "" {
			t.Errorf("what was typed is gone: %s", doc.Find("form").First().Text())
		}
		if tick := doc.Find("label:has([name=rules])").Text(); !strings.Contains(tick, "第 1 版") {
			t.Errorf("the box says %q", tick)
		}
		light(rec)
		// The code was not used up. Meanwhile the rules change: the new text is shown, the number stays proved.
		old := doc.Find("[name=rules]").AttrOr("value", "")
		want(t, s.as(s.w.Head).post(at+"/rules", "rules", "新的规则", "version", "1"), 303)
		rec = b.post("/join", append(b.hidden(rec, "/join"), "code", doc.Find("#cd").AttrOr("value", ""), "name", "熊大力", "company", "远山科技", "note", "我来了", "rules", old)...)
		want(t, rec, 422)
		if text := page(t, rec).Find("main").Text(); !strings.Contains(text, "新的规则") || !strings.Contains(text, "刚刚改成") {
			t.Errorf("%s", text)
		}
		doc = page(t, rec)
		want(t, b.post("/join", append(b.hidden(rec, "/join"), "code", doc.Find("#cd").AttrOr("value", ""), "name", "熊大力", "company", "远山科技", "note", "我来了",
			"rules", doc.Find("[name=rules]").AttrOr("value", ""))...), 303, "/join")
		b.shows("pending")
		head := s.as(s.w.Head)
		request := fmt.Sprint(s.count("SELECT id FROM join_requests"))
		if text := page(t, head.get("/requests/"+request)).Find("main").Text(); !strings.Contains(text, "同意了第 2 版") || !strings.Contains(text, "远山科技") || !strings.Contains(text, "没有核实") {
			t.Error("who decides is not told")
		}
		want(t, head.post("/requests/decide", "id", request, "decision", "approve"), 303)
		b.shows("in")
		doc = page(t, b.get("/join"))
		if link := doc.Find(`a[href="https://wiki.example/start"]`); link.Length() != 1 || link.AttrOr("rel", "") != "noreferrer nofollow" || doc.Find(".pl b").Length() != 0 {
			t.Error("the welcome text is not a text with a link")
		}
		if text := page(t, head.get(at)).Find("main").Text(); !strings.Contains(text, "1 人同意了第 2 版") {
			t.Error("the group's page does not count who agreed")
		}
	})
}

func TestRemovingAsksFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		head, at := s.as(s.w.Head), "/groups/"+gid
		want(t, head.post(at+"/members", "member_id", fmt.Sprint(s.w.Staff.MemberID)), 303)
		ask := page(t, head.get(at)).Find(`tbody a.btn[href$="/remove/confirm"]`).AttrOr("href", "")
		seat := fmt.Sprintf("%s/members/%d", at, s.count("SELECT id FROM memberships WHERE group_id = ?", group))
		if ask != seat+"/remove/confirm" {
			t.Fatalf("the button leads to %q", ask)
		}
		if text := page(t, head.get(ask)).Find("main").Text(); !strings.Contains(text, s.w.Staff.Name) || !strings.Contains(text, "10 分钟") {
			t.Error("the question does not say what happens")
		}
		want(t, head.post(seat+"/remove"), 303)
		want(t, head.get(ask), 409)
		undo := page(t, head.get(at)).Find(`form[action="` + seat + `/restore"]`)
		if undo.Length() != 1 || page(t, s.as(s.w.Super).get(at)).Find(`form[action="`+seat+`/restore"]`).Length() != 0 {
			t.Error("undo is for who pressed")
		}
		want(t, head.post(seat+"/restore"), 303)
		want(t, head.post(seat+"/restore"), 409)
		if n := s.count("SELECT member_count FROM groups WHERE id = ?", group); n != 1 {
			t.Errorf("%d members", n)
		}
	})
}
