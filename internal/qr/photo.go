package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"
)

// Photo draws an uploaded PNG, JPEG or WebP anew as a JPEG with no side longer
// than side. What a camera writes beside the picture, such as the place, is gone
// with it, and so is whatever else hides in a file. Errors are those of Decode
// but for ErrNoCode.
func Photo(data []byte, side int) ([]byte, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	k, err := kindOf(data)
	if err != nil {
		return nil, err
	}
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
	if err := jpeg.Encode(&out, fit(picture, side), &jpeg.Options{Quality: 78}); err != nil {
		return nil, fmt.Errorf("qr: draw the photo: %w", err)
	}
	return out.Bytes(), nil
}

// fit lays the picture on white, smaller when a side is longer than side.
func fit(picture image.Image, side int) image.Image {
	from := picture.Bounds()
	w, h := from.Dx(), from.Dy()
	if longest := max(w, h); longest > side {
		w, h = max(1, w*side/longest), max(1, h*side/longest)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(out, out.Bounds(), picture, from, draw.Over, nil)
	return out
}
