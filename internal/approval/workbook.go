package approval

import (
	"io"

	"doorplate/internal/spreadsheet"
)

// XLSX is a table as a workbook.
const XLSX = "xlsx"

// xlsxSheet writes every cell as text, so that nothing is run as a formula and
// no number loses its zeros.
var xlsxSheet = Sheet{ContentType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Open: func(w io.Writer) (Rows, error) {
	return xlsxRows{spreadsheet.NewWorkbook(w)}, nil
}}

type xlsxRows struct{ book *spreadsheet.Workbook }

func (x xlsxRows) Row(cells []string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = spreadsheet.Harmless(cell)
	}
	return x.book.Write(safe)
}

func (x xlsxRows) Close() error { return x.book.Close() }
