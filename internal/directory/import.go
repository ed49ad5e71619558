package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// States of an import.
const (
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Import is one run over one file. A dry run counts what would happen and
// changes nobody.
type Import struct {
	ID          int64
	CreatedBy   int64
	FileName    string
	Content     []byte
	Header      string // JSON array of the header's cells
	State       string
	Cause       string // a stored fault.Message when it failed
	DryRun      bool
	RowsTotal   int
	RowsDone    int
	Created     int
	Changed     int
	Unchanged   int
	Refused     int
	Departments int // created on the way
	SourceID    *int64
	LeaseUntil  *time.Time
	CreatedAt   time.Time
	FinishedAt  *time.Time
}

// TableName is for gorm.
func (Import) TableName() string { return "imports" }

// importColumns are all but the file itself.
var importColumns = []string{"id", "created_by", "file_name", "header", "state", "cause", "dry_run", "rows_total", "rows_done",
	"created", "changed", "unchanged", "refused", "departments", "source_id", "created_at", "finished_at"}

// Percent is how far the run is.
func (i Import) Percent() int {
	if i.RowsTotal == 0 {
		return 0
	}
	return i.RowsDone * 100 / i.RowsTotal
}

// Columns are the header's cells.
func (i Import) Columns() (header []string) {
	if json.Unmarshal([]byte(i.Header), &header) != nil {
		return nil
	}
	return header
}

// Why says what stopped a failed run.
func (i Import) Why() fault.Message { return readMessage(i.Cause) }

// StartImport checks that the file can be read, stores it and leaves the work
// to the Importer. What cannot be read is fault.Invalid on "file".
func (s *Service) StartImport(ctx context.Context, by access.Actor, fileName string, content []byte, dryRun bool) (id int64, err error) {
	if err := access.Check(by, access.MembersEdit, access.Object{}); err != nil {
		return 0, err
	}
	table, err := readSheet(content)
	if err != nil {
		return 0, err
	}
	header, err := json.Marshal(table.header)
	if err != nil {
		return 0, fmt.Errorf("keep the header: %w", err)
	}
	row := Import{CreatedBy: by.MemberID, FileName: fileLabel(fileName), Content: content, Header: storable(string(header)), State: Running,
		DryRun: dryRun, RowsTotal: len(table.records), CreatedAt: s.now().UTC()}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return s.startImport(tx, by, &row) })
	s.wakeImporter()
	return row.ID, err
}

func (s *Service) startImport(tx *gorm.DB, by access.Actor, row *Import) error {
	if err := tx.Create(row).Error; err != nil {
		return fmt.Errorf("store import: %w", err)
	}
	return s.trail.Record(tx, by, importEvent("import.start", *row, by))
}

// fileLabel is a file name as it may be shown and stored.
func fileLabel(name string) string {
	name = line(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if r := []rune(name); len(r) > 100 {
		name = string(r[:100])
	}
	return name
}

// storable makes a text fit for either database.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func importEvent(action string, i Import, by access.Actor) audit.Event {
	e := audit.Event{Action: action, Object: audit.Object{Kind: "import", ID: strconv.FormatInt(i.ID, 10), Name: i.FileName},
		Details: map[string]any{"dry_run": i.DryRun, "rows": i.RowsTotal}}
	e.DepartmentPath = by.Seat(access.MembersEdit)
	if i.RowsDone > 0 {
		e.Details["created"], e.Details["changed"], e.Details["unchanged"], e.Details["refused"] = i.Created, i.Changed, i.Unchanged, i.Refused
	}
	return e
}

// ImportByID reads an import of the reader's own, or any for a super admin;
// else fault.NotFound.
func (s *Service) ImportByID(ctx context.Context, by access.Actor, id int64) (Import, error) {
	return loadImport(s.db.WithContext(ctx), by, id)
}

func loadImport(tx *gorm.DB, by access.Actor, id int64) (Import, error) {
	var i Import
	err := tx.Select(importColumns).Where("id = ?", id).Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !by.Super && i.CreatedBy != by.MemberID {
		return Import{}, fault.NotFound
	} else if err != nil {
		return Import{}, fmt.Errorf("load import: %w", err)
	}
	return i, access.Check(by, access.MembersEdit, access.Object{})
}

// Imports lists the reader's latest imports.
func (s *Service) Imports(ctx context.Context, by access.Actor) ([]Import, error) {
	var all []Import
	err := s.db.WithContext(ctx).Select(importColumns).Where("created_by = ?", by.MemberID).Order("id DESC").Limit(10).Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return all, nil
}

