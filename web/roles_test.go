package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"doorplate/internal/access"
)

// Whoever holds a role of one right finds no link or button on any page that
// leads to a closed door.
func TestARolesPagesHaveNoClosedDoors(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		rights := access.GrantableRights()
		for i, r := range rights {
			if (i%2 == 0) == (s.db.Name() == "postgres") { // half of them on each database
				continue
			}
			t.Run(string(r), func(t *testing.T) {
				s := *s
				s.t = t
				s.things(s.w.Platform, s.w.Head, 0)
				a := s.colleague(s.w.Marketing)
				s.things(s.w.Marketing, s.w.OtherHead, 0)
				s.roleFor(a, s.w.RD, string(r))
				s.crawl(t, s.as(a), 2, func(string, *goquery.Document) {})
			})
		}
	})
}

// may is what one right opens, for somebody who holds it for 研发中心 and works
// in 市场部: on things of 平台组, below it.
var may = map[access.Right][]string{
	access.ContactsSee:     {},
	access.MembersEdit:     {"POST /contacts/members", "GET /contacts/members/new", "POST /contacts/members/:id", "GET /contacts/members/:id/edit", "GET /contacts/members/:id/invite", "POST /contacts/members/:id/invite", "GET /contacts/import", "POST /contacts/import", "GET /contacts/import/template.csv"},
	access.DepartmentsEdit: {"POST /contacts/departments", "POST /contacts/departments/:id/rename", "POST /contacts/departments/:id/move", "POST /contacts/departments/:id/delete"},
	access.MemberDepart:    {"GET /contacts/members/:id/depart/confirm", "POST /contacts/members/:id/depart"},
	access.GroupDisband:    {"GET /groups/:id/disband/confirm", "POST /groups/:id/disband"},
	access.RequestsDecide:  {"GET /requests", "GET /requests/:id", "POST /requests/decide"},
	access.AuditRead:       {"GET /audit"},
	access.CodeRevoke:      {"POST /codes/:id/suspend", "POST /codes/:id/resume", "GET /codes/:id/revoke/confirm", "POST /codes/:id/revoke"},
	access.CodeTemporary:   {"GET /groups/:id/codes/new", "POST /groups/:id/codes"},
	access.ScansExport:     {"GET /codes/:id/scans.csv", "GET /groups/:id/scans.csv"},
	access.MemberAdd:       {"POST /groups/:id/members", "GET /groups/:id/waiting"},
}

// Each right opens its own routes and none of the others', and nothing at all
// outside its department.
func TestWhatARoleOpens(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		elsewhere := s.insert("INSERT INTO departments (parent_id, name, path, depth, created_at) VALUES (?, '法务部', ?, 1, ?)",
			s.w.Root, s.w.RootPath+"999/", s.clock.Now())
		for right := range may {
			a := s.colleague(s.w.Marketing)
			s.roleFor(a, s.w.RD, string(right))
			b := s.as(a)
			inside, outside := s.things(s.w.Platform, s.w.Head, 0), s.things(elsewhere, s.w.Super, 0)
			for of, routes := range may {
				own := of == right || access.Can(access.Actor{Kind: access.Member, Grants: []access.Grant{{Path: "/1/", Rights: access.Complete([]access.Right{right})}}}, of, access.Object{Path: "/1/"})
				for _, route := range routes {
					o := inside
					if own {
						o = s.things(s.w.Platform, s.w.Head, 0)
					}
					s.tries(b, right, of, route, own, o, outside)
				}
			}
		}
	})
}

func (s *site) tries(b *browser, right, of access.Right, route string, own bool, inside, outside things) {
	s.t.Helper()
	l := s.lineOf(route)
	rec := b.walk(l, inside)
	refused := rec.Code == 403 || rec.Code == 404
	if refused == own {
		s.t.Errorf("%s with %s: %d", route, right, rec.Code)
	}
	if refused && rec.Code != 403 {
		s.t.Errorf("%s with %s: %d, want 403: they may know of it", route, right, rec.Code)
	}
	if l.at == nil {
		return
	}
	if rec := b.walk(l, outside); rec.Code != 404 && rec.Code != 403 {
		s.t.Errorf("%s with %s, outside: %d", route, right, rec.Code)
	}
}

func (s *site) lineOf(route string) line {
	s.t.Helper()
	for _, l := range lines {
		if l.route == route {
			return l
		}
	}
	s.t.Fatalf("no line for %s", route)
	return line{}
}

