package views

import (
	"context"
	"strings"

	"doorplate/internal/access"
)

// verdict is one cell of the table of rights; yes names how far a plain yes reaches.
func verdict(ctx context.Context, v access.Verdict, yes string) string {
	switch v {
	case access.Allowed:
		return t(ctx, yes)
	case access.NeedsApproval:
		return t(ctx, "settings.rights.approval")
	}
	return "–"
}

// dutyVerdict names the duties that bring a right on a group.
func dutyVerdict(ctx context.Context, r access.Row) string {
	if r.Duties == access.Owner|access.Review|access.Content|access.Events {
		return t(ctx, "settings.rights.anyduty")
	}
	var names []string
	for _, d := range []struct {
		duty access.Duty
		name string
	}{{access.Owner, "owner"}, {access.Review, "review"}, {access.Content, "content"}, {access.Events, "events"}} {
		if r.Duties&d.duty != 0 {
			names = append(names, t(ctx, "groups.duty."+d.name))
		}
	}
	return dash(strings.Join(names, " / "))
}

func superHint(ctx context.Context, p RolesProps) string {
	if len(p.Supers) < 2 {
		return t(ctx, "settings.super.appoint.hint")
	}
	return t(ctx, "settings.super.ask.hint")
}
