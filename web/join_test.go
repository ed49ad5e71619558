package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorplate/internal/secret"
	"doorplate/static"
)

// ticket records a live scan of the code and returns the address it would be sent to.
func (s *site) ticket(codeID int64) string {
	s.t.Helper()
	ref := secret.Token(9)
	s.exec("INSERT INTO scans (ref, at, code_id, outcome) VALUES (?, ?, ?, 'live')", ref, s.clock.Now(), codeID)
	return "/join/" + s.deps.Scans.Ticket(ref, s.clock.Now().Add(15*time.Second))
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if err := s.db.Exec(sql, args...).Error; err != nil {
		s.t.Fatal(err)
	}
}

// room inserts a group with a code and returns the group's id and the code's.
func (s *site) room(name, kind, mode string, department int64, seats int) (groupID, codeID int64) {
	s.t.Helper()
	groupID, _ = s.w.Group(s.t, s.db, name, kind, mode, department, seats)
	until := s.clock.Now().Add(7 * 24 * time.Hour)
	codeID, _ = s.w.Code(s.t, s.db, groupID, "电梯厅", &until, s.w.Super.MemberID)
	return groupID, codeID
}

// scan redeems a fresh ticket.
func (b *browser) scan(codeID int64) *browser {
	b.t.Helper()
	want(b.t, b.get(b.ticket(codeID)), 303, "/join")
	return b
}

// shows fails the test unless /join is in this state, and returns the page's text.
func (b *browser) shows(state string) string {
	b.t.Helper()
	rec := b.get("/join")
	if got := page(b.t, rec).Find("main").AttrOr("data-join-state", "none"); got != state {
		b.t.Fatalf("state %q, want %q: %d %.400s", got, state, rec.Code, page(b.t, rec).Find("main").Text())
	}
	return page(b.t, rec).Find("main").Text()
}

// prove takes the two steps of a number; pairs go into the second form.
func (b *browser) prove(phone string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	want(b.t, b.fill("/join?step=phone", "/join", "phone", phone), 303, "/join")
	return b.fill("/join", "/join", append([]string{"code", b.codes()[phone]}, pairs...)...)
}

func TestFromTheScanIntoTheGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, code := s.room("平台技术交流群", "internal", "approval", s.w.Platform, 10)
		s.exec("UPDATE groups SET entry_kind = 'link', entry_url = 'https://chat.example/abc' WHERE id = ?", g)
		b := s.visitor().scan(code)
		before := b.shows("form")
		for _, secret := range []string{s.w.Head.Name, s.w.Staff.Name, "chat.example"} {
			if strings.Contains(before, secret) {
				t.Errorf("before identification the page tells %q", secret)
			}
		}
		for _, fact := range []string{"晨星科技", "平台技术交流群", "研发中心 / 平台组", "测试", "官方群", "部门负责人"} {
			if !strings.Contains(before, fact) {
				t.Errorf("the page does not say %q", fact)
			}
		}
		want(t, b.prove(s.w.StaffPhone, "note", "新同事 <script>alert(1)</script>"), 303, "/join")
		if pending := b.shows("pending"); !strings.Contains(pending, s.w.Head.Name) || !strings.Contains(pending, "R-") {
			t.Errorf("the pending page names no decider or number: %s", pending)
		}
		rec := b.get("/join")
		if !strings.Contains(page(t, rec).Find("head noscript").Text(), `http-equiv="refresh"`) || page(t, rec).Find("script:not([src^='/static/js/join-live.'])").Length() > 0 {
			t.Error("the pending page does not update itself without script, or carries another script than its own")
		}
		want(t, b.get("/groups"), 303, "/login")
		want(t, b.get("/join/entry.png"), 404)

		again := s.visitor().scan(code)
		want(t, again.prove(s.w.StaffPhone), 303, "/join")
		if a, b := again.shows("pending"), b.shows("pending"); a != b {
			t.Error("scanning again did not come back to the same request")
		}
		s.clock.Add(29 * 24 * time.Hour)
		b.shows("pending")

		head := s.as(s.w.Head)
		want(t, head.fill("/requests", "/requests/decide"), 422)
		form := page(t, head.get("/requests")).Find(`form[action="/requests/decide"] [name="id"]`).First()
		want(t, head.post("/requests/decide", "id", form.AttrOr("value", ""), "decision", "approve"), 303, "/requests")
		in := b.shows("in")
		if !strings.Contains(in, "chat.example") {
			t.Errorf("no way in: %s", in)
		}
		s.exec("UPDATE members SET status = 'departed' WHERE id = ?", s.w.Staff.MemberID)
		want(t, b.get("/join"), 410)
	})
}

func TestTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.room("平台群", "internal", "approval", s.w.RD, 10)
		address := s.ticket(code)
		b := s.visitor()
		want(t, b.do(httptest.NewRequest(http.MethodHead, address, nil)), 200)
		want(t, b.get(address), 303, "/join")
		want(t, b.get(address), 303, "/join")
		spent := s.visitor().get(address)
		want(t, spent, 410)
		if page(t, spent).Find("main a, main .btn").Length() > 0 {
			t.Error("the page of a spent ticket offers a link")
		}
		want(t, s.visitor().get("/join/nonsense"), 410)
		want(t, s.visitor().get("/join"), 410)
		want(t, s.visitor().post("/join", "phone", "13800000005"), 410)
		b.shows("form")
		s.exec("UPDATE codes SET revoked_at = ?, revoked_by = ? WHERE id = ?", s.clock.Now(), s.w.Super.MemberID, code)
		gone := b.get("/join")
		want(t, gone, 410)
		s.clock.Add(25 * time.Hour)
		want(t, b.get("/join"), 410)
	})
}

func TestStrangersAndGuests(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, inside := s.room("内部群", "internal", "approval", s.w.RD, 10)
		b := s.visitor().scan(inside)
		want(t, b.fill("/join", "/join", "phone", "13911112222"), 303, "/join")
		if n := len(s.codes()); n != 0 {
			t.Errorf("%d messages to a stranger", n)
		}
		known := s.visitor().scan(inside)
		want(t, known.fill("/join", "/join", "phone", "13800000005"), 303, "/join")
		mask := strings.NewReplacer("139****2222", "N", "138****0005", "N")
		if x, y := mask.Replace(b.shows("form")), mask.Replace(known.shows("form")); x != y {
			t.Errorf("a known and an unknown number are told apart:\n%s\n%s", x, y)
		}
		want(t, b.fill("/join", "/join", "code", "000000"), 422)

		_, outside := s.room("客户群", "external", "approval", s.w.RD, 10)
		g := s.visitor().scan(outside)
		want(t, g.prove("+8613911112222"), 303, "/join")
		g.shows("form")
		want(t, g.fill("/join", "/join", "name", "  "), 422)
		want(t, g.fill("/join", "/join", "name", strings.Repeat("名", 61)), 422)
		want(t, g.fill("/join", "/join", "name", "段知行", "note", strings.Repeat("长", 501)), 422)
		want(t, g.fill("/join", "/join", "name", "段 知行\u202e", "note", "采购"), 303, "/join")
		g.shows("pending")
		want(t, g.post("/join/withdraw"), 303, "/join")
		g.shows("form")
		together := s.visitor().scan(outside)
		want(t, together.prove("+8613911113333", "name", "魏澜", "note", "一起"), 303, "/join")
		together.shows("pending")
		for _, phone := range []string{"", "12", "<b>", "110", strings.Repeat("1", 4000)} {
			rec := s.visitor().scan(outside).fill("/join", "/join", "phone", phone)
			want(t, rec, 422)
		}
		want(t, s.visitor().scan(outside).post("/join", "phone", "13911112222"), 422)
	})
}

func TestSignedInJoinsWithOneButton(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.room("公开群", "internal", "open", s.w.RD, 1)
		b := s.as(s.w.Staff).scan(code)
		if text := b.shows("form"); !strings.Contains(text, s.w.Staff.Name) {
			t.Errorf("does not greet: %s", text)
		}
		first := b.hidden(b.get("/join"), "/join")
		want(t, b.post("/join", first...), 303, "/join")
		want(t, b.post("/join", first...), 303, "/join")
		b.shows("in")
		late := s.as(s.w.OtherStaff).scan(code)
		late.shows("full")
		restricted, second := s.room("定向群", "internal", "approval", s.w.RD, 10)
		s.exec("UPDATE codes SET audience = ? WHERE group_id = ?", fmt.Sprint(s.w.Platform), restricted)
		want(t, s.as(s.w.OtherStaff).scan(second).get("/join"), 403)
		away := s.visitor().scan(second)
		refused := away.prove(s.w.OtherStaffPhone)
		want(t, refused, 403)
		var n int
		if s.db.Raw("SELECT count(*) FROM scans WHERE outcome = 'audience'").Scan(&n); n != 1 {
			t.Errorf("%d scans with the outcome audience", n)
		}
		s.as(s.w.Staff).scan(second).shows("form")
	})
}

