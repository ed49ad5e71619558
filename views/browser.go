package views

import (
	"context"

	"doorplate/internal/auth"
)

// browserWords names a browser: "WeChat · Android", in Chinese without the spaces.
func browserWords(ctx context.Context, b auth.Browser) string {
	switch {
	case b.App == "" && b.System == "":
		return t(ctx, "auth.devices.unknown")
	case b.App == "" || b.System == "":
		return b.App + b.System
	}
	return b.App + t(ctx, "app.dot") + b.System
}
