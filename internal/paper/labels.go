package paper

import (
	"fmt"

	"doorplate/internal/qr"
)

// Grid divides an A4 sheet into cells; lengths are millimetres. The margins are
// the same left and right, and the same above and below.
type Grid struct {
	Cols, Rows       int
	MarginX, MarginY float64
	GapX, GapY       float64
}

// Grids are those sold as label paper, by name.
var Grids = map[string]Grid{
	"2x5": {Cols: 2, Rows: 5, MarginX: 5.9, MarginY: 8.5},
	"3x8": {Cols: 3, Rows: 8, MarginY: 4.5},
}

// Bounds of a grid of one's own.
const (
	MaxCols   = 8
	MaxRows   = 20
	MaxMargin = 60
	MaxGap    = 40
)

// LeastModule is the smallest module, in millimetres, that phones read from a label.
const LeastModule = 0.8

// GridError says which field of a grid is wrong: cols, rows, margin or gap for
// numbers out of bounds, module when the code would be too small to scan.
type GridError struct {
	Field  string
	Module float64 // mm, for module
}

func (e GridError) Error() string { return fmt.Sprintf("paper: grid: %s (%.2f)", e.Field, e.Module) }

// Cells is how many labels a sheet holds.
func (g Grid) Cells() int { return g.Cols * g.Rows }

// cell is the size of one label.
func (g Grid) cell() (w, h float64) {
	return (a4Width - 2*g.MarginX - float64(g.Cols-1)*g.GapX) / float64(g.Cols),
		(a4Height - 2*g.MarginY - float64(g.Rows-1)*g.GapY) / float64(g.Rows)
}

// Check returns a GridError unless a code fits well into each cell.
func (g Grid) Check(m *qr.Matrix) error {
	within := func(v, most float64) bool { return v >= 0 && v <= most } // false for NaN
	switch {
	case g.Cols < 1 || g.Cols > MaxCols:
		return GridError{Field: "cols"}
	case g.Rows < 1 || g.Rows > MaxRows:
		return GridError{Field: "rows"}
	case !within(g.MarginX, MaxMargin) || !within(g.MarginY, MaxMargin):
		return GridError{Field: "margin"}
	case !within(g.GapX, MaxGap) || !within(g.GapY, MaxGap):
		return GridError{Field: "gap"}
	}
	if unit := moduleOf(m, g.layout().side); unit < LeastModule {
		return GridError{Field: "module", Module: max(unit, 0)}
	}
	return nil
}

// Code makes the code for a cell, see SheetCode. It returns a GridError when none fits.
func (g Grid) Code(url string) (*qr.Matrix, error) {
	m, err := roomy(url, func(m *qr.Matrix) bool { return g.Check(m) == nil })
	if err != nil {
		return nil, err
	}
	return m, g.Check(m)
}

// labelLayout is where things stand on a label, from its top left corner.
type labelLayout struct {
	plate  box
	side   float64 // of the code's panel
	pad    float64 // white around the panel
	text   box
	beside bool // the text stands beside the code, not below
	rim    bool
}

// layout gives the code as much room as the label has. Small labels do without
// the white rim; upright ones carry the text below the code.
func (g Grid) layout() labelLayout {
	w, h := g.cell()
	gap := min(2.5, max(0.5, (min(w, h)-33)/8))
	l := labelLayout{plate: box{0, 0, w, h}.inset(gap), beside: w >= h*1.25}
	inside := l.plate.inset(min(6, max(0.5, (min(l.plate.w, l.plate.h)-34)/3)))
	l.rim = inside.x-l.plate.x >= 3.5
	l.pad = 0.3
	if l.beside {
		l.side = min(inside.h-2*l.pad, inside.w*0.55)
		room := inside.x + l.side + 2*l.pad + 2.5
		l.text = box{room, inside.y, l.plate.x + l.plate.w - room - 3, inside.h}
		if l.rim {
			l.text.w -= 7 // clear of the screw
		}
	} else {
		l.side = min(inside.w-2*l.pad, inside.h-14)
		top := inside.y + l.side + 2*l.pad + 1
		l.text = box{inside.x, top, inside.w, inside.y + inside.h - top}
	}
	return l
}

// Label is one sticker. Serial and Place belong to a numbered copy.
type Label struct {
	Code                     *qr.Matrix
	Serial, TypedCode, Place string
}

// Labels are sheets of stickers for one group.
type Labels struct {
	Lang                      string
	Organisation, Path, Group string
	Grid                      Grid
	Labels                    []Label
}

