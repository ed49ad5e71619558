package web_test

import (
	"strings"
	"testing"

	"doorplate/internal/code"
	"doorplate/internal/testkit"
)

// req: A19
func TestATraceShowsEachRuleToSuperAdmins(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, id := s.door("approval")
		super := s.as(s.w.Super)
		refused := super.get(s.printed(id)).Header().Get("Doorplate-Scan")
		s.exec("UPDATE codes SET suspended_at = ? WHERE public_id = ?", s.clock.Now(), id)
		rec := super.get("/j/" + code.Token(testkit.Keys(), id, 0))
		want(t, rec, 410)
		at := page(t, rec).Find(`a[href^="/codes/trace?"]`).AttrOr("href", "")
		if ref := rec.Header().Get("Doorplate-Scan"); !strings.HasSuffix(at, "ref="+ref) {
			t.Errorf("the refusal leads to %q", at)
		}
		if page(t, s.visitor().get("/j/"+code.Token(testkit.Keys(), id, 0))).Find(`a[href^="/codes/trace"]`).Length() != 0 {
			t.Error("a stranger is led to the trace")
		}
		before := s.count("SELECT count(*) FROM scans")
		doc := page(t, super.get(at))
		if got := doc.Find(`li[data-rule=suspended]`).AttrOr("data-verdict", ""); got != "stopped" || doc.Find(`li[data-verdict=unreached]`).Length() != 10 {
			t.Errorf("suspended %s, %d not reached", got, doc.Find(`li[data-verdict=unreached]`).Length())
		}
		s.exec("UPDATE codes SET suspended_at = NULL WHERE public_id = ?", id)
		for who, verdict := range map[string]string{"DP0005": "passed", "": "asks"} {
			doc := page(t, super.get("/codes/trace?ask=1&signed=on&code="+id+"&person="+who))
			if got := doc.Find(`li[data-after=who]`).AttrOr("data-verdict", ""); got != verdict || doc.Find("[data-trace=live]").Length() != 1 {
				t.Errorf("%q: %s", who, got)
			}
		}
		if text := page(t, super.get("/codes/trace?ref="+refused)).Find("main").Text(); !strings.Contains(text, "放行") || !strings.Contains(text, "平台技术交流群") {
			t.Error("a recorded scan is not replayed")
		}
		for _, wrong := range []string{"?ask=1", "?ask=1&code=x", "?ref=0000000000", "?ask=1&code=" + id + "&from=x", "?ask=1&code=" + id + "&address=x", "?ask=1&code=" + id + "&person=x"} {
			want(t, super.get("/codes/trace"+wrong), 422)
		}
		if n := s.count("SELECT count(*) FROM scans"); n != before {
			t.Errorf("%d scans were recorded", n-before)
		}
		for _, at := range []string{"/codes/" + id, "/codes/" + id + "/scans"} {
			if page(t, super.get(at)).Find(`a[href^="/codes/trace?"]`).Length() == 0 || page(t, s.as(s.w.Head).get(at)).Find(`a[href^="/codes/trace"]`).Length() != 0 {
				t.Errorf("%s: the link is missing, or shown to a head", at)
			}
		}
		want(t, super.get("/audit/export?group="+gid), 200)
		want(t, super.get("/audit/export?group=nonsense"), 404)
	})
}

// A permanent open code goes to a second super admin; its form says so before.
func TestTheFormTellsThatASecondPersonIsAsked(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "大厅", "internal", "open", s.w.Platform, 50)
		super, permanent := s.as(s.w.Super), []string{"label", "大堂", "validity", "permanent", "confirm_permanent", "on", "note", "长期挂着"}
		if text := page(t, super.get("/groups/"+gid+"/codes/new")).Find("form").Text(); !strings.Contains(text, "另一位超级管理员同意") {
			t.Error("the form does not tell")
		}
		rec := super.post("/groups/"+gid+"/codes", permanent...)
		want(t, rec, 303, "/approvals/")
		at := rec.Header().Get("Location")
		want(t, super.post("/groups/"+gid+"/codes", permanent...), 303, at) // asked already
		text := page(t, s.as(s.w.Super2).get(at)).Find("main").Text()
		for _, word := range []string{"长期挂着", "大堂", "永久", "不限", "周岚"} {
			if !strings.Contains(text, word) {
				t.Errorf("the page does not say %s", word)
			}
		}
		want(t, s.as(s.w.Super2).post("/approvals/decide", "id", strings.TrimPrefix(at, "/approvals/"), "decision", "approve"), 303, at)
		if n := page(t, super.get("/approvals")).Find(".dp-views .dp-count").Length(); n != 1 {
			t.Error("the author is not told")
		}
		link := page(t, super.get(at)).Find(".dp-note.is-ok a").AttrOr("href", "")
		if !strings.HasPrefix(link, "/codes/") {
			t.Errorf("the outcome leads to %q", link)
		}
		want(t, super.get(link), 200)
		if n := page(t, super.get("/approvals")).Find(".dp-views .dp-count").Length(); n != 0 {
			t.Error("it stays new")
		}
		s.exec("UPDATE members SET super_admin = ? WHERE id = ?", false, s.w.Super2.MemberID)
		want(t, super.post("/groups/"+gid+"/codes", append(permanent, "benefit", "x")...), 409)
		want(t, super.post("/settings/policies", "scan_days", "30", "refresh_days", "33"), 409)
	})
}
