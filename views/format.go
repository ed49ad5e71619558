package views

import (
	"context"
	"time"
)

type zoneKey struct{}

// WithZone tells the views the organisation's time zone.
func WithZone(ctx context.Context, loc *time.Location, now time.Time) context.Context {
	return context.WithValue(ctx, zoneKey{}, zone{loc, now})
}

type zone struct {
	loc *time.Location
	now time.Time
}

func zoneOf(ctx context.Context) zone {
	z, ok := ctx.Value(zoneKey{}).(zone)
	if !ok {
		return zone{time.UTC, time.Now()}
	}
	return z
}

// when formats a moment for reading: 11/21 18:00 this year, 2025/06/03 18:00 otherwise.
func when(ctx context.Context, at time.Time) string {
	z := zoneOf(ctx)
	at = at.In(z.loc)
	if at.Year() == z.now.In(z.loc).Year() {
		return at.Format("01/02 15:04")
	}
	return at.Format("2006/01/02 15:04")
}

// ago is relative under 24 hours, else when.
func ago(ctx context.Context, at time.Time) string {
	d := zoneOf(ctx).now.Sub(at)
	switch {
	case d < 0 || d >= 24*time.Hour:
		return when(ctx, at)
	case d < time.Minute:
		return t(ctx, "time.now")
	case d < time.Hour:
		return t(ctx, "time.minutes", "Count", int(d.Minutes()))
	}
	return t(ctx, "time.hours", "Count", int(d.Hours()))
}

// iso is the machine-readable form for <time datetime>.
func iso(ctx context.Context, at time.Time) string {
	return at.In(zoneOf(ctx).loc).Format(time.RFC3339)
}

// MaskPhone shows the country code, the first three and the last four digits.
func MaskPhone(e164 string) string {
	local := e164
	if len(local) > 3 && local[:3] == "+86" {
		local = local[3:]
	}
	if len(local) < 8 {
		return "****"
	}
	return local[:3] + "****" + local[len(local)-4:]
}
