package code_test

import (
	"math/rand/v2"
	"testing"

	"doorplate/internal/code"
)

// Every wrong character and every swap of two different ones must show.
func TestTypedCodeShowsSlips(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		body := make([]byte, code.TypedLength-1)
		for i := range body {
			body[i] = code.TypedAlphabet[r.IntN(32)]
		}
		typed := code.TypedWith(string(body))
		if got, ok := code.ParseTyped(typed); !ok || got != typed {
			t.Fatalf("%s is not accepted", typed)
		}
		for i := range typed {
			for j := range code.TypedAlphabet {
				slip := typed[:i] + code.TypedAlphabet[j:j+1] + typed[i+1:]
				if _, ok := code.ParseTyped(slip); ok && slip != typed {
					t.Fatalf("%s passes for %s", slip, typed)
				}
			}
			for j := range i {
				b := []byte(typed)
				b[i], b[j] = b[j], b[i]
				if _, ok := code.ParseTyped(string(b)); ok && string(b) != typed {
					t.Fatalf("%s passes for %s", b, typed)
				}
			}
		}
	}
}

func TestTypedCodeForgivesSpelling(t *testing.T) {
	typed := code.TypedWith("01A10B9")
	for _, text := range []string{
		"o1a1ob9" + typed[7:], "OIaLOb9" + typed[7:], " 01a1-0b9" + typed[7:] + " ", "０１Ａ１　０ｂ９" + typed[7:], "0l–A1 0B9" + typed[7:],
	} {
		if got, ok := code.ParseTyped(text); !ok || got != typed {
			t.Errorf("%q reads as %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", typed[:7], typed + "0", "UUUUUUUU", "中文编码中文编码", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if got, ok := code.ParseTyped(text); ok {
			t.Errorf("%q reads as %q", text, got)
		}
	}
}
