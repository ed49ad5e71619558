package views

import (
	"context"
	"strconv"
	"strings"

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

// happened is one entry as a sentence: who did what, and to whom unless to themselves.
func happened(ctx context.Context, l audit.Line) string {
	words := []string{actorText(ctx, l), t(ctx, "audit.action."+l.Action)}
	self := l.ActorKind == "member" && l.ObjectKind == "member" && l.ObjectID == strconv.FormatInt(l.ActorID, 10)
	if name := objectName(l); name != "" && !self {
		words = append(words, name)
	}
	return strings.Join(words, " ")
}

func actorText(ctx context.Context, l audit.Line) string {
	if l.ActorKind == "system" {
		return t(ctx, "audit.system")
	}
	return l.ActorName
}
