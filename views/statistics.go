package views

import (
	"context"
	"fmt"
	"time"

	"doorplate/internal/join"
)

// figuresLine is one line of a table of figures.
type figuresLine struct {
	Name string
	join.Figures
}

// figureNames are the columns of such a table, as texts call them.
var figureNames = []string{"decided", "approved", "rejected", "half", "most", "undone", "removed"}

func (l figuresLine) values(ctx context.Context) []string {
	wait := func(d time.Duration) string {
		if l.Decided == l.Undone {
			return "–"
		}
		return waitText(ctx, d)
	}
	return []string{fmt.Sprint(l.Decided), fmt.Sprint(l.Approved), fmt.Sprint(l.Rejected), wait(l.Half), wait(l.Most), fmt.Sprint(l.Undone), fmt.Sprint(l.Removed)}
}

func monthLines(p join.Statistics) (lines []figuresLine) {
	for _, m := range p.ByMonth {
		lines = append(lines, figuresLine{Name: m.Month, Figures: m.Figures})
	}
	return lines
}

func whoLines(ctx context.Context, p join.Statistics) (lines []figuresLine) {
	for _, w := range p.Deciders {
		lines = append(lines, figuresLine{Name: w.Name, Figures: w.Figures})
	}
	if p.Rest.Decided > 0 {
		lines = append(lines, figuresLine{Name: t(ctx, "deciding.made.system"), Figures: p.Rest})
	}
	return lines
}

func ruleLines(p join.Statistics) (lines []figuresLine) {
	for _, r := range p.Rules {
		lines = append(lines, figuresLine{Name: r.Name, Figures: r.Figures})
	}
	return lines
}

// waitText is a measured wait.
func waitText(ctx context.Context, d time.Duration) string {
	if d < time.Minute {
		return t(ctx, "deciding.stats.instant")
	}
	return timeLeft(ctx, d)
}

func periodText(ctx context.Context, months int) string {
	if months == 1 {
		return t(ctx, "deciding.stats.thismonth")
	}
	return t(ctx, "deciding.stats.months", "Count", months)
}
