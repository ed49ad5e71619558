package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"doorplate/internal/secret"
)

// Checkpoint is a signed statement of how long the chain was and how it ended,
// in the text form of C2SP tlog-checkpoint: origin, size, head, time, signature.
type Checkpoint struct {
	Head
	Origin string
	At     time.Time
	Note   string // the whole text, signature included
	Signed bool   // the signature was checked and fits
}

// signer signs checkpoints with an Ed25519 key that belongs to the secret key.
type signer struct {
	note.Verifier
	private ed25519.PrivateKey
	public  string // as note.NewVerifier reads it
}

// Sign implements note.Signer.
func (s signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.private, text), nil }

func newSigner(keys secret.Keys) signer {
	private := ed25519.NewKeyFromSeed(keys.Derive("audit checkpoint"))
	public := private.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(public)
	text, err := note.NewEd25519VerifierKey("doorplate/audit/"+hex.EncodeToString(sum[:4]), public)
	if err != nil {
		panic(err) // the name is fixed
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		panic(err)
	}
	return signer{verifier, private, text}
}

// PublicKey is what anyone needs to check our checkpoints: one line of text.
func (t *Trail) PublicKey() string { return t.signer().public }

// PublicKey is the one that belongs to a secret key.
func PublicKey(keys secret.Keys) string { return newSigner(keys).public }

// sign makes the checkpoint of a head.
func (t *Trail) sign(h Head, at time.Time) (Checkpoint, error) {
	raw, err := hex.DecodeString(h.Hash)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign the head: %w", err)
	}
	s := t.signer()
	text := fmt.Sprintf("%s\n%d\n%s\n%s\n", s.Name(), h.Seq, base64.StdEncoding.EncodeToString(raw), at.UTC().Format(time.RFC3339))
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign the head: %w", err)
	}
	return Checkpoint{Head: h, Origin: s.Name(), At: at, Note: string(signed), Signed: true}, nil
}

// ErrSignature says that a checkpoint was not signed with the key named.
var ErrSignature = errors.New("the checkpoint is not signed with this public key")

// ParseCheckpoint reads a checkpoint. With a public key its signature has to
// fit, or the error is ErrSignature; without one nobody vouches for it.
func ParseCheckpoint(text, publicKey string) (Checkpoint, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	body, _, found := strings.Cut(text, "\n\n")
	lines := strings.Split(body, "\n")
	if !found || len(lines) < 4 {
		return Checkpoint{}, errors.New("this is not a checkpoint: it has an origin, a size, a head, a time and a signature")
	}
	c := Checkpoint{Origin: lines[0], Note: text}
	var err error
	if c.Seq, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Seq < 1 {
		return Checkpoint{}, errors.New("this is not a checkpoint: its second line is not a number of entries")
	}
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(raw) != sha256.Size {
		return Checkpoint{}, errors.New("this is not a checkpoint: its third line is not a SHA-256 hash in base64")
	}
	if c.At, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return Checkpoint{}, errors.New("this is not a checkpoint: its fourth line is not a time")
	}
	c.Hash = hex.EncodeToString(raw)
	if publicKey == "" {
		return c, nil
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(publicKey))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("this is not a public key as the audit page shows it: %w", err)
	}
	if _, err := note.Open([]byte(text), note.VerifierList(verifier)); err != nil {
		return Checkpoint{}, ErrSignature
	}
	c.Signed = true
	return c, nil
}
