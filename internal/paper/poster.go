package paper

import (
	"errors"
	"strings"

	"doorplate/internal/qr"
)

// Sizes are the papers a poster can have, the largest first.
var Sizes = []string{"a4", "a5", "a6"}

// scales draw the A4 poster on its smaller sisters, which have the same shape.
var scales = map[string]float64{"a4": 1, "a5": 148.0 / 210, "a6": 105.0 / 210}

// ErrSize is returned for a paper that is none of Sizes.
var ErrSize = errors.New("paper: unknown size")

// Poster is a plate for a door, in the words of its language. Empty lines are left out.
type Poster struct {
	Size, Lang         string
	Organisation, Path string // Path is the department's, in words
	Group              string
	Seal               string // 官方群, where it is one
	Invite             string // what to do: scan
	Benefit, Purpose   string
	Validity           string
	Typed, TypedCode   string // how to get in without a camera; the code stands behind the words
	Serial, Place      string // of a numbered copy
	Code               *qr.Matrix
}

// Measures of the A4 poster, in millimetres.
const (
	a4Width, a4Height = 210.0, 297.0
	margin            = 12.0
	plateHeight       = 248.0
	panel             = 124.0
	textWidth         = 144.0
	footWidth         = 178.0
	leastFree         = 14.0
)

// PosterModule is how large a module of the code is on a poster, in millimetres.
func PosterModule(size string, m *qr.Matrix) float64 { return moduleOf(m, panel) * scales[size] }

// PDF draws the poster. It returns ErrSize.
func (p Poster) PDF() ([]byte, error) {
	if scales[p.Size] == 0 {
		return nil, ErrSize
	}
	sheet := newDocument(joined(" ", p.Organisation, p.Group), p.Lang)
	sheet.poster(p)
	return sheet.bytes()
}

// poster adds a page with a poster on it.
func (p *page) poster(x Poster) {
	scale := scales[x.Size]
	p.addPage(a4Width*scale, a4Height*scale, scale)
	plate := box{margin, margin, a4Width - 2*margin, plateHeight}
	p.rim(plate, 12, 3, 1.4, enamel, white)
	for _, left := range []float64{plate.x + 15, plate.x + plate.w - 15} {
		for _, top := range []float64{plate.y + 15, plate.y + plate.h - 15} {
			p.disc(left, top, 3, white)
			p.disc(left, top, 2, steel)
		}
	}
	p.posterPlate(x, plate.inset(12))
	p.posterFoot(x, plate.y+plate.h+6)
}

// posterPlate fills the plate: names above the code, what to do below it. What
// room is left is shared out, so that short and long names both look placed.
func (p *page) posterPlate(x Poster, inside box) {
	head, seal := x.head(), 0.0
	if x.Seal != "" {
		seal = sealHeight
	}
	room := inside.h - panel - heightOf(head) - seal
	under := x.under(room - leastFree)
	free := room - heightOf(under)
	middle := inside.x + inside.w/2
	y := p.stack(head, middle, inside.y+free*0.3)
	if x.Seal != "" {
		p.seal(clean(x.Seal), middle, y+sealHeight-sealBox)
	}
	y += seal + free*0.2
	p.rounded(box{middle - panel/2, y, panel, panel}, 6, white)
	p.code(x.Code, middle-panel/2, y, panel)
	p.stack(under, middle, y+panel+free*0.2)
}

// head is organisation, department and, largest, the group.
func (p Poster) head() []run {
	out := fitted(p.Organisation, 1, 12, 0, 1.4, style{Bold, 20, 0.2, white})
	out = append(out, fitted(p.Path, 2, 11, 0, 1.4, style{Regular, 14, 0.06, second})...)
	return append(out, groupName(p.Group)...)
}

// groupName is one line where it fits, else two or three smaller ones.
func groupName(name string) []run {
	for i, try := range []struct{ size, least float64 }{{44, 32}, {38, 26}, {27, 16}} {
		s := style{Bold, try.size, 0.04, white}
		out, s := s.fit(name, textWidth, i+1, try.least)
		if len(out) > 0 && (i == 2 || !strings.HasSuffix(out[len(out)-1], "…")) {
			return []run{{out, s, 4, 1.25}}
		}
	}
	return nil
}

