// Package paper draws what is printed: posters, sheets of labels and lists of
// codes, as PDF. Sizes are in millimetres, type in points; a code is a path of
// its modules and text stays text, in one embedded font of which a file carries
// only what it uses. The same input gives the same bytes.
package paper

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf16"
)

// points is how many of them a millimetre has.
const points = 72 / 25.4

// document is a PDF being written (ISO 32000-1).
type document struct {
	title, lang string
	pages       []*page
	fonts       [2]*subset
}

func newDocument(title, lang string) *document {
	d := &document{title: title, lang: lang}
	for face, f := range faces() {
		d.fonts[face] = newSubset(f)
	}
	return d
}

// page is one page and what is drawn on it so far.
type page struct {
	*document
	width, height float64 // mm
	scale         float64 // of everything drawn: an A5 poster is an A4 one made smaller
	content       []byte
}

func (d *document) addPage(width, height, scale float64) *page {
	p := &page{document: d, width: width, height: height, scale: scale}
	d.pages = append(d.pages, p)
	return p
}

// numbers appends numbers as PDF writes them.
func (p *page) numbers(values ...float64) {
	for _, v := range values {
		p.content = strconv.AppendFloat(p.content, v, 'f', 3, 64)
		p.content = append(p.content, ' ')
	}
}

func (p *page) op(name string, values ...float64) {
	p.numbers(values...)
	p.content = append(append(p.content, name...), '\n')
}

func (p *page) x(mm float64) float64 { return mm * p.scale * points }
func (p *page) y(mm float64) float64 { return (p.height - mm*p.scale) * points }

// writer puts numbered objects into a file.
type writer struct {
	bytes.Buffer
	starts []int
}

// object writes an object and returns its number.
func (w *writer) object(format string, args ...any) int {
	n := w.reserve()
	w.fill(n, format, args...)
	return n
}

func (w *writer) reserve() int {
	w.starts = append(w.starts, 0)
	return len(w.starts)
}

func (w *writer) fill(n int, format string, args ...any) {
	w.starts[n-1] = w.Len()
	fmt.Fprintf(w, "%d 0 obj\n", n)
	fmt.Fprintf(w, format, args...)
	w.WriteString("\nendobj\n")
}

// packers are reused: making one costs more than packing a page.
var packers = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

// stream writes packed data as an object.
func (w *writer) stream(data []byte, extra string) int {
	var packed bytes.Buffer
	z := packers.Get().(*zlib.Writer)
	defer packers.Put(z)
	z.Reset(&packed)
	z.Write(data) // a buffer takes everything
	z.Close()
	return w.object("<< /Filter /FlateDecode /Length %d%s >>\nstream\n%s\nendstream", packed.Len(), extra, packed.Bytes())
}

// bytes finishes the file.
func (d *document) bytes() []byte {
	w := &writer{}
	w.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	fonts := ""
	for face, s := range d.fonts {
		if len(s.glyphs) > 1 {
			fonts += fmt.Sprintf("/F%d %d 0 R ", face, w.font(s, [2]string{"Regular", "Bold"}[face]))
		}
	}
	tree := w.reserve()
	kids := ""
	for _, p := range d.pages {
		content := w.stream(p.content, "")
		n := w.object("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.3f %.3f] /Contents %d 0 R /Resources << /Font << %s>> >> >>",
			tree, p.width*points, p.height*points, content, fonts)
		kids += strconv.Itoa(n) + " 0 R "
	}
	w.fill(tree, "<< /Type /Pages /Kids [%s] /Count %d >>", kids, len(d.pages))
	catalog := w.object("<< /Type /Catalog /Pages %d 0 R /Lang (%s) /ViewerPreferences << /DisplayDocTitle true /PrintScaling /None >> >>", tree, d.lang)
	info := w.object("<< /Title <%s> /Producer (Doorplate) >>", utf16Hex("\uFEFF"+d.title))
	start := w.Len()
	fmt.Fprintf(w, "xref\n0 %d\n0000000000 65535 f \n", len(w.starts)+1)
	for _, at := range w.starts {
		fmt.Fprintf(w, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(w, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(w.starts)+1, catalog, info, start)
	return w.Bytes()
}

// font writes a subset: the file, its measures and what its glyphs say.
func (w *writer) font(s *subset, style string) int {
	file := s.file() // first: it may add glyphs
	name := "DOORPL+NotoSansSC-" + style
	data := w.stream(file, fmt.Sprintf(" /Length1 %d", len(file)))
	descriptor := w.object("<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [-200 -300 1200 1100] /ItalicAngle 0 /Ascent 880 /Descent -120 "+
		"/CapHeight 733 /StemV 80 /FontFile2 %d 0 R >>", name, data)
	var widths bytes.Buffer
	for _, g := range s.glyphs {
		fmt.Fprintf(&widths, "%d ", s.advance(g))
	}
	descendant := w.object("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "+
		"/FontDescriptor %d 0 R /CIDToGIDMap /Identity /DW 1000 /W [0 [%s]] >>", name, descriptor, widths.Bytes())
	says := w.stream(s.toUnicode(), "")
	return w.object("<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>", name, descendant, says)
}

// mapChunk is how many lines one block of a character map may have.
const mapChunk = 100

// toUnicode is the table by which a reader copies and searches text.
func (s *subset) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	var lines []string
	for n, r := range s.runes {
		if r != 0 {
			lines = append(lines, fmt.Sprintf("<%04X> <%s>\n", n, utf16Hex(string(r))))
		}
	}
	for len(lines) > 0 {
		chunk := lines[:min(mapChunk, len(lines))]
		lines = lines[len(chunk):]
		fmt.Fprintf(&b, "%d beginbfchar\n", len(chunk))
		for _, l := range chunk {
			b.WriteString(l)
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

func utf16Hex(text string) string {
	var b bytes.Buffer
	for _, unit := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, "%04X", unit)
	}
	return b.String()
}
