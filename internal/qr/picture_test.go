package qr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"sync"
	"testing"

	"golang.org/x/image/draw"
)

// badge is a logo as people have them: round, coloured, a letter-like bar in it.
func badge() image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, 200, 160))
	for y := range 160 {
		for x := range 200 {
			if dx, dy := x-100, y-80; dx*dx+dy*dy < 80*80 {
				out.SetNRGBA(x, y, color.NRGBA{200, 30, 40, 255})
			}
			if x > 80 && x < 120 && y > 30 && y < 130 {
				out.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
			}
		}
	}
	return out
}

// looks are the pictures that the test of three hundred codes goes through.
func looks(i int) Picture {
	p := Picture{Size: []int{300, 400, 256, 320, 277, 350}[i%6], Margin: MinMargin + i%7, Level: Level(i % 4)}
	if i%5 == 0 {
		p.Logo, p.Level, p.Size = badge(), Q+Level(i%2), 400
	}
	return p
}

// sample is one picture that both decoders have to read.
type sample struct {
	text string
	file []byte
}

// worn are the ways in which a picture suffers: a blurred photo, a thumbnail at
// 30 percent, a JPEG of quality 40.
func worn(t *testing.T, text string, look Picture) []sample {
	t.Helper()
	sized := func(size int) *image.RGBA { // the kind that is scaled fastest
		look.Size = size
		file, err := look.PNG(text)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		out := image.NewRGBA(picture.Bounds())
		draw.Draw(out, out.Bounds(), picture, image.Point{}, draw.Src)
		return out
	}
	scaled := func(from *image.RGBA, size int) *image.RGBA {
		out := image.NewRGBA(image.Rect(0, 0, size, size))
		draw.BiLinear.Scale(out, out.Bounds(), from, from.Bounds(), draw.Src, nil)
		return out
	}
	whole, large := sized(300), sized(480)
	blurred := scaled(scaled(whole, 120), 300) // down and up again with a smooth filter blurs
	return []sample{{text, toPNG(t, green(blurred))}, {text, toPNG(t, green(scaled(large, 144)))}, {text, toJPEG(t, whole, 40)}}
}

// green is a picture in grey, by its green.
func green(picture *image.RGBA) *image.Gray {
	out := image.NewGray(picture.Bounds())
	for i := range out.Pix {
		out.Pix[i] = picture.Pix[4*i+1]
	}
	return out
}

// A hundred and twenty codes, each as PNG in one of many looks, as SVG, and worn, say
// their URL to two decoders. req: A04, C10
func TestCodesOfEveryLookAreReadByTwoDecoders(t *testing.T) {
	all := make([][]sample, 120)
	var work sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i := range all {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i] = samples(t, i)
			for n, s := range all[i] {
				if picture, _, err := image.Decode(bytes.NewReader(s.file)); err != nil {
					t.Errorf("code %d, picture %d: %v", i, n, err)
				} else if said, err := search(picture); err != nil || said != s.text {
					t.Errorf("code %d, picture %d says %q (%v), want %q", i, n, said, err, s.text)
				}
			}
		})
	}
	work.Wait()
	var files [][]byte
	var texts []string
	for _, some := range all {
		for _, s := range some {
			files, texts = append(files, s.file), append(texts, s.text)
		}
	}
	zbar(t, files, texts)
}

func samples(t *testing.T, i int) []sample {
	t.Helper()
	text := fmt.Sprintf("https://door.chenxing.example/j/1%011d%03d%014d", i*7919, i, i*104729)
	look := looks(i)
	file, err := look.PNG(text)
	if err != nil {
		t.Errorf("code %d: %v", i, err)
		return nil
	}
	m := encode(t, text, look.Level)
	drawn := drawPath(t, m.path(look.Margin), m.Size()+2*look.Margin, 3)
	some := []sample{{text, file}, {text, toPNG(t, drawn)}}
	look.Margin = MinMargin
	return append(some, worn(t, text, look)...)
}

func TestPictureRefuses(t *testing.T) {
	for _, c := range []struct {
		look Picture
		want error
	}{
		{Picture{Size: 512, Margin: 3}, ErrMargin}, {Picture{Size: 512, Margin: 11}, ErrMargin}, {Picture{Size: 127, Margin: 4}, ErrSize},
		{Picture{Size: 2049, Margin: 4}, ErrSize}, {Picture{Size: 512, Margin: 4, Level: M, Logo: badge()}, ErrLogoLevel},
		{Picture{Size: 512, Margin: 4, Level: H + 1}, ErrLevel},
	} {
		if _, err := c.look.PNG(url); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.look, err, c.want)
		}
	}
}

