package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"

	"golang.org/x/image/draw"
)

// LogoSide is the longest side of a logo that CleanLogo returns, in pixels.
const LogoSide = 512

// CleanLogo turns an uploaded PNG or JPEG into a new PNG of at most LogoSide
// pixels: pixels and nothing else of the file survive. SVG is not read at all, it
// can carry programs. It returns ErrKind, ErrNotImage or ErrTooLarge.
func CleanLogo(data []byte) ([]byte, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	name := http.DetectContentType(data)
	if name != "image/png" && name != "image/jpeg" {
		return nil, ErrKind
	}
	k := kinds[name]
	if err := k.check(data); err != nil {
		return nil, err
	}
	reading.Lock()
	defer reading.Unlock()
	picture, err := k.unpack(data)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, small(picture)); err != nil {
		return nil, fmt.Errorf("qr: logo: %w", err)
	}
	return out.Bytes(), nil
}

// small copies a picture, at most LogoSide pixels long.
func small(picture image.Image) image.Image {
	b := picture.Bounds()
	w, h := b.Dx(), b.Dy()
	if longest := max(w, h); longest > LogoSide {
		w, h = max(1, w*LogoSide/longest), max(1, h*LogoSide/longest)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(out, out.Bounds(), picture, b, draw.Src, nil)
	return out
}
