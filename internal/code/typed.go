package code

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// newTyped draws a typed code that no code has.
func newTyped(tx *gorm.DB) (string, error) {
	for {
		b := make([]byte, TypedLength-1)
		rand.Read(b)
		for i := range b {
			b[i] = TypedAlphabet[b[i]&31]
		}
		typed := TypedWith(string(b))
		var n int
		if err := tx.Raw("SELECT count(*) FROM codes WHERE typed_code = ?", typed).Scan(&n).Error; err != nil {
			return "", fmt.Errorf("draw a typed code: %w", err)
		}
		if n == 0 {
			return typed, nil
		}
	}
}

// TokenOfTyped returns the token that scanning the code would bring. What fails
// its own check is fault.Invalid for "typed", an unknown one fault.NotFound.
// Whether the code lives is the scan's to say.
func (s *Service) TokenOfTyped(ctx context.Context, text string) (string, error) {
	typed, ok := ParseTyped(text)
	if !ok {
		return "", fault.Invalid{"typed": fault.Msg("join.typed.wrong")}
	}
	var c Code
	err := s.db.WithContext(ctx).Select("public_id").Where("typed_code = ?", typed).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", fault.NotFound
	} else if err != nil {
		return "", fmt.Errorf("find the typed code: %w", err)
	}
	return Token(s.keys, c.PublicID, 0), nil
}
