package views

import (
	"context"

	"doorplate/internal/i18n"
)

func otherLang(ctx context.Context) string {
	if i18n.Lang(ctx) == i18n.Chinese {
		return i18n.English
	}
	return i18n.Chinese
}
