package directory

import (
	"bytes"

	"github.com/xuri/excelize/v2"
)

// unpacked bounds what a workbook may grow to, so that a small file cannot fill
// the memory.
const unpacked = 128 << 20

// readXLSX reads the first sheet of a workbook.
func readXLSX(content []byte) (s *sheet, err error) {
	book, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: unpacked, UnzipXMLSizeLimit: unpacked, RawCellValue: true})
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
	s = &sheet{}
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
	return s, s.check()
}

func (s *sheet) take(number int, cells []string) (err error) {
	switch {
	case blank(cells):
		return nil
	case s.header == nil:
		s.header = cells
		s.columns, err = readHeader(cells)
		return err
	case len(s.records) == maxRows:
		return badFile("import.file.rows", "Limit", maxRows)
	}
	r := record{line: number, cells: cells}
	if len(cells) > maxCells {
		r.cells, r.wrong = cells[:maxCells], "import.cause.cells"
	}
	s.records = append(s.records, r)
	return nil
}
