package directory

import (
	"regexp"
	"slices"
	"time"

	"doorplate/internal/fault"
)

// list is what the entries of a policy that is a list look like.
type list struct {
	entry *regexp.Regexp
	most  int
	wrong string
}

var lists = map[string]list{
	"guest_prefixes": {prefix, 50, "settings.error.prefixes"},
	"work_days":      {regexp.MustCompile(`^[1-7]$`), 7, "clock.error.days"},
	"work_holidays":  {dayPattern, 366, "clock.error.dates"},
	"work_extra":     {dayPattern, 366, "clock.error.dates"},
}

var dayPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// fits reports whether values may stand in the list called name.
func (l list) fits(values []string) bool {
	if len(values) > l.most {
		return false
	}
	for _, v := range values {
		if !l.entry.MatchString(v) {
			return false
		}
		if l.entry == dayPattern {
			if _, err := time.Parse(time.DateOnly, v); err != nil {
				return false
			}
		}
	}
	return true
}

// checkHours reports hours of work in which nobody works.
func (p Policies) checkHours(bad fault.Invalid) {
	if p.WorkTo <= p.WorkFrom && bad["work_to"].Key == "" {
		bad["work_to"] = fault.Msg("clock.error.order")
	}
	if len(p.WorkDays) == 0 && bad["work_days"].Key == "" {
		bad["work_days"] = fault.Msg("clock.error.days")
	}
}

// Hours are an organisation's hours of work. The zero value knows none: time
// then counts around the clock.
type Hours struct {
	zone     *time.Location
	from, to int // hours of the day
	days     [7]bool
	off, on  []string // single days, YYYY-MM-DD
}

// Hours are the hours of work in a time zone.
func (p Policies) Hours(zone *time.Location) Hours {
	h := Hours{zone: zone, from: p.WorkFrom, to: p.WorkTo, off: p.WorkHolidays, on: p.WorkExtra}
	for _, d := range p.WorkDays {
		if len(d) == 1 && d[0] >= '1' && d[0] <= '7' {
			h.days[int(d[0]-'0')%7] = true
		}
	}
	return h
}

// farthest is how many days in a row may be free before the hours count for nothing.
const farthest = 800

// After is the moment when so much working time has passed since from. It never
// goes back when from or work grows, whatever the time zone does to its clocks.
func (h Hours) After(from time.Time, work time.Duration) time.Time {
	if work <= 0 {
		return from
	}
	if h.zone == nil || h.to <= h.from || h.days == [7]bool{} {
		return from.Add(work)
	}
	y, m, d := from.In(h.zone).Date()
	for day, free := 0, 0; free < farthest; day++ {
		start, end, works := h.day(y, m, d+day)
		if start.Before(from) {
			start = from
		}
		switch left := end.Sub(start); {
		case !works:
			free++
		case left >= work:
			return start.Add(work)
		default:
			free = 0
			work -= max(left, 0)
		}
	}
	return from.Add(work)
}

// day is one day's working time. Clocks that jump make it longer or shorter, as it is.
func (h Hours) day(y int, m time.Month, d int) (start, end time.Time, works bool) {
	noon := time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	date := noon.Format(time.DateOnly)
	works = h.days[noon.Weekday()]
	if slices.Contains(h.off, date) {
		works = false
	}
	if slices.Contains(h.on, date) {
		works = true
	}
	return time.Date(y, m, d, h.from, 0, 0, 0, h.zone), time.Date(y, m, d, h.to, 0, 0, 0, h.zone), works
}
