package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Anybody who scanned may report the code; its head finds it in a case, acts and closes it.
func TestAReportBecomesACase(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.room("公开群", "external", "open", s.w.RD, 50)
		public := ""
		s.db.Raw("SELECT public_id FROM codes WHERE id = ?", code).Scan(&public)
		s.exec("INSERT INTO scans (ref, at, code_id, outcome, address) VALUES ('S-1', ?, ?, 'live', '192.0.2.7')", s.clock.Now(), code)
		v := s.visitor()
		doc := page(t, v.get("/report?ref=S-1"))
		if doc.Find("form[action='/report'] input[name=form_key]").Length() != 1 {
			t.Fatal("no form to report with")
		}
		send := func(pairs ...string) []string {
			return append([]string{"form_key", s.deps.Auth.NewFormKey(), "ref", "S-1"}, pairs...)
		}
		want(t, v.post("/report", send("category", "")...), 422)
		want(t, v.post("/report", send("category", "other", "words", strings.Repeat("字", 501))...), 422)
		once := send("category", "overprint", "words", "<script>盖住了</script>")
		rec := v.post("/report", once...)
		want(t, rec, 200)
		if n := page(t, rec).Find(".ref").First().Text(); !strings.HasPrefix(n, "C-") {
			t.Errorf("the case is called %q", n)
		}
		want(t, v.post("/report", once...), 200) // a double tap
		if n := s.count("SELECT reports FROM cases"); n != 1 {
			t.Errorf("%d reports", n)
		}
		head := s.as(s.w.Head)
		if !strings.Contains(page(t, head.get("/")).Text(), "举报") || page(t, head.get("/codes")).Find("a[href='/cases']").Length() != 1 {
			t.Error("nothing leads the head to the case")
		}
		at := fmt.Sprintf("/cases/%d", s.count("SELECT id FROM cases"))
		doc = page(t, head.get(at))
		if doc.Find("script").Length() > 0 && strings.Contains(doc.Find("script").Text(), "盖住了") || doc.Find("form[action='/codes/"+public+"/suspend']").Length() != 1 {
			t.Error("the case does not lead to suspending the code, or runs what was typed")
		}
		want(t, head.post(at, "action", "close", "outcome", ""), 422)
		want(t, head.post(at, "action", "take"), 303, at)
		want(t, head.post(at, "action", "close", "outcome", "overprinted", "note", "换了"), 303, at)
		want(t, s.as(s.w.OtherHead).get(at), 404)
		want(t, s.as(s.w.Super).post(at, "action", "close", "outcome", "harmless"), 409)
	})
}

// A raised code says so on its page, with the presses that change it.
func TestARaisedCodeSaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.room("公开群", "external", "open", s.w.RD, 50)
		public := ""
		s.db.Raw("SELECT public_id FROM codes WHERE id = ?", code).Scan(&public)
		s.exec("UPDATE codes SET fused_until = ? WHERE id = ?", s.clock.Now().Add(time.Hour).UTC(), code)
		s.exec("INSERT INTO code_fuses (code_id, why, seen, most, fused_at) VALUES (?, 'burst', 320, 200, ?)", code, s.clock.Now())
		head := s.as(s.w.Head)
		if text := page(t, head.get("/codes/"+public)).Text(); !strings.Contains(text, "320") || !strings.Contains(text, "临时需审批") {
			t.Error("the page does not say that the code is raised, and why")
		}
		for _, at := range []string{"/", "/codes"} {
			if !strings.Contains(page(t, head.get(at)).Text(), "临时需审批") {
				t.Errorf("%s does not show the raised code", at)
			}
		}
		want(t, head.post("/codes/"+public+"/fuse", "action", "set", "burst", "-1"), 422)
		want(t, head.post("/codes/"+public+"/fuse", "action", "set", "burst", "900"), 303)
		want(t, head.post("/codes/"+public+"/fuse", "action", "extend"), 303)
		want(t, head.post("/codes/"+public+"/fuse", "action", "lower"), 303)
		want(t, head.post("/codes/"+public+"/fuse", "action", "lower"), 409)
	})
}

// The group's own time to decide and the queue's due filter.
func TestTheClockStandsOnPages(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		room, _ := s.room("研发群", "internal", "approval", s.w.RD, 50)
		gid, head := s.gid(room), s.as(s.w.Head)
		want(t, head.post("/groups/"+gid+"/clock", "due_hours", "501"), 422)
		want(t, head.post("/groups/"+gid+"/clock", "due_hours", "3"), 303)
		if v := page(t, head.get("/groups/"+gid+"/settings")).Find("#due_hours").AttrOr("value", ""); v != "3" {
			t.Errorf("the group's hours read %q", v)
		}
		s.asks(room, s.w.Staff, "note")
		s.exec("UPDATE join_requests SET due_at = ?, escalated_at = ?, escalated_to = ?", s.clock.Now().Add(-time.Hour).UTC(), s.clock.Now().UTC(), s.w.Root)
		for at, n := range map[string]int{"/requests?due=late": 1, "/requests?due=up": 1, "/requests?due=soon": 0} {
			if got := page(t, head.get(at)).Find("input[name=id][type=checkbox]").Length(); got != n {
				t.Errorf("%s: %d rows", at, got)
			}
		}
		if text := page(t, head.get("/requests")).Text(); !strings.Contains(text, "超时") || !strings.Contains(text, "晨星科技负责人") {
			t.Error("the row does not say that it is late and with whom it is")
		}
		super := s.as(s.w.Super)
		want(t, super.post("/settings/policies", "work_days", "", "work_days", "1", "work_days", "6", "due_hours", "4"), 303)
		want(t, super.post("/settings/policies", "work_days", ""), 422)
		if n := s.count("SELECT count(*) FROM policies WHERE name = 'work_days' AND value = '1 6'"); n != 1 {
			t.Error("the days of work are not kept")
		}
	})
}