// PDF draws the sheets. It returns a GridError when the codes do not fit.
func (s Labels) PDF() ([]byte, error) {
	for _, l := range s.Labels {
		if err := s.Grid.Check(l.Code); err != nil {
			return nil, err
		}
	}
	sheet := newDocument(joined(" ", s.Organisation, s.Group), s.Lang)
	layout := s.Grid.layout()
	w, h := s.Grid.cell()
	for i, l := range s.Labels {
		at := i % s.Grid.Cells()
		if at == 0 {
			sheet.addPage(a4Width, a4Height, 1)
		}
		x := s.Grid.MarginX + float64(at%s.Grid.Cols)*(w+s.Grid.GapX)
		y := s.Grid.MarginY + float64(at/s.Grid.Cols)*(h+s.Grid.GapY)
		sheet.label(s, l, layout, x, y)
	}
	return sheet.bytes()
}

func (b box) at(x, y float64) box { return box{b.x + x, b.y + y, b.w, b.h} }

func (p *page) label(s Labels, l Label, at labelLayout, x, y float64) {
	plate := at.plate.at(x, y)
	radius := min(5, plate.h/9)
	if at.rim {
		p.rim(plate, radius, 1.2, 0.6, enamel, white)
		p.disc(plate.x+4.6, plate.y+plate.h/2, 1.3, white)
		p.disc(plate.x+plate.w-4.6, plate.y+plate.h/2, 1.3, white)
	} else {
		p.rounded(plate, radius, enamel)
	}
	panel := at.panel(plate)
	p.rounded(panel, max(min(2, radius), radius-(panel.y-plate.y)), white)
	p.code(l.Code, panel.x+at.pad, panel.y+at.pad, at.side)
	p.labelText(s, l, at, at.text.at(x, y))
}

// panel is the white ground of the code on a plate.
func (l labelLayout) panel(plate box) box {
	side := l.side + 2*l.pad
	if l.beside {
		lead := (plate.h - side) / 2
		if l.rim {
			lead = max(lead, 8)
		}
		return box{plate.x + lead, plate.y + (plate.h-side)/2, side, side}
	}
	return box{plate.x + (plate.w-side)/2, plate.y + (plate.w-side)/2, side, side}
}

// labelText stacks what a sticker says, the least important line first to go
// when it does not fit.
func (p *page) labelText(s Labels, l Label, at labelLayout, room box) {
	if at.beside {
		shift := at.panel(at.plate).x + at.side + 2*at.pad + 3 - at.text.x
		room.x, room.w = room.x+shift, room.w-shift
	}
	size := min(1, max(0.62, room.w/36))
	small := style{Regular, 8 * size, 0, second}
	mono := style{Bold, 8.5 * size, 0.06, white}
	name := style{Bold, 14 * size, 0.02, white}
	if at.rim {
		name.size = 18 * size // there is room: two large lines rather than a small one
	}
	type part struct {
		text        string
		style       style
		lines, rank int
	}
	parts := []part{
		{s.Organisation, small, 1, 3}, {s.Group, name, 3, 0}, {s.Path, small, 1, 4},
		{l.Place, small, 2, 2}, {l.Serial, mono, 1, 0}, {l.TypedCode, mono, 1, 0},
	}
	if !at.beside {
		parts = []part{{s.Group, name, 2, 0}, {joined(" · ", l.Serial, l.TypedCode), mono, 1, 0}, {l.Place, small, 1, 1}, {s.Organisation, small, 1, 2}}
	}
	for drop := 4; drop >= 0; drop-- {
		var runs []run
		for _, q := range parts {
			if q.text == "" || q.rank > drop {
				continue
			}
			lines, set := q.style.fit(q.text, room.w, q.lines, q.style.size*0.6)
			if len(lines) > 0 {
				runs = append(runs, run{lines, set, 0.5 * size, 1.25})
			}
		}
		if heightOf(runs) <= room.h || drop == 0 {
			p.column(runs, room, at.beside)
			return
		}
	}
}

// column draws runs in a box: beside a code from the left and in the middle of
// its height, below one centred.
func (p *page) column(runs []run, room box, beside bool) {
	if !beside {
		p.stack(runs, room.x+room.w/2, room.y)
		return
	}
	y := room.y + max(0, (room.h-heightOf(runs))/2)
	for _, r := range runs {
		y += r.gap
		for _, l := range r.lines {
			high := r.style.size * r.leading / points
			p.line(l, room.x, y+high/2+r.style.size*0.36/points, left, r.style)
			y += high
		}
	}
}
