package views

import (
	"context"

	"doorplate/internal/audit"
)

// greetingKey follows the organisation's clock.
func greetingKey(ctx context.Context) string {
	z := zoneOf(ctx)
	switch h := z.now.In(z.loc).Hour(); {
	case h < 5:
		return "home.hello.night"
	case h < 12:
		return "home.hello.morning"
	case h < 18:
		return "home.hello.afternoon"
	}
	return "home.hello.evening"
}

func homeLead(ctx context.Context, p HomeProps) string {
	z := zoneOf(ctx)
	date := z.now.In(z.loc).Format(t(ctx, "home.date"))
	switch {
	case !p.Manages:
		return t(ctx, "home.lead.staff", "Date", date)
	case p.Waiting == 0:
		return t(ctx, "home.lead.calm", "Date", date)
	}
	return t(ctx, "home.lead.waiting", "Date", date, "Count", p.Waiting)
}

func actorText(ctx context.Context, l audit.Line) string {
	if l.ActorKind == "system" {
		return t(ctx, "audit.system")
	}
	return l.ActorName
}
