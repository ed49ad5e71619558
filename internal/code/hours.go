package code

import "time"

// Quarters is how many quarters of an hour a week has.
const Quarters = 7 * 24 * 4

// Hours says when a code is open: empty is always, else one character per
// quarter of an hour of the organisation's week from Monday 00:00, '1' for open.
// One character is one look-up, in Go and in SQL alike.
type Hours string

// quarterOf is the index in Hours of a moment, by the clock on the organisation's wall.
func quarterOf(local time.Time) int {
	day := (int(local.Weekday()) + 6) % 7
	return day*96 + local.Hour()*4 + local.Minute()/15
}

// OpenAt reports whether the code is open at a moment of the organisation's clock.
func (h Hours) OpenAt(local time.Time) bool {
	return len(h) != Quarters || h[quarterOf(local)] == '1'
}

// NextOpening is the next moment at which a code that is closed now opens;
// false when it never does.
func (h Hours) NextOpening(local time.Time) (time.Time, bool) {
	start := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute()/15*15, 0, 0, local.Location())
	for i := 1; i <= Quarters; i++ {
		if at := start.Add(time.Duration(i) * 15 * time.Minute); h.OpenAt(at) {
			return at, true
		}
	}
	return time.Time{}, false
}
