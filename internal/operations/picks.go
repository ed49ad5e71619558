package operations

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// pick is one group that somebody selected.
type pick struct {
	MemberID int64 `gorm:"primaryKey;autoIncrement:false"`
	GroupID  int64 `gorm:"primaryKey;autoIncrement:false"`
}

func (pick) TableName() string { return "group_picks" }

// errTooMany refuses a selection that no press could carry out.
func errTooMany() error {
	return fault.Invalid{"id": fault.Msg("operations.pick.error.many", "Max", Most)}
}

// Pick keeps what is chosen among the groups that a page showed; the rest of the
// selection stays. What by does not manage is left out.
func (s *Service) Pick(ctx context.Context, by access.Actor, shown, chosen []string) error {
	if err := access.Check(by, access.CodeDownload, access.Object{}); err != nil {
		return err
	}
	if len(shown) > Most || len(chosen) > Most {
		return errTooMany()
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		seen, err := group.IDsOf(tx, append(shown, chosen...))
		if err != nil {
			return err
		}
		off, on := make([]int64, 0, len(shown)), make([]pick, 0, len(chosen))
		for _, gid := range shown {
			off = append(off, seen[gid])
		}
		for _, gid := range chosen {
			if id, known := seen[gid]; known {
				on = append(on, pick{by.MemberID, id})
			}
		}
		if err := tx.Where("member_id = ? AND group_id IN ?", by.MemberID, append(off, 0)).Delete(&pick{}).Error; err != nil {
			return fmt.Errorf("clear a page's selection: %w", err)
		}
		return keep(tx, by, on)
	})
}

// keep adds to the selection, up to Most.
func keep(tx *gorm.DB, by access.Actor, on []pick) error {
	if len(on) > 0 {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&on, 500).Error; err != nil {
			return fmt.Errorf("keep a selection: %w", err)
		}
	}
	var n int64
	if err := tx.Model(&pick{}).Where("member_id = ?", by.MemberID).Count(&n).Error; err != nil {
		return fmt.Errorf("count a selection: %w", err)
	}
	if n > Most {
		return errTooMany()
	}
	return nil
}

// PickAll selects every group that a filter finds and that by manages.
func (s *Service) PickAll(ctx context.Context, by access.Actor, f group.Filter) error {
	if err := access.Check(by, access.CodeDownload, access.Object{}); err != nil {
		return err
	}
	all, err := s.groups.Matching(ctx, by, f, Most+1)
	if err != nil {
		return err
	}
	if len(all) > Most {
		return errTooMany()
	}
	on := make([]pick, len(all))
	for i, g := range all {
		on[i] = pick{by.MemberID, g.ID}
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return keep(tx, by, on) })
}

// Unpick forgets the selection.
func (s *Service) Unpick(ctx context.Context, by access.Actor) error {
	if err := s.db.WithContext(ctx).Where("member_id = ?", by.MemberID).Delete(&pick{}).Error; err != nil {
		return fmt.Errorf("forget a selection: %w", err)
	}
	return nil
}

// Picked is the selection as far as by still manages it and it lives, by name.
func (s *Service) Picked(ctx context.Context, by access.Actor) ([]group.Group, error) {
	tx := s.db.WithContext(ctx)
	where, args := access.Scope(by, access.CodeDownload, "d.path")
	for id := range by.Duties {
		where, args = where+" OR g.id = ?", append(args, id)
	}
	var all []group.Group
	err := tx.Table("group_picks p").Select("g.*, d.path AS department_path, d.name AS department_name").
		Joins("JOIN groups g ON g.id = p.group_id JOIN departments d ON d.id = g.department_id").
		Where("p.member_id = ? AND g.status = 'active'", by.MemberID).Where("("+where+")", args...).Order("g.name, g.id").Limit(Most).Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read a selection: %w", err)
	}
	return all, nil
}
