package web_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorplate/internal/testkit"
)

// sendMany posts a form with several files of one field.
func (b *browser) sendMany(path, field string, files map[string][]byte, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.WriteField(pairs[i], pairs[i+1])
	}
	for name, content := range files {
		part, err := form.CreateFormFile(field, name)
		if err != nil {
			b.t.Fatal(err)
		}
		part.Write(content)
	}
	form.Close()
	r := httptest.NewRequest(http.MethodPost, path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

// chat is a group whose chat gives out codes that die, with one image.
func (s *site) chat(url string) (groupID, codeID int64, at string) {
	s.t.Helper()
	groupID, codeID = s.room("公开群", "internal", "open", s.w.Platform, 50)
	s.exec("UPDATE groups SET entry_kind = 'upstream' WHERE id = ?", groupID)
	file := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('x', 'image/png', ?, ?)", []byte("png"), s.clock.Now())
	s.image(groupID, file, url, 1, s.clock.Now().Add(50*time.Hour))
	return groupID, codeID, "/groups/" + s.gid(groupID)
}

// The keeper replaces the image from a phone, and that is all they may.
func TestTheKeeperReplacesTheImage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		id, _, at := s.chat("https://c.example/1")
		head, keeper := s.as(s.w.Head), s.as(s.w.OtherStaff)
		want(t, keeper.get(at+"/entry"), 404)
		want(t, head.post(at+"/custodian", "phone", "110"), 422)
		want(t, head.post(at+"/custodian", "phone", s.w.OtherStaffPhone), 303, at+"/settings")
		want(t, keeper.get(at), 200)
		want(t, keeper.get(at+"/entry"), 200)
		want(t, keeper.get(at+"/entry-image"), 200)
		for _, path := range []string{"/settings", "/codes"} {
			want(t, keeper.get(at+path), 403)
		}
		for _, path := range []string{"", "/images", "/custodian", "/series", "/disband", "/members"} {
			want(t, keeper.post(at+path, "reason", "x", "base", "x", "phone", s.w.StaffPhone), 403)
		}
		want(t, keeper.sendMany(at+"/images", "images", map[string][]byte{"a.png": drawn(t, "https://c.example/2")}), 403)
		s.clock.Add(10 * time.Hour)
		home := page(t, keeper.get("/"))
		if link := home.Find(`a[href="` + at + `/entry"]`); link.Length() == 0 || !strings.Contains(home.Find("main").Text(), "最后一张") {
			t.Errorf("no reminder: %s", home.Find("main").Text())
		}
		for name, content := range map[string][]byte{"nothing": nil, "blank": blank(t), "pdf": []byte("%PDF-1.7"), "heic": []byte("\x00\x00\x00\x18ftypheic"), "large": bytes.Repeat([]byte("x"), 2<<20+1)} {
			rec := keeper.sendMany(at+"/entry", "image", map[string][]byte{name: content})
			if want(t, rec, 422); page(t, rec).Find("[role=alert]").Length() == 0 {
				t.Errorf("%s: no message", name)
			}
		}
		want(t, keeper.post(at+"/entry"), 422)
		want(t, keeper.sendMany(at+"/entry", "image", map[string][]byte{"a.png": drawn(t, "https://c.example/2")}), 303, at+"/entry")
		if g := s.group(at); g.Way.URL != "https://c.example/2" || g.Way.Spares != 0 {
			t.Errorf("%+v", g.Way)
		}
		want(t, keeper.sendMany(at+"/entry", "image", map[string][]byte{"a.png": drawn(t, "https://c.example/3")}, "keep", "on"), 303)
		if g := s.group(at); g.Way.URL != "https://c.example/3" || g.Way.Spares != 1 {
			t.Errorf("%+v", g.Way)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'group.entry.replace'"); n != 2 {
			t.Errorf("%d replacements in the trail", n)
		}
		want(t, head.post(at+"/custodian", "phone", ""), 303)
		want(t, keeper.get(at+"/entry"), 404)
		s.exec("UPDATE groups SET entry_kind = 'none' WHERE id = ?", id)
		want(t, head.get(at+"/entry"), 200)
		want(t, head.sendMany(at+"/entry", "image", map[string][]byte{"a.png": drawn(t, "https://c.example/4")}), 409)
	})
}

