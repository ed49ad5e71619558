package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A scan's marks are still there when somebody decides about the request, though
// the visitor signed in in between. req: C45
func TestWhereARequestCameFrom(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		id := s.issue(gid)
		head := s.as(s.w.Head)
		want(t, head.post("/codes/"+id+"/channels", "channel_name", "展台", "utm_source", "fair"), 303, "/codes/"+id+"/copies")
		want(t, head.post("/codes/"+id+"/copies", "place", "大门 <b>", "channel", "1"), 303, "/codes/"+id+"/copies")
		address := page(t, head.get("/codes/"+id+"/copies/1")).Find("[data-url]").AttrOr("data-url", "")
		path := strings.TrimPrefix(address, "http://door.example")

		v := s.visitor()
		ticket := v.get(path + "?utm_source=fair&utm_medium=%E5%B1%95&utm_campaign=%3Cscript%3E")
		want(t, ticket, 303, "/join/")
		want(t, v.get(ticket.Header().Get("Location")), 303, "/join")
		want(t, v.get("/join"), 200)
		s.exec("UPDATE scans SET channel = '展台'") // what the scan's own transaction notes
		staff := s.as(s.w.Staff)                  // signs in now
		v.cookies["doorplate_session"] = staff.cookies["doorplate_session"]
		want(t, v.post("/join", "form_key", page(t, v.get("/join")).Find("[name=form_key]").AttrOr("value", "")), 303, "/join")

		var request int64
		if err := s.db.Raw("SELECT id FROM join_requests WHERE channel = '展台' AND copy_serial = 1").Scan(&request).Error; err != nil || request == 0 {
			t.Fatalf("the request keeps nothing: %v", err)
		}
		look := func(texts ...string) {
			t.Helper()
			origin := page(t, head.get(fmt.Sprintf("/requests/%d", request))).Find("[data-origin]").Text()
			for _, text := range texts {
				if !strings.Contains(origin, text) {
					t.Errorf("%q is missing in %q", text, origin)
				}
			}
		}
		look("展台", "#1", "大门 <b>", "fair", "展", "<script>")
		if queue := head.get("/requests").Body.String(); !strings.Contains(queue, "展台·#1") && !strings.Contains(queue, "展台 · #1") {
			t.Error("the queue does not say where the request came from")
		}
		s.exec("UPDATE join_requests SET scan_id = NULL")
		look("展台", "#1", "大门 <b>")
	})
}

func TestThePageOfGenuineness(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		id := s.issue(gid)
		head, v := s.as(s.w.Head), s.visitor()
		want(t, head.post("/codes/"+id+"/copies", "count", "2", "place", "三楼 <i>电梯厅", "custodian", "DP0005"), 303)
		copies := page(t, head.get("/codes/"+id+"/copies/2"))
		typed, path := copies.Find("[data-typed]").AttrOr("data-typed", ""), strings.TrimPrefix(copies.Find("[data-url]").AttrOr("data-url", ""), "http://door.example")
		want(t, head.upload("/codes/"+id+"/copies/2", picture(t), "place", "三楼 <i>电梯厅", "custodian", "DP0005"), 303)

		check := func(rec *httptest.ResponseRecorder, worth string) {
			t.Helper()
			want(t, rec, 200)
			doc := page(t, rec)
			if got := doc.Find("[data-genuine]").AttrOr("data-genuine", ""); got != worth {
				t.Errorf("is %q, want %q", got, worth)
			}
			if text := doc.Find("main").Text(); !strings.Contains(text, "三楼 <i>电梯厅") || !strings.Contains(text, "研发中心") || strings.Contains(text, "顾晓棠") {
				t.Errorf("says %s", text)
			}
			if !strings.HasPrefix(doc.Find("img.photo").AttrOr("src", ""), "data:image/jpeg;base64,") {
				t.Error("no photo")
			}
		}
		check(v.post("/genuine", "typed", strings.ToLower(typed)), "works")
		scanned := v.get(path)
		want(t, scanned, 303, "/join/")
		v.get(scanned.Header().Get("Location"))
		link := page(t, v.get("/join")).Find(`footer a[href^="/genuine?ref="]`).AttrOr("href", "")
		check(v.get(link), "works")

		want(t, v.post("/genuine", "typed", typed[:7]+other(typed[7:])), 422)
		want(t, v.post("/genuine", "typed", "長"), 422)
		want(t, v.get("/genuine?ref=NOSUCHREF"), 404)
		want(t, v.get("/genuine?ref=%00"+strings.Repeat("x", 9000)), 404)
		unknown := v.get("/j/" + strings.Repeat("A", 29))
		want(t, unknown, 404)
		rec := v.get(page(t, unknown).Find(`footer a[href^="/genuine?ref="]`).AttrOr("href", ""))
		want(t, rec, 404)
		if !strings.Contains(rec.Body.String(), "不是我们发的") {
			t.Error("a forged scan is not called forged")
		}

		want(t, head.post("/codes/"+id+"/copies/2/revoke", "reason", "被盖贴"), 303, "/codes/"+id+"/copies/2")
		again := head.post("/codes/"+id+"/copies/2/revoke", "reason", "x")
		want(t, again, 409)
		if !strings.Contains(again.Body.String(), s.w.Head.Name) || !strings.Contains(again.Body.String(), "09:00") {
			t.Error("the conflict does not say who and when")
		}
		s.clock.Add(time.Minute)
		check(v.post("/genuine", "typed", typed), "withdrawn")
		for range 29 {
			want(t, v.post("/genuine", "typed", "AAAAAAAA"), 422)
		}
		want(t, v.post("/genuine", "typed", typed), 429)
		want(t, v.get(link), 429)
	})
}

