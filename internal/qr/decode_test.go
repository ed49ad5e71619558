package qr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/makiuchi-d/gozxing"
)

func toPNG(t testing.TB, picture image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func toJPEG(t testing.TB, picture image.Image, quality int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// code is a picture of the URL, size × size pixels.
func code(t testing.TB, size int) *image.Paletted {
	t.Helper()
	return unpackPNG(t, paint(t, encode(t, url, M), size))
}

// change returns the picture with every pixel passed through f.
func change(picture image.Image, f func(color.Gray) color.Gray) *image.Gray {
	out := image.NewGray(picture.Bounds())
	draw.Draw(out, out.Bounds(), picture, picture.Bounds().Min, draw.Src)
	for i, v := range out.Pix {
		out.Pix[i] = f(color.Gray{Y: v}).Y
	}
	return out
}

func invert(c color.Gray) color.Gray { return color.Gray{Y: 255 - c.Y} }

func TestDecodeReadsUploads(t *testing.T) {
	screenshot := image.NewRGBA(image.Rect(0, 0, 1080, 2400))
	draw.Draw(screenshot, screenshot.Bounds(), image.NewUniform(color.RGBA{0xed, 0xed, 0xed, 0xff}), image.Point{}, draw.Src)
	draw.Draw(screenshot, image.Rect(200, 900, 800, 1500), code(t, 600), image.Point{}, draw.Src)
	random := rand.New(rand.NewPCG(1, 2))
	for name, data := range map[string][]byte{
		"screenshot PNG":  toPNG(t, screenshot),
		"screenshot JPEG": toJPEG(t, screenshot, 60),
		"light on dark":   toPNG(t, change(code(t, 400), invert)),
		"faint": toPNG(t, change(code(t, 400), func(c color.Gray) color.Gray {
			return color.Gray{Y: 120 + c.Y/4}
		})),
		"noisy": toPNG(t, change(code(t, 1024), func(c color.Gray) color.Gray {
			if random.IntN(4) == 0 {
				return color.Gray{Y: uint8(random.IntN(256))}
			}
			return c
		})),
		"16 bits": toPNG(t, wide(code(t, 300))),
	} {
		if got, err := Decode(data); got != url {
			t.Errorf("%s reads %q, %v", name, got, err)
		}
	}
}

func wide(picture image.Image) image.Image {
	out := image.NewNRGBA64(picture.Bounds())
	draw.Draw(out, out.Bounds(), picture, image.Point{}, draw.Src)
	return out
}

// The files hold "https://door.example.com/j/7Kd2mQ9xVtR4"; one of them has a transparent ground.
func TestDecodeReadsWebP(t *testing.T) {
	for _, name := range []string{"lossy.webp", "lossless.webp", "alpha.webp"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, data); got != "https://door.example.com/j/7Kd2mQ9xVtR4" {
			t.Errorf("%s reads %q", name, got)
		}
	}
}

func TestDecodeReadsTransparentGround(t *testing.T) {
	picture := image.NewNRGBA(image.Rect(0, 0, 300, 300))
	source := code(t, 300)
	for y := range 300 {
		for x := range 300 {
			if source.ColorIndexAt(x, y) == 1 {
				picture.SetNRGBA(x, y, color.NRGBA{A: 0xff})
			}
		}
	}
	if got := read(t, toPNG(t, picture)); got != url {
		t.Errorf("reads %q", got)
	}
}

// With a quarter of the pixels wrong, nothing looks like a finder at full size.
func TestDecodeHalvesThePicture(t *testing.T) {
	picture := change(code(t, 1200), func(c color.Gray) color.Gray { return c })
	random := rand.New(rand.NewPCG(3, 4))
	for i := range picture.Pix {
		if random.IntN(100) < 25 {
			picture.Pix[i] = uint8(random.IntN(256))
		}
	}
	if text, ok := toGrey(picture).search(); ok {
		t.Fatalf("full size reads %q already: the test shows nothing", text)
	}
	if got := read(t, toPNG(t, picture)); got != url {
		t.Errorf("reads %q", got)
	}
}

func TestHalf(t *testing.T) {
	g := grey{5, 3, []byte{0, 100, 200, 200, 9, 100, 200, 200, 200, 9, 9, 9, 9, 9, 9}}
	if h := g.half(); h.width != 2 || h.height != 1 || !bytes.Equal(h.pixels, []byte{100, 200}) {
		t.Errorf("%+v", h)
	}
}

func toGIF(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := gif.Encode(&out, code(t, 128), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pngHeader is the beginning of a PNG that announces a size and a colour type, with a valid checksum.
func pngHeader(width, height uint32, depth, kind byte) []byte {
	chunk := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, depth, kind, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

// scanned is a JPEG with many more scans than a camera writes.
func scanned(t testing.TB) []byte {
	t.Helper()
	data := toJPEG(t, code(t, 128), 50)
	at := bytes.Index(data, []byte{0xff, 0xda})
	return append(data[:at:at], bytes.Repeat(data[at:at+14], maxScans+1)...)
}

// progressive is a JPEG of that announced size up to its first scan, whose header says it will be drawn in passes.
func progressive(t testing.TB, width, height uint16) []byte {
	t.Helper()
	data := toJPEG(t, code(t, 128), 50)
	frame := bytes.Index(data, []byte{0xff, 0xc0})
	data[frame+1] = 0xc2
	binary.BigEndian.PutUint16(data[frame+5:], height)
	binary.BigEndian.PutUint16(data[frame+7:], width)
	return data
}

func TestDecodeRefuses(t *testing.T) {
	good, photo := paint(t, encode(t, url, M), 512), toJPEG(t, code(t, 512), 80)
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrNotImage},
		{"empty", []byte{}, ErrNotImage},
		{"text", []byte("https://door.example.com/j/7Kd2mQ9xVtR4"), ErrNotImage},
		{"page", []byte("<!doctype html><script>alert(1)</script>"), ErrNotImage},
		{"zeros", make([]byte, 1000), ErrNotImage},
		{"PDF", []byte("%PDF-1.7\n"), ErrNotImage},
		{"PNG signature", good[:8], ErrNotImage},
		{"PNG header", good[:33], ErrNotImage},
		{"half a PNG", good[:len(good)/2], ErrNotImage},
		{"JPEG signature", photo[:3], ErrNotImage},
		{"start of a JPEG", photo[:200], ErrNotImage},
		{"WebP signature", []byte("RIFF\x10\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"), ErrNotImage},
		{"JPEG of many scans", scanned(t), ErrNotImage},
		{"GIF", toGIF(t), ErrKind},
		{"BMP", []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), ErrKind},
		{"TIFF", []byte("II*\x00\x08\x00\x00\x00"), ErrKind},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ErrKind},
		{"60,000 × 60,000", pngHeader(60000, 60000, 8, 2), ErrTooLarge},
		{"over 16 megapixels", pngHeader(16001, 1000, 1, 0), ErrTooLarge},
		{"eight bytes a pixel", pngHeader(16001, 1000, 16, 6), ErrTooLarge},
		{"progressive JPEG", progressive(t, 8001, 1000), ErrTooLarge},
		{"largest sides", pngHeader(1<<20, 1<<20, 8, 2), ErrTooLarge},
		{"no width", pngHeader(0, 5, 8, 2), ErrNotImage},
		{"over 2 MiB", append(bytes.Clone(good), make([]byte, MaxBytes)...), ErrTooLarge},
		{"white", toPNG(t, change(code(t, 600), func(color.Gray) color.Gray { return color.Gray{Y: 255} })), ErrNoCode},
		{"one pixel", toPNG(t, image.NewGray(image.Rect(0, 0, 1, 1))), ErrNoCode},
		{"one line", toPNG(t, image.NewGray(image.Rect(0, 0, 3000, 1))), ErrNoCode},
	} {
		if text, err := Decode(c.data); !errors.Is(err, c.want) || text != "" {
			t.Errorf("%s: %q, %v, want %v", c.name, text, err, c.want)
		}
	}
}

