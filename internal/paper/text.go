package paper

import (
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

// clean turns any text into characters that can be drawn. Of what cannot be
// drawn each visible cluster leaves one substitute, so that nobody takes a name
// with a hole in it for another name.
func clean(text string) string {
	all := faces()
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
		case all[Regular].glyph(r) == 0:
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

// faceOf is the weight that has the character: bold holds fewer.
func faceOf(want Face, r rune) Face {
	if faces()[want].glyph(r) == 0 {
		return Regular
	}
	return want
}

// width is how wide a line is, in millimetres before scaling.
func (s style) width(text string) float64 {
	sum, n := 0, 0
	for _, r := range text {
		f := faces()[faceOf(s.face, r)]
		sum += f.advance(f.glyph(r))
		n++
	}
	return (float64(sum)/1000 + s.spacing*float64(max(n-1, 0))) * s.size / points
}

// line draws one line of clean text with its baseline at y.
func (p *page) line(text string, x, y float64, align int, s style) {
	switch align {
	case centre:
		x -= s.width(text) / 2
	case right:
		x -= s.width(text)
	}
	p.content = append(p.content, "BT\n"...)
	p.fill(s.colour)
	p.op("Tc", s.spacing*s.size*p.scale)
	p.op("Td", p.x(x), p.y(y))
	runes := []rune(text)
	for from := 0; from < len(runes); {
		face, to := faceOf(s.face, runes[from]), from
		for to < len(runes) && faceOf(s.face, runes[to]) == face {
			to++
		}
		p.show(face, s.size*p.scale, runes[from:to])
		from = to
	}
	p.content = append(p.content, "ET\n"...)
}

const hexDigits = "0123456789ABCDEF"

func (p *page) show(face Face, size float64, runes []rune) {
	p.content = append(p.content, '/', 'F', byte('0'+face), ' ')
	p.op("Tf", size)
	p.content = append(p.content, '<')
	for _, r := range runes {
		n := p.fonts[face].use(r)
		p.content = append(p.content, hexDigits[n>>12], hexDigits[n>>8&15], hexDigits[n>>4&15], hexDigits[n&15])
	}
	p.content = append(p.content, "> Tj\n"...)
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
		f := faces()[faceOf(s.face, r)]
		used += float64(f.advance(f.glyph(r))) / 1000 * s.size / points
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
