package group

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// UndoFor is how long a removal can be taken back by whoever pressed it.
const UndoFor = 10 * time.Minute

// Removal is one person who was, or is about to be, taken out of a group.
type Removal struct {
	ID       int64 // of the membership
	Name     string
	Guest    bool
	Duties   int // that the person keeps on the group
	JoinedAt time.Time
	EndedAt  *time.Time
}

// Removing asks whether by may remove the person behind a membership and says who that is.
func (s *Service) Removing(ctx context.Context, by access.Actor, gid, membership string) (Header, Removal, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return h, Removal{}, err
	}
	db := s.db.WithContext(ctx)
	_, o, err := find(db, by, gid)
	if err != nil {
		return h, Removal{}, err
	}
	if err := access.Check(by, access.MemberAdd, o); err != nil {
		return h, Removal{}, err
	}
	if h.Status != Active {
		return h, Removal{}, disbanded(db, h.Group)
	}
	id, err := strconv.ParseInt(membership, 10, 64)
	if err != nil {
		return h, Removal{}, fault.NotFound
	}
	rows, err := removals(db, "ms.group_id = ? AND ms.id = ?", h.ID, id)
	switch {
	case err != nil:
		return h, Removal{}, err
	case len(rows) == 0:
		return h, Removal{}, fault.NotFound
	case rows[0].EndedAt != nil:
		return h, rows[0], fault.Conflict{Message: fault.Msg("groups.error.member.gone", "Name", rows[0].Name)}
	}
	return h, rows[0], nil
}

func removals(tx *gorm.DB, where string, args ...any) ([]Removal, error) {
	var rows []Removal
	err := tx.Raw(`SELECT ms.id, coalesce(m.name, gu.name) AS name, (ms.guest_id IS NOT NULL) AS guest, ms.joined_at, ms.ended_at,
			(SELECT count(*) FROM group_duties gd WHERE gd.group_id = ms.group_id AND gd.member_id = ms.member_id) AS duties
		FROM memberships ms LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
		WHERE `+where+` ORDER BY ms.id DESC LIMIT 20`, args...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read who was removed: %w", err)
	}
	return rows, nil
}

// Undoable are the removals from a group that by pressed and may still take back.
func (s *Service) Undoable(ctx context.Context, by access.Actor, g Header) ([]Removal, error) {
	if !g.Can.AddMembers {
		return nil, nil
	}
	return removals(s.db.WithContext(ctx), `ms.group_id = ? AND ms.status = 'ended' AND ms.ended_reason = 'removed' AND ms.ended_by = ? AND ms.ended_at > ?
		AND NOT EXISTS (SELECT 1 FROM memberships o WHERE o.group_id = ms.group_id AND o.status = 'active' AND (o.member_id = ms.member_id OR o.guest_id = ms.guest_id))
		AND (m.id IS NULL OR m.status = 'active')`, g.ID, by.MemberID, s.now().UTC().Add(-UndoFor))
}

// Restore takes a removal back within ten minutes: only who pressed it may, the
// person must still be here and a seat free. It is a new stay with what the old
// one said of how the person came in.
func (s *Service) Restore(ctx context.Context, by access.Actor, gid, membership string) error {
	id, err := strconv.ParseInt(membership, 10, 64)
	if err != nil {
		return fault.NotFound
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var held []int64
		err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).
			Where("id IN (SELECT member_id FROM memberships WHERE id = ?)", id).Pluck("id", &held).Error
		if err != nil {
			return fmt.Errorf("hold who was removed: %w", err)
		}
		if err := holdSeriesOf(tx, gid); err != nil {
			return err
		}
		g, err := lock(tx, by, access.MemberAdd, gid)
		if err != nil {
			return err
		}
		old, err := s.restorable(tx, by, g, id)
		if err != nil {
			return err
		}
		who, err := removals(tx, "ms.id = ?", old.ID)
		if err != nil {
			return err
		}
		fresh := Membership{GroupID: g.ID, MemberID: old.MemberID, GuestID: old.GuestID, Source: old.Source, CodeID: old.CodeID, RequestID: old.RequestID, RulesVersion: old.RulesVersion, Until: old.Until}
		switch got, err := Admit(tx, &fresh, s.now()); {
		case err != nil:
			return err
		case got == AlreadyIn:
			return fault.Conflict{Message: fault.Msg("charter.undo.in")}
		case got == NoSeat:
			return fault.Conflict{Message: fault.Msg("groups.error.full", "Count", g.Capacity)}
		}
		if err := carryStay(tx, old, fresh); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.member.restore", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"member": who[0].Name}})
	})
}

func (s *Service) restorable(tx *gorm.DB, by access.Actor, g Group, id int64) (Membership, error) {
	var old Membership
	err := tx.Where("id = ? AND group_id = ? AND ended_reason = 'removed'", id, g.ID).Take(&old).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return old, fault.NotFound
	case err != nil:
		return old, fmt.Errorf("read the removal: %w", err)
	case old.EndedBy == nil || *old.EndedBy != by.MemberID:
		return old, fault.Forbidden{Right: "group.member.restore"}
	case old.EndedAt == nil || !old.EndedAt.After(s.now().Add(-UndoFor)):
		return old, fault.Conflict{Message: fault.Msg("charter.undo.late")}
	}
	if old.MemberID == nil {
		return old, nil
	}
	var active []int64
	if err := tx.Table("members").Where("id = ? AND status = 'active'", *old.MemberID).Pluck("id", &active).Error; err != nil {
		return old, fmt.Errorf("look whether the person is here: %w", err)
	}
	if len(active) == 0 {
		return old, fault.Conflict{Message: fault.Msg("charter.undo.departed")}
	}
	return old, nil
}
