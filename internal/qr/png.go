package qr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
)

// Sides of a PNG in pixels.
const (
	MinSize = 128
	MaxSize = 2048
)

// ErrSize is returned by PNG for a size outside MinSize and MaxSize, or too small to give each module a whole pixel.
var ErrSize = errors.New("qr: size")

// palette holds the light and the dark colour, red, green and blue.
var palette = []byte{0xff, 0xff, 0xff, 0x0b, 0x12, 0x20}

// PNG paints the code into exactly size × size pixels. Modules are whole pixels, as large as fit with a quiet zone of at
// least 4 modules, and centred. It returns ErrSize.
func (m *Matrix) PNG(size int) ([]byte, error) { return m.png(size, quiet) }

func (m *Matrix) png(size, quiet int) ([]byte, error) {
	if size < MinSize || size > MaxSize {
		return nil, fmt.Errorf("%w: %d pixels, want %d to %d", ErrSize, size, MinSize, MaxSize)
	}
	scale := size / (m.size + 2*quiet)
	if scale == 0 {
		return nil, fmt.Errorf("%w: %d pixels for %d modules", ErrSize, size, m.size+2*quiet)
	}
	data, err := deflate(m.scanlines(size, scale))
	if err != nil {
		return nil, fmt.Errorf("qr: png: %w", err)
	}
	return pngFile(size, data), nil
}

// Filters of a scan line: as it is, and as the difference to the line above.
const (
	filterNone = 0
	filterUp   = 2
)

// scanlines returns the unpacked picture: one bit a pixel, a filter byte before each line.
func (m *Matrix) scanlines(size, scale int) []byte {
	stride := 1 + (size+7)/8
	out := make([]byte, size*stride)
	margin := (size - m.size*scale) / 2
	for y, row := range m.rows {
		top := (margin + y*scale) * stride
		out[top] = filterNone
		m.paint(out[top+1:top+stride], row, margin, scale)
		// The other lines of a module repeat the first, so their difference is nothing.
		for i := 1; i < scale; i++ {
			out[top+i*stride] = filterUp
		}
	}
	return out
}

// paint sets the pixels of the dark modules of one row, the first of which begins at margin.
func (m *Matrix) paint(pixels []byte, row line, margin, scale int) {
	for x := range m.size {
		if !row.at(x) {
			continue
		}
		from := margin + x*scale
		for p := from; p < from+scale; p++ {
			pixels[p/8] |= 0x80 >> (p % 8)
		}
	}
}

// packers are reused, because making one costs more than packing a picture. The fastest level is four times as fast as the
// default one and gives files a third larger, still below 1.3 KB at 512 pixels.
var packers = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic("qr: " + err.Error())
	}
	return w
}}

func deflate(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w := packers.Get().(*zlib.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// pngFile wraps packed scan lines of one bit a pixel into a file (ISO/IEC 15948).
func pngFile(size int, data []byte) []byte {
	header := make([]byte, 13)
	binary.BigEndian.PutUint32(header, uint32(size))
	binary.BigEndian.PutUint32(header[4:], uint32(size))
	header[8] = 1 // bits for a pixel
	header[9] = 3 // colours from the palette

	out := make([]byte, 0, len(data)+128)
	out = append(out, "\x89PNG\r\n\x1a\n"...)
	out = appendChunk(out, "IHDR", header)
	out = appendChunk(out, "PLTE", palette)
	out = appendChunk(out, "IDAT", data)
	return appendChunk(out, "IEND", nil)
}

func appendChunk(out []byte, name string, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	start := len(out)
	out = append(out, name...)
	out = append(out, data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}
