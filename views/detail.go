package views

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"doorplate/internal/i18n"
)

// detailName is the word for a detail of an audit entry; an unknown one reads as it is stored.
func detailName(ctx context.Context, name string) string {
	for _, key := range []string{"audit.detail." + name, "settings.policy." + name} {
		if i18n.Has(i18n.Lang(ctx), key) {
			return t(ctx, key)
		}
	}
	if now, was := strings.CutSuffix(name, "_was"); was && now != "" {
		return t(ctx, "audit.was", "Name", detailName(ctx, now))
	}
	return strings.ReplaceAll(name, "_", " ")
}

// wordsOf are the catalogs in which the fixed words of a detail stand.
var wordsOf = map[string][]string{
	"right": {"right."}, "rights": {"right."}, "rights_gone": {"right."}, "duty": {"groups.duty."}, "stage": {"operations.stage."}, "item": {"operations.check."},
	"kind": {"approvals.kind.", "operations.kind."}, "route": {"live.route."}, "fallback": {"terms.fallback."},
}

// detailValue puts the fixed words of a detail into the reader's language, and times into the organisation's zone.
func detailValue(ctx context.Context, name, value string) string {
	base := strings.TrimSuffix(name, "_was")
	keys := []string{"audit.value." + base + "." + value, "settings.choice." + base + "." + value}
	for _, words := range wordsOf[base] {
		keys = append(keys, words+value)
	}
	for _, key := range append(keys, "audit.value."+value) {
		if i18n.Has(i18n.Lang(ctx), key) {
			return t(ctx, key)
		}
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return when(ctx, at)
	}
	return value
}

// sentenceCase begins a line with a capital letter, where the language has one.
func sentenceCase(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// detailWords is a detail of any kind in words: of a list, each part.
func detailWords(ctx context.Context, name string, value any) string {
	var parts []string
	switch v := value.(type) {
	case []any:
		for _, p := range v {
			parts = append(parts, detailText(p))
		}
	default:
		text := detailText(v)
		if name != "rights" && name != "rights_gone" {
			return detailValue(ctx, name, text)
		}
		parts = strings.Fields(text)
	}
	for i, p := range parts {
		if name == "changed" {
			parts[i] = detailName(ctx, p)
		} else {
			parts[i] = detailValue(ctx, name, p)
		}
	}
	return strings.Join(parts, t(ctx, "chain.and"))
}

// whenSeconds is when, to the second.
func whenSeconds(ctx context.Context, at time.Time) string {
	return when(ctx, at) + at.In(zoneOf(ctx).loc).Format(":05")
}
