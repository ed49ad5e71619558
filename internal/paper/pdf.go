// Package paper draws what is printed: posters, sheets of labels and lists of
// codes, as PDF. Sizes are in millimetres, type in points; a code is a path of
// its modules and text stays text, in one embedded font of which a file carries
// only what it uses. The same input gives the same bytes.
package paper

import (
	"bytes"
	"fmt"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// points is how many of them a millimetre has.
const points = 72 / 25.4

// fontName is what a PDF calls the font.
const fontName = "noto"

// drawn is the date every file carries: with the real one, printing the same
// thing twice would give two files.
var drawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// page is a PDF being drawn; it stands on its last page.
type page struct {
	*fpdf.Fpdf
	scale float64 // of everything drawn: an A5 poster is an A4 one made smaller
}

func newDocument(title, lang string) *page {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(drawn)
	pdf.SetModificationDate(drawn)
	pdf.SetTitle(title, true)
	pdf.SetLang(lang)
	pdf.SetProducer("Doorplate", false)
	pdf.AddUTF8FontFromBytes(fontName, "", bytes.Clone(fontFile)) // it writes into what it is given
	pdf.SetFont(fontName, "", 10)
	return &page{Fpdf: pdf, scale: 1}
}

func (p *page) addPage(width, height, scale float64) {
	p.scale = scale
	p.AddPageFormat("P", fpdf.SizeType{Wd: width, Ht: height})
}

// bytes finishes the file.
func (p *page) bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		return nil, fmt.Errorf("paper: write a PDF: %w", err)
	}
	return out.Bytes(), nil
}
