package web_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorplate/internal/code"
)

// codeID is the row of a code.
func (s *site) codeID(public string) int64 {
	return s.count("SELECT id FROM codes WHERE public_id = ?", public)
}

// scanned goes from the printed address to the join page.
func (b *browser) scanned(public string) *browser {
	b.t.Helper()
	rec := b.get(b.printed(public))
	want(b.t, rec, 303, "/join/")
	want(b.t, b.get(rec.Header().Get("Location")), 303, "/join")
	return b
}

func TestTermsOnTheForm(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 500)
		head := s.as(s.w.Head)
		id := s.issue(gid, "label", "前台", "valid_from", "2026-11-22", "open_days", "1", "open_days", "2", "open_days", "3", "open_days", "4", "open_days", "5",
			"open_from", "09:00", "open_to", "18:00", "open_days2", "6", "open_from2", "22:00", "open_to2", "02:00", "audience_roles", "head",
			"audience_people", "DP0005", "password", "芝麻开门", "benefit", "第一时间收到通知", "fallback", "waiting")
		doc := page(t, head.get("/codes/"+id))
		for _, words := range []string{"周一至周五 09:00–18:00；周六 22:00–次日 02:00", "部门负责人；顾晓棠", "要写口令", "第一时间收到通知", "说明页加排队", "非开放时段"} {
			if !strings.Contains(doc.Find("main").Text(), words) {
				t.Errorf("the page of the code does not say %q", words)
			}
		}
		doc = page(t, head.get("/codes/"+id+"/terms"))
		form := doc.Find("form[action='/codes/" + id + "/terms']")
		if v := form.Find("[name=open_from]").AttrOr("value", ""); v != "09:00" || form.Find("[name=open_days][checked]").Length() != 5 || form.Find("[name=audience_person][checked]").Length() != 1 {
			t.Errorf("the form is not filled in: %q", v)
		}
		if doc.Find(".nav-link.active").Text() != "条件" {
			t.Error("no tab")
		}
		rec := head.post("/codes/"+id+"/terms", "open_from", "09:07", "open_to", "18:00", "open_days", "1", "label", "改名", "audience_people", "无此人\n程远", "password", "abc", "valid_from", "2026-01-01")
		want(t, rec, 422)
		doc = page(t, rec)
		if doc.Find("[role=alert]").Length() < 5 || doc.Find("[name=label]").AttrOr("value", "") != "改名" || doc.Find("[name=audience_people]").Text() != "无此人\n程远" ||
			doc.Find("[name=password]").AttrOr("value", "") != "abc" || doc.Find("[name=open_from]").AttrOr("value", "") != "09:07" || !strings.Contains(doc.Find("#audience_people-h").Text(), "无此人") {
			t.Errorf("lost what was typed, or does not say what is wrong: %s", doc.Find("[role=alert]").Text())
		}
		want(t, head.post("/codes/"+id+"/terms", "daily_cap", "5"), 303, "/codes/"+id+"/terms")
		want(t, head.post("/codes/"+id+"/terms", "complete", "on", "version", "2", "validity", "keep", "label", "前台", "fallback", "message"), 303)
		rec = head.post("/codes/"+id+"/terms", "complete", "on", "version", "2", "validity", "keep", "label", "前台", "fallback", "message")
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), s.w.Head.Name) || !strings.Contains(rec.Body.String(), "09:00") {
			t.Error("a stale form is not told who was first, and when")
		}
		if n := s.count("SELECT count(*) FROM codes WHERE hours = '' AND audience_roles = '' AND audience_people = '' AND fallback = 'message' AND daily_cap = 5 AND password_hash <> '' AND version = 3"); n != 1 {
			t.Error("boxes that are not ticked stay, or fields that were not sent are lost")
		}
		want(t, s.visitor().get(s.printed(id)), 303)
		if n := page(t, head.get("/codes?state=closed")).Find("tbody tr").Length(); n != 0 {
			t.Errorf("%d closed codes", n)
		}
	})
}

