package qr

import (
	"fmt"
	"image"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

const (
	// smallestSide is the longer side, in pixels, below which a picture is not halved again.
	smallestSide = 500
	// maxCandidates bounds the finder-like spots of one attempt: the library compares every three of them.
	maxCandidates = 600
)

// search looks for a code at full size and then at half, a quarter and so on, where noise and moiré vanish.
func search(picture image.Image) (string, error) {
	for g := toGrey(picture); ; g = g.half() {
		if text, ok := g.search(); ok {
			return text, nil
		}
		if max(g.width, g.height) < smallestSide {
			return "", ErrNoCode
		}
	}
}

// grey is a picture of one byte a pixel, 0 is black.
type grey struct {
	width, height int
	pixels        []byte
}

// toGrey lays the picture on white, since screenshots of codes may be transparent.
func toGrey(picture image.Image) grey {
	source := gozxing.NewLuminanceSourceFromImage(picture)
	return grey{source.GetWidth(), source.GetHeight(), source.GetMatrix()}
}

// half averages squares of 2 × 2 pixels; an odd last row or column is left out.
func (g grey) half() grey {
	h := grey{width: g.width / 2, height: g.height / 2}
	h.pixels = make([]byte, h.width*h.height)
	for y := range h.height {
		upper := g.pixels[2*y*g.width:]
		lower := g.pixels[(2*y+1)*g.width:]
		for x := range h.width {
			sum := int(upper[2*x]) + int(upper[2*x+1]) + int(lower[2*x]) + int(lower[2*x+1])
			h.pixels[y*h.width+x] = byte(sum / 4)
		}
	}
	return h
}

// search tries dark on light, then light on dark, each with a threshold for every neighbourhood and then one for all.
func (g grey) search() (string, bool) {
	source, err := gozxing.NewPlanarYUVLuminanceSource(g.pixels, g.width, g.height, 0, 0, g.width, g.height, false)
	if err != nil {
		return "", false
	}
	for _, s := range []gozxing.LuminanceSource{source, source.Invert()} {
		for _, b := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(s), gozxing.NewGlobalHistgramBinarizer(s)} {
			if text, ok := attempt(b); ok {
				return text, true
			}
		}
	}
	return "", false
}

// attempt reads a code anywhere in the picture, or one that is all of it and undistorted: the library misses some of
// those when it has to find the corners first.
func attempt(b gozxing.Binarizer) (string, bool) {
	for _, hints := range []map[gozxing.DecodeHintType]any{
		{
			gozxing.DecodeHintType_TRY_HARDER:                 true,
			gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK: countdown(maxCandidates),
		},
		{gozxing.DecodeHintType_PURE_BARCODE: true},
	} {
		if text, err := readCode(b, hints); err == nil && text != "" && utf8.ValidString(text) {
			return text, true
		}
	}
	return "", false
}

// readCode calls the library, which a damaged code may make panic.
func readCode(b gozxing.Binarizer, hints map[gozxing.DecodeHintType]any) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmap(b)
	if err != nil {
		return "", err
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", err
	}
	return result.GetText(), nil
}

// countdown panics after n candidates, the only way out of the library's search.
func countdown(n int) gozxing.ResultPointCallback {
	return func(gozxing.ResultPoint) {
		if n--; n < 0 {
			panic("too many candidates")
		}
	}
}
