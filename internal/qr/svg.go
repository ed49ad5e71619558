package qr

import "strconv"

// SVG returns a picture of its own, without a fixed size: dark modules as one path on a white ground with a quiet zone of
// 4 modules.
func (m *Matrix) SVG() []byte { return m.svg(quiet, "") }

// svg draws with a quiet zone of margin modules; over lies on top, in units of
// modules from the code's corner.
func (m *Matrix) svg(margin int, over string) []byte {
	n := strconv.Itoa(m.size + 2*margin)
	if over != "" {
		over = `<g transform="translate(` + strconv.Itoa(margin) + ` ` + strconv.Itoa(margin) + `)">` + over + `</g>`
	}
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + n + ` ` + n + `" shape-rendering="crispEdges">` +
		`<path fill="#fff" d="M0 0h` + n + `v` + n + `H0z"/><path fill="#0b1220" d="` + m.path(margin) + `"/>` + over + "</svg>\n")
}

// SVGPath returns the data of a filled path that draws the dark modules, one unit each, inside a square of side units, and
// that side: it includes a quiet zone of 4 modules. The data holds digits, spaces, signs and the letters M, h, v, z only.
func (m *Matrix) SVGPath() (path string, side int) { return m.path(quiet), m.size + 2*quiet }

func (m *Matrix) path(margin int) string {
	out := make([]byte, 0, m.size*m.size*4)
	for y := range m.rows {
		for x := 0; x < m.size; x++ {
			if n := m.run(x, y); n > 0 {
				out = appendBar(out, x+margin, y+margin, n)
				x += n
			}
		}
	}
	return string(out)
}

// run returns how many dark modules stand side by side from (x, y) on.
func (m *Matrix) run(x, y int) int {
	n := 0
	for m.Dark(x+n, y) {
		n++
	}
	return n
}

// appendBar appends a bar of n modules, one module high.
func appendBar(out []byte, x, y, n int) []byte {
	out = append(out, 'M')
	out = strconv.AppendInt(out, int64(x), 10)
	out = append(out, ' ')
	out = strconv.AppendInt(out, int64(y), 10)
	out = append(out, 'h')
	out = strconv.AppendInt(out, int64(n), 10)
	out = append(out, "v1h-"...)
	out = strconv.AppendInt(out, int64(n), 10)
	return append(out, 'z')
}
