package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/testkit"
)

// turned scans a code that turns people away and goes on to the waiting list.
func (b *browser) turned(public string) *browser {
	b.t.Helper()
	to := page(b.t, b.get(b.printed(public))).Find("main a[href^='/join/']").AttrOr("href", "")
	want(b.t, b.get(to), 303, "/join")
	return b
}

// Who was turned away by a cap took nothing from it, so they get in by a scan
// that is counted and by nothing else, waiting or not, on whatever day.
func TestACappedCodeLetsNobodyInUncounted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "平台", "internal", "open", s.w.Platform, 50)
		id := s.issue(gid, "label", "门", "daily_cap", "1", "fallback", "waiting")
		s.visitor().scanned(id)
		waits, stranger := s.visitor().turned(id), s.visitor().turned(id)
		want(t, waits.prove(s.w.StaffPhone), 303, "/join")
		if !strings.Contains(waits.shows("full"), "再扫一次") {
			t.Error("does not say that it takes another scan")
		}
		want(t, waits.fill("/join", "/join/wait"), 303, "/join")
		s.clock.Add(20 * time.Hour)
		for _, b := range []*browser{waits, stranger} {
			b.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x")
			b.post("/join/wait")
		}
		if n := s.count("SELECT (SELECT count(*) FROM memberships) + (SELECT count(*) FROM join_requests)"); n != 0 {
			t.Fatalf("%d got in or asked without a scan that is counted", n)
		}
		if text := waits.shows("full"); !strings.Contains(text, "又能用了") || !strings.Contains(text, "第 1 位") {
			t.Errorf("the place, or the way in, is not shown: %s", text)
		}
		want(t, stranger.get("/join"), 410)
		waits.scanned(id)
		want(t, waits.prove(s.w.StaffPhone), 303, "/join")
		waits.shows("in")
		if n := s.count("SELECT count(*) FROM waiting_list WHERE ended_how = 'in' AND group_id = ?", group); n != 1 {
			t.Error("still waits")
		}
	})
}

// The funnel is about scans that were let through: who only waits is not in it.
func TestWaitingIsNoStepOfTheFunnel(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "open", s.w.Platform, 50)
		id := s.issue(gid, "label", "门", "open_days", "1", "open_from", "05:00", "open_to", "18:00", "fallback", "waiting")
		b := s.visitor().turned(id)
		want(t, b.prove(s.w.StaffPhone), 303, "/join")
		s.clock.Add(20 * time.Hour) // it opens, and counts nothing: the form as usual
		want(t, b.fill("/join", "/join"), 303, "/join")
		b.shows("in")
		if n := s.count("SELECT count(*) FROM scan_funnel"); n != 0 {
			t.Errorf("a refused scan stands in %d lines of the funnel", n)
		}
		if n := s.count("SELECT refused FROM scan_days"); n != 1 {
			t.Errorf("%d refused", n)
		}
	})
}

// Revoking one poster ends the visits that began at it, as revoking the code does.
func TestTheVisitOfARevokedCopy(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "open", s.w.Platform, 50)
		id := s.issue(gid, "label", "门")
		if _, _, err := s.deps.Codes.AddCopies(context.Background(), s.w.Super, id, code.CopyForm{Count: "2"}); err != nil {
			t.Fatal(err)
		}
		at := func(serial int) *browser {
			b := s.visitor()
			rec := b.get("/j/" + code.Token(testkit.Keys(), id, serial))
			want(t, rec, 303, "/join/")
			b.cookies["ticket"] = rec.Header().Get("Location")
			return b
		}
		late, lost, other := at(1), at(1), at(2)
		for _, b := range []*browser{lost, other} {
			want(t, b.get(b.cookies["ticket"]), 303, "/join")
			b.shows("form")
		}
		want(t, s.as(s.w.Super).post("/codes/"+id+"/copies/1/revoke", "reason", "丢了"), 303)
		want(t, late.get(late.cookies["ticket"]), 303)
		for _, b := range []*browser{late, lost} {
			rec := b.get("/join")
			want(t, rec, 410)
			if !strings.Contains(rec.Header().Get("Content-Type"), "html") || page(t, rec).Find("h1").Length() != 1 {
				t.Error("no page that says why")
			}
		}
		s.exec("UPDATE join_sessions SET member_id = ?", s.w.Staff.MemberID)
		want(t, lost.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x"), 410)
		if n := s.count("SELECT count(*) FROM memberships"); n != 0 {
			t.Error("got in by a poster that was revoked")
		}
		want(t, other.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x"), 303)
		other.shows("in")
	})
}

