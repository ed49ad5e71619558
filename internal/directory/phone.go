package directory

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/width"
)

// phoneRegion is the country of a number written without a country code.
const phoneRegion = "CN"

// ParsePhone reads a phone number as people and spreadsheets write it: spaces,
// dashes, brackets, 0086, full-width digits, invisible characters. It returns
// E.164; ok is false for what is not a valid number anywhere.
func ParsePhone(text string) (e164 string, ok bool) {
	if e164, ok := plainMobile(text); ok {
		return e164, true
	}
	digits, ok := phoneDigits(text)
	if !ok {
		return "", false
	}
	n, err := phonenumbers.Parse(digits, phoneRegion)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// phoneDigits keeps the digits and a leading plus. Anything but separators
// makes it no number: the library would read letters as a keypad.
func phoneDigits(text string) (string, bool) {
	if len(text) > 200 {
		return "", false
	}
	var b strings.Builder
	for _, r := range width.Fold.String(text) {
		switch {
		case r >= '0' && r <= '9', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Pd, r), strings.ContainsRune("().\u2212/·", r):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() >= 5 && b.Len() <= 20
}
