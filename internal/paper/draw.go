package paper

import "doorplate/internal/qr"

// colour is red, green and blue.
type colour [3]uint8

// The colours of the plate. White on enamel stays readable from a printer that has black only.
var (
	enamel  = colour{0x0f, 0x3d, 0x91}
	white   = colour{0xff, 0xff, 0xff}
	second  = colour{0xcf, 0xdc, 0xf6} // second text on enamel
	ink     = colour{0x16, 0x1a, 0x22}
	ink2    = colour{0x53, 0x5c, 0x6b}
	hair    = colour{0xc4, 0xca, 0xd4}
	module  = colour{0x0b, 0x12, 0x20}
	steel   = colour{0xb9, 0xc3, 0xd4}
	percent = 1.0 / 255
)

func (p *page) fill(c colour) {
	p.op("rg", float64(c[0])*percent, float64(c[1])*percent, float64(c[2])*percent)
}

// box is a rectangle in millimetres from the top left corner of the page.
type box struct{ x, y, w, h float64 }

func (b box) inset(d float64) box { return box{b.x + d, b.y + d, b.w - 2*d, b.h - 2*d} }

// curve is how far the control points of a quarter circle stand from its ends.
const curve = 0.5522847498

// rounded fills a box with round corners.
func (p *page) rounded(b box, r float64, c colour) {
	p.fill(c)
	k := r * (1 - curve)
	l, t, right, bottom := b.x, b.y, b.x+b.w, b.y+b.h
	p.op("m", p.x(l+r), p.y(t))
	p.op("l", p.x(right-r), p.y(t))
	p.corner(right-k, t, right, t+k, right, t+r)
	p.op("l", p.x(right), p.y(bottom-r))
	p.corner(right, bottom-k, right-k, bottom, right-r, bottom)
	p.op("l", p.x(l+r), p.y(bottom))
	p.corner(l+k, bottom, l, bottom-k, l, bottom-r)
	p.op("l", p.x(l), p.y(t+r))
	p.corner(l, t+k, l+k, t, l+r, t)
	p.op("f")
}

func (p *page) corner(x1, y1, x2, y2, x3, y3 float64) {
	p.op("c", p.x(x1), p.y(y1), p.x(x2), p.y(y2), p.x(x3), p.y(y3))
}

// disc fills a circle.
func (p *page) disc(x, y, r float64, c colour) { p.rounded(box{x - r, y - r, 2 * r, 2 * r}, r, c) }

// rim fills a box and leaves a line of another colour inside its edge.
func (p *page) rim(b box, r, edge, line float64, ground, stroke colour) {
	p.rounded(b, r, ground)
	p.rounded(b.inset(edge), r-edge, stroke)
	p.rounded(b.inset(edge+line), r-edge-line, ground)
}

// quiet is the light modules around a code.
const quiet = 4

// moduleOf is the size of a module when a code fills side, its quiet zone included.
func moduleOf(m *qr.Matrix, side float64) float64 { return side / float64(m.Size()+2*quiet) }

// code draws a code into a square, its quiet zone inside. All modules are one
// path: drawn one by one, hair lines would show between them.
func (p *page) code(m *qr.Matrix, x, y, side float64) {
	unit := moduleOf(m, side)
	p.fill(module)
	for row := range m.Size() {
		for from := 0; from < m.Size(); from++ {
			n := 0
			for m.Dark(from+n, row) {
				n++
			}
			if n == 0 {
				continue
			}
			top := y + float64(row+quiet)*unit
			p.op("re", p.x(x+float64(from+quiet)*unit), p.y(top+unit), float64(n)*unit*p.scale*points, unit*p.scale*points)
			from += n
		}
	}
	p.op("f")
}
