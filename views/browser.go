package views

import (
	"context"

	"doorplate/internal/auth"
)

// browserWords names a browser: "WeChat · Android", "Firefox · Linux".
func browserWords(ctx context.Context, b auth.Browser) string {
	switch {
	case b.App == "" && b.System == "":
		return t(ctx, "auth.devices.unknown")
	case b.App == "" || b.System == "":
		return b.App + b.System
	}
	return b.App + " · " + b.System
}
