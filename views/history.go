package views

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"doorplate/internal/paths"
	"doorplate/internal/scan"
)

// HistoryForm is the filter as it was typed.
type HistoryForm struct {
	Outcome, Channel, Copy, Device, App, Person, From, To string
	Days, A, B                                            string
}

// HistoryProps is the page of scans of a code or of a whole group.
type HistoryProps struct {
	scan.Report
	Typed    HistoryForm
	Errors   map[string]string
	Narrowed bool   // the reader asked for something
	First    bool   // no cursor: the newest scans
	Since    string // YYYY-MM-DD: where the list begins when no dates were chosen
}

func (p HistoryProps) self() string {
	if p.Place.PublicID == "" {
		return paths.To(paths.GroupScans, p.Place.GID)
	}
	return paths.To(paths.CodeScans, p.Place.PublicID)
}

// filter are the query's pairs that narrow the list.
func (f HistoryForm) filter() []string {
	return []string{"outcome", f.Outcome, "channel", f.Channel, "copy", f.Copy, "device", f.Device, "app", f.App, "person", f.Person, "from", f.From, "to", f.To}
}

// charts are the query's pairs that the charts depend on.
func (f HistoryForm) charts() []string { return []string{"days", f.Days, "a", f.A, "b", f.B} }

// at is the page's own address with a cursor.
func (p HistoryProps) at(cursor ...string) string {
	pairs := append(p.Typed.filter(), p.Typed.charts()...)
	return paths.With(p.self(), append(pairs, cursor...)...) + "#scans"
}

// csv is the address of the same list as a file; the whole list without a filter.
func (p HistoryProps) csv(filtered bool) string {
	path := paths.To(paths.CodeScansCSV, p.Place.PublicID)
	if p.Place.PublicID == "" {
		path = paths.To(paths.GroupScansCSV, p.Place.GID)
	}
	if !filtered {
		return path
	}
	f := p.Typed
	if p.Since != "" {
		f.From = p.Since
	}
	return paths.With(path, f.filter()...)
}

// measure is one line of a list of bars.
type measure struct {
	Name, Value, Percent string
	Width                string // of the bar, 0 to 100
}

func measureOf(name string, n, all int64) measure {
	m := measure{Name: name, Value: grouped(n), Width: "0"}
	if all > 0 {
		m.Percent = percent(n, all)
		m.Width = fmt.Sprintf("%.1f", 100*min(float64(n)/float64(all), 1))
	}
	return m
}

// percent is n of all in whole points; what is there is never shown as nothing.
func percent(n, all int64) string {
	share := 100 * float64(n) / float64(all)
	if n > 0 && share < 1 {
		return "<1%"
	}
	return strconv.Itoa(int(math.Floor(share+0.5))) + "%"
}

func shareMeasures(ctx context.Context, key string, all []scan.Share) (list []measure, best string) {
	sum, most := int64(0), int64(0)
	for _, s := range all {
		sum += s.N
	}
	for _, s := range all {
		name := t(ctx, key+s.Name)
		list = append(list, measureOf(name, s.N, sum))
		if s.N > most {
			most, best = s.N, t(ctx, "history.share.finding", "Name", name, "Percent", percent(s.N, sum))
		}
	}
	return list, best
}

func sourceName(ctx context.Context, s scan.Source, copies bool) string {
	switch {
	case copies && s.CopySerial == 0:
		return t(ctx, "history.copy.none")
	case copies && s.Place != "":
		return t(ctx, "history.copy.placed", "Serial", s.CopySerial, "Place", s.Place)
	case copies:
		return t(ctx, "history.copy.one", "Serial", s.CopySerial)
	case s.Channel == "":
		return t(ctx, "history.channel.none")
	}
	return s.Channel
}

func sourceMeasures(ctx context.Context, all []scan.Source, copies bool) (list []measure) {
	sum := int64(0)
	for _, s := range all {
		sum += s.Scans
	}
	for _, s := range all {
		list = append(list, measureOf(sourceName(ctx, s, copies), s.Scans, sum))
	}
	return list
}

// funnelMeasures are the steps, each with its share of the one before, and the step that loses most.
func funnelMeasures(ctx context.Context, f scan.Funnel) (list []measure, finding string) {
	type step struct {
		name   string
		n, was int64
	}
	steps := []step{{"scanned", f.Live, 0}, {"identified", f.Identified, f.Live}, {"requested", f.Requested, f.Identified}, {"joined", f.Joined, f.Requested}}
	if f.Open {
		steps = []step{{"scanned", f.Live, 0}, {"identified", f.Identified, f.Live}, {"joined", f.Joined, f.Identified}}
	}
	worst := 0.0
	for _, s := range steps {
		m := measureOf(t(ctx, "history.funnel."+s.name), s.n, f.Live)
		m.Percent = ""
		if s.was > 0 {
			m.Percent = percent(min(s.n, s.was), s.was)
			if lost := 1 - float64(s.n)/float64(s.was); lost > worst {
				worst = lost
				finding = t(ctx, "history.funnel.finding", "Step", m.Name, "Lost", int(math.Round(100*lost)))
			}
		}
		list = append(list, m)
	}
	stayed := measureOf(t(ctx, "history.funnel.stayed"), f.Stayed, f.Live)
	stayed.Percent = ""
	if f.Eligible > 0 {
		stayed.Percent = percent(f.Stayed, f.Eligible)
	}
	return append(list, stayed), finding
}

