package operations

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/width"

	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/spreadsheet"
)

// unpacked bounds what a workbook may grow to, cellMost the characters of a cell that are kept.
const (
	unpacked = 32 << 20
	cellMost = 2000
)

// fields are the columns of a file of groups, in the order of the template.
var fields = []string{"name", "type", "department", "capacity", "purpose", "join_mode", "owner", "entry_url"}

// fieldWords are the spellings of a header cell that are understood.
var fieldWords = map[string][]string{
	"name": {"群名称", "名称", "群名", "name", "groupname"}, "type": {"类型", "群类型", "type"},
	"department": {"部门", "department", "dept"}, "capacity": {"人数上限", "上限", "容量", "capacity"},
	"purpose": {"用途", "purpose"}, "join_mode": {"加入方式", "joinmode"},
	"owner": {"群主", "owner"}, "entry_url": {"入群链接", "链接", "entryurl", "link"},
}

// Words for what a type and a way to join are called.
var (
	typeWords = map[string][]string{group.Internal: {"内部群", "内部"}, group.External: {"外部群", "外部", "客户群"}, group.Training: {"培训群", "培训"}}
	modeWords = map[string][]string{group.Open: {"直接进", "开放"}, group.Approval: {"需审批", "审批"}, group.Restricted: {"限制加入", "限制"}, group.Off: {"暂不接收", "关闭"}}
)

// word turns what people write into the value it means; what is unknown stays, to be refused.
func word(words map[string][]string, text string) string {
	folded := strings.ToLower(width.Fold.String(strings.TrimSpace(text)))
	for value, all := range words {
		if folded == value || slices.Contains(all, folded) {
			return value
		}
	}
	return folded
}

func badFile(key string, args ...any) error { return fault.Invalid{"file": fault.Msg(key, args...)} }

// fromFile reads a table below a header that names at least the column of names.
func (o Order) fromFile() ([]asked, error) {
	table, err := readTable(o.File)
	if err != nil {
		return nil, err
	}
	if len(table) == 0 {
		return nil, badFile("operations.batch.error.file.empty")
	}
	columns := map[string]int{}
	for i, cell := range table[0].cells {
		if f := fieldOf(cell); f != "" {
			if _, twice := columns[f]; twice {
				return nil, badFile("operations.batch.error.file.twice", "Column", clip(group.OneLine(cell), 40))
			}
			columns[f] = i
		}
	}
	if _, there := columns["name"]; !there {
		return nil, badFile("operations.batch.error.file.header")
	}
	rows := table[1:]
	switch {
	case len(rows) == 0:
		return nil, badFile("operations.batch.error.file.empty")
	case len(rows) > Most:
		return nil, badFile("operations.batch.error.file.many", "Max", Most)
	}
	all := make([]asked, len(rows))
	for i, r := range rows {
		cell := func(field string) string {
			at, there := columns[field]
			if !there || at >= len(r.cells) {
				return ""
			}
			return clip(spreadsheet.Unguarded(strings.TrimSpace(r.cells[at])), cellMost)
		}
		all[i] = o.fill(asked{Line: r.line, Name: cell("name"), Type: cell("type"), Department: cell("department"), Capacity: cell("capacity"),
			Purpose: cell("purpose"), JoinMode: cell("join_mode"), Owner: cell("owner"), Link: cell("entry_url")})
	}
	return all, nil
}

func fieldOf(cell string) string {
	for part := range strings.FieldsFuncSeq(clip(cell, 100), func(r rune) bool { return strings.ContainsRune("/／()（）|", r) }) {
		bare := strings.NewReplacer(" ", "", "_", "", "*", "", "'", "", "-", "").Replace(strings.ToLower(width.Fold.String(group.OneLine(part))))
		for field, words := range fieldWords {
			if slices.Contains(words, bare) {
				return field
			}
		}
	}
	return ""
}

// record is one row of a file that is not empty; line counts from 1, the header included.
type record struct {
	line  int
	cells []string
}

// readTable reads CSV in UTF-8 or GB18030, or the first sheet of an XLSX, by
// content, and stops one row after the most there may be.
func readTable(content []byte) ([]record, error) {
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return readWorkbook(content)
	}
	text := bytes.TrimPrefix(content, []byte("\ufeff"))
	if !utf8.Valid(text) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(text)
		if err != nil || bytes.Contains(decoded, []byte("\uFFFD")) {
			return nil, badFile("operations.batch.error.file.binary")
		}
		text = decoded
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, badFile("operations.batch.error.file.binary")
	}
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	if first, _, _ := bytes.Cut(text, []byte("\n")); bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		in.Comma = ';'
	} else if bytes.Count(first, []byte("\t")) > bytes.Count(first, []byte(",")) {
		in.Comma = '\t'
	}
	var all []record
	for len(all) < Most+2 {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, badFile("operations.batch.error.file.binary")
		}
		line, _ := in.FieldPos(0)
		all = take(all, line, cells)
	}
	return all, nil
}

func readWorkbook(content []byte) ([]record, error) {
	unreadable := badFile("operations.batch.error.file.binary")
	book, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: unpacked, UnzipXMLSizeLimit: unpacked, RawCellValue: true})
	if err != nil {
		return nil, unreadable
	}
	defer book.Close()
	names := book.GetSheetList()
	if len(names) == 0 {
		return nil, unreadable
	}
	rows, err := book.Rows(names[0])
	if err != nil {
		return nil, unreadable
	}
	defer rows.Close()
	var all []record
	for line := 1; rows.Next() && len(all) < Most+2; line++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, unreadable
		}
		all = take(all, line, cells)
	}
	return all, nil
}

// take adds a row that says anything; NUL and broken text are taken out, as no database stores them.
func take(all []record, line int, cells []string) []record {
	said := false
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(strings.ToValidUTF8(c, "\uFFFD"), "\x00", "")
		said = said || strings.TrimSpace(cells[i]) != ""
	}
	if !said {
		return all
	}
	return append(all, record{line, cells})
}
