package database

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
)

// Column is one column of a table that a statement gets handed: texts or numbers.
type Column struct {
	name    string
	texts   []string
	numbers []int64
	number  bool
}

// Texts is a column of texts.
func Texts(name string, values []string) Column { return Column{name: name, texts: values} }

// Numbers is a column of whole numbers.
func Numbers(name string, values []int64) Column {
	return Column{name: name, numbers: values, number: true}
}

func (c Column) kind() string {
	if c.number {
		return "bigint"
	}
	return "text"
}

// Values is a table "v" for a FROM clause, with the arguments of its
// placeholders: thousands of rows in one argument a column, where a list of
// VALUES would have one for each cell. All columns are equally long.
func Values(db *gorm.DB, columns ...Column) (sql string, args []any) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	if Postgres(db) {
		sources := make([]string, len(columns))
		for i, c := range columns {
			sources[i], args = "CAST(? AS "+c.kind()+"[])", append(args, c.array())
		}
		return "unnest(" + strings.Join(sources, ", ") + ") AS v (" + strings.Join(names, ", ") + ")", args
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("value ->> %d AS %s", i, name)
	}
	return "(SELECT " + strings.Join(names, ", ") + " FROM json_each(?)) AS v", []any{table(columns)}
}

// AnyOf is a condition that column is one of the texts or numbers.
func AnyOf(db *gorm.DB, column string, values Column) (sql string, arg any) {
	if Postgres(db) {
		return column + " = ANY(CAST(? AS " + values.kind() + "[]))", values.array()
	}
	b := []byte{'['}
	for i := range max(len(values.texts), len(values.numbers)) {
		b = append(values.cell(b, i), ',')
	}
	b[max(len(b)-1, 0)] = ']'
	if len(b) == 1 {
		b = []byte("[]")
	}
	return column + " IN (SELECT value FROM json_each(?))", string(b)
}

// The arrays are structs, because gorm spreads a slice over many placeholders.
type (
	textArray   struct{ pgtype.FlatArray[string] }
	numberArray struct{ pgtype.FlatArray[int64] }
)

func (c Column) array() any {
	if c.number {
		return numberArray{c.numbers}
	}
	return textArray{c.texts}
}

// table is [["a",1],["b",2]].
func table(columns []Column) string {
	rows := max(len(columns[0].texts), len(columns[0].numbers))
	if rows == 0 {
		return "[]"
	}
	b := make([]byte, 0, rows*len(columns)*16)
	b = append(b, '[')
	for row := range rows {
		b = append(b, '[')
		for _, c := range columns {
			b = append(c.cell(b, row), ',')
		}
		b[len(b)-1] = ']'
		b = append(b, ',')
	}
	b[len(b)-1] = ']'
	return string(b)
}

func (c Column) cell(b []byte, row int) []byte {
	if c.number {
		return strconv.AppendInt(b, c.numbers[row], 10)
	}
	return quoted(b, c.texts[row])
}

// quoted appends a JSON string; nearly all texts need no escapes.
func quoted(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			q, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string
			}
			return append(b, q...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