func TestPictureIsExactlyAsLargeAsAsked(t *testing.T) {
	for _, logo := range []image.Image{nil, badge()} {
		for _, size := range []int{200, 333, 512, 2048} {
			file, err := Picture{Size: size, Margin: 6, Level: H, Logo: logo}.PNG(url)
			if err != nil {
				t.Fatal(err)
			}
			picture, err := png.Decode(bytes.NewReader(file))
			if err != nil || picture.Bounds() != image.Rect(0, 0, size, size) {
				t.Errorf("%v (%v), want %d", picture.Bounds(), err, size)
			}
			module := size / (encode(t, url, H).Size() + 12)
			for i := range module * 6 { // the quiet zone, all around
				if r, _, _, _ := picture.At(i, size/2).RGBA(); r != 0xffff {
					t.Errorf("size %d: pixel %d of the margin is dark", size, i)
				}
			}
		}
	}
}

// A logo that looks like the code itself, or hides what it must not, is tried
// with more correction and a smaller size; the file always says its text.
func TestALogoNeverSpoilsTheCode(t *testing.T) {
	noise := image.NewNRGBA(image.Rect(0, 0, 63, 63))
	for i := range noise.Pix {
		noise.Pix[i] = byte(i*i>>3) | 1
	}
	finder, err := png.Decode(bytes.NewReader(paint(t, encode(t, "other", H), 300)))
	if err != nil {
		t.Fatal(err)
	}
	for name, logo := range map[string]image.Image{"noise": noise, "another code": finder, "flat": image.NewUniform(color.Black)} {
		if name == "flat" {
			logo = image.NewGray(image.Rect(0, 0, 900, 10))
		}
		for _, text := range []string{url, strings.Repeat(url, 3)} {
			file, err := Picture{Size: 700, Margin: 4, Level: Q, Logo: logo}.PNG(text)
			if errors.Is(err, ErrUnreadable) {
				continue // refused, not handed out
			}
			if err != nil || read(t, file) != text {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSVGCarriesTheLogo(t *testing.T) {
	file, err := Picture{Margin: 5, Level: H, Logo: badge()}.SVG(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`viewBox="0 0 55 55"`, `<image `, `data:image/png;base64,`} {
		if !strings.Contains(string(file), part) {
			t.Errorf("no %s in %.200s", part, file)
		}
	}
}

// bomb announces a picture of this size and holds a few bytes.
func bomb(side uint32) []byte {
	file := pngHeader(side, side, 8, 2)
	return append(file, 0, 0, 0, 0)
}

func TestCleanLogoRefuses(t *testing.T) {
	whole := toPNG(t, badge())
	svg := []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><image href="http://evil.example/x"/></svg>`)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing": {nil, ErrKind}, "script": {svg, ErrKind}, "bare svg": {svg[21:], ErrKind}, "gif": {toGIF(t), ErrKind}, "text": {[]byte("logo"), ErrKind},
		"bomb": {bomb(30_000), ErrTooLarge}, "heavy": {make([]byte, MaxBytes+1), ErrTooLarge}, "cut": {whole[:len(whole)/2], ErrNotImage},
		"header only": {whole[:20], ErrNotImage}, "huge jpeg": {progressive(t, 30_000, 30_000), ErrTooLarge},
	} {
		if out, err := CleanLogo(c.data); !errors.Is(err, c.want) || out != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Only pixels survive: no text chunk, no profile, nothing behind the end.
func TestCleanLogoKeepsPixelsOnly(t *testing.T) {
	dirty := toPNG(t, badge())
	text := []byte("tEXtComment\x00<script>alert(1)</script>")
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)-4))
	dirty = append(append(append(dirty[:33:33], append(append(chunk, text...), 0, 0, 0, 0)...), dirty[33:]...), "<?php evil ?>"...)
	for _, data := range [][]byte{append(toPNG(t, badge()), "<?php evil ?>"...), toJPEG(t, badge(), 80)} {
		out, err := CleanLogo(data)
		if err != nil || bytes.Contains(out, []byte("evil")) || !bytes.HasPrefix(out, []byte("\x89PNG")) {
			t.Errorf("%v, %.40q", err, out)
		}
	}
	if _, err := CleanLogo(dirty); err == nil {
		t.Error("a chunk with a wrong sum was taken")
	}
	large := image.NewGray(image.Rect(0, 0, 3000, 1000))
	out, err := CleanLogo(toPNG(t, large))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(out)); err != nil || c.Width != LogoSide || c.Height != LogoSide/3 {
		t.Errorf("%d × %d (%v)", c.Width, c.Height, err)
	}
}
