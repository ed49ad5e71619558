package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorplate/internal/testkit"
)

// A verification under way tells how far it is without anybody reloading the
// page, and its result takes its place.
func TestTheAuditPageFollowsAVerification(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.things(s.w.Platform, s.w.Head, 0)
		s.seal()
		super := s.as(s.w.Super)
		server := httptest.NewServer(s.Handler)
		t.Cleanup(server.Close)
		for lang, width := range map[string]int64{"zh-CN": 1280, "en": 390} {
			shot := func(tab *testkit.Tab, name string) { tab.Shot(fmt.Sprintf("audit-%s-%d-%s", name, width, lang)) }
			tab := testkit.Browser(t, width, 900)
			tab.Open(server.URL + "/login")
			tab.Run(`(document.cookie = "doorplate_session=` + super.cookies["doorplate_session"] + `; path=/", document.cookie = "doorplate_lang=` + lang + `; path=/", true)`)
			tab.Open(server.URL + "/audit")
			tab.Press("form[action='/audit/verify'] button")
			tab.Await("#chain progress")
			shot(tab, "begins")
			s.exec("UPDATE audit_runs SET done = (total + 1) / 2, tries = 2, lease_until = ? WHERE state = 'running'", s.clock.Now().Add(time.Minute).UTC())
			tab.Await("#chain progress:not([value='0'])")
			shot(tab, "runs")
			if tab.Run(`document.documentElement.scrollWidth > innerWidth`) {
				t.Errorf("at %d the page is wider than its window", width)
			}
			s.exec("UPDATE audit_runs SET lease_until = NULL WHERE state = 'running'")
			s.verifyAsked()
			tab.AwaitGone("#chain progress")
			tab.Await("form[action='/audit/verify']")
			if text := tab.Text("#chain [role=status]"); !strings.Contains(text, "周岚") {
				t.Errorf("the result reads %q", text)
			}
			shot(tab, "done")
		}
	})
}
