package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/testkit"
	"doorplate/web"
)

func sqliteOnly(t *testing.T) *gorm.DB { return testkit.SQLite(t) }

// knocks opens a code's page in a real browser and asks to join.
func (s *site) knocks(b *testkit.Tab, server *httptest.Server, codeID int64, lang, phone string) {
	s.t.Helper()
	b.Open(server.URL + "/healthz")
	b.Run(fmt.Sprintf(`(document.cookie = "doorplate_lang=%s; path=/", true)`, lang))
	b.Open(server.URL + s.ticket(codeID))
	b.Fill("phone", phone)
	b.Press("main form button.btn")
	b.Fill("code", s.codes()["+86"+phone])
	b.Fill("note", "新同事，刚调来")
	b.Press("main form button.btn")
	if state := b.Attr("main", "data-join-state"); state != "pending" {
		s.t.Fatalf("after asking: %s: %s", state, b.Text("main"))
	}
}

// console is a real browser with a console session.
func (s *site) console(server *httptest.Server, session string, width int64) *testkit.Tab {
	b := testkit.Browser(s.t, width, 900)
	b.Open(server.URL + "/healthz")
	b.Run(fmt.Sprintf(`(document.cookie = "doorplate_session=%s; path=/", true)`, session))
	return b
}

// listening waits until so many pages listen.
func (s *site) listening(n int) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); s.deps.Hub.Subscribers() < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d pages listen, want %d", s.deps.Hub.Subscribers(), n)
		}
	}
}

// Applicant and approver are two browsers: the page of who waits turns without
// being loaded again, in either language.
func TestThePageTurnsByItself(t *testing.T) {
	for _, lang := range []string{"zh-CN", "en"} {
		t.Run(lang, func(t *testing.T) {
			s := newSite(t, sqliteOnly(t))
			server := s.onlineFor(0)
			g, code := s.room("平台技术交流群", "internal", "approval", s.w.RD, 10)
			s.exec("UPDATE groups SET entry_kind = 'link', entry_url = 'https://chat.example/abc' WHERE id = ?", g)
			for i := range 12 {
				s.exec("INSERT INTO join_requests (group_id, member_id, name, status, created_at, decided_at, decided_by) VALUES (?, ?, 'x', 'approved', ?, ?, ?)", g, s.w.OtherStaff.MemberID,
					s.clock.Now().Add(-time.Duration(i+1)*40*time.Minute), s.clock.Now(), s.w.Head.MemberID)
			}
			phone := testkit.Browser(t, 390, 844)
			s.knocks(phone, server, code, lang, "13800000005")
			phone.Shot("live-pending-" + lang)
			phone.Press(`main a[href="/join?step=word"]`)
			phone.Shot("live-word-" + lang)
			phone.Fill("word", "工号 DP0005，周二起在平台组")
			phone.Press("main form button.btn")
			phone.Press(`main a[href="/join?step=withdraw"]`)
			phone.Shot("live-withdraw-" + lang)
			phone.Press(`main a.btn[href="/join"]`)
			phone.Shot("live-pending-said-" + lang)
			s.listening(1)
			head := s.console(server, s.as(s.w.Head).cookies["doorplate_session"], 1280)
			head.Open(server.URL + "/requests")
			s.listening(2)
			phone.Run(`(window.same = true)`)
			head.Click(".dp-q .dp-ok")
			phone.Await(`main[data-join-state="in"] a[href="https://chat.example/abc"]`)
			if !phone.Run(`window.same === true`) {
				t.Error("the page was loaded again")
			}
			phone.Shot("live-in-" + lang)
			head.Await(`body:not(:has(.dp-nav .dp-count))`)
			s.refusedLive(phone, head, server, lang, g)
		})
	}
}

// refusedLive: a decision that is taken back and turned into a refusal shows, too;
// the figure in the navigation of the other follows.
func (s *site) refusedLive(phone, head *testkit.Tab, server *httptest.Server, lang string, g int64) {
	s.t.Helper()
	s.exec("UPDATE groups SET join_mode = 'approval', member_count = 0 WHERE id = ?", g)
	s.exec("UPDATE memberships SET status = 'ended', ended_at = ? WHERE group_id = ?", s.clock.Now(), g)
	s.exec("UPDATE join_requests SET status = 'pending', decided_at = NULL, decided_by = NULL WHERE member_id = ?", s.w.Staff.MemberID)
	head.Run(`(window.same = true)`)
	phone.Open(server.URL + "/join")
	s.listening(2)
	s.exec("UPDATE join_requests SET status = 'rejected', decided_at = ?, decided_by = ?, reason = '请先完成安全培训' WHERE member_id = ?", s.clock.Now(), s.w.Head.MemberID, s.w.Staff.MemberID)
	phone.Await(`main[data-join-state="refused"]`)
	if text := phone.Text("main"); !strings.Contains(text, "请先完成安全培训") || !strings.Contains(text, "11/23 09:00") {
		s.t.Errorf("the refusal says %q", text)
	}
	phone.Shot("live-refused-" + lang)
	s.insert("INSERT INTO join_requests (group_id, guest_id, name, created_at) VALUES (?, ?, 'x', ?)", g,
		s.insert("INSERT INTO guests (name, phone, created_at) VALUES ('x', ?, ?)", "+8613911112222", s.clock.Now()), s.clock.Now())
	head.Await(`.dp-nav a[href="/requests"] .dp-count`)
	if !head.Run(`window.same === true`) {
		s.t.Error("the console was loaded again")
	}
}

// The same without script: the page loads itself again.
func TestThePageTurnsWithoutScript(t *testing.T) {
	defer web.Pace(time.Minute, time.Hour, time.Second)()
	s := newSite(t, sqliteOnly(t))
	server := s.onlineFor(0)
	_, code := s.room("平台技术交流群", "internal", "approval", s.w.RD, 10)
	phone := testkit.Browser(t, 390, 844)
	phone.NoScript()
	s.knocks(phone, server, code, "zh-CN", "13800000005")
	if n := s.deps.Hub.Subscribers(); n != 0 {
		t.Errorf("%d pages listen without script", n)
	}
	s.exec("UPDATE join_requests SET status = 'rejected', decided_at = ?, decided_by = ?, reason = '请先完成安全培训'", s.clock.Now(), s.w.Head.MemberID)
	phone.Await(`main[data-join-state="refused"]`)
}
