package web_test

import (
	"strings"
	"testing"

	"doorplate/internal/paths"
)

// The first page of a code says what is set and leaves out what is not, shows
// how far people came, and every further page of it carries the same name.
func TestOverviewOfACode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, public := s.door("approval")
		s.exec("UPDATE codes SET label = '前台海报' WHERE public_id = ?", public)
		head := s.as(s.w.Head)
		facts := func() string {
			doc := page(t, head.get(paths.To(paths.Code, public)))
			if doc.Find("#h-f").Length() != 1 {
				t.Error("the overview does not say how far people came")
			}
			if doc.Find(`#h-s ~ a[href="`+paths.To(paths.CodeTerms, public)+`"]`).Length() != 1 {
				t.Error("the facts do not lead to the terms")
			}
			return doc.Find("section[aria-labelledby=h-s]").Text()
		}
		unset := []string{"开放时段", "访问口令", "网络", "进不来的人"}
		before := facts()
		for _, name := range unset {
			if strings.Contains(before, name) {
				t.Errorf("the overview names %s, which is not set", name)
			}
		}
		if !strings.Contains(before, "任何人") {
			t.Error("the overview does not say who may scan")
		}
		s.exec("UPDATE codes SET networks = '10.0.0.0/8', password_hash = 'x', fallback = 'waiting' WHERE public_id = ?", public)
		after := facts()
		for _, name := range unset[1:] {
			if !strings.Contains(after, name) {
				t.Errorf("the overview leaves out %s, which is set", name)
			}
		}
		if ask := page(t, head.get(paths.To(paths.CodeRefreshAsk, public))).Find("main form").Text(); strings.Contains(ask, "撤销") {
			t.Errorf("the page that asks before a refresh speaks of a revocation: %s", ask)
		}
		for _, pattern := range []string{paths.Code, paths.CodeTerms, paths.CodeTargets, paths.CodePrint, paths.CodeCopies, paths.CodeScans} {
			doc := page(t, head.get(paths.To(pattern, public)))
			if name := strings.TrimSpace(doc.Find("h1").Text()); !strings.HasPrefix(name, "前台海报") {
				t.Errorf("%s is headed %q", pattern, name)
			}
		}
	})
}
