package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The argon2id cost: 19 MiB, two passes, one lane (OWASP's first choice).
const (
	argonMemory = 19 * 1024
	argonPasses = 2
	argonLanes  = 1
	argonBytes  = 32
)

// hashing bounds the memory that parallel sign-ins take.
var hashing = make(chan struct{}, 2)

func argon(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonBytes), nil
}

var b64 = base64.RawStdEncoding

// HashPassword returns the argon2id hash of a password. It takes tens of
// milliseconds: never inside a transaction.
func HashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum, err := argon(ctx, password, salt)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return fmt.Sprintf("%s%s$%s", argonPrefix, b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

var argonPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonPasses, argonLanes)

// noPassword is compared where there is no hash, so that it takes as long.
var noPassword = argonPrefix + b64.EncodeToString(make([]byte, 16)) + "$" + b64.EncodeToString(make([]byte, argonBytes))

// PasswordFits compares in constant time. An empty hash fits nothing and takes as long.
func PasswordFits(ctx context.Context, password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = noPassword
	}
	salt, want, ok := splitHash(hash)
	if !ok {
		return false, errors.New("stored password hash is not argon2id as we write it")
	}
	sum, err := argon(ctx, password, salt)
	if err != nil {
		return false, fmt.Errorf("compare a password: %w", err)
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && known, nil
}

func splitHash(hash string) (salt, sum []byte, ok bool) {
	rest, ours := strings.CutPrefix(hash, argonPrefix)
	left, right, both := strings.Cut(rest, "$")
	if !ours || !both {
		return nil, nil, false
	}
	salt, err1 := b64.DecodeString(left)
	sum, err2 := b64.DecodeString(right)
	return salt, sum, err1 == nil && err2 == nil
}
