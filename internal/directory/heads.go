package directory

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Head is a row of department_heads: who leads what.
type Head struct {
	DepartmentID int64
	MemberID     int64
}

// TableName is for gorm.
func (Head) TableName() string { return "department_heads" }

// AddHead makes a member head of a department; the form names them by id or,
// when that is empty, by phone. Adding one who leads it already
// changes nothing.
func (s *Service) AddHead(ctx context.Context, by access.Actor, departmentID int64, memberID, phone string) error {
	return s.changeHead(ctx, by, departmentID, memberID, phone, "department.head.add", func(tx *gorm.DB, h Head) *gorm.DB {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&h)
	})
}

// RemoveHead takes a department from its head, with effect from their next request.
func (s *Service) RemoveHead(ctx context.Context, by access.Actor, departmentID int64, memberID, phone string) error {
	return s.changeHead(ctx, by, departmentID, memberID, phone, "department.head.remove", func(tx *gorm.DB, h Head) *gorm.DB {
		return tx.Where("department_id = ? AND member_id = ?", h.DepartmentID, h.MemberID).Delete(&Head{})
	})
}

func (s *Service) changeHead(ctx context.Context, by access.Actor, departmentID int64, memberID, phone, action string, change func(*gorm.DB, Head) *gorm.DB) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		d, err := departmentByID(tx, departmentID)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.HeadsAppoint, access.Object{Path: d.Path}); err != nil {
			return err
		}
		m, err := ActiveMember(tx, memberID, phone)
		if err != nil {
			return err
		}
		if m, err = lockMember(tx, m.ID); err != nil {
			return err
		}
		if m.Status != Active {
			return s.alreadyDeparted(tx, m)
		}
		done := change(tx, Head{DepartmentID: d.ID, MemberID: m.ID})
		if done.Error != nil {
			return fmt.Errorf("change heads: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return nil
		}
		return s.trail.Record(tx, by, departmentEvent(action, d, map[string]any{"member": m.Name, "member_id": m.ID}))
	})
}

// MayAppoint answers whether by may change the heads of a department.
func (s *Service) MayAppoint(ctx context.Context, by access.Actor, departmentID int64) error {
	d, err := departmentByID(s.db.WithContext(ctx), departmentID)
	if err != nil {
		return err
	}
	return access.Check(by, access.HeadsAppoint, access.Object{Path: d.Path})
}

func departmentByID(tx *gorm.DB, id int64) (Department, error) {
	var d Department
	err := tx.Where("id = ?", id).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return d, fault.NotFound
	} else if err != nil {
		return d, fmt.Errorf("load department: %w", err)
	}
	return d, nil
}

// lockMember reads a member for a change. It leaves the key alone, so that rows
// which only name the member (who decided, who was let in) do not wait for it.
func lockMember(tx *gorm.DB, id int64) (Member, error) {
	var m Member
	err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, fault.NotFound
	} else if err != nil {
		return m, fmt.Errorf("lock member: %w", err)
	}
	return m, nil
}
