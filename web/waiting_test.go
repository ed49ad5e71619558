package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
)

// waits scans, proves a number and joins the waiting list.
func (s *site) waits(codeID int64, phone string) *browser {
	s.t.Helper()
	b := s.visitor().scan(codeID)
	want(s.t, b.prove(phone), 303, "/join")
	b.shows("full")
	want(s.t, b.fill("/join", "/join/wait"), 303, "/join")
	return b
}

func TestTheWaitingListOfAFullGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, code := s.room("满群", "internal", "approval", s.w.Platform, 1)
		s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", group)
		gid := s.gid(group)
		first, second := s.waits(code, s.w.StaffPhone), s.waits(code, s.w.OtherStaffPhone)
		if a, b := first.shows("full"), second.shows("full"); !strings.Contains(a, "第 1 位") || !strings.Contains(b, "第 2 位") || !strings.Contains(a, "11/22 09:00") {
			t.Errorf("places: %s / %s", a, b)
		}
		want(t, first.post("/join/wait"), 303, "/join")
		if n := s.count("SELECT count(*) FROM waiting_list"); n != 2 {
			t.Errorf("%d rows", n)
		}
		again := s.visitor().scan(code)
		want(t, again.prove(s.w.StaffPhone), 303)
		if !strings.Contains(again.shows("full"), "第 1 位") {
			t.Error("scanning again does not come back to the same place")
		}
		if n := s.count("SELECT count(*) FROM join_requests"); n != 0 {
			t.Errorf("%d requests", n)
		}
		want(t, first.post("/join/unwait"), 303, "/join")
		want(t, first.post("/join/unwait"), 303, "/join")
		first.shows("full")
		if !strings.Contains(second.shows("full"), "第 1 位") {
			t.Error("nobody moved up")
		}
		head := s.as(s.w.Head)
		doc := page(t, head.get("/groups/"+gid))
		if to := doc.Find("a[href$='/waiting']"); to.Length() != 1 || !strings.Contains(to.Text(), "1") {
			t.Errorf("the group's page does not say how many wait: %q", to.Text())
		}
		doc = page(t, head.get("/groups/"+gid+"/waiting"))
		admit := strings.TrimSuffix(doc.Find("form[action$='/remove']").AttrOr("action", ""), "remove") + "admit"
		if doc.Find("form[action$='/admit']").Length() != 0 || !strings.Contains(doc.Find(".dp-note").Text(), "1") {
			t.Error("a button without a seat, or no reason")
		}
		if !strings.Contains(doc.Find("table").Text(), s.w.OtherStaff.Name) || strings.Contains(doc.Find("table").Text(), "13800000006") {
			t.Errorf("the list: %s", doc.Find("table").Text())
		}
		want(t, head.post(admit), 409) // no seat
		s.exec("UPDATE groups SET capacity = 2 WHERE id = ?", group)
		second.shows("form") // a seat: the form as usual
		if page(t, head.get("/groups/"+gid+"/waiting")).Find("form[action='"+admit+"']").Length() != 1 {
			t.Error("a seat, and no button")
		}
		want(t, head.post(admit), 303, "/groups/"+gid+"/waiting")
		want(t, head.post(admit), 409)
		second.shows("in")
		if n := s.count("SELECT count(*) FROM waiting_list WHERE ended_how = 'in' AND member_id = ?", s.w.OtherStaff.MemberID); n != 1 {
			t.Error("letting in does not end the wait")
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action IN ('waiting.join', 'waiting.leave', 'waiting.admit')"); n != 4 {
			t.Errorf("%d entries in the trail", n)
		}
		third := s.waits(code, s.w.StaffPhone)
		remove := page(t, head.get("/groups/"+gid+"/waiting")).Find("form[action$='/remove']").AttrOr("action", "")
		want(t, head.post(remove), 303)
		want(t, head.post(remove), 409)
		if strings.Contains(third.shows("full"), "你排在") {
			t.Error("still in line after being removed")
		}
		s.exec("UPDATE groups SET capacity = 3 WHERE id = ?", group)
		s.waitsNoMore(third, group)
		want(t, head.get("/groups/"+gid+"/waiting?after=x"), 200)
		want(t, head.post("/groups/"+gid+"/waiting/0x1/admit"), 404)
		want(t, head.post("/groups/"+gid+"/waiting/99999/admit"), 404)
	})
}

// waitsNoMore: joining as usual ends a wait.
func (s *site) waitsNoMore(b *browser, group int64) {
	s.t.Helper()
	s.exec("UPDATE waiting_list SET ended_at = NULL, ended_how = '' WHERE id = (SELECT max(id) FROM waiting_list WHERE member_id = ?)", s.w.Staff.MemberID)
	want(s.t, b.fill("/join", "/join"), 303, "/join")
	b.shows("pending")
	if n := s.count("SELECT count(*) FROM waiting_list WHERE group_id = ? AND ended_at IS NULL", group); n != 0 {
		s.t.Errorf("%d still wait", n)
	}
}

