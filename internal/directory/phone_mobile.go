package directory

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

// mobiles remembers, by the first five digits, whether mobile numbers of China
// that begin so exist: 0 not asked yet, 1 they do, 2 they do not. The library is
// right, but takes as long for one number as the rest of an import's row.
var mobiles [100_000]atomic.Uint32

// plainMobile is ParsePhone for what nearly every list holds: eleven digits, or
// those with +86 in front. Not ok means only that the library has to look.
func plainMobile(text string) (e164 string, ok bool) {
	digits := strings.TrimPrefix(text, "+86")
	if len(digits) != 11 || digits[0] != '1' || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	prefix, err := strconv.Atoi(digits[:5])
	if err != nil {
		return "", false
	}
	if mobiles[prefix].Load() == 0 {
		known := uint32(2)
		if n, err := phonenumbers.Parse(digits, phoneRegion); err == nil && phonenumbers.GetNumberType(n) == phonenumbers.MOBILE {
			known = 1
		}
		mobiles[prefix].Store(known)
	}
	return "+86" + digits, mobiles[prefix].Load() == 1
}
