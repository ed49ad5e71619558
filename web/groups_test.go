package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorplate/internal/qr"
)

// newGroup are the fields of a group in the department with this id.
func newGroup(department int64, more ...string) []string {
	return append([]string{"name", "读书会", "type", "internal", "department_id", fmt.Sprint(department), "capacity", "50", "purpose", "一起读书"}, more...)
}

func TestAHeadCreatesAGroupInTheirOwnScopeOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head := s.as(s.w.Head)
		want(t, head.get("/groups/new"), 200)
		rec := head.post("/groups", newGroup(s.w.Platform)...)
		want(t, rec, 303, "/groups/G")
		doc := page(t, head.get(rec.Header().Get("Location")))
		var crumbs []string
		doc.Find(".breadcrumb li").Each(func(_ int, li *selection) { crumbs = append(crumbs, strings.TrimSpace(li.Text())) })
		if got := strings.Join(crumbs, " > "); got != "通讯录 > 群聊 > 读书会" {
			t.Errorf("crumbs = %s", got)
		}
		want(t, head.post("/groups", newGroup(s.w.Marketing)...), 404)
		want(t, head.post("/groups", newGroup(987654)...), 404)
		want(t, s.as(s.w.Super).post("/groups", newGroup(987654)...), 422)
		want(t, s.as(s.w.Staff).post("/groups", newGroup(s.w.Platform)...), 403)
		want(t, s.as(s.w.Staff).get("/groups/new"), 403)
		if n := s.count("SELECT count(*) FROM groups"); n != 1 {
			t.Errorf("%d groups exist", n)
		}
	})
}

func TestAGroupFormKeepsWhatWasTyped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		for field, value := range map[string]string{"purpose": "  ", "name": strings.Repeat("名", 61), "capacity": "-3", "department_id": "x", "type": "secret",
			"join_mode": "maybe", "entry_kind": "door"} {
			rec := super.post("/groups", with(newGroup(s.w.RD), field, value)...)
			want(t, rec, 422)
			doc := page(t, rec)
			if doc.Find("[role=alert]").Length() < 2 {
				t.Errorf("%s=%q: no message beside the field", field, value)
			}
			if got, _ := doc.Find("#purpose").Html(); field != "purpose" && got != "一起读书" {
				t.Errorf("%s: the purpose that was typed is gone: %q", field, got)
			}
		}
		for _, capacity := range []string{"0", "1e3", "99999999999999999999", "١٢"} {
			want(t, super.post("/groups", with(newGroup(s.w.RD), "capacity", capacity)...), 422)
		}
		for _, link := range []string{"javascript:alert(1)", "https://user:pass@chat.example/x", "ftp://a.example", "https://", "//evil.example", "https://a.example/" + strings.Repeat("x", 2000)} {
			want(t, super.post("/groups", newGroup(s.w.RD, "entry_kind", "link", "entry_url", link)...), 422)
		}
		want(t, super.post("/groups", newGroup(s.w.RD, "entry_kind", "link", "entry_url", "https://chat.example/invite?a=1")...), 303)
		hostile := `<script>alert(1)</script>"'\x00 ` + "\u202eabc 🚪"
		rec := super.post("/groups", with(newGroup(s.w.RD), "name", hostile)...)
		want(t, rec, 303)
		body := super.get(rec.Header().Get("Location")).Body.String()
		if strings.Contains(body, "<script>alert") {
			t.Error("markup in a name reaches the page")
		}
		// The capacity of the type's first preset when none is given; approval when no mode is.
		rec = super.post("/groups", "name", "训练营", "type", "training", "department_id", fmt.Sprint(s.w.RD), "purpose", "新人")
		want(t, rec, 303)
		if n := s.count("SELECT capacity FROM groups WHERE name = '训练营' AND join_mode = 'approval'"); n != 2000 {
			t.Errorf("capacity = %d", n)
		}
	})
}

func TestSavingSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		at := "/groups/" + gid
		want(t, s.as(s.w.OtherHead).post(at, "name", "夺走"), 404)
		want(t, s.as(s.w.OtherStaff).get(at), 404)
		want(t, s.as(s.w.Staff).post(at, "name", "夺走"), 403)
		want(t, s.as(s.w.Staff).get(at+"/settings"), 403)
		want(t, s.as(s.w.Staff).get(at), 200)
		head := s.as(s.w.Head)
		want(t, head.get(at+"/settings"), 200)
		want(t, head.post(at, "name", "平台技术群", "join_mode", "off"), 303, at)
		// A form filled before that save is refused; nothing is undone.
		rec := head.post(at, "name", "旧名字", "version", "1")
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), "许一诺") || !strings.Contains(rec.Body.String(), "09:00") {
			t.Errorf("the conflict does not say who and when: %.900s", rec.Body)
		}
		want(t, head.post(at, "department_id", fmt.Sprint(s.w.Marketing)), 404)
		want(t, head.post(at, "type", "external"), 422)
		want(t, head.post(at, "purpose", ""), 422)
		if n := s.count("SELECT count(*) FROM groups WHERE name = '平台技术群' AND join_mode = 'off' AND version = 2"); n != 1 {
			t.Error("the settings are not as saved")
		}
		// The content duty changes settings but not the name.
		want(t, head.post(at+"/duties", "member_id", fmt.Sprint(s.w.Staff.MemberID), "duty", "content", "action", "add"), 303)
		staff := s.as(s.w.Staff)
		want(t, staff.get(at+"/settings"), 200)
		want(t, staff.post(at, "capacity", "20"), 303)
		want(t, staff.post(at, "name", "我的群"), 403)
		want(t, staff.post(at, "department_id", fmt.Sprint(s.w.RD)), 403)
		want(t, staff.post(at+"/disband", "reason", "x"), 403)
		want(t, staff.post(at+"/owner", "member_id", fmt.Sprint(s.w.Staff.MemberID)), 403)
	})
}

func TestOpenJoiningAndAPermanentCodeExcludeEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id, gid := s.w.Group(t, s.db, "永久", "internal", "approval", s.w.RD, 10)
		s.w.Code(t, s.db, id, "立牌", nil, s.w.Super.MemberID)
		super := s.as(s.w.Super)
		want(t, super.post("/groups/"+gid, "join_mode", "open", "purpose", "永久读书"), 303, "/approvals/")
		if n := s.count("SELECT count(*) FROM groups WHERE id = ? AND join_mode = 'approval' AND purpose = '永久读书'", id); n != 1 {
			t.Error("the opening does not wait, or the rest of the form was not saved")
		}
		want(t, s.as(s.w.Head).post("/groups/"+gid, "join_mode", "open"), 422)
		want(t, super.post("/groups/"+gid, "join_mode", "restricted"), 303)
	})
}

func TestMembersAreAddedWithinCapacity(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "小群", "internal", "approval", s.w.Platform, 2)
		at, head := "/groups/"+gid, s.as(s.w.Head)
		want(t, head.post(at+"/members", "phone", "138 0000 0005"), 303, at)
		want(t, head.post(at+"/members", "phone", "13800000005"), 409)
		want(t, head.post(at+"/members", "phone", "13999999999"), 422)
		want(t, head.post(at+"/members", "member_id", fmt.Sprint(s.w.OtherStaff.MemberID)), 303)
		want(t, head.post(at+"/members", "member_id", fmt.Sprint(s.w.Super.MemberID)), 409)
		want(t, head.post(at, "capacity", "1"), 422)
		// Whoever is in sees the group and its people, wherever they belong.
		doc := page(t, s.as(s.w.OtherStaff).get(at))
		if doc.Find("tbody tr").Length() != 2 || strings.Contains(doc.Text(), "****") || doc.Find("form[action$=remove]").Length() != 0 {
			t.Error("a member sees the names only, without phones and buttons")
		}
		membership := s.count("SELECT id FROM memberships WHERE member_id = ?", s.w.OtherStaff.MemberID)
		want(t, head.post(fmt.Sprintf("%s/members/%d/remove", at, membership)), 303)
		want(t, head.post(fmt.Sprintf("%s/members/%d/remove", at, membership)), 409)
		want(t, head.post(at+"/members/99999/remove"), 404)
		want(t, s.as(s.w.OtherStaff).get(at), 404)
		if n := s.count("SELECT member_count FROM groups WHERE gid = ?", gid); n != 1 {
			t.Errorf("member_count = %d", n)
		}
	})
}

