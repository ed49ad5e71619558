package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strconv"
	"time"
	"unicode/utf8"

	"doorplate/internal/secret"
)

// content is what the MAC and the seal cover: everything but the row's number
// and the MAC, as the JSON array that encoding/json would write. It is written
// by hand because a verification spends most of its time here.
func content(b []byte, e *Entry) []byte {
	b = append(b, '[')
	b = quote(b, e.UID)
	b = append(b, ',', '"')
	b = e.At.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"', ',')
	b = quote(b, e.ActorKind)
	b = append(b, ',')
	b = strconv.AppendInt(b, e.ActorID, 10)
	for _, s := range [...]string{e.ActorName, e.Action, e.ObjectKind, e.ObjectID, e.ObjectName, e.DepartmentPath, e.Outcome, e.Details, e.Address, e.Device} {
		b = append(b, ',')
		b = quote(b, s)
	}
	return append(b, ']')
}

// quote appends s as encoding/json does; the rare hard cases are left to it.
func quote(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return quoteHard(b, s)
	}
	start := len(b)
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, s[plain:i]...)
			b = append(b, '\\', c)
			plain = i + 1
		case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0xE2 && i+2 < len(s) && s[i+1] == 0x80 && s[i+2]&^1 == 0xA8:
			return quoteHard(b[:start], s)
		}
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

func quoteHard(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return append(b, q...)
}

// hasher computes MACs and seals with buffers of its own. It is not safe for
// concurrent use.
type hasher struct {
	mac  hash.Hash // nil without the secret key
	seal hash.Hash
	text []byte
	sum  []byte
	hex  []byte
}

func newHasher(keys *secret.Keys) *hasher {
	h := &hasher{seal: sha256.New()}
	if keys != nil {
		h.mac = hmac.New(sha256.New, keys.Derive("audit"))
	}
	return h
}

// take makes e the entry that fits and link speak of.
func (h *hasher) take(e *Entry) { h.text = content(h.text[:0], e) }

func (h *hasher) hexSum(of hash.Hash) []byte {
	h.sum = of.Sum(h.sum[:0])
	h.hex = hex.AppendEncode(h.hex[:0], h.sum)
	return h.hex
}

// code is the MAC of what was taken.
func (h *hasher) code() []byte {
	h.mac.Reset()
	h.mac.Write(h.text)
	return h.hexSum(h.mac)
}

// link is the hash of the seal of what was taken: SHA-256 over its number, the
// hash before, its MAC and its content.
func (h *hasher) link(seq int64, previous, mac string) []byte {
	var head [256]byte
	b := strconv.AppendInt(head[:0], seq, 10)
	b = append(b, '\n')
	b = append(b, previous...)
	b = append(b, '\n')
	b = append(b, mac...)
	b = append(b, '\n')
	h.seal.Reset()
	h.seal.Write(b)
	h.seal.Write(h.text)
	return h.hexSum(h.seal)
}

// fits reports whether e carries the MAC that this key gives it.
func (h *hasher) fits(e *Entry) bool {
	h.take(e)
	return hmac.Equal(h.code(), []byte(e.MAC))
}