// All images dead: a number instead of a dead image, and the new one once it is there.
func TestWhoIsInWaitsForANewImage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code, at := s.chat("https://c.example/1")
		head := s.as(s.w.Head)
		image := s.count("SELECT id FROM entry_images")
		want(t, head.post(fmt.Sprint(at, "/images/", image), "action", "dead", "reason", "<b>重置</b>"), 303, at+"/settings")
		want(t, head.post(fmt.Sprint(at, "/images/", image), "action", "dead"), 409)
		for _, bad := range []string{"0", "x", "-1", "99999999999999999999", "987654"} {
			want(t, head.post(at+"/images/"+bad, "action", "dead"), 404)
		}
		first, second := s.as(s.w.Staff).scan(code), s.as(s.w.OtherStaff).scan(code)
		for n, b := range []*browser{first, second} {
			want(t, b.fill("/join", "/join"), 303, "/join")
			rec := b.get("/join")
			doc := page(t, rec)
			if text := doc.Find("main").Text(); doc.Find("main").AttrOr("data-join-state", "") != "in" || !strings.Contains(text, fmt.Sprintf("第 %d。", n+1)) || doc.Find("main img").Length() > 0 {
				t.Errorf("person %d reads %s", n+1, text)
			}
			if !strings.Contains(doc.Find("noscript").Text(), `http-equiv="refresh"`) {
				t.Error("the page does not look again by itself")
			}
			want(t, b.get("/join/entry.png"), 404)
		}
		for _, path := range []string{"/", at + "/entry", at + "/settings"} {
			if text := page(t, head.get(path)).Find("main").Text(); !strings.Contains(text, "2 人在等新码") {
				t.Errorf("%s does not say that two wait", path)
			}
		}
		many := map[string][]byte{"a.png": drawn(t, "https://c.example/2"), "b.png": blank(t)}
		rec := head.sendMany(at+"/images", "images", many)
		if want(t, rec, 422); !strings.Contains(rec.Body.String(), "b.png") || s.count("SELECT count(*) FROM entry_images") != 1 {
			t.Error("one bad file of two is not named, or the other was kept")
		}
		many["b.png"] = drawn(t, "https://c.example/3")
		want(t, head.sendMany(at+"/images", "images", many, "max_uses", "1"), 303, at+"/settings")
		seen := map[string]bool{}
		for _, b := range []*browser{first, second} {
			doc := page(t, b.get("/join"))
			seen[doc.Find("main .qr img").AttrOr("src", "")] = true
			want(t, b.get("/join/entry.png"), 200)
		}
		if len(seen) != 2 || seen[""] {
			t.Errorf("two images for one person each, shown: %v", seen)
		}
	})
}

func TestTheTargetsPage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.things(s.w.Platform, s.w.Head, 0)
		s.exec("UPDATE groups SET name = '一班', member_count = 12 WHERE gid = ?", o.gid)
		_, other := s.w.Group(t, s.db, "二班 <b>", "internal", "approval", s.w.RD, 30)
		_, foreign := s.w.Group(t, s.db, "外班", "internal", "approval", s.w.Marketing, 30)
		at, head := "/codes/"+o.code+"/targets", s.as(s.w.Head)
		if n := page(t, head.get("/codes/"+o.code)).Find(`a[href="` + at + `"]`).Length(); n != 1 {
			t.Errorf("%d links to the page", n)
		}
		want(t, head.post(at, "action", "add", "group", other, "version", "1"), 303, at)
		want(t, head.post(at, "action", "add", "group", foreign), 404)
		want(t, head.post(at, "route", "weight", "version", "1"), 409)
		want(t, head.post(at, "route", "weight", "version", "nonsense"), 303)
		doc := page(t, head.get(at))
		if text := doc.Find("main").Text(); !strings.Contains(text, "12 / 50 人") || !strings.Contains(text, "0 / 30 人") || doc.Find("progress").Length() != 2 {
			t.Errorf("the counts are missing: %s", text)
		}
		rec := head.post(at, "action", "tune", "group", other, "weight", "٣")
		if want(t, rec, 422); page(t, rec).Find("#tune-"+other+"-h[role=alert]").Length() != 1 {
			t.Error("no message beside the weight")
		}
		for _, bad := range [][]string{{"route", "luck"}, {"action", "add"}, {"action", "remove", "group", o.gid}, {"action", "tune", "group", o.gid, "department", "x"}} {
			want(t, head.post(at, bad...), 422)
		}
		for _, gid := range []string{"", "x' OR 1=1", strings.Repeat("长", 4000), foreign} {
			want(t, head.post(at, "action", "remove", "group", gid), 404)
		}
		want(t, head.post(at, "action", "remove", "group", other), 303, at)
		s.exec("UPDATE codes SET revoked_at = ?, revoked_by = ? WHERE public_id = ?", s.clock.Now(), s.w.Super.MemberID, o.code)
		want(t, head.post(at, "route", "order"), 409)
		if n := page(t, head.get(at)).Find(`main form[method="post"]`).Length(); n != 0 {
			t.Errorf("%d forms about a code that is over", n)
		}
	})
}

// An image bomb among several files costs no more than alone.
func TestBombsAmongManyImages(t *testing.T) {
	s := newSite(t, testkit.SQLite(t))
	_, _, at := s.chat("https://c.example/1")
	files := map[string][]byte{}
	for n := range 8 {
		files[fmt.Sprintf("%d.png", n)] = announced(60000, 60000)
	}
	want(t, s.as(s.w.Head).sendMany(at+"/images", "images", files), 422)
	for n := range 40 {
		files[fmt.Sprintf("x%d.png", n)] = []byte("x")
	}
	want(t, s.as(s.w.Head).sendMany(at+"/images", "images", files), 422)
	want(t, s.as(s.w.Head).sendMany(at+"/images", "images", map[string][]byte{"a.png": bytes.Repeat([]byte("x"), 19<<20)}), 413)
	if n := s.count("SELECT count(*) FROM files"); n != 1 {
		t.Errorf("%d files", n)
	}
}
