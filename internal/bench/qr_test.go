package bench

import (
	"archive/zip"
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	qrcode "github.com/skip2/go-qrcode"

	"doorplate/internal/qr"
)

const (
	qrSize   = 512  // pixels
	qrRounds = 5    // paired rounds at least
	qrCodes  = 1000 // codes in a round
)

type qrPainter func(text string) ([]byte, error)

func qrOurs(text string) ([]byte, error) {
	m, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	return m.PNG(qrSize)
}

func qrSkip2(text string) ([]byte, error) { return qrcode.Encode(text, qrcode.Medium, qrSize) }

// BenchmarkQRImage compares URL → PNG with skip2/go-qrcode; the reported figure is how many times faster ours is.
func BenchmarkQRImage(b *testing.B) {
	qrCompare(b, func(paint qrPainter, _ uint16) (int, error) {
		bytes := 0
		for i := range qrCodes {
			data, err := paint(qrURL(i))
			if err != nil {
				return 0, err
			}
			bytes += len(data)
		}
		return bytes / qrCodes, nil
	})
}

// BenchmarkQRZip compares a zip of many codes, as for a label sheet: ours stores what is packed already, the other one is
// packed once more, which is what archive/zip does unasked.
func BenchmarkQRZip(b *testing.B) { qrCompare(b, qrZip) }

func qrZip(paint qrPainter, method uint16) (int, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := range qrCodes {
		data, err := paint(qrURL(i))
		if err != nil {
			return 0, err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%04d.png", i), Method: method})
		if err != nil {
			return 0, err
		}
		if _, err := w.Write(data); err != nil {
			return 0, err
		}
	}
	return out.Len() / qrCodes, z.Close()
}

func qrURL(i int) string { return fmt.Sprintf("https://door.chenxing.example/j/7Kd2mQ9xVtR4%018d", i) }

// qrCompare runs work with both painters in turn and reports the median, least and greatest ratio of the times, and the
// bytes for one code.
func qrCompare(b *testing.B, work func(paint qrPainter, method uint16) (int, error)) {
	var ratios []float64
	var size, sizeSkip2 int
	round := func() {
		ours, n := qrTime(b, func() (int, error) { return work(qrOurs, zip.Store) })
		skip2, m := qrTime(b, func() (int, error) { return work(qrSkip2, zip.Deflate) })
		ratios, size, sizeSkip2 = append(ratios, skip2/ours), n, m
	}
	for b.Loop() {
		round()
	}
	for len(ratios) < qrRounds {
		round()
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-skip2")
	b.ReportMetric(ratios[0], "x-least")
	b.ReportMetric(ratios[len(ratios)-1], "x-most")
	b.ReportMetric(float64(size), "bytes")
	b.ReportMetric(float64(sizeSkip2), "bytes-skip2")
	b.ReportMetric(0, "ns/op") // an absolute time says nothing about another machine
}

// qrTime returns the seconds that f took, and its result.
func qrTime(b *testing.B, f func() (int, error)) (seconds float64, n int) {
	b.Helper()
	start := time.Now()
	n, err := f()
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds(), n
}
