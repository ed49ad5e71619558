package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"doorplate/internal/secret"
)

func keys(t *testing.T, fill byte) secret.Keys {
	t.Helper()
	k, err := secret.New(bytes.Repeat([]byte{fill}, secret.MinBytes))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	k, plain := keys(t, 1), []byte("code 123456")
	sealed := k.Seal("job", plain)
	if got, err := k.Open("job", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, k.Seal("job", plain)) {
		t.Error("the sealed bytes show the plain ones, or are the same twice")
	}
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		if _, err := k.Open("job", bent); !errors.Is(err, secret.ErrSealed) {
			t.Fatalf("byte %d bent: %v", i, err)
		}
	}
	for n := range len(sealed) {
		if _, err := k.Open("job", sealed[:n]); !errors.Is(err, secret.ErrSealed) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return k.Open("other", sealed) },
		"another key":     func() ([]byte, error) { return keys(t, 2).Open("job", sealed) },
	} {
		if _, err := open(); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPurposesAndKeysDiffer(t *testing.T) {
	k := keys(t, 1)
	if k.Hash("a", "x") == k.Hash("b", "x") || k.Hash("a", "x") == k.Hash("a", "y") || k.Hash("a", "x") == keys(t, 2).Hash("a", "x") {
		t.Error("two of purpose, key and text make the same hash")
	}
	if k.Hash("a", "x") != keys(t, 1).Hash("a", "x") || k.Fingerprint() != keys(t, 1).Fingerprint() {
		t.Error("the same key makes another hash")
	}
	if k.Fingerprint() == keys(t, 2).Fingerprint() {
		t.Error("two keys have one fingerprint")
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := secret.New(make([]byte, secret.MinBytes-1)); err == nil {
		t.Error("31 bytes were accepted")
	}
}

func TestTokens(t *testing.T) {
	if a := secret.Token(9); len(a) != 12 || a == secret.Token(9) {
		t.Errorf("token %q", a)
	}
}
