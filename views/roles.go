package views

import (
	"context"
	"strings"
	"time"

	"doorplate/internal/access"
)

// impliedWords names what comes along with a right in a custom role.
func impliedWords(ctx context.Context, r access.Right) string {
	var names []string
	for _, also := range access.Complete([]access.Right{r}) {
		if also != r && also != access.GroupSee && also != access.ApprovalsSee {
			names = append(names, t(ctx, "right."+string(also)))
		}
	}
	return strings.Join(names, t(ctx, "roles.comma"))
}

// day is a date in the organisation's time zone.
func day(ctx context.Context, at time.Time) string {
	return at.In(zoneOf(ctx).loc).Format(time.DateOnly)
}

// lastDay is the last day before a moment that is no longer part of something.
func lastDay(ctx context.Context, end time.Time) string { return day(ctx, end.Add(-time.Second)) }
