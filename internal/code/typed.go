package code

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/fault"
)

// A typed code is seven random characters and a check character, for phones
// that cannot scan. The alphabet leaves out I, L, O and U, which people misread.
const (
	TypedAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	TypedLength   = 8
)

// TypedWith completes seven characters of TypedAlphabet with their check character.
func TypedWith(body string) string { return body + TypedAlphabet[weigh(body):][:1] }

// weigh is the weighted sum of a text over GF(32), Horner's way. With the check
// character added the sum is zero. Every place has a weight of its own and none
// is zero, so that one wrong character and any two swapped ones always show.
func weigh(text string) int {
	sum := 0
	for i := range len(text) {
		sum = double(sum) ^ strings.IndexByte(TypedAlphabet, text[i])
	}
	if len(text) < TypedLength {
		return double(sum)
	}
	return sum
}

// double multiplies by x, a generator of GF(32) modulo x⁵+x²+1.
func double(n int) int {
	if n <<= 1; n > 31 {
		n ^= 0b100101
	}
	return n
}

// ParseTyped reads what somebody typed: case, spaces and hyphens do not matter,
// nor O for 0, I and L for 1, or full-width characters. ok is false when it
// cannot be one of ours.
func ParseTyped(text string) (typed string, ok bool) {
	typed = strings.Map(foldTyped, text)
	if len(typed) != TypedLength || strings.Trim(typed, TypedAlphabet) != "" {
		return "", false
	}
	return typed, weigh(typed) == 0
}

func foldTyped(r rune) rune {
	if r >= '！' && r <= '～' {
		r -= '！' - '!'
	}
	if r >= 'a' && r <= 'z' {
		r -= 'a' - 'A'
	}
	switch r {
	case ' ', '\t', '\u00A0', '\u3000', '-', '‐', '‑', '–', '—':
		return -1
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	return r
}

// newTyped draws a typed code that no code and no copy has.
func newTyped(tx *gorm.DB) (string, error) {
	all, err := newTypedCodes(tx, 1)
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// newTypedCodes draws n of them, all different.
func newTypedCodes(tx *gorm.DB, n int) ([]string, error) {
	fresh := map[string]bool{}
	for len(fresh) < n {
		drawn := make([]string, 0, n)
		for range n - len(fresh) {
			drawn = append(drawn, drawTyped())
		}
		var taken []string
		err := tx.Raw("SELECT typed_code FROM codes WHERE typed_code IN ? UNION SELECT typed_code FROM code_copies WHERE typed_code IN ?", drawn, drawn).Scan(&taken).Error
		if err != nil {
			return nil, fmt.Errorf("draw typed codes: %w", err)
		}
		for _, typed := range drawn {
			if !slices.Contains(taken, typed) {
				fresh[typed] = true
			}
		}
	}
	return slices.Collect(maps.Keys(fresh)), nil
}

func drawTyped() string {
	b := make([]byte, TypedLength-1)
	rand.Read(b)
	for i := range b {
		b[i] = TypedAlphabet[b[i]&31]
	}
	return TypedWith(string(b))
}

// TokenOfTyped returns the token that scanning the code would bring. What fails
// its own check is fault.Invalid for "typed", an unknown one fault.NotFound.
// Whether the code lives is the scan's to say.
func (s *Service) TokenOfTyped(ctx context.Context, text string) (string, error) {
	typed, ok := ParseTyped(text)
	if !ok {
		return "", fault.Invalid{"typed": fault.Msg("join.typed.wrong")}
	}
	public, serial, err := byTyped(s.db.WithContext(ctx), typed)
	if err != nil {
		return "", err
	}
	return Token(s.keys, public, serial), nil
}

// byTyped finds the code, or the copy of it, that has a typed code. Serial 0 is the code itself.
func byTyped(tx *gorm.DB, typed string) (public string, serial int, err error) {
	var found []struct {
		PublicID string
		Serial   int
	}
	err = tx.Raw(`SELECT public_id, 0 AS serial FROM codes WHERE typed_code = ?
		UNION ALL SELECT c.public_id, k.serial FROM code_copies k JOIN codes c ON c.id = k.code_id WHERE k.typed_code = ?`, typed, typed).Scan(&found).Error
	if err != nil {
		return "", 0, fmt.Errorf("find the typed code: %w", err)
	}
	if len(found) == 0 {
		return "", 0, fault.NotFound
	}
	return found[0].PublicID, found[0].Serial, nil
}
