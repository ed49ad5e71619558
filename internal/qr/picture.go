package qr

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"

	"golang.org/x/image/draw"
)

// Bounds of the quiet zone, in modules. Less than the standard's four, and some phones no longer find the code.
const (
	MinMargin = quiet
	MaxMargin = 10
)

var (
	// ErrMargin is returned for a quiet zone outside MinMargin and MaxMargin.
	ErrMargin = errors.New("qr: margin")
	// ErrLogoLevel is returned for a logo on a code of level L or M, which could not bear one.
	ErrLogoLevel = errors.New("qr: a logo needs level Q or H")
	// ErrUnreadable is returned when no attempt with the logo could be read back.
	ErrUnreadable = errors.New("qr: the code cannot be read with this logo")
)

// Picture says how a code is to look.
type Picture struct {
	Size   int // pixels of a PNG
	Margin int // modules around the code; a PNG has more where whole modules leave pixels over
	Level  Level
	Logo   image.Image // in the middle, on a white ground; nil is none
}

// Module is how many pixels a module of m gets in a PNG. Below two it is too
// small for most screens and printers.
func (p Picture) Module(m *Matrix) int { return p.Size / (m.size + 2*p.Margin) }

func (p Picture) check() error {
	if p.Margin < MinMargin || p.Margin > MaxMargin {
		return fmt.Errorf("%w: %d modules", ErrMargin, p.Margin)
	}
	if p.Logo != nil && p.Level < Q {
		return ErrLogoLevel
	}
	return nil
}

// PNG returns the picture of text, exactly Size × Size pixels. One with a logo
// has been read back. It returns ErrSize, ErrMargin, ErrLogoLevel, ErrUnreadable
// or an error of Encode.
func (p Picture) PNG(text string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.Logo != nil {
		_, data, err := p.readable(text)
		return data, err
	}
	m, err := Encode(text, p.Level)
	if err != nil {
		return nil, err
	}
	return m.png(p.Size, p.Margin)
}

// SVG returns the picture of text without a fixed size. What has a logo is of
// the same shape as a PNG that has been read back. Errors are those of PNG.
func (p Picture) SVG(text string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.Logo == nil {
		m, err := Encode(text, p.Level)
		if err != nil {
			return nil, err
		}
		return m.svg(p.Margin, ""), nil
	}
	p.Size = proofSize
	found, _, err := p.readable(text)
	if err != nil {
		return nil, err
	}
	logo, err := found.inset(p.Logo)
	if err != nil {
		return nil, err
	}
	return found.m.svg(p.Margin, logo), nil
}

// proofSize is the side of the PNG that stands for an SVG when it is read back.
const proofSize = 768

// marked is a code with room for a logo: a square of side modules in the middle.
type marked struct {
	m    *Matrix
	side int
}

// shares of the code's side that a logo takes, the most handsome first.
var shares = []int{20, 16, 12}

// readable looks for the largest logo and the lowest level, from the wanted one
// up, with which the finished file says text again.
func (p Picture) readable(text string) (marked, []byte, error) {
	for level := p.Level; level <= H; level++ {
		m, err := Encode(text, level)
		if err != nil {
			return marked{}, nil, err
		}
		for _, share := range shares {
			a := marked{m, roomFor(m.size, share)}
			data, err := a.png(p)
			if err != nil {
				return a, nil, err
			}
			if said, err := Decode(data); err == nil && said == text {
				return a, data, nil
			}
		}
	}
	return marked{}, nil, ErrUnreadable
}

// roomFor is an odd number of modules, like the code's own, so that none is cut.
func roomFor(size, share int) int { return (size*share/100)&^1 | 1 }

// png paints the code and lays the logo over its middle.
func (a marked) png(p Picture) ([]byte, error) {
	plain, err := a.m.png(p.Size, p.Margin)
	if err != nil {
		return nil, err
	}
	ground, err := png.Decode(bytes.NewReader(plain))
	if err != nil {
		return nil, fmt.Errorf("qr: own picture: %w", err)
	}
	out := image.NewNRGBA(ground.Bounds())
	draw.Draw(out, out.Bounds(), ground, image.Point{}, draw.Src)
	scale := p.Module(a.m)
	edge := (p.Size-a.m.size*scale)/2 + (a.m.size-a.side)/2*scale
	room := image.Rect(edge, edge, edge+a.side*scale, edge+a.side*scale)
	draw.Draw(out, room, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(out, within(p.Logo, room.Inset(max(1, scale/2))), p.Logo, p.Logo.Bounds(), draw.Over, nil)
	var file bytes.Buffer
	packer := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := packer.Encode(&file, out); err != nil {
		return nil, fmt.Errorf("qr: png: %w", err)
	}
	return file.Bytes(), nil
}

// within is the largest part of room, in its middle, that has the picture's shape.
func within(picture image.Image, room image.Rectangle) image.Rectangle {
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	side := room.Dx()
	width, height := max(1, side*w/max(w, h)), max(1, side*h/max(w, h))
	at := room.Min.Add(image.Pt((side-width)/2, (side-height)/2))
	return image.Rectangle{at, at.Add(image.Pt(width, height))}
}

// inset is the part of an SVG that draws the logo, placed from the code's top left module.
func (a marked) inset(logo image.Image) (string, error) {
	var file bytes.Buffer
	if err := png.Encode(&file, logo); err != nil {
		return "", fmt.Errorf("qr: logo: %w", err)
	}
	at, side := (a.m.size-a.side)/2, strconv.Itoa(a.side)
	from := strconv.Itoa(at)
	return `<path fill="#fff" d="M` + from + ` ` + from + `h` + side + `v` + side + `h-` + side + `z"/><image x="` + half(at) + `" y="` + half(at) +
		`" width="` + strconv.Itoa(a.side-1) + `" height="` + strconv.Itoa(a.side-1) + `" href="data:image/png;base64,` +
		base64.StdEncoding.EncodeToString(file.Bytes()) + `"/>`, nil
}

func half(n int) string { return strconv.Itoa(n) + ".5" }