// A22: the risk is named in plain words, with a press that cures it.
func TestRisksAreNamedWithTheirCure(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "直接进", "internal", "open", s.w.Platform, 500)
		_, outside := s.w.Group(t, s.db, "客户", "external", "open", s.w.Platform, 200)
		super := s.as(s.w.Super)
		doc := page(t, super.get("/groups/"+gid+"/codes/new"))
		cure := doc.Find("[data-risk=forever] a")
		if !strings.Contains(doc.Find("[data-risk=forever]").Text(), "永久 + 直接进 + 不限对象") || cure.Length() != 1 || doc.Find("[data-risk=plain]").Length() != 1 {
			t.Fatalf("risks %q", doc.Find(".dp-lint").Text())
		}
		doc = page(t, super.get(cure.AttrOr("href", "")))
		if doc.Find("[data-risk=forever]").Length() != 0 || doc.Find(fmt.Sprintf("[name=audience][value='%d'][checked]", s.w.Platform)).Length() != 1 {
			t.Error("the cure does not choose the department")
		}
		doc = page(t, super.get("/groups/"+outside+"/codes/new"))
		for risk, field := range map[string]string{"strangers": "password", "uncapped": "total_cap"} {
			cured := page(t, super.get(doc.Find("[data-risk="+risk+"] a").AttrOr("href", "")))
			if cured.Find("[name="+field+"]").AttrOr("value", "") == "" || cured.Find("[data-risk="+risk+"]").Length() != 0 {
				t.Errorf("%s is not cured", risk)
			}
		}
		_, id := s.w.Code(t, s.db, group, "旧码", nil, s.w.Super.MemberID)
		doc = page(t, super.get("/codes/"+id))
		if to := doc.Find("[data-risk=forever] a").AttrOr("href", ""); to != "/codes/"+id+"/terms?fix=audience" {
			t.Errorf("the code's page leads to %q", to)
		}
		if page(t, super.get("/codes/"+id+"/terms?fix=audience")).Find("[data-risk=forever]").Length() != 0 {
			t.Error("not cured on the terms page")
		}
	})
}

func TestPresetsFillTheIssueForm(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "客户", "external", "approval", s.w.Platform, 200)
		super := s.as(s.w.Super)
		doc := page(t, super.get("/groups/"+gid+"/codes/new"))
		var to string
		for _, a := range doc.Find("nav.dp-views a").EachIter() {
			if a.Text() == "个人微信群" {
				to = a.AttrOr("href", "")
			}
		}
		doc = page(t, super.get(to))
		preset := doc.Find("[name=preset]").AttrOr("value", "")
		if doc.Find("[name=validity][checked]").AttrOr("value", "") != "7d" || doc.Find("[name=total_cap]").AttrOr("value", "") != "100" || doc.Find("[name=validity]").Length() != 1 ||
			!strings.Contains(doc.Find("main").Text(), "来源") || preset == "" {
			t.Errorf("from %s: %s", to, doc.Find("main").Text())
		}
		id := s.issue(gid, "preset", preset, "validity", "7d", "total_cap", "100")
		want(t, super.post("/codes/"+id+"/terms", "validity", "30d"), 422)
		want(t, super.post("/codes/"+id+"/terms", "daily_cap", "30"), 303)
		want(t, super.post("/settings/policies/presets/"+preset, "capacity", "200", "validity", "7d", "source", "x"), 303)
		if n := s.count("SELECT count(*) FROM group_presets WHERE id = ? AND NOT validity_fixed", preset); n != 1 {
			t.Error("the preset stays fixed")
		}
		want(t, super.post("/settings/policies/presets/"+preset, "capacity", "200", "validity", "permanent", "validity_fixed", "on", "source", "x"), 422)
	})
}

