package web_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// rush does everything at once, each by its own browser. browser.do fails the test for a 5xx.
func rush(all ...func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, do := range all {
		wg.Go(func() { <-start; do() })
	}
	close(start)
	wg.Wait()
}

// calm fails the test for an answer that is no answer: 503 is not one of them here.
func (b *browser) calm(rec *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	b.t.Helper()
	if rec.Code >= 500 {
		b.t.Errorf("answered %d", rec.Code)
	}
	return rec
}

// times is a browser per repetition.
func (s *site) times(n int, who access.Actor, do func(b *browser, i int)) (all []func()) {
	for i := range n {
		b := s.as(who)
		all = append(all, func() { do(b, i) })
	}
	return all
}

func TestDoubleSubmitsNeverFail(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.props()
		for path, pairs := range map[string][]string{
			"/groups": newGroup(s.w.RD), "/groups/" + p.gid + "/codes": {"label", "门"}, "/exports": {"what", "audit"},
			"/contacts/members":                       {"name", "李雷", "phone", "13900000001", "job_number", "J1", "department_id", p.department},
			"/contacts/departments":                   {"name", "新部门", "parent_id", p.department},
			"/groups/" + p.gid + "/members":           {"member_id", p.member},
			"/groups/" + p.gid + "/duties":            {"member_id", p.member, "duty", "review", "action", "add"},
			p.path("/contacts/departments/:id/heads"): {"member_id", p.member, "action", "add"},
			"/settings/roles/appoint":                 {"member_id", p.member}, "/settings/policies": p.policies(),
		} {
			rush(s.times(6, s.w.Super, func(b *browser, _ int) { b.calm(b.post(path, pairs...)) })...)
		}
		for _, q := range []string{"members WHERE phone = '+8613900000001'", "departments WHERE name = '新部门'", "memberships WHERE status = 'active' AND member_id = " + p.member} {
			if n := s.count("SELECT count(*) FROM " + q); n != 1 {
				t.Errorf("%s: %d rows", q, n)
			}
		}
	})
}

func TestRevokeRegenerateAndScanAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		gid, code := s.door("approval")
		door, at := s.printed(code), "/codes/"+code
		all := s.times(3, s.w.Super, func(b *browser, _ int) { b.calm(b.post(at+"/revoke", "reason", "x")) })
		all = append(all, s.times(3, s.w.Super2, func(b *browser, _ int) { b.calm(b.post(at+"/regenerate", "reason", "x")) })...)
		all = append(all, s.times(2, s.w.Head, func(b *browser, _ int) { b.calm(b.post(at+"/suspend", "reason", "x")) })...)
		for range 8 {
			b := s.visitor()
			all = append(all, func() { b.calm(b.get(door)) })
		}
		rush(all...)
		want(t, s.visitor().get(door), 410)
		if n := s.count("SELECT count(*) FROM codes c JOIN groups g ON g.id = c.group_id WHERE g.gid = ? AND c.revoked_at IS NULL", gid); n > 1 {
			t.Errorf("%d live codes", n)
		}
	})
}

func TestDepartDecideJoinDisbandAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for round := range 3 {
			room, code := s.room(fmt.Sprint("群", round), "internal", "open", s.w.Platform, 50)
			waiting, _ := s.room(fmt.Sprint("待", round), "internal", "approval", s.w.Platform, 50)
			who := s.newMember(round)
			a, c := s.asks(waiting, who, ""), s.asks(room, who, "")
			var gid string
			s.db.Raw("SELECT gid FROM groups WHERE id = ?", waiting).Scan(&gid)
			joining := s.visitor().scan(code)
			mine := s.as(who)
			mine.scan(code)
			all := s.times(2, s.w.Super, func(b *browser, _ int) {
				b.calm(b.post(fmt.Sprint("/contacts/members/", who.MemberID, "/depart"), "reason", "x"))
			})
			all = append(all, s.times(2, s.w.Head, func(b *browser, i int) {
				ids := []string{"decision", "approve", "id", a, "id", c}
				if i == 1 {
					ids = []string{"decision", "approve", "id", c, "id", a}
				}
				b.calm(b.post("/requests/decide", ids...))
			})...)
			all = append(all, s.times(2, s.w.Super2, func(b *browser, _ int) { b.calm(b.post("/groups/"+gid+"/disband", "reason", "x")) })...)
			all = append(all, s.times(1, s.w.Super2, func(b *browser, _ int) {
				b.calm(b.post("/groups/"+gid+"/members", "member_id", fmt.Sprint(who.MemberID)))
			})...)
			all = append(all, func() { mine.calm(mine.post("/join", "form_key", s.deps.Auth.NewFormKey(), "note", "x")) },
				func() { joining.calm(joining.get("/join")) })
			rush(all...)
			if n := s.count("SELECT count(*) FROM memberships WHERE member_id = ? AND status = 'active'", who.MemberID); n != 0 {
				t.Errorf("%d memberships of somebody who left", n)
			}
			if n := s.count("SELECT count(*) FROM join_requests WHERE member_id = ? AND status = 'pending'", who.MemberID); n != 0 {
				t.Errorf("%d requests of somebody who left", n)
			}
			if n := s.count("SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')"); n != 0 {
				t.Errorf("%d groups count wrongly", n)
			}
		}
	})
}

func (s *site) newMember(i int) access.Actor {
	s.t.Helper()
	b := s.as(s.w.Super)
	want(s.t, b.post("/contacts/members", "name", "李雷", "phone", fmt.Sprint(13900000100+i), "department_id", fmt.Sprint(s.w.Platform)), 303)
	id := s.count("SELECT id FROM members WHERE phone = ?", fmt.Sprint("+86", 13900000100+i))
	return access.Actor{Kind: access.Member, MemberID: id, Name: "李雷"}
}

func TestImportsAndEditsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		var list bytes.Buffer
		list.WriteString("工号,姓名,手机,部门\n")
		for i := range 300 {
			fmt.Fprintf(&list, "J%d,李雷%d,%d,研发中心/算法组%d\n", i, i, 13900001000+i, i%7)
		}
		all := s.times(2, s.w.Super, func(b *browser, _ int) { b.calm(b.importFile(list.String())) })
		all = append(all, s.times(1, s.w.Super2, func(b *browser, _ int) { b.calm(b.importFile(list.String())) })...)
		rush(all...)
		work := func() { // an importer that loses the race for a run goes home and comes back
			if _, err := directory.NewImporter(s.deps.Directory, slog.New(slog.DiscardHandler)).Next(context.Background()); err != nil {
				t.Error(err)
			}
		}
		member := "/contacts/members/" + fmt.Sprint(s.w.Staff.MemberID)
		edits := s.times(6, s.w.Head, func(b *browser, i int) {
			b.calm(b.post(member, "name", fmt.Sprint("顾", i), "phone", fmt.Sprint(13900001000+i), "job_number", fmt.Sprint("J", i), "department_id", fmt.Sprint(s.w.Platform)))
			b.calm(b.post("/contacts/members", "name", "x", "phone", fmt.Sprint(13900001290+i), "department_id", fmt.Sprint(s.w.RD)))
			b.calm(b.get("/contacts"))
		})
		moves := s.times(3, s.w.Super, func(b *browser, i int) {
			b.calm(b.post(fmt.Sprint("/contacts/departments/", s.w.Platform, "/move"), "parent_id", fmt.Sprint([]int64{s.w.Marketing, s.w.RD}[i%2])))
			b.calm(b.post("/contacts/departments", "name", fmt.Sprint("算法组", i), "parent_id", fmt.Sprint(s.w.RD)))
		})
		rush(append(append(edits, moves...), work, work, work)...)
		for s.count("SELECT count(*) FROM imports WHERE state = 'running'") > 0 && !t.Failed() {
			s.importWork()
		}
		if n := s.count("SELECT count(*) FROM members") - s.count("SELECT count(DISTINCT phone) FROM members"); n != 0 {
			t.Errorf("%d phones twice", n)
		}
		if n := s.count("SELECT count(*) FROM imports WHERE state <> 'done'"); n != 0 {
			t.Errorf("%d imports are not done", n)
		}
	})
}
