package directory

import (
	"slices"
	"strings"

	"golang.org/x/text/width"

	"doorplate/internal/spreadsheet"
)

// Columns of an import file, by field name, in the order of the template.
var Columns = []string{"job_number", "name", "phone", "email", "department", "head"}

// columnNames are the spellings of a header cell that are understood.
var columnNames = map[string][]string{
	"job_number": {"工号", "job_number", "jobnumber", "员工编号", "员工号", "employeeno", "employeenumber", "employeeid"},
	"name":       {"姓名", "name", "名字", "fullname"},
	"phone":      {"手机", "phone", "手机号", "手机号码", "mobile", "mobilephone", "phonenumber", "电话", "联系电话"},
	"email":      {"邮箱", "email", "e-mail", "电子邮箱", "邮件", "mail"},
	"department": {"部门", "department", "所属部门", "dept", "departments"},
	"head":       {"负责人", "head", "部门负责人", "是否负责人", "是否部门负责人"},
}

// A list that was exported says who has left. Nobody writes to that column, but
// a departed person must not come back by a list sent in again.
const statusColumn = "status"

var (
	statusNames   = []string{"status", "状态", "member status"}
	departedNames = []string{"departed", "离职", "已离职"}
)

// Template is the file people start from: the header in the given language.
func Template(lang string) []string {
	header := make([]string, len(Columns))
	for i, c := range Columns {
		header[i] = c
		if strings.HasPrefix(lang, "zh") {
			header[i] = columnNames[c][0]
		}
	}
	return header
}

// readHeader finds the columns. Name and phone must be there, none twice.
func readHeader(cells []string) (map[string]int, error) {
	columns := map[string]int{}
	if len(cells) >= maxCells {
		return columns, badFile("import.file.columns", "Limit", maxCells)
	}
	twice := ""
	for i, cell := range cells {
		if _, there := columns[statusColumn]; !there && slices.Contains(statusNames, strings.ToLower(line(cell))) {
			columns[statusColumn] = i
			continue
		}
		field := columnOf(cell)
		if _, there := columns[field]; field != "" && there {
			twice = line(clip(cell))
		} else if field != "" {
			columns[field] = i
		}
	}
	_, name := columns["name"]
	_, phone := columns["phone"]
	switch {
	case twice != "":
		return columns, badFile("import.file.twice", "Column", twice)
	case !name || !phone:
		return columns, badFile("import.file.header")
	}
	return columns, nil
}

// ColumnIndex finds a field in the file of a stored import, -1 when it is not there.
func (i Import) ColumnIndex(field string) int {
	header := i.Columns()
	if columns, ok := mapped(i.mapped(), header); ok {
		if at, there := columns[field]; there {
			return at
		}
		return -1
	}
	for at, cell := range header {
		if columnOf(cell) == field {
			return at
		}
	}
	return -1
}

// columnOf reads one header cell: 工号, job_number, "工号/job_number", "姓名 *".
func columnOf(cell string) string {
	if len(cell) > 200 {
		return ""
	}
	for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune("/／()（）|", r) }) {
		part = strings.ToLower(width.Fold.String(line(part)))
		bare := strings.NewReplacer(" ", "", "_", "", "*", "", "'", "", ":", "").Replace(part)
		for field, names := range columnNames {
			if slices.Contains(names, part) || slices.Contains(names, bare) || bare == strings.ReplaceAll(field, "_", "") {
				return field
			}
		}
	}
	return ""
}

// cell is a field's text in a record, "" when the column or the cell is missing.
// A leading quote that a spreadsheet put before a formula sign is taken off, so
// that our own downloads can be sent back.
func (s *sheet) cell(r record, field string) string {
	i, there := s.columns[field]
	if !there || i >= len(r.cells) {
		return ""
	}
	return spreadsheet.Unguarded(strings.TrimSpace(r.cells[i]))
}
