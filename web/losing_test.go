package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
)

// loss is a right that goes while its holder's page is open.
type loss struct {
	name   string
	holder access.Actor
	before func() // what brings the right
	lose   func() // what takes it, on the other instance
	open   string // the page that is open
	post   string // the form that is sent then
	fields []string
	right  string // the words that the refusal must say; "" = the session is over
}

// Two instances serve one database. A page opened on the one is of no use once
// the other took its reader's right away: the next form is refused, by name, and
// changes nothing.
func TestALostRightIsRefusedOnEveryInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		other := siteOn(t, s.db, s.clock, s.w)
		for _, l := range s.losses(other) {
			t.Run(l.name, func(t *testing.T) {
				s := *s
				s.t = t
				if l.before != nil {
					l.before()
				}
				b := s.as(l.holder)
				want(t, b.get(l.open), 200)
				l.lose()
				trace := s.rows()
				rec := b.post(l.post, l.fields...)
				if l.right == "" {
					want(t, rec, 303, "/login")
				} else {
					want(t, rec, 403)
					if text := page(t, rec).Find("main").Text(); !strings.Contains(text, l.right) {
						t.Errorf("the refusal does not say %q: %s", l.right, text)
					}
				}
				for table, rows := range s.rows() {
					if rows != trace[table] && table != "audit_entries" && table != "audit_unsealed" && table != "audit_seals" {
						t.Errorf("%s changed:\n%s", table, rows)
					}
				}
			})
		}
	})
}

func (s *site) losses(other *site) []loss {
	super := func(path string, fields ...string) { want(s.t, other.as(s.w.Super).post(path, fields...), 303) }
	rd, platform := s.things(s.w.RD, s.w.Head, 0), s.things(s.w.Platform, s.w.Head, 0)
	reviewer := s.colleague(s.w.Platform)
	reviewed := s.things(s.w.Platform, s.w.Head, reviewer.MemberID)
	holder, changed, deleted := s.colleague(s.w.Marketing), s.colleague(s.w.Marketing), s.colleague(s.w.Marketing)
	shop := s.things(s.w.Marketing, s.w.OtherHead, 0)
	roles := [3]int64{}
	for i, a := range []access.Actor{holder, changed, deleted} {
		roles[i] = s.roleFor(a, s.w.Marketing, "code.temporary", "code.revoke", "code.download")
	}
	heads, deputies := fmt.Sprintf("/contacts/departments/%d/heads", s.w.RD), fmt.Sprintf("/contacts/departments/%d/deputies", s.w.RD)
	absence := fmt.Sprintf("/contacts/members/%d/absence", s.w.OtherHead.MemberID)
	leaver := s.colleague(s.w.Platform)
	stand := s.colleague(s.w.Marketing)
	issue := "/groups/" + shop.gid + "/codes"
	return []loss{
		{name: "absence ended", holder: stand, before: func() {
			super(fmt.Sprintf("/contacts/departments/%d/deputies", s.w.Marketing), "action", "add", "member_id", fmt.Sprint(stand.MemberID))
			super(absence, "action", "set", "from", "2026-11-22", "until", "2026-11-25")
		}, lose: func() { want(s.t, other.as(s.w.OtherHead).post(absence, "action", "end"), 303) },
			open: "/groups/" + shop.gid + "/settings", post: "/groups/" + shop.gid + "/disband", fields: []string{"reason", "x"}, right: "解散群"},
		{name: "absence over", holder: stand, before: func() { super(absence, "action", "set", "from", "2026-11-22", "until", "2026-11-22") },
			lose: func() { s.clock.Add(16 * time.Hour) },
			open: "/groups/" + shop.gid + "/settings", post: "/groups/" + shop.gid + "/disband", fields: []string{"reason", "x"}, right: "解散群"},
		{name: "deputy removed", holder: s.w.Staff, before: func() {
			super(deputies, "action", "add", "member_id", fmt.Sprint(s.w.Staff.MemberID))
			super(fmt.Sprintf("/contacts/members/%d/absence", s.w.Head.MemberID), "action", "set", "from", "2026-11-23", "until", "2026-11-30")
		}, lose: func() { super(deputies, "action", "remove", "member_id", fmt.Sprint(s.w.Staff.MemberID)) },
			open: "/groups/" + platform.gid + "/codes/new", post: "/groups/" + platform.gid + "/codes", fields: []string{"label", "前台"}, right: "签发二维码"},
		{name: "head removed", holder: s.w.Head, lose: func() { super(heads, "action", "remove", "member_id", fmt.Sprint(s.w.Head.MemberID)) },
			open: "/groups/" + rd.gid + "/disband/confirm", post: "/groups/" + rd.gid + "/disband", fields: []string{"reason", "x"}, right: "解散群"},
		{name: "duty removed", holder: reviewer, lose: func() {
			super("/groups/"+reviewed.gid+"/duties", "action", "remove", "duty", "review", "member_id", fmt.Sprint(reviewer.MemberID))
		}, open: "/requests", post: "/requests/decide", fields: []string{"id", fmt.Sprint(reviewed.request), "decision", "approve"}, right: "处理入群申请"},
		{name: "grant withdrawn", holder: holder, lose: func() {
			super(fmt.Sprintf("/settings/roles/%d/grants/%d/withdraw", roles[0], s.count("SELECT id FROM role_grants WHERE role_id = ?", roles[0])))
		}, open: issue + "/new", post: issue, fields: []string{"label", "前台"}, right: "签发二维码"},
		{name: "right taken out of the role", holder: changed, lose: func() {
			super(fmt.Sprintf("/settings/roles/%d", roles[1]), "name", "只看", "right", "code.download")
		}, open: "/codes/" + shop.code, post: "/codes/" + shop.code + "/suspend", right: "撤销、更换、暂停二维码"},
		{name: "role deleted", holder: deleted, lose: func() { super(fmt.Sprintf("/settings/roles/%d/delete", roles[2])) },
			open: issue + "/new", post: issue, fields: []string{"label", "前台"}, right: "签发二维码"},
		{name: "departed", holder: leaver, lose: func() { super(fmt.Sprintf("/contacts/members/%d/depart", leaver.MemberID), "reason", "x") },
			open: "/", post: "/settings/devices/end", fields: []string{"others", "1"}},
		{name: "super admin no more", holder: s.w.Super2, lose: func() { s.exec("UPDATE members SET super_admin = ? WHERE id = ?", false, s.w.Super2.MemberID) },
			open: "/settings/roles/new", post: "/settings/roles", fields: []string{"name", "x", "right", "audit.read"}, right: "新建、授予自定角色"},
	}
}

// roleFor makes a role of these rights that a holds for a department.
func (s *site) roleFor(a access.Actor, department int64, rights ...string) int64 {
	s.t.Helper()
	now := s.clock.Now()
	id := s.insert("INSERT INTO roles (name, created_at, updated_at) VALUES (?, ?, ?)", fmt.Sprintf("Role %d", unique.Add(1)), now, now)
	var wanted []access.Right
	for _, r := range rights {
		wanted = append(wanted, access.Right(r))
	}
	for _, r := range access.Complete(wanted) {
		s.exec("INSERT INTO role_rights (role_id, right_name) VALUES (?, ?)", id, r)
	}
	s.exec("INSERT INTO role_grants (role_id, member_id, department_id, granted_by, granted_at) VALUES (?, ?, ?, ?, ?)",
		id, a.MemberID, department, s.w.Super.MemberID, now)
	return id
}
