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
	if now, was := strings.CutSuffix(name, "_was"); was && now != "" {
		return t(ctx, "audit.was", "Name", detailName(ctx, now))
	}
	return strings.ReplaceAll(name, "_", " ")
}

// detailValue puts the fixed words of a detail into the reader's language.
func detailValue(ctx context.Context, name, value string) string {
	for _, key := range []string{"audit.value." + strings.TrimSuffix(name, "_was") + "." + value, "audit.value." + value} {
		if i18n.Has(i18n.Lang(ctx), key) {
			return t(ctx, key)
		}
	}
	return value
}

// whenSeconds is when, to the second.
func whenSeconds(ctx context.Context, at time.Time) string {
	return when(ctx, at) + at.In(zoneOf(ctx).loc).Format(":05")
}