func TestDecodeAllowsTheBounds(t *testing.T) {
	for _, data := range [][]byte{pngHeader(16000, 1000, 1, 0), pngHeader(16000, 1000, 16, 6), progressive(t, 8000, 1000)} {
		k, err := kindOf(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.check(data); err != nil {
			t.Error(err)
		}
	}
}

func TestPanicOfALibraryIsAnError(t *testing.T) {
	broken := kind{decode: func(io.Reader) (image.Image, error) { panic("index out of range") }}
	if _, err := broken.unpack(nil); !errors.Is(err, ErrNotImage) {
		t.Errorf("unpack: %v", err)
	}
	if _, ok := attempt(nil); ok {
		t.Error("a code was found with nothing to look at")
	}
}

// A wall of finders would make the library compare billions of triples.
func TestCrowdOfFindersEnds(t *testing.T) {
	wall := image.NewGray(image.Rect(0, 0, 2000, 2000))
	finder := encode(t, "a", L)
	for y := range 2000 {
		for x := range 2000 {
			if !finder.Dark(x/2%9, y/2%9) || x/2%9 > 6 || y/2%9 > 6 {
				wall.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	candidates := 0
	source := gozxing.NewLuminanceSourceFromImage(wall)
	count := gozxing.ResultPointCallback(func(gozxing.ResultPoint) {
		if candidates++; candidates > maxCandidates {
			panic("enough seen")
		}
	})
	_, err := readCode(gozxing.NewGlobalHistgramBinarizer(source), map[gozxing.DecodeHintType]any{
		gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK: count,
	})
	if err == nil {
		t.Fatal("a code in a wall of finders")
	}
	if candidates <= maxCandidates {
		t.Fatalf("only %d candidates: the test shows nothing", candidates)
	}
	if _, err := Decode(toPNG(t, wall)); !errors.Is(err, ErrNoCode) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	m := encode(f, "https://a.example/", M)
	f.Add(paint(f, m, 128))
	f.Add(toJPEG(f, unpackPNG(f, paint(f, m, 128)), 50))
	f.Add(toGIF(f))
	f.Add(pngHeader(60000, 60000, 8, 2))
	for _, name := range []string{"lossy.webp", "lossless.webp", "alpha.webp"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := Decode(data)
		if err == nil && text == "" {
			t.Error("an empty text without an error")
		}
		if err != nil && (text != "" || !known(err)) {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func known(err error) bool {
	for _, e := range []error{ErrNotImage, ErrTooLarge, ErrNoCode, ErrKind} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