// verdictClass is the badge's shape for a verdict; the word stands in it.
func verdictClass(v scan.Verdict) string {
	switch v {
	case scan.Met:
		return "live"
	case scan.Missed:
		return "revoked"
	}
	return "neutral"
}

// ageMeasures are the success rates by age: share of scans let through.
func ageMeasures(ctx context.Context, ages []scan.Age) (list []measure, finding string) {
	best, worst := -1, -1
	rate := func(a scan.Age) float64 { return float64(a.Live) / float64(a.Live+a.Refused) }
	for i, a := range ages {
		all := a.Live + a.Refused
		m := measureOf(t(ctx, "history.age."+scan.AgeNames[i]), a.Live, all)
		m.Value = grouped(all)
		list = append(list, m)
		if all == 0 {
			continue
		}
		if best < 0 || rate(a) > rate(ages[best]) {
			best = i
		}
		if worst < 0 || rate(a) <= rate(ages[worst]) {
			worst = i
		}
	}
	if best >= 0 && list[best].Percent != list[worst].Percent {
		finding = t(ctx, "history.age.finding", "Best", list[best].Name, "High", list[best].Percent, "Worst", list[worst].Name, "Low", list[worst].Percent)
	}
	return list, finding
}

// heatCell is one hour of one weekday.
type heatCell struct{ Class, Title, Value string }

type heatRow struct {
	Name  string
	Cells [24]heatCell
}

// heatRows colours the hours in five steps of the busiest one.
func heatRows(ctx context.Context, heat [7][24]int64) (rows []heatRow, finding string) {
	most := int64(0)
	for d, hours := range heat {
		for h, n := range hours {
			if n > most {
				most = n
				finding = t(ctx, "history.heat.finding", "Day", t(ctx, weekdayKey(d)), "Hour", fmt.Sprintf("%d:00", h), "Count", n)
			}
		}
	}
	for d, hours := range heat {
		row := heatRow{Name: t(ctx, weekdayKey(d))}
		for h, n := range hours {
			level := int64(0)
			if n > 0 {
				level = 1 + (n*5-1)/most
			}
			row.Cells[h] = heatCell{Class: "h" + strconv.FormatInt(min(level, 5), 10), Value: strconv.FormatInt(n, 10),
				Title: t(ctx, "history.heat.cell", "Day", row.Name, "Hour", h, "Count", n)}
		}
		rows = append(rows, row)
	}
	return rows, finding
}

func weekdayKey(monday int) string {
	return "history.weekday." + [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}[monday]
}

// points writes a difference: whole numbers, one decimal below one.
func points(x float64) string {
	if x = math.Abs(x); x < 1 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func signed(x float64) string {
	if math.Abs(x) < 0.05 {
		return "0"
	}
	if x < 0 {
		return "−" + points(x)
	}
	return "+" + points(x)
}

// comparedText is what may be said of two sources, and no more.
func comparedText(ctx context.Context, c scan.Comparison) string {
	switch {
	case c.Few:
		return t(ctx, "history.ab.few", "A", grouped(c.A.Scans), "B", grouped(c.B.Scans), "More", grouped(c.Need))
	case !c.Shown():
		return t(ctx, "history.ab.same", "Points", signed(c.Points), "Low", signed(c.Low), "High", signed(c.High), "More", grouped(roughly(c.Need)), "Worth", c.Worth)
	case c.Low > 0:
		return t(ctx, "history.ab.better", "Better", "B", "Worse", "A", "Low", points(c.Low), "High", points(c.High))
	}
	return t(ctx, "history.ab.better", "Better", "A", "Worse", "B", "Low", points(c.High), "High", points(c.Low))
}

// roughly keeps two digits: an estimate must not look exact.
func roughly(n int64) int64 {
	ten := int64(1)
	for n/ten >= 100 {
		ten *= 10
	}
	return (n + ten - 1) / ten * ten
}

// proofTime is a moment of a purge's proof, or nothing.
func proofTime(ctx context.Context, at *time.Time) string {
	if at == nil {
		return "—"
	}
	return when(ctx, *at)
}

// sourceFinding names the busiest channel; "no channel" is none.
func sourceFinding(ctx context.Context, all []scan.Source) string {
	for _, s := range all {
		if s.Channel != "" {
			return t(ctx, "history.sources.finding", "Name", s.Channel, "Scans", grouped(s.Scans))
		}
	}
	return t(ctx, "history.sources.unmarked")
}
