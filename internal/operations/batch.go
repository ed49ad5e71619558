package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Kinds of batch. The text of one is the catalog key "operations.kind."+kind.
const (
	KindCreate  = "create"
	KindMode    = "mode"
	KindOwner   = "owner"
	KindDuty    = "duty"
	KindMove    = "move"
	KindDisband = "disband"
	KindPrint   = "print"
)

// States of a batch, and outcomes of its rows.
const (
	Draft   = "draft"
	Done    = "done"
	Same    = "same"
	Refused = "refused"
)

// Batch is many groups created or changed with one press.
type Batch struct {
	ID        int64
	Kind      string
	State     string
	Params    string // JSON
	CreatedBy int64
	CreatedAt time.Time
	DoneAt    *time.Time
}

// TableName is for gorm.
func (Batch) TableName() string { return "group_batches" }

// Row is one group of a batch.
type Row struct {
	BatchID   int64 `gorm:"primaryKey;autoIncrement:false"`
	RowNumber int   `gorm:"primaryKey;autoIncrement:false"`
	Name      string
	Content   string // what it asks for, as JSON
	GroupID   *int64
	Outcome   string
	Cause     string

	GID string `gorm:"column:gid;->;-:migration"`
}

// TableName is for gorm.
func (Row) TableName() string { return "group_batch_rows" }

// Why is what stood against the row; the zero value for one that went well.
func (r Row) Why() (m fault.Message) {
	if r.Cause == "" || json.Unmarshal([]byte(r.Cause), &m) != nil {
		return fault.Message{}
	}
	for i, arg := range m.Args { // numbers come back as float64, plural forms want whole ones
		if n, ok := arg.(float64); ok && n == math.Trunc(n) {
			m.Args[i] = int(n)
		}
	}
	return m
}

func cause(m fault.Message) string {
	text, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(text)
}

// Result is a batch with its rows, for its author.
type Result struct {
	Batch
	Rows []Row
}

// Count is how many rows had an outcome.
func (r Result) Count(outcome string) (n int) {
	for _, row := range r.Rows {
		if row.Outcome == outcome {
			n++
		}
	}
	return n
}

// ByID reads one of the reader's own batches; any other is fault.NotFound.
func (s *Service) ByID(ctx context.Context, by access.Actor, id int64) (Result, error) {
	return load(s.db.WithContext(ctx), by, id)
}

func load(tx *gorm.DB, by access.Actor, id int64) (r Result, err error) {
	err = tx.Where("id = ? AND created_by = ?", id, by.MemberID).Take(&r.Batch).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("load a batch: %w", err)
	}
	err = tx.Table("group_batch_rows r").Select("r.*, coalesce(g.gid, '') AS gid").Joins("LEFT JOIN groups g ON g.id = r.group_id").
		Where("r.batch_id = ?", id).Order("r.row_number").Find(&r.Rows).Error
	if err != nil {
		return r, fmt.Errorf("load the rows of a batch: %w", err)
	}
	return r, access.Check(by, access.CodeDownload, access.Object{})
}

// Recent lists the latest batches of the reader.
func (s *Service) Recent(ctx context.Context, by access.Actor) (all []Batch, err error) {
	if err := s.db.WithContext(ctx).Where("created_by = ? AND state = ?", by.MemberID, Done).Order("id DESC").Limit(10).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	return all, nil
}

func storeRows(tx *gorm.DB, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(&rows, 500).Error; err != nil {
		return fmt.Errorf("write the rows of a batch: %w", err)
	}
	return nil
}

// event is the one entry about a whole batch, readable for the author's department.
func (b Batch) event(by access.Actor, action string, details map[string]any) audit.Event {
	e := audit.Event{Action: action, Object: audit.Object{Kind: "batch", ID: strconv.FormatInt(b.ID, 10), Name: fmt.Sprint(details["count"])}, Details: details}
	if len(by.Led) > 0 {
		e.DepartmentPath = by.Led[0]
	}
	return e
}
