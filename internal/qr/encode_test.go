package qr

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"rsc.io/qr/coding"
)

// url is as long as the longest URL of a version 4 code at level M.
var url = "https://door.example.com/j/" + strings.Repeat("7Kd2mQ9", 5)

func encode(t testing.TB, text string, level Level) *Matrix {
	t.Helper()
	m, err := Encode(text, level)
	if err != nil {
		t.Fatalf("%d bytes at level %d: %v", len(text), level, err)
	}
	return m
}

func version(m *Matrix) int { return (m.Size() - 17) / 4 }

func TestVersionIsSmallest(t *testing.T) {
	if len(url) != 62 {
		t.Fatalf("the URL has %d bytes", len(url))
	}
	// Capacities in byte mode: ISO/IEC 18004, table 7.
	for _, c := range []struct {
		length int
		level  Level
		want   int
	}{
		{62, M, 4}, {63, M, 5}, {1, H, 1}, {17, L, 1}, {18, L, 2}, {14, M, 1}, {15, M, 2}, {78, L, 4}, {79, L, 5}, {46, Q, 4}, {47, Q, 5},
		{34, H, 4}, {35, H, 5}, {180, M, 9}, {181, M, 10}, {213, M, 10}, {2953, L, 40}, {2331, M, 40}, {1663, Q, 40}, {1273, H, 40},
	} {
		if got := version(encode(t, strings.Repeat("a", c.length), c.level)); got != c.want {
			t.Errorf("%d bytes at level %d: version %d, want %d", c.length, c.level, got, c.want)
		}
	}
	if got := version(encode(t, url, M)); got != 4 {
		t.Errorf("the URL takes version %d", got)
	}
}

// Digits and capitals would fit into a smaller code in other modes; a code of a size that depends on the token's letters
// would spoil a printed sheet.
func TestAlwaysByteMode(t *testing.T) {
	for _, text := range []string{strings.Repeat("1", 15), strings.Repeat("A", 15)} {
		if got := version(encode(t, text, M)); got != 2 {
			t.Errorf("%s takes version %d", text, got)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		text  string
		level Level
		want  error
	}{
		{"", M, ErrText}, {"https://例.example/", M, ErrText}, {"caf\xe9", M, ErrText}, {"\x80", L, ErrText},
		{strings.Repeat("a", 2954), L, ErrTooLong}, {strings.Repeat("a", 1274), H, ErrTooLong},
		{"a", -1, ErrLevel}, {"a", H + 1, ErrLevel},
	} {
		if m, err := Encode(c.text, c.level); !errors.Is(err, c.want) || m != nil {
			t.Errorf("%.20q at level %d: %v, want %v", c.text, c.level, err, c.want)
		}
	}
}

func TestDark(t *testing.T) {
	m := encode(t, url, M)
	for _, at := range [][2]int{{-1, 0}, {0, -1}, {33, 0}, {0, 33}, {1, 1}, {7, 7}} {
		if m.Dark(at[0], at[1]) {
			t.Errorf("module %v is dark", at)
		}
	}
	for _, at := range [][2]int{{0, 0}, {3, 3}, {32, 0}, {0, 32}, {8, 25}} {
		if !m.Dark(at[0], at[1]) {
			t.Errorf("module %v is light", at)
		}
	}
}

func TestEncodeTogether(t *testing.T) {
	want := encode(t, url, Q).SVG()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if m, err := Encode(url, Q); err != nil || string(m.SVG()) != string(want) {
				t.Errorf("another code than alone (%v)", err)
			}
		})
	}
	wg.Wait()
}

// everyVersion calls f with a code of each version and level, filled to the last byte.
func everyVersion(t *testing.T, f func(text string, level Level, m *Matrix)) {
	t.Helper()
	for v := coding.Version(1); v <= coding.MaxVersion; v++ {
		for level := L; level <= H; level++ {
			spare := v.DataBytes(coding.Level(level)) - (coding.String("").Bits(v)+7)/8
			text := fmt.Sprintf("%d%d:", v, level)
			text = (text + strings.Repeat("https://door.example/", spare/21+1))[:spare]
			m := encode(t, text, level)
			if version(m) != int(v) {
				t.Fatalf("%d bytes at level %d: version %d, want %d", spare, level, version(m), v)
			}
			f(text, level, m)
		}
	}
}
