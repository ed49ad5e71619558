package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// round is the open round, begun a moment ago where there is none.
func (s *site) round() int64 {
	s.t.Helper()
	if id := s.count("SELECT coalesce(max(id), 0) FROM recert_rounds"); id > 0 {
		return int64(id)
	}
	now := s.clock.Now()
	s.clock.Add(time.Minute)
	return s.insert("INSERT INTO recert_rounds (from_at, opens_at, due_at) VALUES (?, ?, ?)", now, now.Add(time.Second), now.AddDate(0, 0, 14))
}

// A head goes through a group in one form; what stood still works with the next request.
func TestAHeadConfirmsAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, public := s.door("approval")
		address := s.printed(public)
		group := s.count("SELECT id FROM groups WHERE gid = ?", gid)
		s.exec("UPDATE groups SET entry_kind = 'link', entry_url = 'https://chat.example/abc', member_count = 1 WHERE id = ?", group)
		s.exec("INSERT INTO memberships (group_id, member_id, source, joined_at) VALUES (?, ?, 'code', ?)", group, s.w.Staff.MemberID, s.clock.Now())
		signed := s.as(s.w.Staff)
		rec := signed.get(address)
		want(t, rec, 303, "/join/")
		want(t, signed.get(rec.Header().Get("Location")), 303, "/join")
		s.round()
		head := s.as(s.w.Head)
		if text := page(t, head.get("/")).Find(".dp-stats").Text(); !strings.Contains(text, "待确认的群") {
			t.Errorf("the home page says %q", text)
		}
		if text := page(t, head.get("/reminders")).Find("main").Text(); !strings.Contains(text, "等你确认") {
			t.Error("the reminders say nothing of the round")
		}
		if signed.shows("in") == "" || !strings.Contains(signed.shows("in"), "chat.example") {
			t.Error("no entry before the date")
		}
		s.clock.Add(14 * 24 * time.Hour)
		s.exec("UPDATE join_sessions SET expires_at = ?", s.clock.Now().AddDate(0, 0, 1))
		want(t, s.visitor().get(address), 410)
		signed = &browser{site: s, cookies: map[string]string{"doorplate_join": signed.cookies["doorplate_join"]}, lang: "zh-CN"}
		signed.cookies["doorplate_session"] = s.as(s.w.Staff).cookies["doorplate_session"]
		if text := signed.shows("in"); strings.Contains(text, "chat.example") || !strings.Contains(text, "暂停") {
			t.Errorf("after the date the member reads %q", text)
		}
		head = s.as(s.w.Head)
		doc := page(t, head.get("/groups/"+gid))
		if doc.Find(fmt.Sprintf(`a[href="/groups/%s/recertify"]`, gid)).Length() != 1 {
			t.Error("the group's page does not lead to the form")
		}
		doc = page(t, head.get("/groups/"+gid+"/recertify"))
		pairs := []string{"round", doc.Find(`[name=round]`).AttrOr("value", "")}
		for _, e := range doc.Find("input[type=radio][checked]").EachIter() {
			if e.AttrOr("value", "") != "confirm" {
				t.Error("a line is not ticked off to be confirmed")
			}
			pairs = append(pairs, e.AttrOr("name", ""), "confirm")
		}
		if len(pairs) != 6 {
			t.Fatalf("the form has %v", pairs)
		}
		want(t, s.as(s.w.OtherHead).post("/groups/"+gid+"/recertify", pairs...), 404)
		want(t, head.post("/groups/"+gid+"/recertify", pairs...), 303, "/recertify")
		rec = head.post("/groups/"+gid+"/recertify", pairs...)
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), s.w.Head.Name) {
			t.Error("the second does not learn who was first")
		}
		want(t, s.visitor().get(address), 303)
		if !strings.Contains(signed.shows("in"), "chat.example") {
			t.Error("no entry after it was confirmed")
		}
		if text := page(t, head.get(fmt.Sprintf("/recertify/rounds/%d", s.round()))).Find("main").Text(); !strings.Contains(text, s.w.Head.Name) {
			t.Error("the round does not say who confirmed")
		}
		super := s.as(s.w.Super)
		want(t, super.post("/recertify/rounds", "action", "start"), 303, "/recertify")
		due := page(t, super.get("/recertify")).Find("[name=was]").AttrOr("value", "")
		want(t, super.post("/recertify/rounds", "action", "move", "round", fmt.Sprint(s.round()), "was", due, "due", "nonsense"), 422)
		want(t, super.post("/recertify/rounds", "action", "move", "round", fmt.Sprint(s.round()), "was", due, "due", s.clock.Now().AddDate(0, 1, 0).Format("2006-01-02")), 303, "/recertify")
		want(t, super.post("/recertify/rounds", "action", "move", "round", fmt.Sprint(s.round()), "was", due, "due", s.clock.Now().AddDate(0, 1, 0).Format("2006-01-02")), 409)
	})
}
