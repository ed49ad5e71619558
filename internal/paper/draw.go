package paper

import "doorplate/internal/qr"

// colour is red, green and blue.
type colour [3]uint8

// The colours of the plate. White on enamel stays readable from a printer that has black only.
var (
	enamel = colour{0x0f, 0x3d, 0x91}
	white  = colour{0xff, 0xff, 0xff}
	second = colour{0xcf, 0xdc, 0xf6} // second text on enamel
	ink    = colour{0x16, 0x1a, 0x22}
	ink2   = colour{0x53, 0x5c, 0x6b}
	hair   = colour{0xc4, 0xca, 0xd4}
	dark   = colour{0x0b, 0x12, 0x20}
	steel  = colour{0xb9, 0xc3, 0xd4}
)

func (c colour) rgb() (r, g, b int) { return int(c[0]), int(c[1]), int(c[2]) }

func (p *page) fill(c colour) {
	r, g, b := c.rgb()
	p.SetFillColor(r, g, b)
}

// box is a rectangle in millimetres from the top left corner of the page.
type box struct{ x, y, w, h float64 }

func (b box) inset(d float64) box { return box{b.x + d, b.y + d, b.w - 2*d, b.h - 2*d} }

// rounded fills a box with round corners.
func (p *page) rounded(b box, r float64, c colour) {
	p.fill(c)
	p.RoundedRect(b.x*p.scale, b.y*p.scale, b.w*p.scale, b.h*p.scale, r*p.scale, "1234", "F")
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
	p.fill(dark)
	for row := range m.Size() {
		for from := 0; from < m.Size(); from++ {
			n := 0
			for m.Dark(from+n, row) {
				n++
			}
			if n == 0 {
				continue
			}
			p.module(x+float64(from+quiet)*unit, y+float64(row+quiet)*unit, float64(n)*unit, unit)
			from += n
		}
	}
	p.DrawPath("F")
}

// module adds a rectangle to the path.
func (p *page) module(x, y, w, h float64) {
	x, y, w, h = x*p.scale, y*p.scale, w*p.scale, h*p.scale
	p.MoveTo(x, y)
	p.LineTo(x+w, y)
	p.LineTo(x+w, y+h)
	p.LineTo(x, y+h)
	p.ClosePath()
}
