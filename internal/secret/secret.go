// Package secret derives one key per purpose from the installation's secret
// key, and seals, opens and authenticates bytes with them.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"sync"
)

// MinBytes is the shortest secret key that is accepted.
const MinBytes = 32

// ErrSealed is returned by Open for bytes that this key and purpose did not seal.
var ErrSealed = errors.New("secret: not sealed with this key")

// Keys is the installation's secret key. The zero value is not usable.
type Keys struct {
	root    []byte
	derived *sync.Map // purpose → key: deriving costs more than the MAC made with it
}

// New wraps a secret key of at least MinBytes bytes.
func New(key []byte) (Keys, error) {
	if len(key) < MinBytes {
		return Keys{}, errors.New("secret: key is shorter than 32 bytes")
	}
	return Keys{root: key, derived: &sync.Map{}}, nil
}

// Derive returns the 32-byte key of a purpose (HKDF-SHA-256). Do not change it.
func (k Keys) Derive(purpose string) []byte {
	if known, ok := k.derived.Load(purpose); ok {
		return known.([]byte)
	}
	out, err := hkdf.Key(sha256.New, k.root, nil, "doorplate "+purpose, 32)
	if err != nil {
		panic(err) // only a wrong length can fail, and ours is fixed
	}
	k.derived.Store(purpose, out)
	return out
}

// Fingerprint identifies the key without revealing it.
func (k Keys) Fingerprint() string { return hex.EncodeToString(k.Derive("fingerprint")[:16]) }

// MAC returns HMAC-SHA-256 of data under the purpose's key.
func (k Keys) MAC(purpose string, data []byte) []byte {
	m := hmac.New(sha256.New, k.Derive(purpose))
	m.Write(data)
	return m.Sum(nil)
}

// Hash is MAC in hex: how tokens, codes and session ids are stored.
func (k Keys) Hash(purpose, text string) string {
	return hex.EncodeToString(k.MAC(purpose, []byte(text)))
}

// Seal encrypts with AES-256-GCM; the nonce is in front.
func (k Keys) Seal(purpose string, plain []byte) []byte {
	g := k.gcm(purpose)
	nonce := make([]byte, g.NonceSize())
	rand.Read(nonce)
	return g.Seal(nonce, nonce, plain, nil)
}

// Open reverses Seal, or returns ErrSealed.
func (k Keys) Open(purpose string, sealed []byte) ([]byte, error) {
	g := k.gcm(purpose)
	if len(sealed) < g.NonceSize() {
		return nil, ErrSealed
	}
	plain, err := g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], nil)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func (k Keys) gcm(purpose string) cipher.AEAD {
	b, err := aes.NewCipher(k.Derive(purpose))
	if err != nil {
		panic(err) // the key length is fixed
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return g
}

// Token returns a random URL-safe text of n bytes of entropy.
func Token(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
