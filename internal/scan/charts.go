package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

const (
	chartDays = 30
	// LongChart is the longer of the two spans a chart shows.
	LongChart = 90
	// busyScans a day are where a code should be looked after differently (source: C49).
	busyScans = 50
	busyDays  = 7
)

// Day is one bar of a chart. Date is its first moment.
type Day struct {
	Date   time.Time
	Scans  int // answered with a ticket
	Joined int // on the code's charts: of the people who scanned that day
}

// Share is one slice of all live scans.
type Share struct {
	Name string
	N    int64
}

// Charts are what the roll-ups of a place tell about its last days. No single
// scan is read for them.
type Charts struct {
	Span     int // days
	Days     []Day
	Heat     [7][24]int64 // Monday first
	Devices  []Share
	Apps     []Share
	Channels []Source
	Copies   []Source
	Funnel   Funnel
	Ages     [len(AgeNames)]Age
	PerDay   int64 // live scans a day over the last seven full days
}

// Busy reports whether so many people scan that one code on one group is not the best way any more. req: C49
func (c Charts) Busy() bool { return c.PerDay > busyScans }

// Scans is how many live scans the charts are about.
func (c Charts) Scans() (n int64) {
	for _, d := range c.Days {
		n += int64(d.Scans)
	}
	return n
}

// rollUp is a day of scan_days, summed over the codes of a place.
type rollUp struct {
	day     Day
	live    int64
	devices [3]int64 // mobile, tablet, desktop
	apps    [2]int64 // wechat, wecom
	hours   [24]int64
}

var rollUpColumns = func() string {
	names := []string{"live", "mobile", "tablet", "desktop", "wechat", "wecom"}
	for h := range 24 {
		names = append(names, fmt.Sprintf("h%02d", h))
	}
	for i, name := range names {
		names[i] = "CAST(sum(" + name + ") AS bigint)"
	}
	return strings.Join(names, ", ")
}()

// rollUp reads the last n days of a place, days without scans included, today last.
func (s *Service) rollUp(tx *gorm.DB, p Place, n int) ([]rollUp, error) {
	all := make([]rollUp, n)
	at := map[string]*rollUp{}
	for i, d := range lastDays(s.now().In(p.Loc), n) {
		all[i].day = d
		at[d.key()] = &all[i]
	}
	where, args := p.of("code_id")
	rows, err := tx.Raw("SELECT day, "+rollUpColumns+" FROM scan_days WHERE "+where+" AND day >= ? GROUP BY day", append(args, all[0].day.key())...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read the days of a code: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var r rollUp
		into := []any{&key, &r.live, &r.devices[0], &r.devices[1], &r.devices[2], &r.apps[0], &r.apps[1]}
		for h := range r.hours {
			into = append(into, &r.hours[h])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read a day of a code: %w", err)
		}
		if known := at[key]; known != nil {
			r.day = known.day
			r.day.Scans = int(r.live)
			*known = r
		}
	}
	return all, rows.Err()
}

// withJoined adds how many of each day's visitors were let in.
func (s *Service) withJoined(tx *gorm.DB, p Place, days []rollUp) ([]Day, error) {
	where, args := p.of("code_id")
	var joined []struct {
		Day string
		N   int
	}
	err := tx.Raw("SELECT day, CAST(sum(joined) AS bigint) AS n FROM scan_funnel WHERE "+where+" AND day >= ? GROUP BY day",
		append(args, days[0].day.key())...).Scan(&joined).Error
	if err != nil {
		return nil, fmt.Errorf("read how many joined per day: %w", err)
	}
	n := map[string]int{}
	for _, one := range joined {
		n[one.Day] = one.N
	}
	out := make([]Day, len(days))
	for i, d := range days {
		out[i] = d.day
		out[i].Joined = n[d.day.key()]
	}
	return out, nil
}

// charts reads all charts of a place.
func (s *Service) charts(tx *gorm.DB, p Place, span int) (Charts, error) {
	c := Charts{Span: span}
	days, err := s.rollUp(tx, p, span)
	if err != nil {
		return c, err
	}
	c.spread(days)
	if c.Days, err = s.withJoined(tx, p, days); err != nil {
		return c, err
	}
	from := days[0].day
	if c.Channels, err = sources(tx, p, from, "channel"); err != nil {
		return c, err
	}
	if c.Copies, err = sources(tx, p, from, "copy_serial"); err != nil {
		return c, err
	}
	if c.Funnel, err = s.funnel(tx, p, from); err != nil {
		return c, err
	}
	c.Ages, err = s.ages(tx, p)
	return c, err
}

