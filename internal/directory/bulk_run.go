package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

func (s *Service) keepRun(tx *gorm.DB, by access.Actor, b Bulk, people []BulkResult) (int64, error) {
	text, err := json.Marshal(people)
	if err != nil {
		return 0, fmt.Errorf("keep the outcome: %w", err)
	}
	run := BulkRun{CreatedBy: by.MemberID, Action: b.Action, Results: string(text), At: s.now().UTC()}
	if b.Department != 0 && b.Action != BulkDepart {
		run.DepartmentID = &b.Department
	}
	if err := tx.Create(&run).Error; err != nil {
		return 0, fmt.Errorf("keep the outcome: %w", err)
	}
	return run.ID, nil
}

// BulkRun reads how a bulk edit went, for who made it.
func (s *Service) BulkRun(ctx context.Context, by access.Actor, id int64) (r BulkRun, err error) {
	db := s.db.WithContext(ctx)
	err = db.Where("id = ? AND created_by = ?", id, by.MemberID).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("read bulk edit: %w", err)
	}
	if err := json.Unmarshal([]byte(r.Results), &r.People); err != nil {
		return r, fmt.Errorf("read bulk edit: %w", err)
	}
	if r.DepartmentID == nil {
		return r, nil
	}
	d, err := departmentByID(db, *r.DepartmentID)
	if errors.Is(err, fault.NotFound) {
		return r, nil // deleted since
	} else if err != nil {
		return r, err
	}
	titles, err := Lineages(db, []string{d.Path})
	r.Department = titles[d.Path]
	return r, err
}