func TestDisbanding(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id, gid := s.w.Group(t, s.db, "旧项目", "internal", "approval", s.w.RD, 10)
		s.w.Code(t, s.db, id, "立牌", nil, s.w.Super.MemberID)
		s.db.Exec(`INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, '顾', ?)`, id, s.w.Staff.MemberID, s.clock.Now())
		at, head := "/groups/"+gid+"/disband", s.as(s.w.Head)
		text := page(t, head.get(at+"/confirm")).Find(".dp-eff").Text()
		if !strings.Contains(text, "1 个二维码") || !strings.Contains(text, "1 条待审批") {
			t.Errorf("the confirmation says %q", text)
		}
		want(t, s.as(s.w.OtherHead).post(at, "reason", "x"), 404)
		want(t, head.post(at, "reason", ""), 422)
		want(t, head.post(at, "reason", "结束", "confirm_name", "别的"), 422)
		want(t, head.post(at, "reason", "项目结束"), 303, "/groups/"+gid)
		rec := s.as(s.w.Super).post(at, "reason", "再来一次")
		want(t, rec, 409)
		if !strings.Contains(rec.Body.String(), "许一诺") {
			t.Error("the second presser is not told who was first")
		}
		want(t, head.post("/groups/"+gid, "name", "复活"), 409)
		body := s.as(s.w.Super).get("/groups/" + gid).Body.String()
		if !strings.Contains(body, "项目结束") || !strings.Contains(body, "群已解散") {
			t.Error("the page of a disbanded group does not tell its story")
		}
		if n := s.count("SELECT count(*) FROM join_requests WHERE status = 'cancelled'"); n != 1 {
			t.Error("the pending request is not cancelled")
		}
		if got := page(t, head.get("/groups")).Find("tbody tr").Length(); got != 0 {
			t.Error("a disbanded group stays in the list of active ones")
		}
		if got := page(t, head.get("/groups?view=disbanded")).Find("tbody tr").Length(); got != 1 {
			t.Error("the disbanded group is not found")
		}
	})
}

func TestTheListShowsWhatOneMayKnow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.w.Group(t, s.db, "平台", "internal", "approval", s.w.Platform, 10)
		s.w.Group(t, s.db, "研发 100%_", "training", "approval", s.w.RD, 10)
		s.w.Group(t, s.db, "市场", "external", "approval", s.w.Marketing, 10)
		for _, c := range []struct {
			who   *browser
			query string
			rows  int
		}{
			{s.as(s.w.Super), "", 3}, {s.as(s.w.Head), "", 2}, {s.as(s.w.OtherHead), "", 1}, {s.as(s.w.Staff), "", 1}, {s.as(s.w.OtherStaff), "", 1},
			{s.as(s.w.Super), "?q=%25_", 1}, {s.as(s.w.Super), "?q=%00%27%22", 0}, {s.as(s.w.Super), "?view=external", 1}, {s.as(s.w.Super), "?after=-4", 3},
			{s.as(s.w.Super), "?view=attention", 0}, {s.as(s.w.Super), "?after=abc&q=%ff%fe", 0}, {s.as(s.w.Super), "?after=abc", 3},
		} {
			rec := c.who.get("/groups" + c.query)
			want(t, rec, 200)
			if got := page(t, rec).Find("tbody tr").Length(); got != c.rows {
				t.Errorf("/groups%s shows %d rows, want %d", c.query, got, c.rows)
			}
		}
		for i := range 35 {
			s.w.Group(t, s.db, fmt.Sprintf("群 %d", i), "internal", "approval", s.w.RD, 10)
		}
		first := page(t, s.as(s.w.Super).get("/groups"))
		next, _ := first.Find("a[rel=next]").Attr("href")
		if got := page(t, s.as(s.w.Super).get(next)).Find("tbody tr").Length(); first.Find("tbody tr").Length() != 30 || got != 8 {
			t.Errorf("the second page has %d rows", got)
		}
		for _, bad := range []string{"/groups/..%2f", "/groups/%00", "/groups/%ff", "/groups/" + strings.Repeat("a", 4000), "/approvals/0", "/approvals/x", "/approvals/99999999999999999999"} {
			want(t, s.as(s.w.Super).get(bad), 404)
		}
	})
}