// spread fills in the charts that follow from the days alone.
func (c *Charts) spread(days []rollUp) {
	devices, apps, live := [3]int64{}, [2]int64{}, int64(0)
	for i, d := range days {
		weekday := (int(d.day.Date.Weekday()) + 6) % 7
		for h, n := range d.hours {
			c.Heat[weekday][h] += n
		}
		for k, n := range d.devices {
			devices[k] += n
		}
		for k, n := range d.apps {
			apps[k] += n
		}
		live += d.live
		if last := len(days) - 1; i >= last-busyDays && i < last { // today is not over
			c.PerDay += d.live
		}
	}
	c.PerDay /= busyDays
	c.Devices = shares([]string{"mobile", "tablet", "desktop", "other"}, devices[:], live)
	c.Apps = shares([]string{"wechat", "wecom", "other"}, apps[:], live)
}

// shares names numbers; what they lack of all is the last name's.
func shares(names []string, n []int64, all int64) []Share {
	out := make([]Share, len(names))
	for i, name := range names {
		out[i].Name = name
		if i < len(n) {
			out[i].N = n[i]
			all -= n[i]
		}
	}
	out[len(out)-1].N = max(all, 0)
	return out
}

// AgeNames are the spans of a code's life that are told apart, in days since
// it was issued or refreshed; the first is the day itself.
var AgeNames = [...]string{"1", "3", "7", "30", "older"}

var ageEnds = []int{1, 3, 7, 30}

// Age is how scans of codes of one age ended.
type Age struct{ Live, Refused int64 }

// ageSpan is how far back the chart of ages looks: longer than the others, or
// a code's first days would soon be out of sight.
const ageSpan = 400

// ages sums up how scans ended by the age that the code had. req: C08
func (s *Service) ages(tx *gorm.DB, p Place) (out [len(AgeNames)]Age, err error) {
	starts, err := births(tx, p)
	if err != nil {
		return out, err
	}
	where, args := p.of("code_id")
	var days []struct {
		CodeID        int64
		Day           string
		Live, Refused int64
	}
	from := Day{Date: s.now().In(p.Loc).AddDate(0, 0, -ageSpan)}
	err = tx.Raw("SELECT code_id, day, live, refused FROM scan_days WHERE "+where+" AND day >= ?", append(args, from.key())...).Scan(&days).Error
	if err != nil {
		return out, fmt.Errorf("read scans by the age of the code: %w", err)
	}
	for _, d := range days {
		day, err := time.ParseInLocation(time.DateOnly, d.Day, time.UTC)
		if err != nil {
			continue
		}
		i := ageOf(day, starts[d.CodeID])
		out[i].Live += d.Live
		out[i].Refused += d.Refused
	}
	return out, nil
}

// ageOf is the index of the span a day falls into: days since the last of starts before it.
func ageOf(day time.Time, starts []time.Time) int {
	born := day
	for _, start := range starts {
		if !start.After(day) {
			born = start
		}
	}
	age := int(day.Sub(born) / (24 * time.Hour))
	i, _ := slices.BinarySearch(ageEnds, age+1)
	return i
}

// births are the days, as dates in UTC, on which each code was issued or refreshed, oldest first.
func births(tx *gorm.DB, p Place) (map[int64][]time.Time, error) {
	var rows []struct {
		ID int64
		At time.Time
	}
	err := tx.Raw(`SELECT c.id, c.issued_at AS at FROM codes c WHERE `+p.codes()+`
		UNION ALL SELECT c.id, n.ended_at AS at FROM codes c JOIN code_generations n ON n.code_id = c.id WHERE `+p.codes(), p.id, p.id).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read when codes were issued and refreshed: %w", err)
	}
	slices.SortFunc(rows, func(a, b struct {
		ID int64
		At time.Time
	}) int {
		return a.At.Compare(b.At)
	})
	out := map[int64][]time.Time{}
	for _, r := range rows {
		local := r.At.In(p.Loc)
		out[r.ID] = append(out[r.ID], time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC))
	}
	return out, nil
}
