// Package qr turns a URL into a QR code (PNG, SVG) and reads the code in an uploaded picture. It keeps no state that a
// caller can see.
package qr

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"rsc.io/qr/coding"
)

// Level says how much of a code may be damaged and still be read.
type Level int

// About 7, 15, 25 and 30 percent of a code may be damaged.
const (
	L Level = iota
	M
	Q
	H
)

var (
	// ErrText is returned by Encode for an empty text or one with other than ASCII characters, which readers disagree about.
	ErrText = errors.New("qr: text is empty or not ASCII")
	// ErrTooLong is returned by Encode for a text that does not fit into the largest code.
	ErrTooLong = errors.New("qr: text too long")
	// ErrLevel is returned by Encode for a level other than L, M, Q and H.
	ErrLevel = errors.New("qr: unknown level")
)

// quiet is the number of light modules that every painter leaves around a code (ISO/IEC 18004, 9.1).
const quiet = 4

// Matrix is the square of dark and light modules of one code, without the quiet zone. It does not change once made.
type Matrix struct {
	size int
	rows []line
}

// Size returns the side of the code in modules, without the quiet zone: 21 for version 1, 4 more for each further version.
func (m *Matrix) Size() int { return m.size }

// Dark tells whether the module in column x and row y, counted from the top left corner, is dark; outside it is light.
func (m *Matrix) Dark(x, y int) bool {
	return x >= 0 && y >= 0 && x < m.size && y < m.size && m.rows[y].at(x)
}

// Encode makes the smallest code, in byte mode, that holds text at the level, with the mask that scanners read best.
// It returns ErrText, ErrTooLong or ErrLevel.
func Encode(text string, level Level) (*Matrix, error) {
	if level < L || level > H {
		return nil, ErrLevel
	}
	if !isASCII(text) {
		return nil, ErrText
	}
	v, err := smallest(text, level)
	if err != nil {
		return nil, err
	}
	l, err := layoutOf(v, level)
	if err != nil {
		return nil, err
	}
	return l.draw(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return text != ""
}

// smallest returns the first version with room for text at the level, or ErrTooLong.
func smallest(text string, level Level) (coding.Version, error) {
	for v := coding.Version(coding.MinVersion); v <= coding.MaxVersion; v++ {
		if coding.String(text).Bits(v) <= 8*v.DataBytes(coding.Level(level)) {
			return v, nil
		}
	}
	return 0, ErrTooLong
}

// layout is what all codes of one version and level share.
type layout struct {
	plan *coding.Plan // with mask 0
	// masks turn rows (and columns) drawn with mask 0 into those of each mask, the format bits included, by exclusive or.
	masks [8]struct{ rows, columns []line }
}

// layouts are made at first use: one costs as much as several codes.
var layouts [coding.MaxVersion + 1][H + 1]atomic.Pointer[layout]

func layoutOf(v coding.Version, level Level) (*layout, error) {
	slot := &layouts[v][level]
	if l := slot.Load(); l != nil {
		return l, nil
	}
	l, err := newLayout(v, coding.Level(level))
	if err != nil {
		return nil, fmt.Errorf("qr: version %d: %w", v, err)
	}
	slot.Store(l)
	return l, nil
}

// newLayout finds the masks by drawing the same text with each of them.
func newLayout(v coding.Version, level coding.Level) (*layout, error) {
	l := &layout{}
	var plain []line
	for i := range l.masks {
		plan, err := coding.NewPlan(v, level, coding.Mask(i))
		if err != nil {
			return nil, err
		}
		rows, err := drawn(plan, "")
		if err != nil {
			return nil, err
		}
		if i == 0 {
			l.plan, plain = plan, rows
		}
		l.masks[i].rows = masked(rows, plain)
		l.masks[i].columns = transpose(l.masks[i].rows)
	}
	return l, nil
}

// draw encodes text, which must fit, and chooses the mask with the lowest penalty.
func (l *layout) draw(text string) (*Matrix, error) {
	rows, err := drawn(l.plan, text)
	if err != nil {
		return nil, fmt.Errorf("qr: encode: %w", err)
	}
	columns := transpose(rows)
	var best []line
	lowest := 0
	for _, mask := range l.masks {
		candidate := masked(rows, mask.rows)
		if p := penalty(candidate, masked(columns, mask.columns)); best == nil || p < lowest {
			best, lowest = candidate, p
		}
	}
	return &Matrix{size: len(best), rows: best}, nil
}

// drawn returns the rows of text under the mask of the plan.
func drawn(plan *coding.Plan, text string) ([]line, error) {
	code, err := plan.Encode(coding.String(text))
	if err != nil {
		return nil, err
	}
	rows := make([]line, code.Size)
	for y := range rows {
		for i := range (code.Size + 7) / 8 {
			// The library puts the leftmost module into the highest bit.
			octet := bits.Reverse8(code.Bitmap[y*code.Stride+i])
			rows[y][i/8] |= uint64(octet) << (i % 8 * 8)
		}
	}
	return rows, nil
}
