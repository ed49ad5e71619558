package directory

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Problem is one row of a file that was refused.
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

// ImportRows lists the rows of an import with this outcome, in the order of the
// file; limit 0 means all.
func (s *Service) ImportRows(ctx context.Context, by access.Actor, id int64, outcome string, limit int) ([]Problem, error) {
	return s.RefusedAfter(ctx, by, id, outcome, 0, limit)
}

// RefusedAfter is ImportRows from behind a line of the file on.
func (s *Service) RefusedAfter(ctx context.Context, by access.Actor, id int64, outcome string, after, limit int) ([]Problem, error) {
	db := s.db.WithContext(ctx)
	if _, err := loadImport(db, by, id); err != nil {
		return nil, err
	}
	return importRows(db, id, outcome, after, limit)
}

func importRows(tx *gorm.DB, id int64, outcome string, after, limit int) ([]Problem, error) {
	query := tx.Where("import_id = ? AND outcome = ? AND row_number > ?", id, outcome, after).Order("row_number")
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
		if rows, err = importRows(tx, id, "refused", 0, 0); err != nil {
			return err
		}
		return s.trail.Record(tx, by, importEvent("import.refused", i, by))
	})
	return i, rows, err
}