func TestTheLifeOfARole(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		rec := super.post("/settings/roles", "name", "发码员", "right", "code.permanent")
		want(t, rec, 303, "/settings/roles/")
		at := rec.Header().Get("Location")
		doc := page(t, super.get(at))
		for _, r := range []string{"code.permanent", "code.temporary", "code.download"} {
			if doc.Find(fmt.Sprintf(`input[value="%s"][checked]`, r)).Length() != 1 {
				t.Errorf("%s is not ticked", r)
			}
		}
		want(t, super.post(at+"/grants", "phone", "13800000006", "department_id", fmt.Sprint(s.w.Platform)), 303, at)
		want(t, super.post(at+"/grants", "phone", "1", "department_id", fmt.Sprint(s.w.Platform)), 422)
		want(t, super.post(at+"/grants", "phone", "13800000006", "department_id", "x"), 422)
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 20)
		holder := s.as(s.w.OtherStaff)
		want(t, holder.post("/groups/"+gid+"/codes", "label", "门", "validity", "permanent", "confirm_permanent", "on"), 303, "/codes/")
		if n := s.count("SELECT count(*) FROM codes WHERE validity = 'permanent'"); n != 1 {
			t.Errorf("%d codes", n)
		}
		text := page(t, super.get(fmt.Sprintf("/contacts/members/%d", s.w.OtherStaff.MemberID))).Find("main").Text()
		if !strings.Contains(text, "发码员") || !strings.Contains(text, "平台组及以下") {
			t.Error("the member's page does not show the role")
		}
		text = page(t, super.get(at+"/delete/confirm")).Find("main").Text()
		if !strings.Contains(text, "卢嘉禾 · 平台组") || !strings.Contains(text, "签发永久码") {
			t.Errorf("the confirmation does not say who loses what: %s", text)
		}
		want(t, super.post(at+"/delete"), 303, "/settings/roles")
		code := s.codeOf(gid)
		if state := page(t, super.get("/codes/"+code)).Find("main").Text(); !strings.Contains(state, "停用") {
			t.Error("the code outlived the role it was issued by")
		}
	})
}

func (s *site) codeOf(gid string) (public string) {
	s.t.Helper()
	if err := s.db.Raw("SELECT c.public_id FROM codes c JOIN groups g ON g.id = c.group_id WHERE g.gid = ?", gid).Scan(&public).Error; err != nil {
		s.t.Fatal(err)
	}
	return public
}

func TestARefusalSaysWhoCanHelp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "客户群", "external", "approval", s.w.Platform, 20)
		staff := s.as(s.w.Staff)
		rec := staff.get("/groups/" + gid + "/disband/confirm")
		want(t, rec, 403)
		text := page(t, rec).Find("main").Text()
		for _, word := range []string{"解散群", "许一诺", "研发中心负责人", "周岚"} {
			if !strings.Contains(text, word) {
				t.Errorf("the refusal does not say %q", word)
			}
		}
		if link := page(t, rec).Find(`main a[href^="/why?"]`).AttrOr("href", ""); link != "/why?group="+gid+"&right=group.disband" {
			t.Errorf("leads to %q", link)
		}
		text = page(t, s.as(s.w.Head).get("/why?right=code.permanent&group="+gid)).Find("main").Text()
		if !strings.Contains(text, "外部群") || !strings.Contains(text, "谁都不能") || strings.Contains(text, "周岚") {
			t.Errorf("permanent on external: %s", text)
		}
		want(t, s.as(s.w.OtherStaff).get("/why?right=group.disband&group="+gid), 404)
		want(t, s.as(s.w.OtherStaff).get(fmt.Sprintf("/why?right=members.edit&department=%d", s.w.Platform)), 404)
		want(t, staff.get("/why?right=x"), 404)
		want(t, staff.get("/why"), 404)
		want(t, s.visitor().get("/why?right=group.disband&group="+gid), 303, "/login")
	})
}

func TestADepartmentSaysWhoActs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		at := fmt.Sprintf("/contacts/departments/%d", s.w.RD)
		says := func(word string) {
			t.Helper()
			if text := page(t, s.as(s.w.Head).get(at)).Find("#h-lead").Closest("section").Text(); !strings.Contains(text, word) {
				t.Errorf("%q is not in %s", word, text)
			}
		}
		says("现在由 许一诺 负责")
		super := s.as(s.w.Super)
		want(t, super.post(at+"/deputies", "action", "add", "phone", "13800000005"), 303, at)
		want(t, super.post(at+"/deputies", "action", "add", "phone", "x"), 422)
		head := s.as(s.w.Head)
		own := fmt.Sprintf("/contacts/members/%d/absence", s.w.Head.MemberID)
		want(t, head.post(own, "action", "set", "from", "2026-11-22", "until", "2026-11-24"), 303, own)
		says("由副手 顾晓棠 代理")
		says("离岗，到 2026-11-24")
		if role := page(t, s.as(s.w.Staff).get("/")).Find("body").Text(); !strings.Contains(role, "副手（代理中）") {
			t.Error("the deputy is not told that they act")
		}
		want(t, head.post(own, "action", "end"), 303, own)
		says("现在由 许一诺 负责")
	})
}
