package paths_test

import (
	"testing"

	"doorplate/internal/paths"
)

func TestLocal(t *testing.T) {
	for _, good := range []string{"/", "/groups", "/groups?view=all&q=%E7%A0%81", "/codes/a-b_c", "/requests#3", "/login?next=/a//b"} {
		if got := paths.Local(good); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
	for _, bad := range []string{"", "groups", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
		" //evil.example", "https://evil.example", "https:evil.example", "javascript:alert(1)", "%2f%2fevil.example", "/a\x00", "/a\x7f", "/%zz", "/..//evil.example", "/.//evil.example",
		"/a/../..//evil.example", "/%2e%2e//evil.example"} {
		if got := paths.Local(bad); got != "/" {
			t.Errorf("%q stays %q", bad, got)
		}
	}
}

func TestToEscapes(t *testing.T) {
	if got := paths.To(paths.Member, int64(7)); got != "/contacts/members/7" {
		t.Error(got)
	}
	if got := paths.To(paths.Code, "../x?y#z"); got != "/codes/..%2Fx%3Fy%23z" {
		t.Error(got)
	}
	if got := paths.With("/a", "q", "x&y", "none", ""); got != "/a?q=x%26y" {
		t.Error(got)
	}
}