// A code that is over, used up or closed leads to the waiting list and to nothing else.
func TestWaitingForACode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, gid := s.w.Group(t, s.db, "平台", "internal", "open", s.w.Platform, 50)
		s.exec("UPDATE groups SET entry_kind = 'link', entry_url = 'https://chat.example/secret' WHERE id = ?", group)
		id := s.issue(gid, "label", "门", "open_days", "1", "open_from", "09:00", "open_to", "18:00", "fallback", "waiting")
		b := s.visitor()
		rec := b.get(s.printed(id))
		want(t, rec, 403)
		to := page(t, rec).Find("main a[href^='/join/']").AttrOr("href", "")
		if to == "" || rec.Header().Get("Doorplate-Scan") == "" {
			t.Fatal("the refusal offers no place on the waiting list")
		}
		s.clock.Add(5 * time.Minute) // people read
		want(t, b.get(to), 303, "/join")
		want(t, s.visitor().get(to), 410)
		b.shows("form")
		want(t, b.prove(s.w.StaffPhone), 303, "/join")
		if text := b.shows("full"); !strings.Contains(text, "开放时段") {
			t.Errorf("does not say what for: %s", text)
		}
		want(t, b.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x"), 303)
		want(t, b.fill("/join", "/join/wait"), 303, "/join")
		if n := s.count("SELECT (SELECT count(*) FROM memberships) + (SELECT count(*) FROM join_requests)"); n != 0 {
			t.Fatalf("a closed code let somebody in or took a request: %d", n)
		}
		if n := s.count("SELECT count(*) FROM scans WHERE outcome = 'live'"); n != 0 {
			t.Error("a refused scan became a live one")
		}
		if !strings.Contains(b.shows("full"), "第 1 位") {
			t.Error("no place")
		}
		s.exec("INSERT INTO memberships (group_id, member_id, joined_at) VALUES (?, ?, ?)", group, s.w.Head.MemberID, s.clock.Now())
		in := s.as(s.w.Head)
		rec = in.get(s.printed(id))
		want(t, in.get(page(t, rec).Find("main a[href^='/join/']").AttrOr("href", "")), 303)
		if rec = in.get("/join"); rec.Code != 403 || strings.Contains(rec.Body.String(), "chat.example") {
			t.Errorf("a closed code shows the entry: %d", rec.Code)
		}
		s.clock.Add(24 * time.Hour) // Monday morning
		b.shows("form")
		want(t, b.fill("/join", "/join"), 303, "/join")
		b.shows("in")
		if n := s.count("SELECT count(*) FROM waiting_list WHERE ended_how = 'in'"); n != 1 {
			t.Errorf("joining ended %d waits", n)
		}
		want(t, s.as(s.w.Super).post("/codes/"+id+"/revoke", "reason", "x"), 303)
		if rec := s.visitor().get(s.printed(id)); page(t, rec).Find("main a[href^='/join/']").Length() != 0 {
			t.Error("a revoked code offers a wait")
		}
	})
}

// A departure and a disbanding end what waits.
func TestWaitsEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, code := s.room("满群", "internal", "approval", s.w.Platform, 1)
		s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", group)
		s.waits(code, s.w.StaffPhone)
		s.waits(code, s.w.OtherStaffPhone)
		want(t, s.as(s.w.Super).post(fmt.Sprintf("/contacts/members/%d/depart", s.w.Staff.MemberID), "reason", "x"), 303)
		if n := s.count("SELECT count(*) FROM waiting_list WHERE ended_how = 'over'"); n != 1 {
			t.Errorf("%d ended by the departure", n)
		}
		want(t, s.as(s.w.Super).post("/groups/"+s.gid(group)+"/disband", "reason", "x"), 303)
		if n := s.count("SELECT count(*) FROM waiting_list WHERE ended_how = 'over'"); n != 2 {
			t.Errorf("%d ended by the disbanding", n)
		}
	})
}

// Twenty presses make one row; of two who let in the last seat's two candidates one succeeds.
func TestWaitingRaces(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, code := s.room("满群", "internal", "approval", s.w.Platform, 1)
		s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", group)
		var all []func()
		for range 20 {
			b := s.visitor().scan(code)
			s.exec("UPDATE join_sessions SET member_id = ?, phone = ?", s.w.Staff.MemberID, s.w.StaffPhone)
			all = append(all, func() { b.calm(b.post("/join/wait")) })
		}
		rush(all...)
		if n := s.count("SELECT count(*) FROM waiting_list"); n != 1 {
			t.Errorf("%d rows after twenty presses", n)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'waiting.join'"); n != 1 {
			t.Errorf("%d entries in the trail", n)
		}
		s.waits(code, s.w.OtherStaffPhone)
		s.exec("UPDATE groups SET capacity = 2 WHERE id = ?", group)
		var ids []int64
		s.db.Raw("SELECT id FROM waiting_list ORDER BY id").Scan(&ids)
		answers := make(chan int, 8)
		all = nil
		for i, who := range []access.Actor{s.w.Super, s.w.Head, s.w.Super2, s.w.Head, s.w.Super, s.w.Head, s.w.Super2, s.w.Super} {
			b, at := s.as(who), fmt.Sprintf("/groups/%s/waiting/%d/admit", s.gid(group), ids[i%2])
			all = append(all, func() { answers <- b.calm(b.post(at)).Code })
		}
		rush(all...)
		count := map[int]int{}
		for range 8 {
			count[<-answers]++
		}
		if count[303] != 1 || count[409] != 7 {
			t.Errorf("answers %v, want one let in", count)
		}
		if n := s.count("SELECT count(*) FROM memberships WHERE status = 'active'"); n != 1 {
			t.Errorf("%d took the last seat", n)
		}
	})
}