// A group does not become internal while guests ask or wait.
func TestGuestsWhoAskKeepAGroupFromBecomingInternal(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "客户", "external", "approval", s.w.Platform, 50)
		guest := s.insert("INSERT INTO guests (name, phone, created_at) VALUES ('访客', '+8613911110000', ?)", s.clock.Now())
		for _, table := range []string{"join_requests", "waiting_list"} {
			s.exec(fmt.Sprintf("INSERT INTO %s (group_id, guest_id, name, created_at) VALUES (?, ?, '访客', ?)", table), group, guest, s.clock.Now())
			rec := s.as(s.w.Super).post("/groups/"+gid, "type", "internal")
			want(t, rec, 422)
			if !strings.Contains(rec.Body.String(), "访客在申请或排队") {
				t.Errorf("%s: does not say why", table)
			}
			s.exec("DELETE FROM " + table)
		}
		want(t, s.as(s.w.Super).post("/groups/"+gid, "type", "internal"), 303)
	})
}

// Permanent, open and for everybody needs a second super admin by whichever
// group the code leads to: its own, a target, or the next of a series.
func TestAPermanentCodeLeadsToNoOpenGroupByAnotherDoor(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 50)
		open, _ := s.w.Group(t, s.db, "大家", "internal", "open", s.w.Platform, 50)
		id := s.issue(gid, "label", "门", "validity", "7d")
		s.exec("INSERT INTO code_targets (code_id, group_id, position) VALUES (?, ?, 1)", s.codeID(id), open)
		permanent := []string{"validity", "permanent", "confirm_permanent", "on", "label", "门"}
		want(t, s.as(s.w.Super).post("/codes/"+id+"/terms", permanent...), 303, "/approvals/")
		want(t, s.as(s.w.Head).post("/codes/"+id+"/terms", permanent...), 403)
		want(t, s.as(s.w.Super).post("/codes/"+id+"/terms", append(permanent, "audience", fmt.Sprint(s.w.RD))...), 303)
		rec := s.as(s.w.Super).post("/codes/"+id+"/terms", "complete", "on", "validity", "keep", "label", "门", "fallback", "message")
		want(t, rec, 303, "/approvals/") // taking the audience away
		if n := s.count("SELECT count(*) FROM codes WHERE validity = 'permanent' AND audience = ''"); n != 0 {
			t.Error("everybody gets in by a permanent code")
		}

		first, firstID := s.w.Group(t, s.db, "北区 1", "internal", "approval", s.w.Platform, 50)
		second, secondID := s.w.Group(t, s.db, "北区 2", "internal", "approval", s.w.Platform, 50)
		series := s.insert("INSERT INTO group_series (base_name, threshold, next_no, created_at) VALUES ('北区', 90, 3, ?)", s.clock.Now())
		s.exec("UPDATE groups SET series_id = ?, series_no = 1 WHERE id = ?", series, first)
		s.exec("UPDATE groups SET series_id = ?, series_no = 2 WHERE id = ?", series, second)
		s.issue(firstID, "label", "门", "validity", "permanent", "confirm_permanent", "on")
		want(t, s.as(s.w.Super).post("/groups/"+secondID, "join_mode", "open"), 303, "/approvals/")
		s.exec("DELETE FROM code_counters WHERE code_id IN (SELECT id FROM codes WHERE group_id = ?)", first)
		s.exec("DELETE FROM codes WHERE group_id = ?", first)
		want(t, s.as(s.w.Super).post("/groups/"+secondID, "join_mode", "open"), 303, "/groups/")
		want(t, s.as(s.w.Super).post("/groups/"+firstID+"/codes", permanent...), 303, "/approvals/")
		if n := s.count("SELECT count(*) FROM codes WHERE group_id = ?", first); n != 0 {
			t.Error("the code exists already")
		}
	})
}
