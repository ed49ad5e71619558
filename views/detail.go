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
	if area := detailAreas[strings.TrimSuffix(name, "_was")]; area != "" && value != "" {
		words := strings.Fields(value)
		for i, w := range words {
			if i18n.Has(i18n.Lang(ctx), area+w) {
				words[i] = t(ctx, area+w)
			}
		}
		return strings.Join(words, t(ctx, "roles.comma"))
	}
	return value
}

// detailAreas says where the words of details stand that another page names already.
var detailAreas = map[string]string{"rights": "right.", "rights_gone": "right.", "right": "right.", "kind": "approvals.kind.", "stage": "operations.stage.", "item": "operations.check."}

// sentenceCase begins a line with a capital letter, where the language has one.
func sentenceCase(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// whenSeconds is when, to the second.
func whenSeconds(ctx context.Context, at time.Time) string {
	return when(ctx, at) + at.In(zoneOf(ctx).loc).Format(":05")
}
