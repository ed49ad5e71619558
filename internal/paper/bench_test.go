package paper

import (
	"bytes"
	"sync"
	"testing"
)

// BenchmarkPosters says how many posters a second one processor draws, which is
// what a zip of many waits for. Nearly all of it is the PDF library's reading
// of the whole font for each file, about 20 ms.
func BenchmarkPosters(b *testing.B) {
	n := 0
	for b.Loop() {
		if _, err := poster(b, n).PDF(); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "posters/s")
}

// The PDF library writes into the font it is given: each file has a copy of its own.
func TestPostersDrawnAtOnceAreTheSame(t *testing.T) {
	font, want := bytes.Clone(fontFile), make([][]byte, 4)
	var work sync.WaitGroup
	for i := range want {
		work.Go(func() {
			data, err := poster(t, 7).PDF()
			if err != nil {
				t.Error(err)
			}
			want[i] = data
		})
	}
	work.Wait()
	for i, data := range want {
		if !bytes.Equal(data, want[0]) {
			t.Errorf("file %d differs", i)
		}
	}
	if !bytes.Equal(font, fontFile) {
		t.Error("the embedded font has changed")
	}
}
