package code_test

import (
	"strings"
	"testing"
	"time"

	"doorplate/internal/code"
)

// on is hours that are open in one quarter of an hour of the week.
func on(day, quarter int) code.Hours {
	at := (day-1)*96 + quarter
	return code.Hours(strings.Repeat("0", at) + "1" + strings.Repeat("0", code.Quarters-at-1))
}

// In Berlin the hour after 2 o'clock is skipped on 29 March 2026 and comes twice on 25 October.
func TestHoursWhereTheClockIsMoved(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now, want string // UTC
		hours     code.Hours
	}{
		"the first of the two hours":         {"2026-10-25T00:05:00Z", "2026-10-25T00:30:00Z", on(7, 10)},
		"between them":                       {"2026-10-25T00:50:00Z", "2026-10-25T01:30:00Z", on(7, 10)},
		"the second: the first is over":      {"2026-10-25T01:05:00Z", "2026-10-25T01:30:00Z", on(7, 10)},
		"after both, a week of an hour more": {"2026-10-25T01:50:00Z", "2026-11-01T01:30:00Z", on(7, 10)},
		"a week that is an hour longer":      {"2026-10-20T07:20:00Z", "2026-10-27T08:00:00Z", on(2, 36)},
		"the skipped hour, a week later":     {"2026-03-29T00:50:00Z", "2026-04-05T00:30:00Z", on(7, 10)},
		"skipped just after it was missed":   {"2026-03-22T01:50:00Z", "2026-04-05T00:30:00Z", on(7, 10)},
		"after the skipped hour":             {"2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z", on(7, 12)},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		got, ok := c.hours.NextOpening(now.In(berlin))
		if !ok || got.UTC().Format(time.RFC3339) != c.want || !c.hours.OpenAt(got.In(berlin)) {
			t.Errorf("%s: %v %v, want %s", name, got.UTC(), ok, c.want)
		}
	}
}
