package views

import (
	"context"
	"strings"
	"time"

	"doorplate/internal/i18n"
)

// detailName is the word for a detail of an audit entry; an unknown one reads as it is stored.
func detailName(ctx context.Context, name string) string {
	if key := "audit.detail." + name; i18n.Has(i18n.Lang(ctx), key) {
		return t(ctx, key)
	}
	return strings.ReplaceAll(name, "_", " ")
}

// whenSeconds is when, to the second.
func whenSeconds(ctx context.Context, at time.Time) string {
	return when(ctx, at) + at.In(zoneOf(ctx).loc).Format(":05")
}