// C29: the password is asked together with the number, and of nobody who is in or has asked.
func TestAPasswordAtTheDoor(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		id := s.issue(gid, "label", "有口令", "password", "芝麻开门")
		b := s.visitor().scanned(id)
		if page(t, b.get("/join")).Find("[name=password]").Length() != 1 {
			t.Fatal("no field for the password")
		}
		rec := b.fill("/join", "/join", "phone", "13800000005", "password", "wrong one")
		want(t, rec, 422)
		if doc := page(t, rec); doc.Find("[name=phone]").AttrOr("value", "") != "13800000005" || doc.Find("#pw-e").Length() != 1 || len(s.codes()) != 0 {
			t.Error("the number is lost, nothing is said, or a message went out")
		}
		want(t, b.fill("/join", "/join", "phone", "13800000005", "password", "芝麻开门"), 303, "/join")
		if page(t, b.get("/join")).Find("[name=password]").Length() != 0 {
			t.Error("asked again")
		}
		want(t, b.fill("/join", "/join", "code", s.codes()[s.w.StaffPhone]), 303, "/join")
		b.shows("pending")

		again := s.visitor().scanned(id)
		want(t, again.prove(s.w.StaffPhone), 303, "/join")
		again.shows("pending") // who has asked needs no password

		first := s.visitor().scanned(id) // who sends the password alone is asked for the number next
		want(t, first.fill("/join", "/join", "password", "wrong one"), 422)
		want(t, first.fill("/join", "/join", "password", "芝麻开门"), 303, "/join")
		if doc := page(t, first.get("/join")); doc.Find("[name=password]").Length() != 0 || doc.Find("[name=phone]").Length() != 1 {
			t.Error("the next step is not the number alone")
		}

		sneak := s.visitor().scanned(id)
		want(t, sneak.prove(s.w.OtherStaffPhone), 303, "/join")
		sneak.shows("form")
		want(t, sneak.fill("/join", "/join"), 422)
		want(t, sneak.fill("/join", "/join", "password", " "), 422)
		if n := s.count("SELECT count(*) FROM join_requests"); n != 1 {
			t.Errorf("%d requests", n)
		}
		want(t, sneak.fill("/join", "/join", "password", "芝麻开门"), 303, "/join")
		sneak.shows("pending")

		open := s.as(s.w.Head).scanned(id)
		want(t, open.fill("/join", "/join"), 422)
		want(t, s.as(s.w.Super).post("/codes/"+id+"/terms", "password", "另一个口令"), 303)
		want(t, open.fill("/join", "/join", "password", "芝麻开门"), 422)
		want(t, open.fill("/join", "/join", "password", "另一个口令"), 303)
		open.shows("pending")
	})
}

// Guessing in parallel, with the right word among the guesses, gains nothing.
func TestGuessingThePassword(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, _ := s.door("approval")
		id := s.issue(gid, "label", "有口令", "password", "right word")
		other := s.issue(gid, "label", "另一张", "password", "right word")
		const tries = 40
		answers := make(chan int, tries)
		var all []func()
		for i := range tries {
			b := s.visitor().scan(s.codeID(id))
			hidden := b.hidden(b.get("/join"), "/join")
			word := fmt.Sprint("guess ", i)
			if i == tries/2 {
				word = "right word"
			}
			all = append(all, func() { answers <- b.post("/join", append(hidden, "phone", "13800000005", "password", word)...).Code })
		}
		rush(all...)
		count := map[int]int{}
		for range tries {
			count[<-answers]++
		}
		if count[422] > 20 || count[422] < 19 || count[422]+count[429]+count[303] != tries || count[303] > 1 {
			t.Errorf("answers %v: want 20 wrong ones and the rest too many", count)
		}
		late := s.visitor().scan(s.codeID(id))
		rec := late.fill("/join", "/join", "phone", "13800000005", "password", "right word")
		want(t, rec, 429)
		if rec.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		want(t, s.visitor().scan(s.codeID(other)).fill("/join", "/join", "phone", "13800000006", "password", "right word"), 303)
		s.clock.Add(61 * time.Minute)
		want(t, s.visitor().scan(s.codeID(id)).fill("/join", "/join", "phone", "13800000006", "password", "right word"), 303)
	})
}

