package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/paths"
)

func TestContactsAreForEverybodyAsFarAsTheyMaySee(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		rd, marketing := paths.To(paths.Department, s.w.RD), paths.To(paths.Department, s.w.Marketing)
		platform, other := paths.To(paths.Department, s.w.Platform), paths.To(paths.Member, s.w.OtherStaff.MemberID)
		for _, c := range []struct {
			by     access.Actor
			path   string
			status int
		}{
			{s.w.Super, "/contacts", 200}, {s.w.Head, "/contacts", 200}, {s.w.Staff, "/contacts", 200},
			{s.w.Super, rd, 200}, {s.w.Head, rd, 200}, {s.w.Staff, rd, 404}, {s.w.Staff, platform, 200}, {s.w.Head, marketing, 404},
			{s.w.Super, other, 200}, {s.w.Head, other, 404}, {s.w.Staff, other, 404}, {s.w.OtherStaff, other, 200}, {s.w.OtherHead, other, 200},
			{s.w.Head, "/contacts/members/new", 200}, {s.w.Staff, "/contacts/members/new", 403},
			{s.w.Head, other + "/edit", 404}, {s.w.OtherHead, other + "/edit", 200}, {s.w.OtherStaff, other + "/edit", 403},
			{s.w.OtherHead, other + "/depart/confirm", 200}, {s.w.OtherStaff, other + "/depart/confirm", 403}, {s.w.Head, other + "/depart/confirm", 404},
			{s.w.Super, "/contacts/members/x", 404}, {s.w.Super, "/contacts/members/99999999999999999999", 404}, {s.w.Super, "/contacts/departments/-1", 404},
			{s.w.Super, "/contacts/import", 200}, {s.w.Head, "/contacts/import", 200}, {s.w.Staff, "/contacts/import", 403},
			{s.w.Staff, "/contacts/import/template.csv", 403}, {s.w.Head, "/contacts/import/1", 404},
		} {
			if rec := s.as(c.by).get(c.path); rec.Code != c.status {
				t.Errorf("%s, %s: %d, want %d", c.by.Name, c.path, rec.Code, c.status)
			}
		}
		if body := s.as(s.w.Staff).get("/contacts").Body.String(); strings.Contains(body, "0005") || strings.Contains(body, "import") {
			t.Error("staff see phones, or controls they may not use")
		}
		if body := s.as(s.w.Head).get("/contacts?q=卢嘉").Body.String(); !strings.Contains(body, "卢嘉禾") || strings.Contains(body, "0006") {
			t.Error("a head sees names elsewhere, and only those")
		}
	})
}

func TestDepartmentForms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		rd := fmt.Sprint(s.w.RD)
		want(t, b.post("/contacts/departments", "name", "质量组", "parent_id", rd), 303, "/contacts/departments/")
		want(t, b.post("/contacts/departments", "name", "财务部"), 303, "/contacts/departments/")
		rec := b.post("/contacts/departments", "name", "质量组", "parent_id", rd)
		want(t, rec, 422)
		if v, _ := page(t, rec).Find("#dn").Attr("value"); v != "质量组" || page(t, rec).Find("#dn-h").Text() == "" {
			t.Error("the form forgot what was typed, or why it was refused")
		}
		want(t, b.post("/contacts/departments", "name", "x", "parent_id", "zero"), 404)
		at := "/contacts/departments/" + rd
		want(t, b.post(at+"/rename", "name", "研究院"), 303, at)
		want(t, b.post(at+"/rename", "name", ""), 422)
		want(t, b.post(at+"/move", "parent_id", fmt.Sprint(s.w.Platform)), 422)
		want(t, b.post(at+"/move", "parent_id", fmt.Sprint(s.w.Marketing)), 303, at)
		want(t, b.post(at+"/delete"), 409)
		want(t, b.post(at+"/heads", "member_id", fmt.Sprint(s.w.Staff.MemberID), "action", "add"), 303, at)
		want(t, b.post(at+"/heads", "member_id", fmt.Sprint(s.w.Staff.MemberID), "action", "remove"), 303, at)
		want(t, b.post(at+"/heads", "member_id", "999", "action", "add"), 422)
		want(t, b.post(at+"/heads", "member_id", "1", "action", "dance"), 422)
		for path, pairs := range map[string][]string{"/contacts/departments": {"name", "x", "parent_id", rd}, at + "/rename": {"name", "x"},
			at + "/move": {"parent_id", "1"}, at + "/delete": nil, at + "/heads": {"member_id", "1", "action", "add"}} {
			if rec := s.as(s.w.Head).post(path, pairs...); rec.Code != 403 {
				t.Errorf("head, %s: %d, want 403", path, rec.Code)
			}
			if rec := s.as(s.w.OtherStaff).post(path, pairs...); rec.Code != 404 && rec.Code != 403 {
				t.Errorf("staff elsewhere, %s: %d", path, rec.Code)
			}
		}
	})
}

const probe = `<script>alert(1)</script>"'>`

