package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/spreadsheet"
)

// CauseColumn is the last column of the file of refused rows. It is no column of
// the list itself.
const CauseColumn = "原因/cause"

const (
	sampled = 20 // rows looked at to tell whether a file holds people
	samples = 3  // values of a column that are shown
)

// FileColumn is a column of an uploaded file with some of its values and the
// field it is, "" when it is not read.
type FileColumn struct {
	Header  string
	Samples []string
	Field   string
}

// ImportMapping is what a person decides on: what the columns of a file are.
type ImportMapping struct {
	Import
	Files []FileColumn
}

// columnMapping is what somebody said about files with the same header.
type columnMapping struct {
	MemberID  int64  `gorm:"primaryKey"`
	Signature string `gorm:"primaryKey"`
	Mapping   string
	UpdatedAt time.Time
}

func (columnMapping) TableName() string { return "column_mappings" }

// signature is the same for files with the same columns.
func signature(header []string) string {
	if n := len(header); n > 0 && header[n-1] == CauseColumn {
		header = header[:n-1]
	}
	h := sha256.New()
	for _, cell := range header {
		fmt.Fprintf(h, "%s\n", strings.ToLower(line(cell)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// mapped turns fields by column into columns by field; not ok for what does not
// fit the header.
func mapped(fields, header []string) (columns map[string]int, ok bool) {
	if len(fields) == 0 || len(fields) > len(header) {
		return nil, false
	}
	columns = map[string]int{}
	for i, field := range fields {
		if field == "" {
			continue
		}
		if _, twice := columns[field]; twice || !slices.Contains(Columns, field) {
			return nil, false
		}
		columns[field] = i
	}
	_, name := columns["name"]
	_, phone := columns["phone"]
	return columns, name && phone
}

// mapped are the fields that a person chose, by column; nil when the header says it.
func (i Import) mapped() (fields []string) {
	if i.Mapping == "" || json.Unmarshal([]byte(i.Mapping), &fields) != nil {
		return nil
	}
	return fields
}

// remembered reads what the person said about such a header the last time.
func remembered(tx *gorm.DB, memberID int64, header []string) (fields []string, err error) {
	var m columnMapping
	err = tx.Where("member_id = ? AND signature = ?", memberID, signature(header)).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the columns of the last time: %w", err)
	}
	if json.Unmarshal([]byte(m.Mapping), &fields) != nil {
		return nil, nil
	}
	return fields, nil
}

func remember(tx *gorm.DB, m columnMapping) error {
	err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "member_id"}, {Name: "signature"}},
		DoUpdates: clause.AssignmentColumns([]string{"mapping", "updated_at"})}).Create(&m).Error
	if err != nil {
		return fmt.Errorf("remember the columns: %w", err)
	}
	return nil
}

// mappable reports whether the file holds people at all: one column reads like
// phone numbers and another like names.
func (s *sheet) mappable() bool {
	guessed := s.guess()
	return len(s.header) < maxCells && slices.Contains(guessed, "phone") && slices.Contains(guessed, "name")
}

// guess says what the columns may be, by their headers and else by their values.
func (s *sheet) guess() []string {
	fields, used := make([]string, len(s.header)), map[string]bool{}
	take := func(i int, field string) {
		if field != "" && fields[i] == "" && !used[field] {
			fields[i], used[field] = field, true
		}
	}
	for i, cell := range s.header {
		if cell != CauseColumn {
			take(i, columnOf(cell))
		}
	}
	for _, looks := range []struct {
		field string
		like  func(string) bool
	}{{"phone", likePhone}, {"email", validEmail}, {"name", likeName}} {
		for i := range s.header {
			if fields[i] == "" && s.most(i, looks.like) {
				take(i, looks.field)
			}
		}
	}
	return fields
}

// most reports whether at least half of a column's values are like that.
func (s *sheet) most(column int, like func(string) bool) bool {
	all, fit := 0, 0
	for _, r := range s.records[:min(sampled, len(s.records))] {
		if text := r.at(column); text != "" && r.wrong == "" {
			all++
			if like(text) {
				fit++
			}
		}
	}
	return fit > 0 && 2*fit >= all
}

func (r record) at(column int) string {
	if column >= len(r.cells) {
		return ""
	}
	return spreadsheet.Unguarded(strings.TrimSpace(r.cells[column]))
}

func likePhone(text string) bool {
	_, ok := ParsePhone(text)
	return ok
}

