package directory_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// What people would count on their fingers.
func TestHoursOfWorkPassOverNightsWeekendsAndHolidays(t *testing.T) {
	p := directory.DefaultPolicies()
	p.WorkHolidays, p.WorkExtra = []string{"2026-10-01", "2026-10-02"}, []string{"2026-10-10"}
	for _, c := range []struct {
		zone, from string
		hours      int
		want       string
	}{
		{"Asia/Shanghai", "2026-11-23 10:00", 2, "2026-11-23 12:00"},
		{"Asia/Shanghai", "2026-11-23 10:00", 8, "2026-11-23 18:00"},
		{"Asia/Shanghai", "2026-11-23 17:00", 2, "2026-11-24 10:00"},
		{"Asia/Shanghai", "2026-11-23 22:00", 1, "2026-11-24 10:00"},
		{"Asia/Shanghai", "2026-11-27 17:00", 2, "2026-11-30 10:00"}, // a weekend
		{"Asia/Shanghai", "2026-11-28 12:00", 9, "2026-11-30 18:00"}, // asked on a Saturday
		{"Asia/Shanghai", "2026-09-30 17:00", 2, "2026-10-05 10:00"}, // two holidays and a weekend
		{"Asia/Shanghai", "2026-10-09 17:00", 2, "2026-10-10 10:00"}, // a Saturday that is worked
		{"America/New_York", "2026-03-06 17:00", 2, "2026-03-09 10:00"},
		{"America/New_York", "2026-03-06 17:00", 0, "2026-03-06 17:00"},
	} {
		loc := zone(t, c.zone)
		at := func(text string) time.Time {
			v, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if got := p.Hours(loc).After(at(c.from), time.Duration(c.hours)*time.Hour); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s + %d h = %s, want %s", c.zone, c.from, c.hours, got.In(loc), c.want)
		}
	}
}

// Around the clock a day is as long as it is: 23 hours where one is skipped.
func TestHoursOfWorkKnowDaysOfOtherLengths(t *testing.T) {
	p := directory.DefaultPolicies()
	p.WorkFrom, p.WorkTo, p.WorkDays = 0, 24, []string{"1", "2", "3", "4", "5", "6", "7"}
	loc := zone(t, "Europe/Berlin")
	for _, from := range []time.Time{time.Date(2026, 3, 28, 12, 0, 0, 0, loc), time.Date(2026, 10, 24, 12, 0, 0, 0, loc)} {
		if got := p.Hours(loc).After(from, 48*time.Hour); !got.Equal(from.Add(48 * time.Hour)) {
			t.Errorf("%s: %s", from, got)
		}
	}
}

// Later requests are never due earlier, more hours never mean less time, parts
// add up, and whatever is due is due in working time.
func TestHoursOfWorkAreMonotone(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 26))
	zones := []*time.Location{time.UTC, zone(t, "Asia/Shanghai"), zone(t, "America/New_York"), zone(t, "Europe/Berlin"), zone(t, "Australia/Lord_Howe"), zone(t, "America/Santiago"), zone(t, "Africa/Cairo")}
	for range 3000 {
		p, loc := directory.DefaultPolicies(), zones[random.IntN(len(zones))]
		p.WorkFrom = random.IntN(24)
		p.WorkTo = p.WorkFrom + 1 + random.IntN(24-p.WorkFrom)
		p.WorkDays = nil
		for d := range 7 {
			if random.IntN(2) == 0 || d == 6 && p.WorkDays == nil {
				p.WorkDays = append(p.WorkDays, string(rune('1'+d)))
			}
		}
		start := time.Date(2026, time.Month(1+random.IntN(12)), 1+random.IntN(28), random.IntN(24), random.IntN(60), 0, 0, loc)
		for range random.IntN(6) {
			p.WorkHolidays = append(p.WorkHolidays, start.AddDate(0, 0, random.IntN(10)).Format(time.DateOnly))
			p.WorkExtra = append(p.WorkExtra, start.AddDate(0, 0, random.IntN(10)).Format(time.DateOnly))
		}
		h, work := p.Hours(loc), time.Duration(1+random.IntN(6000))*time.Minute
		due := h.After(start, work)
		later, more := start.Add(time.Duration(random.IntN(10000))*time.Minute), time.Duration(random.IntN(3000))*time.Minute
		if due.Before(start.Add(work)) {
			t.Fatalf("%v: due before so much time passed at all", p)
		}
		if h.After(later, work).Before(due) {
			t.Fatalf("%v %s: asked later at %s, due earlier", p, start, later)
		}
		if two := h.After(due, more); !two.Equal(h.After(start, work+more)) {
			t.Fatalf("%v %s: parts do not add up: %s and %s", p, start, two, h.After(start, work+more))
		}
	}
}

func TestHoursOfWorkAreChecked(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for name, values := range map[string]map[string]string{
			"order":  {"work_from": "18", "work_to": "9"},
			"nobody": {"work_days": ""},
			"eighth": {"work_days": "1 8"},
			"date":   {"work_holidays": "2026-02-30"},
			"words":  {"work_extra": "<b>"},
			"many":   {"due_hours": "501"},
		} {
			var bad fault.Invalid
			if err := o.SavePolicies(t.Context(), o.w.Super, values); !errors.As(err, &bad) {
				t.Errorf("%s: %v", name, err)
			}
		}
		good := map[string]string{"work_from": "8", "work_to": "20", "work_days": "1 3", "work_holidays": "2026-12-25, 2026-12-26", "work_extra": ""}
		if err := o.SavePolicies(t.Context(), o.w.Super, good); err != nil {
			t.Fatal(err)
		}
		p, err := o.Policies(t.Context())
		if err != nil || len(p.WorkHolidays) != 2 || len(p.WorkDays) != 2 || p.WorkTo != 20 {
			t.Errorf("%v %+v", err, p)
		}
	})
}