// under is what to do, what one gets, and what the group is for, in as many
// lines as room leaves.
func (p Poster) under(room float64) []run {
	var out []run
	for _, lines := range [][2]int{{2, 2}, {2, 1}, {1, 1}, {1, 0}} {
		out = fitted(p.Invite, 1, 12, 0, 1.4, style{Bold, 21, 0.03, white})
		out = append(out, fitted(p.Benefit, lines[0], 11, 0.5, 1.35, style{Regular, 16, 0, white})...)
		if lines[1] > 0 {
			out = append(out, fitted(p.Purpose, lines[1], 11, 0.5, 1.35, style{Regular, 13.5, 0, second})...)
		}
		if heightOf(out) <= room {
			break
		}
	}
	return out
}

// Measures of the seal.
const (
	sealHeight = 10.5
	sealBox    = 7.5
)

// seal draws the mark of an official group.
func (p *page) seal(text string, x, y float64) {
	s := style{Bold, 11.5, 0.12, white}
	w := s.width(text) + 9
	p.rim(box{x - w/2, y, w, sealBox}, sealBox/2, 0, 0.45, enamel, white)
	p.line(text, x, y+sealBox/2+s.size*0.36/points, centre, s)
}

// posterFoot says below the plate how long the code holds and what to do
// without a camera. On the smallest paper its type is larger in proportion.
func (p *page) posterFoot(x Poster, y float64) {
	size := max(11.5, 7/p.scale)
	bold, plain := style{Bold, size, 0, ink}, style{Regular, size, 0, ink}
	l, r := margin+4, a4Width-margin-4
	high := size * 1.5 / points
	place, place2 := plain.fit(x.Place, footWidth*0.3, 2, size*0.8)
	p.line(clean(x.Validity), l, y+high*0.7, left, bold)
	if x.Serial != "" {
		s := bold
		s.spacing = 0.06
		p.line(clean(x.Serial), r, y+high*0.7, right, s)
	}
	for i, text := range place {
		p.line(text, r, y+high*(1.7+float64(i)), right, place2)
	}
	room := footWidth - 6
	for _, text := range place {
		room = min(room, footWidth-6-place2.width(text))
	}
	p.typed(clean(x.Typed), clean(x.TypedCode), l, y+high*1.7, high, room, plain, bold)
}

// typed draws the way in for phones without a camera, the code in bold behind
// the words, or below them where one line is too short.
func (p *page) typed(words, code string, x, y, high, room float64, plain, bold style) {
	bold.spacing = 0.06
	lines := plain.wrap(words, room)
	for i, text := range lines {
		p.line(text, x, y+high*float64(i), left, plain)
	}
	if len(lines) == 0 || code == "" {
		return
	}
	last := plain.width(lines[len(lines)-1])
	if gap := 1.5; last+gap+bold.width(code) <= room {
		p.line(code, x+last+gap, y+high*float64(len(lines)-1), left, bold)
	} else {
		p.line(code, x, y+high*float64(len(lines)), left, bold)
	}
}

func joined(by string, parts ...string) string {
	kept := parts[:0:0]
	for _, part := range parts {
		if part = clean(part); part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, by)
}

// run is a block of centred lines of one style.
type run struct {
	lines   []string
	style   style
	gap     float64 // mm above
	leading float64 // of the size
}

func (r run) height() float64 {
	return r.gap + float64(len(r.lines))*r.style.size*r.leading/points
}

// fitted makes a run of at most lines lines, down to least points; empty text makes none.
func fitted(text string, lines int, least, gap, leading float64, s style) []run {
	out, s := s.fit(text, textWidth, lines, least)
	if len(out) == 0 {
		return nil
	}
	return []run{{out, s, gap, leading}}
}

func heightOf(runs []run) (sum float64) {
	for _, r := range runs {
		sum += r.height()
	}
	return sum
}

// stack draws runs from top down and returns where the last one ends.
func (p *page) stack(runs []run, x, top float64) float64 {
	for _, r := range runs {
		top += r.gap
		for _, l := range r.lines {
			high := r.style.size * r.leading / points
			p.line(l, x, top+high/2+r.style.size*0.36/points, centre, r.style)
			top += high
		}
	}
	return top
}
