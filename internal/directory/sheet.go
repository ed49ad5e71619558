package directory

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"doorplate/internal/fault"
)

// MaxColumns is how many columns a file may have, far more than any address book exports.
const MaxColumns = 200

// Limits of one import file.
const (
	maxRows   = 100_000
	maxCells  = MaxColumns // of a row
	maxQuoted = 16_000     // bytes of one quoted cell: beyond, its closing quote is missing
)

// record is one row of a file. line is where it starts, the header's being 1.
// wrong is the catalog key of why it cannot be read.
type record struct {
	line  int
	cells []string
	wrong string
}

// sheet is a file read as rows below its header. unusable says why the header
// alone does not tell which column is what.
type sheet struct {
	header   []string
	columns  map[string]int // field → index
	unusable error
	records  []record
	total    int // rows in the file
	keep     int // rows wanted, the others are only counted; 0 = all
	workbook bool
}

// readSheet reads CSV in UTF-8, UTF-16 or GB18030, or XLSX, by content. What is
// neither, or has no usable header, is fault.Invalid on the field "file".
func readSheet(content []byte) (*sheet, error) {
	s, err := openSheet(content, 0)
	if err != nil {
		return nil, err
	}
	return s, s.usable(nil)
}

// openSheet reads a file whose header may still be in need of a mapping.
func openSheet(content []byte, keep int) (*sheet, error) {
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return readXLSX(content, keep)
	}
	text, ok := decode(content)
	if !ok {
		return nil, badFile("import.file.binary")
	}
	if strings.TrimSpace(text) == "" {
		return nil, badFile("import.file.empty")
	}
	best, rest := &sheet{}, scanner{}
	for _, comma := range []byte{',', ';', '\t'} {
		s := scanner{text: text, comma: comma, line: 1}
		first, _ := s.next()
		columns, err := readHeader(first.cells)
		if best.header == nil || len(columns) > len(best.columns) || len(columns) == len(best.columns) && len(first.cells) > len(best.header) {
			best, rest = &sheet{header: first.cells, columns: columns, unusable: err, keep: keep}, s
		}
	}
	return best, best.fill(&rest)
}

// usable takes the mapping over, when there is one, and refuses a sheet whose
// columns are not known or that has nothing below its header.
func (s *sheet) usable(mapping []string) error {
	if columns, ok := mapped(mapping, s.header); ok {
		if at, there := s.columns[statusColumn]; there {
			columns[statusColumn] = at
		}
		s.columns, s.unusable = columns, nil
	}
	switch {
	case s.unusable != nil:
		return s.unusable
	case s.total == 0:
		return badFile("import.file.norows")
	}
	return nil
}

func badFile(key string, args ...any) error { return fault.Invalid{"file": fault.Msg(key, args...)} }

// fill reads the rows. Of a file nobody can use, the number of rows does not matter.
func (s *sheet) fill(from *scanner) error {
	for {
		r, ok := from.next()
		if !ok {
			return nil
		}
		if full := s.add(r); full != nil {
			return full
		}
	}
}

func (s *sheet) add(r record) error {
	if s.total == maxRows && s.unusable != nil {
		return s.unusable
	} else if s.total == maxRows {
		return badFile("import.file.rows", "Limit", maxRows)
	}
	if s.wanted() {
		s.records = append(s.records, r)
	}
	s.total++
	return nil
}

// wanted reports whether the next row is kept.
func (s *sheet) wanted() bool { return s.keep == 0 || len(s.records) < s.keep }

// decode turns a file into text by looking at its bytes.
func decode(content []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}), bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		text, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(content)
		return string(text), err == nil && isText(text)
	case utf8.Valid(content):
		text := bytes.TrimPrefix(content, []byte("\ufeff"))
		return string(text), isText(text)
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(content)
	return string(text), err == nil && isText(text) && !bytes.Contains(text, []byte("\uFFFD"))
}

// isText reports whether these could be a person's words: no NUL and hardly any
// control character.
func isText(text []byte) bool {
	odd := 0
	for _, b := range text {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			odd++
		}
	}
	return bytes.IndexByte(text, 0) < 0 && odd <= len(text)/100+8
}

// scanner reads CSV rows. Unlike encoding/csv it goes on after a row with
// broken quotes: that row is refused, the ones below it are kept.
type scanner struct {
	text  string
	comma byte
	pos   int
	line  int
}

// next returns the next row that is not empty.
func (s *scanner) next() (record, bool) {
	for s.pos < len(s.text) {
		if r := s.row(); r.wrong != "" || !blank(r.cells) {
			return r, true
		}
	}
	return record{}, false
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

func (s *scanner) row() record {
	start, r := s.pos, record{line: s.line}
	for {
		cell, last, ok := s.cell()
		if !ok {
			s.pos, s.line = start, r.line
			return record{line: r.line, cells: []string{s.rest()}, wrong: "import.cause.quotes"}
		}
		if len(r.cells) == maxCells {
			s.rest()
			r.wrong = "import.cause.cells"
			return r
		}
		r.cells = append(r.cells, cell)
		if last {
			return r
		}
	}
}

// cell reads one cell with what ends it; last says that the row ends with it.
func (s *scanner) cell() (cell string, last, ok bool) {
	if s.pos < len(s.text) && s.text[s.pos] == '"' {
		return s.quoted()
	}
	end := strings.IndexAny(s.text[s.pos:], string([]byte{s.comma, '\r', '\n'}))
	if end < 0 {
		end = len(s.text) - s.pos
	}
	cell = s.text[s.pos : s.pos+end]
	s.pos += end
	return cell, s.separator(), true
}

// separator steps over what follows a cell and reports whether the row ends.
func (s *scanner) separator() (last bool) {
	if s.pos >= len(s.text) {
		return true
	}
	c := s.text[s.pos]
	s.pos++
	if c == s.comma {
		return false
	}
	if c == '\r' && s.pos < len(s.text) && s.text[s.pos] == '\n' {
		s.pos++
	}
	s.line++
	return true
}

func (s *scanner) quoted() (cell string, last, ok bool) {
	var b strings.Builder
	lines := 0
	for i := s.pos + 1; i < len(s.text) && b.Len() <= maxQuoted; i++ {
		c := s.text[i]
		switch {
		case c != '"':
			if c == '\n' || c == '\r' && !strings.HasPrefix(s.text[i+1:], "\n") {
				lines++
			}
			b.WriteByte(c)
		case strings.HasPrefix(s.text[i+1:], `"`):
			b.WriteByte('"')
			i++
		default:
			s.pos = i + 1
			for s.pos < len(s.text) && s.text[s.pos] == ' ' {
				s.pos++
			}
			s.line += lines
			ends := s.pos >= len(s.text) || s.text[s.pos] == s.comma || s.text[s.pos] == '\r' || s.text[s.pos] == '\n'
			return b.String(), ends && s.separator(), ends
		}
	}
	return "", false, false
}

// rest takes what is left of this line of the file.
func (s *scanner) rest() string {
	end := strings.IndexAny(s.text[s.pos:], "\r\n")
	if end < 0 {
		end = len(s.text) - s.pos
	}
	rest := s.text[s.pos : s.pos+end]
	s.pos += end
	s.separator()
	return rest
}
