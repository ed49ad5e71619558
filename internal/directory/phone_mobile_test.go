package directory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// Every five digits that a mobile number may begin with, with three endings each.
func TestPlainMobilesAreThoseOfTheLibrary(t *testing.T) {
	for prefix := 10_000; prefix < 20_000; prefix++ {
		digits := fmt.Sprintf("%05d%06d", prefix, rand.IntN(1_000_000))
		n, err := phonenumbers.Parse(digits, phoneRegion)
		valid := err == nil && phonenumbers.IsValidNumber(n)
		if e164, ok := plainMobile(digits); ok && (!valid || e164 != phonenumbers.Format(n, phonenumbers.E164)) {
			t.Fatalf("%s: %q, but the library says %v", digits, e164, valid)
		}
	}
	for _, text := range []string{"", "+86", "1380000000", "138000000055", "1380000000x", "+8523800000005", "１３８００００００05"} {
		if _, ok := plainMobile(text); ok {
			t.Errorf("%q is taken for a plain mobile number", text)
		}
	}
	if got, ok := plainMobile("+8613800000005"); !ok || got != "+8613800000005" {
		t.Error(got, ok)
	}
}
