package auth

import (
	"context"
	"unicode/utf8"

	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// PasswordMin is how many characters a password needs. There are no other
// rules: length is what makes guessing hard.
const PasswordMin = 12

// passwordMax keeps somebody from making us hash a book.
const passwordMax = 200

// HashPassword returns the argon2id hash that members.password_hash holds.
func HashPassword(ctx context.Context, password string) (string, error) {
	return secret.HashPassword(ctx, password)
}

// checkPassword says what is wrong with a new password, if anything.
func checkPassword(password string, wrong fault.Invalid) {
	switch n := utf8.RuneCountInString(password); {
	case n < PasswordMin:
		wrong["password"] = fault.Msg("auth.password.short", "Min", PasswordMin)
	case n > passwordMax:
		wrong["password"] = fault.Msg("auth.password.long", "Max", passwordMax)
	}
}
