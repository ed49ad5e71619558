package group

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Duties in the order they are shown: review decides requests, content edits
// settings, events is a label.
var Duties = []string{"review", "content", "events"}

// Holder is a member with a duty on a group, or its owner.
type Holder struct {
	MemberID int64
	Name     string
	Duty     string // owner, review, content, events
}

// Holders lists a group's owner and those with duties.
func (s *Service) Holders(ctx context.Context, by access.Actor, gid string) ([]Holder, error) {
	db := s.db.WithContext(ctx)
	g, o, err := find(db, by, gid)
	if err != nil {
		return nil, err
	}
	if err := access.Check(by, access.GroupSee, o); err != nil {
		return nil, err
	}
	var holders []Holder
	err = db.Raw(`SELECT m.id AS member_id, m.name, 'owner' AS duty, 0 AS rank FROM groups g JOIN members m ON m.id = g.owner_id WHERE g.id = ?
		UNION ALL
		SELECT m.id, m.name, gd.duty, CASE gd.duty WHEN 'review' THEN 1 WHEN 'content' THEN 2 ELSE 3 END
		FROM group_duties gd JOIN members m ON m.id = gd.member_id WHERE gd.group_id = ?
		ORDER BY rank, member_id LIMIT 100`, g.ID, g.ID).Scan(&holders).Error
	if err != nil {
		return nil, fmt.Errorf("list duties: %w", err)
	}
	return holders, nil
}

// HandOver makes an active member the owner of a group.
func (s *Service) HandOver(ctx context.Context, by access.Actor, gid, memberID, phone string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupHandOver, gid)
		if err != nil {
			return err
		}
		m, err := directory.ActiveMember(tx, memberID, phone)
		if err != nil {
			return err
		}
		if g.OwnerID != nil && *g.OwnerID == m.ID {
			return nil
		}
		if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"owner_id": m.ID}).Error; err != nil {
			return fmt.Errorf("hand over group: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.handover", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"owner": m.Name, "owner_id": m.ID, "owner_was_id": g.OwnerID}})
	})
}

// ChangeDuty gives an active member a duty on a group (add) or takes it away.
func (s *Service) ChangeDuty(ctx context.Context, by access.Actor, gid, memberID, phone, duty string, add bool) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupDuties, gid)
		if err != nil {
			return err
		}
		if !slices.Contains(Duties, duty) {
			return fault.Invalid{"duty": fault.Msg("groups.error.duty")}
		}
		m, err := directory.ActiveMember(tx, memberID, phone)
		if err != nil {
			return err
		}
		row := groupDuty{GroupID: g.ID, MemberID: m.ID, Duty: duty}
		done, action := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row), "group.duty.add"
		if !add {
			done, action = tx.Where("group_id = ? AND member_id = ? AND duty = ?", g.ID, m.ID, duty).Delete(&groupDuty{}), "group.duty.remove"
		}
		if done.Error != nil {
			return fmt.Errorf("change duty: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return nil // as wished already
		}
		return s.trail.Record(tx, by, audit.Event{Action: action, Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"member": m.Name, "member_id": m.ID, "duty": duty}})
	})
}

type groupDuty struct {
	GroupID  int64
	MemberID int64
	Duty     string
}

func (groupDuty) TableName() string { return "group_duties" }

// EndDuties takes a departing member's duties and ownership on active groups
// away and says how many there were. It is a directory.Effect.
func EndDuties(tx *gorm.DB, _ access.Actor, memberID int64, _ time.Time) (int64, error) {
	duties := tx.Exec("DELETE FROM group_duties WHERE member_id = ? AND group_id IN (SELECT id FROM groups WHERE status = 'active')", memberID)
	if duties.Error != nil {
		return 0, fmt.Errorf("end duties: %w", duties.Error)
	}
	owned := tx.Exec("UPDATE groups SET owner_id = NULL WHERE owner_id = ? AND status = 'active'", memberID)
	if owned.Error != nil {
		return 0, fmt.Errorf("end ownership: %w", owned.Error)
	}
	kept := tx.Exec("UPDATE groups SET entry_custodian_id = NULL WHERE entry_custodian_id = ? AND status = 'active'", memberID)
	if kept.Error != nil {
		return 0, fmt.Errorf("end the care of chat images: %w", kept.Error)
	}
	return duties.RowsAffected + owned.RowsAffected + kept.RowsAffected, nil
}