func likeName(text string) bool {
	return !tooLong(text, nameLimit) && strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsFunc(text, unicode.IsDigit) && !strings.ContainsAny(text, "@/\\")
}

// ImportMapping shows the columns of a file that waits for its mapping, or of a
// check that shall be done again with another one.
func (s *Service) ImportMapping(ctx context.Context, by access.Actor, id int64) (ImportMapping, error) {
	db := s.db.WithContext(ctx)
	i, err := loadImport(db, by, id)
	if err != nil {
		return ImportMapping{}, err
	}
	table, err := s.kept(db, i)
	if err != nil {
		return ImportMapping{}, err
	}
	fields := i.mapped()
	if fields == nil {
		fields = table.guess()
	}
	m := ImportMapping{Import: i, Files: make([]FileColumn, len(table.header))}
	for at, cell := range table.header {
		m.Files[at] = FileColumn{Header: clip(line(cell))}
		if at < len(fields) {
			m.Files[at].Field = fields[at]
		}
		for _, r := range table.records {
			if text := clip(line(r.at(at))); text != "" && r.wrong == "" && len(m.Files[at].Samples) < samples && !slices.Contains(m.Files[at].Samples, text) {
				m.Files[at].Samples = append(m.Files[at].Samples, text)
			}
		}
	}
	return m, nil
}

// kept reads the first rows of a file that is still there; else fault.Conflict.
func (s *Service) kept(tx *gorm.DB, i Import) (*sheet, error) {
	if !i.Waiting && (!i.DryRun || i.State == Running) {
		return nil, fault.Conflict{Message: fault.Msg("mapping.error.over")}
	}
	content, err := readFile(tx, i.FileID)
	if err != nil {
		return nil, err
	}
	return openSheet(content, sampled)
}

// MapColumns says what the columns of a file are, by index, and remembers it for
// the next file with such a header. A file that waited for it is worked on; one
// that was checked before is checked anew, as another import.
func (s *Service) MapColumns(ctx context.Context, by access.Actor, id int64, fields []string) (started int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		i, err := loadImport(tx, by, id)
		if err != nil {
			return err
		}
		header := i.Columns()
		if len(fields) > len(header) {
			fields = fields[:len(header)]
		}
		if err := checkMapping(fields, header); err != nil {
			return err
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("keep the columns: %w", err)
		}
		i.Mapping, i.Remembered = string(text), false
		if err := remember(tx, columnMapping{i.CreatedBy, signature(header), i.Mapping, s.now().UTC()}); err != nil {
			return err
		}
		started, err = s.startMapped(tx, by, i)
		return err
	})
	s.wakeImporter()
	return started, err
}

func checkMapping(fields, header []string) error {
	seen := map[string]bool{}
	for i, field := range fields {
		if field != "" && (seen[field] || !slices.Contains(Columns, field)) {
			return fault.Invalid{"columns": fault.Msg("mapping.error.twice", "Column", clip(line(header[i])))}
		}
		seen[field] = true
	}
	if !seen["name"] || !seen["phone"] {
		return fault.Invalid{"columns": fault.Msg("mapping.error.missing")}
	}
	return nil
}

func (s *Service) startMapped(tx *gorm.DB, by access.Actor, i Import) (int64, error) {
	if i.Waiting {
		done := tx.Exec("UPDATE imports SET waiting = ?, mapping = ? WHERE id = ? AND state = 'running' AND waiting = ?", false, i.Mapping, i.ID, true)
		if done.Error != nil {
			return 0, fmt.Errorf("start the import: %w", done.Error)
		} else if done.RowsAffected == 1 {
			return i.ID, s.trail.Record(tx, by, importEvent("import.start", i, by))
		}
		return 0, fault.Conflict{Message: fault.Msg("mapping.error.over")}
	}
	if !i.DryRun || i.State == Running {
		return 0, fault.Conflict{Message: fault.Msg("mapping.error.over")}
	}
	if err := fileKept(tx, i.FileID); err != nil {
		return 0, err
	}
	row := Import{CreatedBy: by.MemberID, FileName: i.FileName, Content: []byte{}, FileID: i.FileID, Header: i.Header, State: Running, DryRun: true, RowsTotal: i.RowsTotal,
		Mapping: i.Mapping, Whole: i.Whole, Workbook: i.Workbook, DepartID: i.DepartID, DepartName: i.DepartName, CreatedAt: s.now().UTC()}
	err := s.startImport(tx, by, &row)
	return row.ID, err
}
