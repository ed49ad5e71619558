package directory

import (
	"bytes"
	"strings"

	"github.com/xuri/excelize/v2"
)

// unpacked bounds what a workbook may grow to, so that a small file cannot fill
// the disk; what is larger than inMemory goes through a temporary file, so that
// it cannot fill the memory either.
const (
	unpacked = 128 << 20
	inMemory = 1 << 20
)

// readXLSX reads the first sheet of a workbook.
func readXLSX(content []byte, keep int) (s *sheet, err error) {
	book, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: unpacked, UnzipXMLSizeLimit: inMemory, RawCellValue: true})
	if err != nil {
		return nil, badFile("import.file.xlsx")
	}
	defer book.Close()
	names := book.GetSheetList()
	if len(names) == 0 {
		return nil, badFile("import.file.empty")
	}
	rows, err := book.Rows(names[0])
	if err != nil {
		return nil, badFile("import.file.xlsx")
	}
	defer rows.Close()
	s = &sheet{keep: keep, workbook: true}
	for number := 1; rows.Next(); number++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, badFile("import.file.xlsx")
		}
		if err := s.take(number, cells); err != nil {
			return nil, err
		}
	}
	if rows.Error() != nil {
		return nil, badFile("import.file.xlsx")
	}
	if s.header == nil {
		return nil, badFile("import.file.empty")
	}
	return s, nil
}

func (s *sheet) take(number int, cells []string) error {
	switch {
	case blank(cells):
		return nil
	case s.header == nil:
		s.header = cells
		s.columns, s.unusable = readHeader(cells)
		return nil
	}
	r := record{line: number}
	if len(cells) > maxCells {
		cells, r.wrong = cells[:maxCells], "import.cause.cells"
	}
	if s.wanted() {
		r.cells = packed(cells)
	}
	return s.add(r)
}

// packed is the cells of a row in one piece: a workbook's rows are kept while it
// is worked on, and each cell by itself is mostly overhead.
func packed(cells []string) []string {
	row, exact := strings.Join(cells, ""), make([]string, len(cells))
	for i, cell := range cells {
		exact[i], row = row[:len(cell)], row[len(cell):]
	}
	return exact
}
