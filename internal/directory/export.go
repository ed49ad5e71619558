package directory

import (
	"encoding/csv"
	"fmt"
	"io"

	"doorplate/internal/spreadsheet"
)

// WriteCSV writes rows as spreadsheets read them: UTF-8 with BOM, CRLF, and no
// cell that a spreadsheet would run as a formula.
func WriteCSV(w io.Writer, rows [][]string) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = spreadsheet.Harmless(cell)
		}
		if err := out.Write(safe); err != nil {
			return fmt.Errorf("write csv: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// WriteXLSX writes the same rows as a workbook.
func WriteXLSX(w io.Writer, rows [][]string) error {
	book := spreadsheet.NewWorkbook(w)
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = spreadsheet.Harmless(cell)
		}
		if err := book.Write(safe); err != nil {
			return err
		}
	}
	return book.Close()
}
