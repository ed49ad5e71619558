package spreadsheet

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Workbook writes an XLSX file of one sheet row by row: a million rows take no
// more memory than one. Every cell is text, so no program calculates with it,
// and a phone number or a job number keeps its leading zeros.
type Workbook struct {
	zip   *zip.Writer
	sheet *bufio.Writer
	err   error
}

// parts are the files of a workbook that are always the same. Style 1 is text.
var parts = []struct{ name, content string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/><xf numFmtId="49" applyNumberFormat="1"/></cellXfs></styleSheet>`},
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

// NewWorkbook begins a workbook on w. Close ends it.
func NewWorkbook(w io.Writer) *Workbook {
	b := &Workbook{zip: zip.NewWriter(w)}
	for _, p := range parts {
		b.part(p.name, p.content)
	}
	b.part("xl/worksheets/sheet1.xml", `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
	return b
}

func (b *Workbook) part(name, content string) {
	if b.err != nil {
		return
	}
	var file io.Writer
	if file, b.err = b.zip.Create(name); b.err != nil {
		return
	}
	b.sheet = bufio.NewWriterSize(file, 32<<10)
	b.write(xmlHead + content)
	if !strings.HasSuffix(name, "sheet1.xml") && b.err == nil {
		b.err = b.sheet.Flush()
	}
}

func (b *Workbook) write(text string) {
	if b.err == nil {
		_, b.err = b.sheet.WriteString(text)
	}
}

// Write adds a row.
func (b *Workbook) Write(cells []string) error {
	b.write("<row>")
	for _, cell := range cells {
		b.write(`<c t="inlineStr" s="1"><is><t xml:space="preserve">`)
		b.write(escaped(cell))
		b.write("</t></is></c>")
	}
	b.write("</row>")
	if b.err != nil {
		return fmt.Errorf("write workbook: %w", b.err)
	}
	return nil
}

// Close writes what is pending and ends the file.
func (b *Workbook) Close() error {
	b.write("</sheetData></worksheet>")
	if b.err == nil {
		b.err = b.sheet.Flush()
	}
	if b.err == nil {
		b.err = b.zip.Close()
	}
	if b.err != nil {
		return fmt.Errorf("end workbook: %w", b.err)
	}
	return nil
}

// maxCell is what a cell of a workbook can hold, in characters.
const maxCell = 32767

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")

// escaped is a text as XML can carry it: control characters cannot be written at all.
func escaped(cell string) string {
	cell = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(cell, "\uFFFD"))
	if utf8.RuneCountInString(cell) > maxCell {
		cell = string([]rune(cell)[:maxCell])
	}
	return entities.Replace(cell)
}
