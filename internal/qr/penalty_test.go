package qr

import (
	"testing"

	"rsc.io/qr/coding"
)

// slowPenalty says the same rules module by module.
func slowPenalty(m *Matrix) int {
	sum := 0
	for i := range m.size {
		sum += slowLine(m.size, func(j int) bool { return m.Dark(j, i) })
		sum += slowLine(m.size, func(j int) bool { return m.Dark(i, j) })
	}
	dark := 0
	for y := range m.size {
		for x := range m.size {
			if m.Dark(x, y) {
				dark++
			}
			if x > 0 && y > 0 && m.Dark(x, y) == m.Dark(x-1, y) && m.Dark(x, y) == m.Dark(x, y-1) && m.Dark(x, y) == m.Dark(x-1, y-1) {
				sum += 3
			}
		}
	}
	away := 100*dark - 50*m.size*m.size
	return sum + 10*(max(away, -away)/(5*m.size*m.size))
}

func slowLine(n int, dark func(int) bool) int {
	sum, length := 0, 1
	for i := 1; i <= n; i++ {
		if i < n && dark(i) == dark(i-1) {
			length++
			continue
		}
		if length >= 5 {
			sum += length - 2
		}
		length = 1
	}
	for i := -4; i < n; i++ {
		for _, pattern := range []string{"00001011101", "10111010000"} {
			if matches(pattern, i, dark) {
				sum += 40
			}
		}
	}
	return sum
}

func matches(pattern string, at int, dark func(int) bool) bool {
	for i := range pattern {
		if dark(at+i) != (pattern[i] == '1') {
			return false
		}
	}
	return true
}

func TestPenaltyFollowsTheRules(t *testing.T) {
	everyVersion(t, func(text string, level Level, m *Matrix) {
		if got, want := penalty(m.rows, transpose(m.rows)), slowPenalty(m); got != want {
			t.Errorf("version %d level %d: %d, want %d", version(m), level, got, want)
		}
	})
}

func TestLowestPenaltyWins(t *testing.T) {
	used := map[int]bool{}
	for _, text := range []string{url, "a", "https://a.example/", url[:40], url[:50], url[:33], url[:45], url[:61], url + url} {
		m := encode(t, text, M)
		lowest, mask := -1, 0
		for i := range 8 {
			plan, err := coding.NewPlan(coding.Version(version(m)), coding.M, coding.Mask(i))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := drawn(plan, text)
			if err != nil {
				t.Fatal(err)
			}
			if p := slowPenalty(&Matrix{len(rows), rows}); lowest < 0 || p < lowest {
				lowest, mask = p, i
			}
		}
		used[mask] = true
		if got := slowPenalty(m); got != lowest {
			t.Errorf("%q: penalty %d, mask %d has %d", text, got, mask, lowest)
		}
	}
	if len(used) < 3 {
		t.Errorf("only the masks %v were best: the test shows little", used)
	}
}

func TestTranspose(t *testing.T) {
	m := encode(t, url+url+url+url, H)
	columns := transpose(m.rows)
	for y := range m.size {
		for x := range m.size {
			if m.rows[y].at(x) != columns[x].at(y) {
				t.Fatalf("module %d, %d differs", x, y)
			}
		}
	}
}