// ApplyImport starts the real run of a finished dry run's file. Pressed twice,
// it answers with the run already started.
func (s *Service) ApplyImport(ctx context.Context, by access.Actor, id int64) (started int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		dry, err := loadImport(tx, by, id)
		if err != nil {
			return err
		}
		if !dry.DryRun || dry.State != Done {
			return fault.Conflict{Message: fault.Msg("import.apply.not")}
		}
		// The lock makes a second press wait for the first one's row.
		if err := tx.Exec("UPDATE imports SET rows_done = rows_done WHERE id = ?", id).Error; err != nil {
			return fmt.Errorf("lock import: %w", err)
		}
		var run Import
		err = tx.Select("id").Where("source_id = ?", id).Take(&run).Error
		if err == nil {
			started = run.ID
			return nil
		} else if !errors.Is(err, gorm.ErrRecordNotFound) {
			return fmt.Errorf("look for the run: %w", err)
		}
		if err := tx.Model(&Import{}).Select("content").Where("id = ?", id).Take(&run).Error; err != nil {
			return fmt.Errorf("read the stored file: %w", err)
		}
		run = Import{CreatedBy: by.MemberID, FileName: dry.FileName, Content: run.Content, Header: dry.Header, State: Running,
			RowsTotal: dry.RowsTotal, SourceID: &dry.ID, CreatedAt: s.now().UTC()}
		err = s.startImport(tx, by, &run)
		started = run.ID
		return err
	})
	s.wakeImporter()
	return started, err
}

// CancelImport stops a run after the rows it is at. What is written stays.
func (s *Service) CancelImport(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		i, err := loadImport(tx, by, id)
		if err != nil {
			return err
		}
		done := tx.Exec("UPDATE imports SET state = 'cancelled', finished_at = ? WHERE id = ? AND state = 'running'", s.now().UTC(), id)
		if done.Error != nil {
			return fmt.Errorf("cancel import: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("import.cancel.over")}
		}
		return s.trail.Record(tx, by, importEvent("import.cancel", i, by))
	})
}

// Problem is one row of a file that was refused, or one that was changed.
type Problem struct {
	Row      int
	Column   string
	Cause    fault.Message
	Original []string
}

type importRow struct {
	ImportID  int64
	RowNumber int
	Outcome   string
	Field     string
	Cause     string
	Original  string
}

func (importRow) TableName() string { return "import_rows" }

// ImportRows lists the rows of an import with this outcome ("refused" or
// "changed"), in the order of the file; limit 0 means all.
func (s *Service) ImportRows(ctx context.Context, by access.Actor, id int64, outcome string, limit int) ([]Problem, error) {
	db := s.db.WithContext(ctx)
	if _, err := loadImport(db, by, id); err != nil {
		return nil, err
	}
	return importRows(db, id, outcome, limit)
}

func importRows(tx *gorm.DB, id int64, outcome string, limit int) ([]Problem, error) {
	query := tx.Where("import_id = ? AND outcome = ?", id, outcome).Order("row_number")
	if limit > 0 {
		query = query.Limit(limit)
	}
	var rows []importRow
	if err := query.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read import rows: %w", err)
	}
	out := make([]Problem, len(rows))
	for i, r := range rows {
		out[i] = Problem{Row: r.RowNumber, Column: r.Field, Cause: readMessage(r.Cause)}
		if err := json.Unmarshal([]byte(r.Original), &out[i].Original); err != nil {
			return nil, fmt.Errorf("read import row %d: %w", r.RowNumber, err)
		}
	}
	return out, nil
}

// RefusedRows reads what refused.csv holds: every refused row. It is a download,
// so it is written to the trail.
func (s *Service) RefusedRows(ctx context.Context, by access.Actor, id int64) (i Import, rows []Problem, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if i, err = loadImport(tx, by, id); err != nil {
			return err
		}
		if rows, err = importRows(tx, id, "refused", 0); err != nil {
			return err
		}
		return s.trail.Record(tx, by, importEvent("import.refused", i, by))
	})
	return i, rows, err
}

// storedMessage keeps a message so that each reader gets it in their language.
type storedMessage struct {
	Key  string   `json:"k"`
	Args []string `json:"a,omitempty"`
}

func storeMessage(m fault.Message) string {
	s := storedMessage{Key: m.Key}
	for _, a := range m.Args {
		s.Args = append(s.Args, storable(fmt.Sprint(a)))
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings only
	}
	return string(text)
}

func readMessage(text string) fault.Message {
	var s storedMessage
	if text == "" || json.Unmarshal([]byte(text), &s) != nil {
		return fault.Message{}
	}
	m := fault.Message{Key: s.Key}
	for _, a := range s.Args {
		m.Args = append(m.Args, a)
	}
	return m
}