// drawn is a PNG with a QR code.
func drawn(t *testing.T, content string) []byte {
	t.Helper()
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	image, err := code.PNG(300)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func blank(t *testing.T) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 80, 80))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// send posts a form with a file.
func (b *browser) send(path string, content []byte, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.WriteField(pairs[i], pairs[i+1])
	}
	part, err := form.CreateFormFile("entry_image", "群码.png")
	if err != nil {
		b.t.Fatal(err)
	}
	part.Write(content)
	form.Close()
	r := httptest.NewRequest(http.MethodPost, path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

func TestTheUpstreamImageIsDecodedCountedDownAndReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head := s.as(s.w.Head)
		fields := newGroup(s.w.RD, "entry_kind", "upstream")
		want(t, head.post("/groups", fields...), 422)
		want(t, head.send("/groups", blank(t), fields...), 422)
		want(t, head.send("/groups", []byte("GIF89a nothing"), fields...), 422)
		want(t, head.send("/groups", []byte("text"), fields...), 422)
		want(t, head.send("/groups", bytes.Repeat([]byte("x"), 2<<20+1), fields...), 422)
		want(t, head.send("/groups", drawn(t, "https://weixin.example/g/1"), with(fields, "entry_valid_until", "2020-01-01")...), 422)
		rec := head.send("/groups", drawn(t, "https://weixin.example/g/1"), fields...)
		want(t, rec, 303)
		at := rec.Header().Get("Location")
		same := head.send(at, drawn(t, "https://weixin.example/g/1"))
		want(t, same, 422)
		if !strings.Contains(same.Body.String(), "同一个群码") {
			t.Error("the reason is not said")
		}
		g := s.group(at)
		if g.Way.URL != "https://weixin.example/g/1" || !g.Way.ValidUntil.Equal(s.clock.Now().AddDate(0, 0, 7)) {
			t.Errorf("entry = %+v", g.Way)
		}
		if img := head.get(at + "/entry-image"); img.Code != 200 || img.Header().Get("Content-Type") != "image/png" {
			t.Errorf("the image answers %d %s", img.Code, img.Header().Get("Content-Type"))
		}
		want(t, s.as(s.w.Staff).get(at+"/entry-image"), 404) // 平台组 is below 研发中心, not in it
		want(t, s.as(s.w.Super).get(at+"/entry-image"), 200)
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'group.entry.view'"); n != 1 {
			t.Errorf("%d looks at the image are in the trail, want the one by somebody else", n)
		}
		s.clock.Add(6 * 24 * time.Hour)
		if got := page(t, s.as(s.w.Head).get("/groups?view=attention")).Find(".dp-risk").Text(); !strings.Contains(got, "24 小时后失效") {
			t.Errorf("the list says %q", got)
		}
		s.clock.Add(2 * 24 * time.Hour)
		later := s.as(s.w.Head)
		if got := page(t, later.get(at)).Find(".dp-note.is-stop").Text(); !strings.Contains(got, "失效") {
			t.Errorf("the page says %q", got)
		}
		want(t, later.get(at+"/settings"), 200)
		want(t, later.post(at, "purpose", "换个说法"), 303) // an expired entry does not block other settings
		want(t, later.send(at, drawn(t, "https://weixin.example/g/2"), "entry_valid_until", s.group(at).Way.ValidUntil.In(shanghai).Format("2006-01-02T15:04")), 303)
		if g := s.group(at); g.Way.URL != "https://weixin.example/g/2" || !g.Way.ValidUntil.Equal(s.clock.Now().AddDate(0, 0, 7)) {
			t.Errorf("after the replacement: %+v", g.Way)
		}
		want(t, later.post(at, "entry_valid_until", "2026-12-05"), 303)
		if g := s.group(at); g.Way.ValidUntil.In(shanghai).Format("01-02 15:04:05") != "12-05 23:59:59" {
			t.Errorf("a day ends at %s", g.Way.ValidUntil.In(shanghai))
		}
	})
}

func TestPresetsFillTheForm(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id := s.count("SELECT id FROM group_presets WHERE name_en = 'DingTalk group'")
		doc := page(t, s.as(s.w.Head).get(fmt.Sprintf("/groups/new?preset=%d", id)))
		if v, _ := doc.Find("#capacity").Attr("value"); v != "3000" {
			t.Errorf("capacity = %q", v)
		}
		if !strings.Contains(doc.Find("#preset-h").Text(), "来源") {
			t.Error("the source is not named")
		}
	})
}
