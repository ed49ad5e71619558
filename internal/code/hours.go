package code

import (
	"fmt"
	"time"
)

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
	// Not by the date's fields: the hour that comes twice would begin anew.
	start := local.Truncate(15 * time.Minute)
	for i := 1; i <= 2*Quarters; i++ { // a time that lies in a skipped hour comes a week later
		if at := start.Add(time.Duration(i) * 15 * time.Minute); h.OpenAt(at) {
			return at, true
		}
	}
	return time.Time{}, false
}

// Span is a time of day on some days of the week: day 1 is Monday, From and To
// count quarters of an hour from midnight. To at or before From lies on the next day.
type Span struct {
	Days     []int
	From, To int
}

// Clock writes a quarter of the day as 09:15; the end of the day is 24:00.
func Clock(quarter int) string { return fmt.Sprintf("%02d:%02d", quarter/4, quarter%4*15) }

// Spans reads the hours back as people wrote them: equal times of day together.
func (h Hours) Spans() []Span {
	if len(h) != Quarters {
		return nil
	}
	var spans []Span
	for day := range 7 {
		for q := 0; q < 96; q++ {
			i := day*96 + q
			if h[i] != '1' || q > 0 && h[i-1] == '1' || q == 0 && h.overnight(day) {
				continue
			}
			spans = add(spans, day+1, q, h.end(i))
		}
	}
	return spans
}

// end is when a time that starts at quarter i of the week ends, as a Span has it.
func (h Hours) end(i int) int {
	midnight := 96 - i%96
	n := 0
	for n < midnight && h[i+n] == '1' {
		n++
	}
	if n < midnight {
		return i%96 + n
	}
	if day := (i/96 + 1) % 7; h.overnight(day) {
		return h.morning(day)
	}
	return 96
}

// overnight reports whether what is open at the start of a day belongs to the
// evening before: it ends in the morning, before the hour at which that evening began.
func (h Hours) overnight(day int) bool {
	before := (day + 6) % 7 * 96
	if h[day*96] != '1' || h[before+95] != '1' {
		return false
	}
	start := 95
	for start > 0 && h[before+start-1] == '1' {
		start--
	}
	return start > 0 && h.morning(day) < start
}

// morning is when what is open at the start of a day ends; 96 when the whole day is open.
func (h Hours) morning(day int) int {
	n := 0
	for n < 96 && h[day*96+n] == '1' {
		n++
	}
	return n
}

func add(spans []Span, day, from, to int) []Span {
	for i := range spans {
		if spans[i].From == from && spans[i].To == to {
			spans[i].Days = append(spans[i].Days, day)
			return spans
		}
	}
	return append(spans, Span{Days: []int{day}, From: from, To: to})
}

// Opens is the next moment at which the code's start and opening hours let
// people in; false when they never will again before it ends.
func (c Code) Opens(now time.Time, loc *time.Location) (time.Time, bool) {
	at := now
	if c.ValidFrom != nil && c.ValidFrom.After(at) {
		at = *c.ValidFrom
	}
	ok := true
	if local := at.In(loc); !c.Hours.OpenAt(local) {
		at, ok = c.Hours.NextOpening(local)
	}
	return at, ok && (c.ValidUntil == nil || at.Before(*c.ValidUntil))
}