// B21: what happens to those whom a code's own limits turn away.
func TestWhatHappensThen(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 500)
		_, otherGID := s.w.Group(t, s.db, "二群", "internal", "approval", s.w.Platform, 500)
		id := s.issue(gid, "label", "门", "fallback", "redirect", "fallback_url", "https://help.example/find?x=1")
		b := s.visitor()
		want(t, b.get(s.printed(id)), 303)
		limit := func(set string) {
			s.exec("UPDATE codes SET total_cap = 0, valid_from = NULL, hours = '' WHERE group_id = ?", group)
			s.exec("UPDATE codes SET "+set+" WHERE group_id = ?", group)
		}
		for outcome, set := range map[string]string{
			"expired": "valid_until = '2026-11-20 00:00:00+00:00'", "exhausted": "total_cap = 1", "off": "valid_from = '2026-11-25 00:00:00+00:00'",
		} {
			s.exec("UPDATE codes SET valid_until = '2026-12-20 00:00:00+00:00' WHERE group_id = ?", group)
			limit(set)
			rec := b.get(s.printed(id))
			want(t, rec, 302, "https://help.example/find?x=1")
			if ref := rec.Header().Get("Doorplate-Scan"); s.count("SELECT count(*) FROM scans WHERE ref = ? AND outcome = ?", ref, outcome) != 1 {
				t.Errorf("%s is not recorded as what it is", outcome)
			}
		}
		s.exec("UPDATE codes SET valid_until = '2026-12-20 00:00:00+00:00' WHERE group_id = ?", group)
		limit("hours = '" + strings.Repeat("0", code.Quarters-1) + "1'")
		want(t, b.get(s.printed(id)), 302)
		r := httptest.NewRequest("GET", s.printed(id), nil)
		r.Header.Set("User-Agent", "Twitterbot/1.0")
		if rec := b.do(r); rec.Code != 200 {
			t.Errorf("a robot gets %d", rec.Code)
		}
		s.exec("UPDATE codes SET networks = '10.0.0.0/8' WHERE group_id = ?", group)
		want(t, b.get(s.printed(id)), 403)
		s.exec("UPDATE codes SET networks = '', audience = ? WHERE group_id = ?", fmt.Sprint(s.w.RD), group)
		want(t, s.as(s.w.OtherStaff).get(s.printed(id)), 403)
		want(t, s.as(s.w.Staff).get(s.printed(id)), 302)

		s.exec("UPDATE codes SET audience = '' WHERE group_id = ?", group)
		want(t, s.as(s.w.Super).post("/codes/"+id+"/terms", "fallback", "group", "fallback_group", otherGID), 303)
		want(t, b.get(s.printed(id)), 403) // no living code there
		s.issue(otherGID, "label", "旧")
		next := s.issue(otherGID, "label", "新", "fallback", "group", "fallback_group", gid)
		rec := b.get(s.printed(id) + "?utm_source=lift")
		want(t, rec, 302, s.printed(next)+"?")
		if q, _ := url.Parse(rec.Header().Get("Location")); q.Query().Get("utm_source") != "lift" {
			t.Errorf("the channel is lost: %s", q)
		}
		onward := rec.Header().Get("Location")
		want(t, b.get(onward), 303, "/join/")
		s.exec("UPDATE codes SET hours = ?", strings.Repeat("0", code.Quarters-1)+"1")
		want(t, b.get(onward), 403) // both closed, each names the other: no circle
		want(t, b.get(s.printed(id)), 403)
		want(t, s.as(s.w.OtherHead).post("/codes/"+id+"/terms", "fallback", "group"), 404)
	})
}

