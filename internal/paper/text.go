package paper

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Where a line stands relative to its x.
const (
	left = iota
	centre
	right
)

// style is how a line is set: size in points, spacing as a share of it.
type style struct {
	face    Face
	size    float64
	spacing float64
	colour  colour
}

// substitute stands for a character that the font does not have: something is
// there, and this printer could not write it.
const substitute = '□'

// thicker is the line around a bold letter, as a share of its size.
const thicker = 0.035

// clean turns any text into characters that can be drawn. Of what cannot be
// drawn each visible cluster leaves one substitute, so that nobody takes a name
// with a hole in it for another name.
func clean(text string) string {
	var b strings.Builder
	joined := false // a zero width joiner glues the next picture to this one
	for _, r := range norm.NFC.String(text) {
		switch {
		case r == '\u200d':
			joined = true
			continue
		case unicode.IsSpace(r):
			r = ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Mn, unicode.Me) || r >= 0x1f3fb && r <= 0x1f3ff:
			continue
		case !face().has(r):
			if joined {
				joined = false
				continue
			}
			r = substitute
		}
		joined = false
		b.WriteRune(r)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// width is how wide a line is, in millimetres before scaling.
func (s style) width(text string) float64 {
	sum, n := 0, 0
	for _, r := range text {
		sum += face().advance(r)
		n++
	}
	return (float64(sum)/perEm + s.spacing*float64(max(n-1, 0))) * s.size / points
}

// line draws one line of clean text with its baseline at y.
func (p *page) line(text string, x, y float64, align int, s style) {
	switch align {
	case centre:
		x -= s.width(text) / 2
	case right:
		x -= s.width(text)
	}
	if text == "" {
		return
	}
	r, g, b := s.colour.rgb()
	p.SetTextColor(r, g, b)
	if s.face == Bold {
		p.SetDrawColor(r, g, b)
		p.SetLineWidth(s.size * thicker / points * p.scale)
	}
	p.SetTextRenderingMode(int(2 * s.face)) // 2 draws the outline as well
	p.SetFontSize(s.size * p.scale)
	p.RawWriteStr(fmt.Sprintf("%.3f Tc", s.spacing*s.size*p.scale))
	p.Text(x*p.scale, y*p.scale, text)
}

// noStart may not begin a line, noEnd may not end one.
const (
	noStart = "，。、；：？！）》」』】〉〕…—·/,.;:?!)]}”’%"
	noEnd   = "（《「『【〈〔([{“‘"
)

// wrap breaks clean text into lines no wider than width: between Chinese
// characters anywhere, else at spaces, and inside a word that is longer than a line.
func (s style) wrap(text string, width float64) []string {
	var lines []string
	runes := []rune(text)
	for len(runes) > 0 {
		n := s.fitting(runes, width)
		if n < len(runes) {
			n = breakAt(runes, n)
		}
		lines = append(lines, strings.TrimSpace(string(runes[:n])))
		runes = []rune(strings.TrimSpace(string(runes[n:])))
	}
	return lines
}

// fitting is how many characters fit, at least one.
func (s style) fitting(runes []rune, width float64) int {
	used := 0.0
	for i, r := range runes {
		used += float64(face().advance(r)) / perEm * s.size / points
		if used > width && i > 0 {
			return i
		}
		used += s.spacing * s.size / points
	}
	return len(runes)
}

// breakAt moves a break at n back to where a line may end.
func breakAt(runes []rune, n int) int {
	for i := n; i > 0 && i > n/3; i-- {
		before, after := runes[i-1], runes[i]
		if strings.ContainsRune(noStart, after) || strings.ContainsRune(noEnd, before) {
			continue
		}
		if before == ' ' || after == ' ' || before == '/' || wide(before) || wide(after) {
			return i
		}
	}
	return n
}

// wide reports whether a line may be broken beside r.
func wide(r rune) bool { return r >= 0x2e80 && r < 0xff00 || r == substitute }

// fit sets text in at most lines lines: as large as s says, smaller down to
// least points, and cut with an ellipsis when even that is too long.
func (s style) fit(text string, width float64, lines int, least float64) ([]string, style) {
	text = clean(text)
	for {
		out := s.wrap(text, width)
		if len(out) <= lines {
			return balance(s, text, width, out), s
		}
		if s.size*0.94 < least {
			return s.cut(out, width, lines), s
		}
		s.size *= 0.94
	}
}

// balance makes the lines of a short text about equally long: 平台技术 / 交流群 and not 平台技术交 / 流群.
func balance(s style, text string, width float64, lines []string) []string {
	if len(lines) < 2 {
		return lines
	}
	for share := s.width(text) / float64(len(lines)); share < width; share += s.size / points / 4 {
		if out := s.wrap(text, share); len(out) == len(lines) {
			return out
		}
	}
	return lines
}

func (s style) cut(lines []string, width float64, n int) []string {
	lines = lines[:n]
	last := []rune(lines[n-1])
	for len(last) > 0 && s.width(string(last)+"…") > width {
		last = last[:len(last)-1]
	}
	lines[n-1] = strings.TrimRight(string(last), " ") + "…"
	return lines
}
