package qr

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

func paint(t testing.TB, m *Matrix, size int) []byte {
	t.Helper()
	data, err := m.PNG(size)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unpackPNG(t testing.TB, data []byte) *image.Paletted {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	paletted, ok := picture.(*image.Paletted)
	if !ok {
		t.Fatalf("the picture is a %T", picture)
	}
	return paletted
}

func TestPNGIsExactlyAsLargeAsAsked(t *testing.T) {
	m := encode(t, url, M)
	for _, size := range []int{128, 129, 130, 131, 163, 164, 165, 200, 255, 256, 300, 511, 512, 600, 777, 1000, 1024, 1500, 2047, 2048} {
		picture := unpackPNG(t, paint(t, m, size))
		if picture.Bounds() != image.Rect(0, 0, size, size) {
			t.Errorf("size %d: %v", size, picture.Bounds())
		}
		checkModules(t, m, picture, size)
	}
}

// checkModules compares every pixel with the module it belongs to.
func checkModules(t *testing.T, m *Matrix, picture *image.Paletted, size int) {
	t.Helper()
	scale := size / (m.Size() + 8)
	margin := (size - m.Size()*scale) / 2
	if behind := size - margin - m.Size()*scale; margin < 4*scale || behind < 4*scale || behind-margin > 1 {
		t.Errorf("size %d: margins %d and %d for modules of %d pixels", size, margin, behind, scale)
	}
	for y := range size {
		for x := range size {
			dark := x >= margin && y >= margin && m.Dark((x-margin)/scale, (y-margin)/scale)
			if got := picture.ColorIndexAt(x, y) == 1; got != dark {
				t.Fatalf("size %d: pixel %d, %d is dark: %v", size, x, y, got)
			}
		}
	}
}

func TestPNGHasTwoColoursOfOneBit(t *testing.T) {
	data := paint(t, encode(t, url, M), 512)
	if depth, kind := data[24], data[25]; depth != 1 || kind != 3 {
		t.Errorf("bit depth %d, colour type %d", depth, kind)
	}
	want := color.Palette{color.RGBA{0xff, 0xff, 0xff, 0xff}, color.RGBA{0x0b, 0x12, 0x20, 0xff}}
	palette := unpackPNG(t, data).Palette
	if len(palette) != 2 || palette[0] != want[0] || palette[1] != want[1] {
		t.Errorf("palette %v", palette)
	}
	if len(data) > 1300 {
		t.Errorf("%d bytes", len(data))
	}
}

func TestPNGRefusesSizes(t *testing.T) {
	m := encode(t, url, M)
	for _, size := range []int{-1, 0, 1, 127, 2049, 1 << 40} {
		if data, err := m.PNG(size); !errors.Is(err, ErrSize) || data != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
	large := encode(t, strings.Repeat("a", 2953), L)
	if _, err := large.PNG(184); !errors.Is(err, ErrSize) {
		t.Errorf("177 modules and the quiet zone in 184 pixels: %v", err)
	}
	if _, err := large.PNG(185); err != nil {
		t.Errorf("177 modules and the quiet zone in 185 pixels: %v", err)
	}
}
