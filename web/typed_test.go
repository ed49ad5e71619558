package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/code"
)

// A typed code leads to the same place as the scan, whatever the code is worth.
func TestTypedCode(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, gid := s.w.Group(t, s.db, "平台组", "internal", "approval", s.w.Platform, 10)
		old := s.issue(gid, "label", "旧")
		head, v := s.as(s.w.Head), s.visitor()
		typed := func(id string) string {
			return page(t, head.get("/codes/"+id)).Find("[data-typed]").Text()
		}
		first := typed(old)
		if len(first) != code.TypedLength || first != typed(old) {
			t.Fatalf("typed code %q, then %q", first, typed(old))
		}
		url := page(t, head.get("/codes/"+old)).Find(".dp-url").Text()
		path := url[strings.Index(url, "/j/"):]
		want(t, v.post("/s", "typed", strings.ToLower(first[:4])+"-"+first[4:]), 303, path)
		want(t, v.get(path), 303, "/join/")

		next := head.post("/codes/"+old+"/regenerate", "reason", "新海报")
		want(t, next, 303, "/codes/")
		if second := typed(strings.TrimPrefix(next.Header().Get("Location"), "/codes/")); len(second) != code.TypedLength || second == first {
			t.Errorf("the successor's typed code is %q", second)
		}
		want(t, v.post("/s", "typed", first), 303, path)
		want(t, v.get(path), 410)

		for _, slip := range []string{"", "ABC", first[:7] + other(first[7:]), strings.Repeat("长", 4000)} {
			rec := v.post("/s", "typed", slip)
			want(t, rec, 422)
			if page(t, rec).Find(`[name=typed]`).AttrOr("value", "") != slip || !strings.Contains(rec.Body.String(), "8 位") {
				t.Errorf("%.10q is not explained: %s", slip, rec.Body)
			}
		}
		unknown := v.post("/s", "typed", code.TypedWith("0000000"))
		want(t, unknown, 404)
		if !strings.Contains(unknown.Body.String(), "没有这个编码") {
			t.Error("an unknown code is not explained")
		}
	})
}

func other(char string) string {
	if char == "0" {
		return "2"
	}
	return "0"
}

func TestTypedCodesCannotBeTriedThrough(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		v := s.visitor()
		for i := range 30 {
			want(t, v.post("/s", "typed", code.TypedWith(fmt.Sprintf("%07d", i))), 404)
		}
		rec := v.post("/s", "typed", code.TypedWith("0000001"))
		want(t, rec, 429)
		if rec.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		s.clock.Add(time.Minute)
		want(t, v.post("/s", "typed", code.TypedWith("0000001")), 404)
	})
}
