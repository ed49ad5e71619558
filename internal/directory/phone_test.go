package directory_test

import (
	"strings"
	"testing"

	"doorplate/internal/directory"
)

func TestParsePhone(t *testing.T) {
	const same = "+8613800000005"
	for _, text := range []string{
		"13800000005", "+86 138 0000 0005", "0086-138-0000-0005", "１３８００００００05", "＋８６１３８００００００05",
		" 138\u00a00000\u20090005 ", "\u202d138-0000-0005\u202c", "\ufeff13800000005\u200b", "(+86)13800000005", "8613800000005", "138—0000—0005",
	} {
		if got, ok := directory.ParsePhone(text); !ok || got != same {
			t.Errorf("ParsePhone(%q) = %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "1", "1380000000", "138000000055", "+1 000 000 0000", "abc", "1-800-FLOWERS", "13800000005 ext 3", "13800000005;ext=3",
		"<script>", "13800000005\x00", "+86+13800000005", "١٣٨٠٠٠٠٠٠٠٥", strings.Repeat("1", 4000), "-13800000005x", "1e10",
	} {
		if got, ok := directory.ParsePhone(text); ok {
			t.Errorf("ParsePhone(%q) = %q, want none", text, got)
		}
	}
	if got, ok := directory.ParsePhone("+44 20 7946 0958"); !ok || got != "+442079460958" {
		t.Errorf("a number of another country: %q, %v", got, ok)
	}
}
