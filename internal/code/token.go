package code

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strings"

	"doorplate/internal/paths"
	"doorplate/internal/secret"
)

// A token is version (1) + public id (11) + copy serial (3) + truncated
// HMAC-SHA-256 (14), all base64url: 29 ASCII characters, so that a 30-character
// base URL with /j/ still fits QR version 4 at level M (62 bytes). req: B32
const (
	tokenVersion = "1"
	idLength     = 11
	serialLength = 3
	macLength    = 14
	// TokenLength is the length of every token.
	TokenLength = 1 + idLength + serialLength + macLength
	alphabet    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// ErrToken is the answer for any token that we did not make.
var ErrToken = errors.New("code: unknown or forged token")

// Token returns the token of a code's printed copy; serial 0 is the code itself.
func Token(keys secret.Keys, publicID string, serial int) string {
	body := tokenVersion + publicID + encodeSerial(serial)
	return body + tokenMAC(keys, body)
}

// ParseToken checks a token's MAC and returns the code's public id and the copy serial.
func ParseToken(keys secret.Keys, token string) (publicID string, serial int, err error) {
	if len(token) != TokenLength || token[:1] != tokenVersion {
		return "", 0, ErrToken
	}
	body, mac := token[:TokenLength-macLength], token[TokenLength-macLength:]
	if !hmac.Equal([]byte(mac), []byte(tokenMAC(keys, body))) {
		return "", 0, ErrToken
	}
	return body[1 : 1+idLength], decodeSerial(body[1+idLength:]), nil
}

// URL is what goes into the QR code.
func (s *Service) URL(publicID string, serial int) string {
	return s.baseURL + paths.To(paths.Scan, Token(s.keys, publicID, serial))
}

func tokenMAC(keys secret.Keys, body string) string {
	return base64.RawURLEncoding.EncodeToString(keys.MAC("token", []byte(body)))[:macLength]
}

func encodeSerial(n int) string {
	return string([]byte{alphabet[n>>12&63], alphabet[n>>6&63], alphabet[n&63]})
}

func decodeSerial(s string) int {
	n := 0
	for i := range len(s) {
		n = n<<6 | strings.IndexByte(alphabet, s[i])
	}
	return n
}

// newPublicID returns 11 random base64url characters (66 bits).
func newPublicID() string { return secret.Token(9)[:idLength] }
