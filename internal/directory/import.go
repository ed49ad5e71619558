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
	Content     []byte // always empty: see importFile
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
	LeaseOwner  string
	FileID      int64

	Mapping    string // JSON array: our field for each column; "" when the header says it
	Remembered bool   // the mapping is that of the last time
	Waiting    bool   // for somebody to say what the columns are
	Workbook   bool   // XLSX
	Whole      bool   // one refused row and nothing is changed

	DepartID     *int64 // who is not in the file and belongs here or below leaves
	DepartName   string
	DepartReason string
	DepartOf     int // how many belong there
	Departed     int // how many leave
	Moved        int // of Changed: into other departments
	CreatedAt    time.Time
	FinishedAt   *time.Time
}

// TableName is for gorm.
func (Import) TableName() string { return "imports" }

// importColumns are all but the file itself.
var importColumns = []string{"id", "created_by", "file_name", "header", "state", "cause", "dry_run", "rows_total", "rows_done",
	"created", "changed", "unchanged", "refused", "departments", "source_id", "created_at", "finished_at",
	"mapping", "remembered", "waiting", "workbook", "whole", "depart_id", "depart_name", "depart_reason", "depart_of", "departed", "moved", "file_id"}

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
	if i.Whole {
		e.Details["whole"] = true
	}
	if i.Departed > 0 && i.State == Done {
		e.Details["departed"] = i.Departed
	}
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

// AppliedAs is the run that was started from a check; 0 while there is none.
func (s *Service) AppliedAs(ctx context.Context, by access.Actor, id int64) (run int64, err error) {
	db := s.db.WithContext(ctx)
	if _, err := loadImport(db, by, id); err != nil {
		return 0, err
	}
	if err := db.Raw("SELECT id FROM imports WHERE source_id = ?", id).Scan(&run).Error; err != nil {
		return 0, fmt.Errorf("look for the run of a check: %w", err)
	}
	return run, nil
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

// CancelImport stops a run after the rows it is at. What is written stays; one
// that writes all or nothing writes nothing.
func (s *Service) CancelImport(ctx context.Context, by access.Actor, id int64) error {
	if i, err := loadImport(s.db.WithContext(ctx), by, id); err != nil {
		return err
	} else if i.Whole {
		s.stopWriting(id)
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		i, err := loadImport(tx, by, id)
		if err != nil {
			return err
		}
		done := tx.Exec("UPDATE imports SET state = 'cancelled', waiting = ?, finished_at = ? WHERE id = ? AND state = 'running'", false, s.now().UTC(), id)
		if done.Error != nil {
			return fmt.Errorf("cancel import: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("import.cancel.over")}
		}
		return s.trail.Record(tx, by, importEvent("import.cancel", i, by))
	})
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
