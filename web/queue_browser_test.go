package web_test

import (
	"fmt"
	"strings"
	"testing"

	"doorplate/internal/testkit"
)

// focused waits until the keyboard stands on a row.
func focused(b *testkit.Tab, id string) {
	b.Await(`#row` + id + `:focus-within`)
}

// The queue in a real browser: by keyboard, while others decide too, and with
// the truth in the row when somebody or something else was first.
func TestTheQueueByKeyboard(t *testing.T) {
	s := newSite(t, sqliteOnly(t))
	server := s.onlineFor(0)
	g, _ := s.room("平台技术交流群", "internal", "approval", s.w.RD, 2)
	a, b, c := s.asks(g, s.w.Staff, "新同事"), s.asks(g, s.w.OtherStaff, ""), s.asks(g, s.w.OtherHead, "想看看进展")
	d := fmt.Sprint(s.insert("INSERT INTO join_requests (group_id, guest_id, name, addition, added_at, waited_since, created_at) VALUES (?, ?, '王访客', '工号在名片上', ?, ?, ?)", g,
		s.insert("INSERT INTO guests (name, phone, created_at) VALUES ('王访客', '+8613911112222', ?)", s.clock.Now()), s.clock.Now(), s.clock.Now(), s.clock.Now()))
	head := s.console(server, s.as(s.w.Head).cookies["doorplate_session"], 1280)
	head.Open(server.URL + "/requests")
	s.listening(1)
	head.Run(`(window.same = true)`)
	if text := head.Text("#row" + d); !strings.Contains(text, "工号在名片上") || !strings.Contains(text, "候补") {
		t.Errorf("what was added and waited for: %s", text)
	}
	head.Key("?")
	head.Await(`dialog#q-keys[open]`)
	head.Shot("queue-keys")
	head.Key("\x1b")
	head.AwaitGone(`dialog#q-keys[open]`)
	for _, step := range [][2]string{{"j", a}, {"j", b}, {"k", a}} {
		head.Key(step[0])
		focused(head, step[1])
	}
	head.Key("x")
	head.Await(`#row` + a + ` input:checked`)
	want(t, s.as(s.w.Super).swap("id", b, "decision", "approve"), 200)
	head.Await(`#row` + b + `[data-state="approved"]`)
	head.Key("a")
	head.Await(`#row` + a + `[data-state="approved"]`)
	focused(head, c) // what is decided hands on to the next
	head.Key("a")    // there is no seat left
	head.Await(`#row` + c + `[data-state="pending"] .dp-risk`)
	head.Run(`(window.fetch = () => new Promise(() => {}), true)`) // it hears nothing now
	want(t, s.as(s.w.Super).swap("id", c, "decision", "reject", "reason", "下一期再来"), 200)
	head.Key("a")
	head.Await(`#row` + c + `[data-state="rejected"]`)
	if text := head.Text("#row" + c); !strings.Contains(text, s.w.Super.Name) {
		t.Errorf("who was first: %s", text)
	}
	head.Shot("queue-decided")
	if !head.Run(`window.same === true`) {
		t.Error("the page was loaded again")
	}
	focused(head, d)
	head.Key("r")
	head.Await(`#reject`)
	if url := head.URL(); !strings.Contains(url, "/requests/"+d) {
		t.Errorf("r leads to %s", url)
	}
}
