package press

import (
	"slices"
	"strconv"
	"strings"

	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

// What may stand in the middle of a code.
const (
	LogoNone = ""
	LogoMark = "mark" // the organisation's first letter on enamel
	LogoOwn  = "logo" // what the organisation uploaded
)

// ECCs are the levels of error correction, weakest first.
var ECCs = []string{"L", "M", "Q", "H"}

// Look is how a picture is to be drawn.
type Look struct {
	Size   int // pixels
	Margin int // modules
	ECC    string
	Logo   string
	Copy   int // serial of a numbered copy, 0 = the code itself
}

// DefaultLook is a picture that suits most uses.
func DefaultLook() Look { return Look{Size: 512, Margin: qr.MinMargin, ECC: "M"} }

func (l Look) level() qr.Level { return qr.Level(slices.Index(ECCs, l.ECC)) }

// Module is how many pixels a module of the URL's code gets, 0 when it does not fit.
func (l Look) Module(url string) int {
	m, err := qr.Encode(url, l.level())
	if err != nil {
		return 0
	}
	return qr.Picture{Size: l.Size, Margin: l.Margin}.Module(m)
}

// ReadLook reads a look from the fields of a form or an address: size, margin,
// ecc, logo and copy. What is left out is the default; what makes no sense is
// fault.Invalid. With a logo the level rises by itself unless it was asked for.
func ReadLook(field func(string) string) (Look, error) {
	l, bad := DefaultLook(), fault.Invalid{}
	number(field, bad, "size", &l.Size, qr.MinSize, qr.MaxSize, "codes.error.size")
	number(field, bad, "margin", &l.Margin, qr.MinMargin, qr.MaxMargin, "print.error.margin")
	number(field, bad, "copy", &l.Copy, 0, maxSerial, "print.error.serial")
	switch logo := field("logo"); logo {
	case LogoNone, "none":
	case LogoMark, LogoOwn:
		l.Logo, l.ECC = logo, "Q"
	default:
		bad["logo"] = fault.Msg("print.error.logo")
	}
	if ecc := field("ecc"); ecc != "" {
		l.ECC = strings.ToUpper(ecc)
		if !slices.Contains(ECCs, l.ECC) {
			bad["ecc"] = fault.Msg("print.error.ecc")
		} else if l.Logo != LogoNone && l.level() < qr.Q {
			bad["ecc"] = fault.Msg("print.error.logoecc")
		}
	}
	return l, bad.Or()
}

// maxSerial is the largest that a token has room for.
const maxSerial = 1<<18 - 1

// number reads a whole number within bounds; an empty field leaves the default.
func number(field func(string) string, bad fault.Invalid, name string, into *int, least, most int, wrong string) {
	typed := strings.TrimSpace(field(name))
	if typed == "" {
		return
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < least || n > most {
		bad[name] = fault.Msg(wrong, "Min", least, "Max", most)
		return
	}
	*into = n
}