// The whole page, its sheet included, fits a bad connection.
func TestTheJoinPageIsLight(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.room("平台群", "external", "approval", s.w.Platform, 10)
		b := s.visitor().scan(code)
		rec := b.get("/join")
		total := rec.Body.Len()
		links := page(t, rec).Find(`link[rel="stylesheet"], script, img`)
		for i := range links.Nodes {
			href := links.Eq(i).AttrOr("href", links.Eq(i).AttrOr("src", ""))
			r := httptest.NewRecorder()
			static.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, href, nil))
			total += r.Body.Len()
		}
		if links.Length() != 1 || total > 15_000 {
			t.Errorf("%d files, %d bytes in all", links.Length(), total)
		}
		b.lang = "en"
		if en := page(t, b.get("/join")); en.Find("html").AttrOr("lang", "") != "en" || strings.Contains(en.Find("main").Text(), "‹") {
			t.Errorf("the English page: %s", en.Find("main").Text())
		}
	})
}

func TestAnUpstreamEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		g, code := s.room("公开群", "internal", "open", s.w.RD, 5)
		var file int64
		if err := s.db.Raw("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('x', 'image/png', ?, ?) RETURNING id", []byte("png"), s.clock.Now()).Scan(&file).Error; err != nil {
			t.Fatal(err)
		}
		s.exec("UPDATE groups SET entry_kind = 'upstream' WHERE id = ?", g)
		s.image(g, file, "https://weixin.qq.com/g/x", 1, s.clock.Now().Add(50*time.Hour))
		b := s.as(s.w.Staff).scan(code)
		want(t, b.get("/join/entry.png"), 404)
		want(t, b.fill("/join", "/join"), 303, "/join")
		if text := b.shows("in"); !strings.Contains(text, "还剩 2 天 2 小时") {
			t.Errorf("no countdown: %s", text)
		}
		rec := b.get("/join/entry.png")
		want(t, rec, 200)
		if rec.Header().Get("Content-Type") != "image/png" || rec.Body.String() != "png" {
			t.Errorf("served %q %q", rec.Header().Get("Content-Type"), rec.Body)
		}
		want(t, s.visitor().scan(code).get("/join/entry.png"), 404)
		s.clock.Add(50 * time.Hour)
		b = s.as(s.w.Staff).scan(code)
		if text := b.shows("in"); !strings.Contains(text, s.w.Head.Name) || page(t, b.get("/join")).Find("img").Length() > 0 {
			t.Errorf("an expired image: %s", text)
		}
		want(t, b.get("/join/entry.png"), 404)
	})
}

// A printed code, the phone, one page with the digits and the note, the answer: three pages.
func TestThreePagesFromTheScanToTheRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.deps.Scans.Start(t.Context())
		t.Cleanup(s.deps.Scans.Close)
		g, _ := s.w.Group(t, s.db, "平台群", "internal", "approval", s.w.RD, 10)
		until := s.clock.Now().Add(24 * time.Hour)
		_, public := s.w.Code(t, s.db, g, "门口", &until, s.w.Super.MemberID)
		b := s.visitor()
		rec := b.get(strings.TrimPrefix(s.deps.Codes.URL(public, 0), "http://door.example"))
		want(t, rec, 303, "/join/")
		want(t, b.get(rec.Header().Get("Location")), 303, "/join")
		want(t, b.fill("/join", "/join", "phone", "+86 138-0000-0005"), 303, "/join")
		want(t, b.fill("/join", "/join", "code", b.codes()[s.w.StaffPhone], "note", "新同事"), 303, "/join")
		b.shows("pending")
	})
}