// upload sends a form with a picture in the field photo.
func (b *browser) upload(path string, picture []byte, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			b.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("photo", "a.png")
	if err == nil {
		_, err = part.Write(picture)
	}
	if err != nil || w.Close() != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.do(r)
}

func picture(t *testing.T) []byte {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileCopies(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		id := s.issue(gid)
		head := s.as(s.w.Head)
		at := "/codes/" + id + "/copies"
		for _, count := range []string{"0", "-1", "501", "1000000000", "1.5", strings.Repeat("9", 4000)} {
			rec := head.post(at, "count", count, "place", "<b>厅")
			want(t, rec, 422)
			if doc := page(t, rec); doc.Find("#count.is-invalid").AttrOr("value", "") != count || doc.Find("#place").AttrOr("value", "") != "<b>厅" {
				t.Error("the form forgot what was typed")
			}
		}
		want(t, head.post(at, "place", `<script>alert(1)</script>`, "custodian", "\u202eevil"), 303)
		want(t, head.post(at, "place", strings.Repeat("长", 4000)), 422)
		if n := page(t, head.get(at)).Find("td script, th script").Length(); n != 0 {
			t.Error("markup in a place came alive")
		}
		for _, serial := range []string{"0", "-1", "2", "999999", "99999999999999999999", "x", "+1", "1%2e0"} {
			want(t, head.get(at+"/"+serial), 404)
			want(t, head.post(at+"/"+serial, "place", "x"), 404)
			want(t, head.post(at+"/"+serial+"/revoke", "reason", "x"), 404)
			want(t, head.post(at+"/"+serial+"/remove"), 404)
			want(t, head.get(at+"/"+serial+"/photo"), 404)
			want(t, head.get("/codes/"+id+"/channels/"+serial), 404)
		}
		want(t, head.get(at+"/1/photo"), 404)
		want(t, head.upload(at+"/1", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "place", "y"), 422)
		want(t, head.upload(at+"/1", bytes.Repeat([]byte{0}, 2<<20+5), "place", "y"), 422)
		want(t, head.upload(at+"/1", bytes.Repeat([]byte{0}, 4<<20), "place", "y"), 413)
		want(t, head.get(at+"?show=%3Cx%3E&after=-5"), 200)
		want(t, head.get("/codes/prints?after=x-y"), 200)
		want(t, head.get("/reminders?after=9-x-1"), 200)
		want(t, head.get("/codes/inspect?q=%00%ff"+strings.Repeat("y", 5000)), 200)
		want(t, head.post("/codes/adopt"), 422)
		want(t, head.post("/codes/adopt", "id", "'; DROP TABLE codes", "id", "x"), 409)
	})
}

// The dashboard's card and its list cure with one press.
func TestReminders(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		group, _ := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.Platform, 10)
		_, id := s.w.Code(t, s.db, group, "前台", nil, s.w.Super.MemberID)
		s.w.Code(t, s.db, group, "无主", nil, s.w.OtherStaff.MemberID)
		head := s.as(s.w.Head)
		want(t, head.post("/codes/"+id+"/copies", "place", "厅"), 303)
		want(t, head.post("/codes/"+id+"/copies/1/revoke", "reason", "丢了"), 303)
		s.clock.Add(91 * 24 * time.Hour)
		head = s.as(s.w.Head)
		for _, at := range []string{"/", "/reminders"} {
			doc := page(t, head.get(at))
			if n := doc.Find(`form[action="/codes/` + id + `/refresh"]`).Length(); n != 1 {
				t.Errorf("%s: %d buttons refresh", at, n)
			}
			if doc.Find(`li a.text-reset[href="/codes/prints"]`).Length() != 1 || doc.Find(`form[action$="/adopt"]`).Length() != 1 {
				t.Errorf("%s: stale prints or the orphan are missing", at)
			}
		}
		form := page(t, head.get("/reminders")).Find(`form[action="/codes/`+id+`/refresh"] [name=generation]`).AttrOr("value", "")
		want(t, head.post("/codes/"+id+"/refresh", "generation", form), 303, "/codes/"+id)
		twice := head.post("/codes/"+id+"/refresh", "generation", form)
		want(t, twice, 409)
		if page(t, head.get("/reminders")).Find(`form[action="/codes/`+id+`/refresh"]`).Length() != 0 {
			t.Error("refreshed and still due")
		}
		if page(t, head.get("/codes/"+id)).Find("#h-gen").Length() != 1 {
			t.Error("the code's page hides its generations")
		}
		want(t, head.post("/codes/prints"), 405)
		want(t, head.post("/codes/"+id+"/copies/1/remove", "list", "on"), 303, "/codes/prints")
		if n := page(t, head.get("/codes/prints")).Find("tbody tr").Length(); n != 0 {
			t.Errorf("%d prints are still stale", n)
		}
	})
}
