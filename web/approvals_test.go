package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// external are the fields of an external group in 研发中心.
func external(s *site) []string { return with(newGroup(s.w.RD), "type", "external") }

func TestAHeadsExternalGroupExistsOnlyAfterASuperAdminApproves(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head, super := s.as(s.w.Head), s.as(s.w.Super)
		rec := head.post("/groups", external(s)...)
		want(t, rec, 303, "/approvals/")
		at := rec.Header().Get("Location")
		id := strings.TrimPrefix(at, "/approvals/")
		if n := s.count("SELECT count(*) FROM groups"); n != 0 {
			t.Fatal("the group exists already")
		}
		for who, b := range map[string]*browser{"author": head, "super admin": super} {
			body := page(t, b.get(at)).Text()
			if !strings.Contains(body, "读书会") || !strings.Contains(body, "一起读书") || !strings.Contains(body, "研发中心") {
				t.Errorf("the page for the %s does not say what would happen", who)
			}
		}
		want(t, s.as(s.w.OtherHead).get(at), 404)
		want(t, s.as(s.w.Staff).get(at), 404)
		want(t, s.as(s.w.Staff).get("/approvals"), 403)
		if got := page(t, super.get("/approvals")).Find("tbody tr").Length(); got != 1 {
			t.Errorf("%d wait", got)
		}
		if got := page(t, s.as(s.w.OtherHead).get("/approvals")).Find("tbody tr").Length(); got != 0 {
			t.Error("another head sees it")
		}
		if got := page(t, super.get("/groups")).Find(".dp-nav .dp-count.is-quiet").Text(); got != "1" {
			t.Errorf("the navigation counts %q", got)
		}
		want(t, head.post("/approvals/decide", "id", id, "decision", "approve"), 403)
		want(t, super.post("/approvals/decide", "id", id, "decision", "maybe"), 422)
		want(t, super.post("/approvals/decide", "id", id, "decision", "reject", "reason", " "), 422)
		want(t, super.post("/approvals/decide", "id", "99", "decision", "approve"), 404)
		want(t, super.post("/approvals/decide", "id", "x", "decision", "approve"), 404)
		want(t, super.post("/approvals/decide", "id", id, "decision", "approve"), 303, at)
		second := s.as(s.w.Super2).post("/approvals/decide", "id", id, "decision", "approve")
		want(t, second, 409)
		if body := second.Body.String(); !strings.Contains(body, "周岚") || !strings.Contains(body, "09:00") {
			t.Error("the second presser is not told who and when")
		}
		link, _ := page(t, head.get(at)).Find(".dp-note.is-ok a").Attr("href")
		want(t, head.get(link), 200)
		if n := s.count("SELECT count(*) FROM groups WHERE type = 'external' AND created_by = ?", s.w.Head.MemberID); n != 1 {
			t.Errorf("%d groups exist", n)
		}
	})
}

func TestARequestIsCheckedAgainstTheWorldAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head, super := s.as(s.w.Head), s.as(s.w.Super)
		n := 0
		ask := func() string {
			n++
			rec := head.post("/groups", with(external(s), "name", fmt.Sprint("客户群", n))...)
			want(t, rec, 303, "/approvals/")
			return strings.TrimPrefix(rec.Header().Get("Location"), "/approvals/")
		}
		withdrawn, rejected, late, lost := ask(), ask(), ask(), ask()
		want(t, super.post("/approvals/"+withdrawn+"/withdraw"), 403)
		want(t, head.post("/approvals/"+withdrawn+"/withdraw"), 303)
		want(t, super.post("/approvals/decide", "id", withdrawn, "decision", "approve"), 409)
		want(t, super.post("/approvals/decide", "id", rejected, "decision", "reject", "reason", "先用内部群"), 303)
		if !strings.Contains(head.get("/approvals/"+rejected).Body.String(), "先用内部群") {
			t.Error("the reason does not reach the author")
		}
		s.db.Exec("DELETE FROM department_heads WHERE member_id = ?", s.w.Head.MemberID)
		want(t, super.post("/approvals/decide", "id", lost, "decision", "approve"), 409)
		if n := s.count("SELECT count(*) FROM approvals WHERE status = 'pending' AND id = ?", lost); n != 1 {
			t.Error("a refused approval does not stay pending")
		}
		s.clock.Add(15 * 24 * time.Hour)
		super = s.as(s.w.Super)
		want(t, super.post("/approvals/decide", "id", late, "decision", "approve"), 409)
		if !strings.Contains(super.get("/approvals/"+late).Body.String(), "已超时") {
			t.Error("an expired request does not say so")
		}
		if n := s.count("SELECT count(*) FROM groups"); n != 0 {
			t.Errorf("%d groups exist", n)
		}
	})
}

func TestSuperAdminsAreAppointedByTwo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super, super2 := s.as(s.w.Super), s.as(s.w.Super2)
		member := fmt.Sprint(s.w.Head.MemberID)
		want(t, s.as(s.w.Head).post("/settings/roles/appoint", "member_id", member), 403)
		want(t, super.post("/settings/roles/appoint", "member_id", "x"), 422)
		want(t, super.post("/settings/roles/appoint", "phone", "1"), 422)
		rec := super.post("/settings/roles/appoint", "phone", "13800000003")
		want(t, rec, 303, "/approvals/")
		id := strings.TrimPrefix(rec.Header().Get("Location"), "/approvals/")
		want(t, super.post("/approvals/decide", "id", id, "decision", "approve"), 403) // one's own
		want(t, super2.post("/approvals/decide", "id", id, "decision", "approve"), 303)
		want(t, s.as(s.w.Head).get("/settings/roles"), 200)
		want(t, super.post("/settings/roles/appoint", "member_id", member), 409)
		for _, gone := range []int64{s.w.Head.MemberID, s.w.Super2.MemberID} {
			rec = super.post("/settings/roles/remove", "member_id", fmt.Sprint(gone))
			want(t, rec, 303, "/approvals/")
			id = strings.TrimPrefix(rec.Header().Get("Location"), "/approvals/")
			want(t, super2.post("/approvals/decide", "id", id, "decision", "approve"), 303)
		}
		// The last one stays, and alone may appoint the second directly.
		want(t, super.post("/settings/roles/remove", "member_id", fmt.Sprint(s.w.Super.MemberID)), 409)
		want(t, super2.get("/settings/roles"), 403)
		want(t, super.post("/settings/roles/appoint", "member_id", member), 303, "/settings/roles")
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'super.appoint' AND details LIKE '%without_second_person%'"); n != 1 {
			t.Error("the trail does not say that nobody else agreed")
		}
	})
}

func TestOneCannotRemoveTheLastByTwoRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super, super2 := s.as(s.w.Super), s.as(s.w.Super2)
		first := super.post("/settings/roles/remove", "member_id", fmt.Sprint(s.w.Super.MemberID)).Header().Get("Location")
		second := super2.post("/settings/roles/remove", "member_id", fmt.Sprint(s.w.Super2.MemberID)).Header().Get("Location")
		want(t, super2.post("/approvals/decide", "id", strings.TrimPrefix(first, "/approvals/"), "decision", "approve"), 303)
		want(t, super2.post("/approvals/decide", "id", strings.TrimPrefix(second, "/approvals/"), "decision", "approve"), 409)
		if n := s.count("SELECT count(*) FROM members WHERE super_admin"); n != 1 {
			t.Errorf("%d super admins are left", n)
		}
	})
}
