package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/image/webp"
)

// Bounds of an upload. A picture of few bytes can unpack to a very large one, so its announced size is checked first.
const (
	// MaxBytes is the largest file that Decode looks at, 2 MiB.
	MaxBytes = 2 << 20
	// MaxPixels is the largest product of width and height.
	MaxPixels = 16_000_000
	// maxUnpacked bounds the bytes that unpacking takes; progressive JPEGs take sixteen a pixel.
	maxUnpacked = 8 * MaxPixels
	// maxScans bounds the passes of a progressive JPEG, each of which touches every pixel; cameras write about ten.
	maxScans = 100
)

var (
	// ErrNotImage is returned by Decode for bytes that are no picture, or a damaged one.
	ErrNotImage = errors.New("qr: not a readable picture")
	// ErrTooLarge is returned by Decode for more than MaxBytes or MaxPixels, or a picture that needs too much memory.
	ErrTooLarge = errors.New("qr: picture too large")
	// ErrNoCode is returned by Decode for a picture in which no QR code can be read.
	ErrNoCode = errors.New("qr: no code found in the picture")
	// ErrKind is returned by Decode for a picture that is neither PNG, JPEG nor WebP.
	ErrKind = errors.New("qr: kind of picture not supported")
)

// Decode returns the text of a QR code in an uploaded PNG, JPEG or WebP file, light on dark codes included. It returns
// ErrNotImage, ErrTooLarge, ErrNoCode or ErrKind. Progressive JPEG may have half the pixels. A picture near the bounds takes
// two seconds and 150 to 200 MB, so one is read at a time while other calls wait.
func Decode(data []byte) (string, error) {
	if len(data) > MaxBytes {
		return "", fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	k, err := kindOf(data)
	if err != nil {
		return "", err
	}
	if err := k.check(data); err != nil {
		return "", err
	}
	reading.Lock()
	defer reading.Unlock()
	picture, err := k.unpack(data)
	if err != nil {
		return "", err
	}
	return search(picture)
}

// reading is held by the one call that unpacks a picture, so that hostile uploads cannot add up.
var reading sync.Mutex

// kind is a file format; the registry of package image would also hold what other packages put there.
type kind struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	scans  bool // may be drawn in many passes, as a progressive JPEG
}

var kinds = map[string]kind{
	"image/png":  {png.DecodeConfig, png.Decode, false},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, true},
	"image/webp": {webp.DecodeConfig, webp.Decode, false},
}

func kindOf(data []byte) (kind, error) {
	name := http.DetectContentType(data)
	if k, ok := kinds[name]; ok {
		return k, nil
	}
	if isOtherPicture(name, data) {
		return kind{}, ErrKind
	}
	return kind{}, ErrNotImage
}

// isOtherPicture also knows what phones and scanners write and the standard library does not recognise: HEIC, AVIF, TIFF.
func isOtherPicture(name string, data []byte) bool {
	if strings.HasPrefix(name, "image/") {
		return true
	}
	if bytes.HasPrefix(data, []byte("II*\x00")) || bytes.HasPrefix(data, []byte("MM\x00*")) {
		return true
	}
	if len(data) < 12 || string(data[4:8]) != "ftyp" {
		return false
	}
	switch string(data[8:12]) {
	case "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "avif", "avis":
		return true
	}
	return false
}

// check refuses a picture by what it announces, before anything is unpacked.
func (k kind) check(data []byte) (err error) {
	defer recoverAs(&err)
	c, err := k.config(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotImage, err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return ErrNotImage
	}
	// Divided, because the product may not fit into an int.
	if c.Width > MaxPixels/c.Height || c.Width > maxUnpacked/c.Height/k.bytesPerPixel(c.ColorModel, data) {
		return fmt.Errorf("%w: %d × %d pixels", ErrTooLarge, c.Width, c.Height)
	}
	if k.scans && bytes.Count(data, startOfScan) > maxScans {
		return fmt.Errorf("%w: too many scans", ErrNotImage)
	}
	return nil
}

// Markers of a JPEG. They do not occur in packed pixels, where 0xff is never followed by them, but in a thumbnail.
var (
	startOfScan        = []byte{0xff, 0xda}
	startOfProgressive = []byte{0xff, 0xc2}
)

// bytesPerPixel is the most that the library needs while unpacking.
func (k kind) bytesPerPixel(model color.Model, data []byte) int {
	if k.scans && bytes.Contains(data, startOfProgressive) {
		return 16 // three coefficients of four bytes are kept between the scans
	}
	switch model {
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	return 4
}

func (k kind) unpack(data []byte) (picture image.Image, err error) {
	defer recoverAs(&err)
	picture, err = k.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotImage, err)
	}
	return picture, nil
}

// recoverAs turns a panic of a picture library, which a hostile file may cause, into ErrNotImage.
func recoverAs(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: panic: %v", ErrNotImage, p)
	}
}
