package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"doorplate/internal/rules"
)

const wordRounds = 7

// BenchmarkWords looks for 5,000 words in the notes of a page of requests, and,
// as a baseline, for each word by itself, in turns. It reports how many times
// as long the baseline takes.
func BenchmarkWords(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	write := func(n int) string {
		var text strings.Builder
		for range n {
			text.WriteRune(rune(0x4e00 + r.IntN(3000)))
		}
		return text.String()
	}
	list, notes := make([]string, rules.MaxWords), make([]string, 50)
	for i := range list {
		list[i] = write(2 + r.IntN(3))
	}
	for i := range notes {
		notes[i] = write(100)
	}
	words := rules.NewDictionary(list)
	var ratios []float64
	for b.Loop() {
		for range wordRounds {
			start := time.Now()
			found := 0
			for _, n := range notes {
				found += len(words.Find("note", n))
			}
			one := time.Since(start)
			start = time.Now()
			for _, n := range notes {
				plain := rules.Plain(n)
				for _, w := range list {
					found -= strings.Count(plain, w)
				}
			}
			if found != 0 {
				b.Fatal(fmt.Sprint("they find different words: ", found))
			}
			ratios = append(ratios, float64(time.Since(start))/float64(one))
		}
	}
	slices.Sort(ratios)
	for i, name := range []string{"x-faster-least", "x-faster", "x-faster-most"} {
		b.ReportMetric(ratios[[]int{0, len(ratios) / 2, len(ratios) - 1}[i]], name)
	}
	b.ReportMetric(0, "ns/op")
}
