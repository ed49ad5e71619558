package views

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views/ui"
)

// stateClasses maps the states that have no badge of their own to the nearest shape.
var stateClasses = map[code.State]string{code.Off: "closed", code.Limited: "exhausted"}

func stateClass(s code.State) string {
	if class, other := stateClasses[s]; other {
		return class
	}
	return string(s)
}

// outcomeClasses does the same for what came of a scan.
var outcomeClasses = map[string]string{
	scan.Off: "closed", scan.Limited: "exhausted", scan.Network: "revoked", scan.Audience: "revoked", scan.Bot: "neutral", scan.Unknown: "neutral",
}

func outcomeClass(outcome string) string {
	if class, other := outcomeClasses[outcome]; other {
		return class
	}
	return outcome
}

// until is when for an end: midnight reads as the last minute of the day before.
func until(ctx context.Context, at time.Time) string {
	if local := at.In(zoneOf(ctx).loc); local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 {
		at = at.Add(-time.Minute)
	}
	return when(ctx, at)
}

func validityText(ctx context.Context, c code.Code) string {
	if c.ValidUntil == nil {
		return t(ctx, "codes.validity.permanent")
	}
	return t(ctx, "codes.validity.until.at", "At", until(ctx, *c.ValidUntil))
}

// totalText is the count so far, against the cap when there is one.
func totalText(total int64, limit int) string {
	if limit == 0 {
		return grouped(total)
	}
	return grouped(total) + " / " + grouped(int64(limit))
}

// grouped writes 4812 as 4,812.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// codeRemark is the one thing to know about a code in a list.
func codeRemark(ctx context.Context, i code.Item) string {
	switch {
	case i.Now == code.Suspended && !i.IssuerOK:
		return t(ctx, "codes.remark.orphaned", "Name", i.IssuerName)
	case i.Now == code.Suspended && i.SuspendedAt == nil:
		return t(ctx, "recert.code.remark")
	case i.Now == code.Revoked:
		return t(ctx, "codes.remark.revoked", "Reason", i.RevokeReason)
	case i.Now == code.Live && i.Full():
		return t(ctx, "codes.remark.full", "Seats", i.Capacity)
	case i.Now == code.Live || i.Now == code.NotYet:
		return ""
	}
	return t(ctx, "codes.remark."+string(i.Now))
}

// codeCrumbs is the way to a group's codes. req: A02
func codeCrumbs(ctx context.Context, gid, name string, further ...ui.Crumb) []ui.Crumb {
	crumbs := []ui.Crumb{
		{Text: t(ctx, "nav.contacts"), Href: paths.Contacts},
		{Text: t(ctx, "nav.groups"), Href: paths.Groups},
		{Text: name, Href: paths.To(paths.Group, gid)},
		{Text: t(ctx, "codes.group.title"), Href: paths.To(paths.GroupCodes, gid)},
	}
	crumbs = append(crumbs, further...)
	crumbs[len(crumbs)-1].Href = ""
	return crumbs
}

func placeText(organisation string, trail []string) string {
	if len(trail) == 0 {
		return organisation
	}
	return organisation + "·" + strings.Join(trail, " / ")
}

// whyNot is the sentence behind "why can I not?".
func whyNot(ctx context.Context, p code.Permission) string {
	if p.NeedsSecond {
		return t(ctx, "codes.error.second")
	}
	return t(ctx, "codes.why.right", "Right", t(ctx, "right."+p.Missing))
}

// bar is one column of the chart, in its 300 × 100 box.
type bar struct{ X, Y, H, Title string }

// chart is 30 days as columns and a line, with its axis.
type chart struct {
	Bars          []bar
	Line          string
	Axis          []int
	Dates         []string
	Scans, Joined int
	Best          string // the busiest day, "" when there was nothing
	BestScans     int
}

func drawChart(ctx context.Context, days []scan.Day) chart {
	c, highest := chart{}, 0
	for _, d := range days {
		c.Scans += d.Scans
		c.Joined += d.Joined
		if d.Scans > c.BestScans {
			c.BestScans, c.Best = d.Scans, dayText(ctx, d.Date)
		}
		highest = max(highest, d.Scans, d.Joined)
	}
	top := chartTop(highest)
	for i := 4; i >= 0; i-- {
		c.Axis = append(c.Axis, top/4*i)
	}
	width := 300 / float64(max(len(days), 1))
	var line strings.Builder
	for i, d := range days {
		x, y := float64(i)*width, 100-100*float64(d.Scans)/float64(top)
		c.Bars = append(c.Bars, bar{X: fmt.Sprintf("%.1f", x+width/8), Y: fmt.Sprintf("%.1f", y), H: fmt.Sprintf("%.1f", 100-y),
			Title: t(ctx, "codes.chart.day", "Date", dayText(ctx, d.Date), "Scans", d.Scans, "Joined", d.Joined)})
		step := "L"
		if i == 0 {
			step = "M"
		}
		fmt.Fprintf(&line, "%s%.1f %.1f", step, x+width/2, 100-100*float64(d.Joined)/float64(top))
		if i == (len(c.Dates)*(len(days)-1)+2)/4 { // five dates, evenly
			c.Dates = append(c.Dates, dayText(ctx, d.Date))
		}
	}
	c.Line = line.String()
	return c
}

// chartTop is the axis' end: four steps of 1, 2, 2.5 or 5 times a power of ten.
func chartTop(highest int) int {
	for ten := 1; ; ten *= 10 {
		for _, step := range []int{ten, 2 * ten, ten * 5 / 2, 5 * ten} {
			if step*4 >= highest {
				return step * 4
			}
		}
	}
}

func dayText(ctx context.Context, at time.Time) string { return at.In(zoneOf(ctx).loc).Format("01/02") }

// codeLead is the sentence under a code's name.
func codeLead(ctx context.Context, v code.View) string {
	if v.Now == code.Live {
		if v.ValidUntil == nil {
			return t(ctx, "codes.lead.permanent")
		}
		return t(ctx, "codes.lead.until", "At", until(ctx, *v.ValidUntil))
	}
	return t(ctx, "codes.lead."+string(v.Now))
}

// deviceText says what somebody scanned with. Rows that came from elsewhere may leave it out.
func deviceText(ctx context.Context, l scan.Line) string {
	var parts []string
	if slices.Contains(scan.Apps, l.App) {
		parts = append(parts, t(ctx, "codes.app."+l.App))
	}
	if slices.Contains(scan.Devices, l.Device) {
		parts = append(parts, t(ctx, "codes.device."+l.Device))
	}
	return strings.Join(parts, t(ctx, "app.dot"))
}