func TestMemberForms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Head)
		rec := b.post("/contacts/members", "name", probe, "phone", "139-0000-0001", "job_number", "J1", "department_id", fmt.Sprint(s.w.Platform))
		want(t, rec, 303, "/contacts/members/")
		at := rec.Header().Get("Location")
		if body := b.get(at).Body.String(); strings.Contains(body, "<script>alert") || !strings.Contains(body, "139****0001") {
			t.Error("the page runs a name, or shows no phone")
		}
		rec = b.post("/contacts/members", "name", "李雷", "phone", "13900000001", "department_id", fmt.Sprint(s.w.Platform))
		want(t, rec, 422)
		if v, _ := page(t, rec).Find("#name").Attr("value"); v != "李雷" || !strings.Contains(page(t, rec).Find("#phone-h").Text(), "alert(1)") {
			t.Error("the form forgot what was typed, or does not say whose phone it is")
		}
		want(t, b.post("/contacts/members", "name", "李雷", "phone", "13900000002", "department_id", "x"), 422)
		want(t, b.get(at+"/edit"), 200)
		want(t, b.post(at, "name", "李雷", "phone", "13900000003", "department_id", fmt.Sprint(s.w.RD)), 303, at)
		rec = b.post(at, "name", strings.Repeat("长", 4000), "phone", "\x00")
		want(t, rec, 422)
		english := s.as(s.w.Head)
		english.lang = "en"
		if text := page(t, english.post(at, "name", "", "phone", "1", "department_id", fmt.Sprint(s.w.RD))).Find("main").Text(); !strings.Contains(text, "The name is missing.") {
			t.Errorf("in English: %s", text)
		}
		want(t, s.as(s.w.OtherHead).post(at, "name", "x", "phone", "13900000009"), 404)
		want(t, s.as(s.w.Staff).post("/contacts/members", "name", "x", "phone", "13900000009"), 403)
	})
}

func TestDepartingOnThePage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		at := paths.To(paths.Member, s.w.Staff.MemberID)
		b, theirs := s.as(s.w.Head), s.as(s.w.Staff)
		doc := page(t, b.get(at+"/depart/confirm"))
		if !strings.Contains(doc.Find(".dp-eff").Text(), "退出 1 台设备") {
			t.Errorf("the page foretells %q", doc.Find(".dp-eff").Text())
		}
		want(t, theirs.get("/contacts"), 200)
		want(t, b.post(at+"/depart", "reason", " "), 422)
		want(t, b.post(at+"/depart", "reason", "合同到期"), 303, at)
		want(t, theirs.get("/contacts"), 303, "/login")
		doc = page(t, b.get(at))
		if text := doc.Find("main").Text(); !strings.Contains(text, "离职回执") || !strings.Contains(text, "合同到期") || !strings.Contains(text, s.w.Head.Name) {
			t.Errorf("no receipt: %s", text)
		}
		rec := s.as(s.w.Super).post(at+"/depart", "reason", "x")
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), s.w.Head.Name) || !strings.Contains(rec.Body.String(), "09:00") {
			t.Error("the second presser is not told who and when")
		}
		want(t, s.as(s.w.Super).post(paths.To(paths.Member, s.w.Super.MemberID)+"/depart", "reason", "x"), 422)
		want(t, s.as(s.w.Super).get("/contacts?view=departed"), 200)
	})
}

// Every page of the area is whole: one heading, nothing that the policy forbids, a label for each control.
func TestContactsPagesAreWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		member := paths.To(paths.Member, s.w.Staff.MemberID)
		for _, lang := range []string{"zh-CN", "en"} {
			b := s.as(s.w.Super)
			b.lang = lang
			for _, path := range []string{"/contacts", "/contacts?q=nobody", paths.To(paths.Department, s.w.RD), "/contacts?view=departed", member, member + "/edit",
				member + "/depart/confirm", "/contacts/members/new", "/contacts/import"} {
				whole(t, path, b.get(path))
			}
		}
	})
}

func whole(t *testing.T, path string, rec *httptest.ResponseRecorder) {
	t.Helper()
	want(t, rec, 200)
	doc := page(t, rec)
	if n := doc.Find("h1").Length(); n != 1 {
		t.Errorf("%s has %d headings", path, n)
	}
	if strings.Contains(rec.Body.String(), "‹") || doc.Find("[style], script:not([src]), style").Length() > 0 {
		t.Errorf("%s lacks a text or has inline style or script", path)
	}
	for _, id := range doc.Find("main input:not([type=hidden]):not([type=checkbox]), main select, main textarea").EachIter() {
		if at, _ := id.Attr("id"); doc.Find(`label[for="`+at+`"]`).Length() != 1 {
			t.Errorf("%s: no label for %q", path, at)
		}
	}
	seen := map[string]bool{}
	for _, e := range doc.Find("[id]").EachIter() {
		at, _ := e.Attr("id")
		if seen[at] {
			t.Errorf("%s: id %q twice", path, at)
		}
		seen[at] = true
	}
}