// B29: what is closed says when it opens, what ends soon how long it lasts.
func TestCountdowns(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 500)
		id := s.issue(gid, "label", "门", "benefit", "第一个知道")
		if text := s.visitor().scanned(id).shows("form"); !strings.Contains(text, "还有 7 天 0 小时") || !strings.Contains(text, "第一个知道") {
			t.Errorf("no countdown or no benefit: %s", text)
		}
		id = s.issue(gid, "label", "门", "validity", "30d", "open_days", "1", "open_from", "09:00", "open_to", "18:00")
		rec := s.visitor().get(s.printed(id))
		want(t, rec, 403)
		if text := page(t, rec).Find("main").Text(); !strings.Contains(text, "11/23 09:00") || !strings.Contains(text, "还有 1 天 0 小时") || rec.Header().Get("Retry-After") != "86400" {
			t.Errorf("Retry-After %s: %s", rec.Header().Get("Retry-After"), text)
		}
		s.clock.Add(24 * time.Hour)
		if text := s.visitor().scanned(id).shows("form"); strings.Contains(text, "还有") {
			t.Errorf("30 days are not soon: %s", text)
		}
		if n := page(t, s.as(s.w.Head).get("/codes?state=closed")).Find("tbody tr").Length(); n != 0 {
			t.Errorf("%d closed while open", n)
		}
		s.clock.Add(10 * time.Hour)
		if n := page(t, s.as(s.w.Head).get("/codes?state=closed")).Find("tbody tr").Length(); n != 1 {
			t.Errorf("%d closed after hours", n)
		}
	})
}

// Named people are no secret to those who manage a code; who only downloads reads the terms.
func TestWhoMayOnlyReadTheTerms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		s.exec("INSERT INTO group_duties (group_id, member_id, duty) SELECT id, ?, 'events' FROM groups WHERE gid = ?", s.w.Staff.MemberID, gid)
		doc := page(t, s.as(s.w.Staff).get("/codes/"+id+"/terms"))
		if doc.Find("main form").Length() != 0 || doc.Find("details.dp-why").Length() != 1 {
			t.Error("a form that its reader may not send, or no reason")
		}
		want(t, s.as(s.w.Staff).post("/codes/"+id+"/terms", "daily_cap", "1"), 403)
		want(t, s.as(s.w.OtherStaff).post("/codes/"+id+"/terms", "daily_cap", "1"), 404)
		want(t, s.as(s.w.Head).post("/codes/"+id+"/revoke", "reason", "x"), 303)
		want(t, s.as(s.w.Head).post("/codes/"+id+"/terms", "daily_cap", "1"), 409)
		if page(t, s.as(s.w.Head).get("/codes/"+id+"/terms")).Find("main form").Length() != 0 {
			t.Error("a revoked code has a form")
		}
	})
}

// Every place that asks whether a code has an audience means all three parts of it.
func TestAnAudienceOfRolesCountsEverywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "定向", "internal", "restricted", s.w.Platform, 50)
		id := s.issue(gid, "label", "门", "audience_people", "DP0006", "validity", "permanent", "confirm_permanent", "on")
		s.as(s.w.OtherStaff).scan(s.codeID(id)).shows("form")
		want(t, s.as(s.w.Staff).get(s.printed(id)), 403)
		b := s.visitor().scan(s.codeID(id))
		want(t, b.prove(s.w.StaffPhone), 403)
		settings := func(mode string) string {
			return s.as(s.w.Super).post("/groups/"+gid, "join_mode", mode).Header().Get("Location")
		}
		s.exec("UPDATE codes SET audience_people = '', audience_roles = 'super member' WHERE group_id = ?", group)
		if got := settings("open"); !strings.HasPrefix(got, "/approvals/") {
			t.Errorf("anybody in the contacts, permanent and open: %s", got)
		}
		s.exec("UPDATE codes SET audience_roles = 'head' WHERE group_id = ?", group)
		if got := settings("open"); got != "/groups/"+gid {
			t.Errorf("heads only: %s", got)
		}
		want(t, s.as(s.w.Staff).get(s.printed(id)), 403)
		s.as(s.w.OtherHead).scan(s.codeID(id)).shows("form")

		outside, code := s.room("客户", "external", "approval", s.w.Platform, 9)
		s.exec("UPDATE codes SET audience_roles = 'member' WHERE group_id = ?", outside)
		g := s.visitor().scan(code)
		want(t, g.prove("+8613911112222", "name", "访客"), 403)
	})
}
