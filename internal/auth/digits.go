package auth

import (
	"strings"

	"golang.org/x/text/width"
)

// digitsOf keeps the digits of what was typed: "123 456" and full-width digits
// are the code, too.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, width.Fold.String(clip(text, 40)))
}
