package paper

import "doorplate/internal/qr"

// Entry is one code on a list.
type Entry struct {
	Code                                  *qr.Matrix
	Group, Path, Purpose, Validity, Typed string
}

// Sheet lists many codes on as few pages as they need: what somebody who is new
// gets on the first day. req: A24
type Sheet struct {
	Lang, Title, Lead string
	Page              func(n, of int) string // the page's number in words
	Entries           []Entry
}

// Measures of a list.
const (
	cardCols  = 2
	cardRows  = 6
	cardGap   = 4.0
	cardHigh  = 37.0
	cardQR    = 33.0
	sheetTop  = 44.0
	sheetEdge = 12.0
)

// SheetCode makes the code for a list's card; a long address gets less error
// correction rather than modules that are too small.
func SheetCode(url string) (*qr.Matrix, error) {
	return roomy(url, func(m *qr.Matrix) bool { return moduleOf(m, cardQR) >= LeastModule })
}

// roomy encodes at level M, or at L where M does not fit.
func roomy(url string, fits func(*qr.Matrix) bool) (*qr.Matrix, error) {
	m, err := qr.Encode(url, qr.M)
	if err != nil || fits(m) {
		return m, err
	}
	return qr.Encode(url, qr.L)
}

// PDF draws the pages.
func (s Sheet) PDF() ([]byte, error) {
	sheet := newDocument(clean(s.Title), s.Lang)
	const perPage = cardCols * cardRows
	pages := (len(s.Entries) + perPage - 1) / perPage
	w := (a4Width - 2*sheetEdge - cardGap) / cardCols
	for i, e := range s.Entries {
		at := i % perPage
		if at == 0 {
			sheet.addPage(a4Width, a4Height, 1)
			sheet.sheetHead(s, sheet.PageNo(), pages)
		}
		x := sheetEdge + float64(at%cardCols)*(w+cardGap)
		y := sheetTop + float64(at/cardCols)*(cardHigh+cardGap)
		sheet.card(e, box{x, y, w, cardHigh})
	}
	return sheet.bytes()
}

func (p *page) sheetHead(s Sheet, n, of int) {
	band := box{sheetEdge, 10, a4Width - 2*sheetEdge, 28}
	p.rim(band, 4, 1, 0.5, enamel, white)
	name, nameStyle := style{Bold, 19, 0.02, white}.fit(s.Title, band.w-20, 1, 11)
	lead, leadStyle := style{Regular, 10, 0, second}.fit(s.Lead, band.w-20, 1, 7)
	for _, l := range name {
		p.line(l, band.x+10, band.y+13.5, left, nameStyle)
	}
	for _, l := range lead {
		p.line(l, band.x+10, band.y+21, left, leadStyle)
	}
	p.line(clean(s.Page(n, of)), a4Width-sheetEdge, a4Height-6, right, style{Regular, 8, 0, ink2})
}

func (p *page) card(e Entry, b box) {
	p.rim(b, 3, 0, 0.25, white, hair)
	p.code(e.Code, b.x+1.5, b.y+(b.h-cardQR)/2, cardQR)
	room := box{b.x + cardQR + 4, b.y + 2.5, b.w - cardQR - 7, b.h - 5}
	var runs []run
	add := func(text string, lines int, gap float64, s style) {
		if out, set := s.fit(text, room.w, lines, s.size*0.75); len(out) > 0 {
			runs = append(runs, run{out, set, gap, 1.25})
		}
	}
	add(e.Group, 2, 0, style{Bold, 12.5, 0, ink})
	add(e.Path, 1, 0.3, style{Regular, 7.5, 0, ink2})
	add(e.Purpose, 2, 0.3, style{Regular, 8, 0, ink})
	add(e.Validity, 1, 0.8, style{Bold, 7.5, 0, ink})
	add(e.Typed, 1, 0.3, style{Regular, 7.5, 0.04, ink})
	p.column(runs, room, true)
}
