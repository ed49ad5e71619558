package join

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Waiter is one line of a group's waiting list.
type Waiter struct {
	Queued    `gorm:"embedded"`
	JobNumber string
	CodeLabel string
}

// Guest reports whether somebody outside the directory waits.
func (w Waiter) Guest() bool { return w.GuestID != nil }

// Waiters is one page of a group's waiting list, the longest waiting first.
type Waiters struct {
	Group group.Group
	Rows  []Waiter
	Next  int64 // cursor of the next page; 0 = the last one
}

// Waiters lists who waits for a group. by needs the right to let people in.
func (s *Service) Waiters(ctx context.Context, by access.Actor, gid string, after int64) (out Waiters, err error) {
	tx := s.db.WithContext(ctx)
	if out.Group, err = s.door(tx, by, gid); err != nil {
		return out, err
	}
	err = tx.Raw(`SELECT w.*, coalesce(m.job_number, '') AS job_number, coalesce(c.label, '') AS code_label FROM waiting_list w
		LEFT JOIN members m ON m.id = w.member_id LEFT JOIN codes c ON c.id = w.code_id
		WHERE w.group_id = ? AND w.ended_at IS NULL AND w.id > ? ORDER BY w.id LIMIT ?`, out.Group.ID, after, PageSize+1).Scan(&out.Rows).Error
	if err != nil {
		return out, fmt.Errorf("list who waits: %w", err)
	}
	if len(out.Rows) > PageSize {
		out.Rows = out.Rows[:PageSize]
		out.Next = out.Rows[PageSize-1].ID
	}
	return out, nil
}

// door reads a group for somebody who may let people in.
func (s *Service) door(tx *gorm.DB, by access.Actor, gid string) (group.Group, error) {
	g, err := group.Load(tx, gid)
	if err != nil {
		return g, err
	}
	joined, err := joins(tx, by, g.ID)
	if err != nil {
		return g, err
	}
	return g, access.Check(by, access.MemberAdd, g.Object(joined))
}

// LetIn gives somebody who waits the next free seat. No seat, and somebody who
// no longer waits, are fault.Conflict. A pending request of the same person is thereby approved.
func (s *Service) LetIn(ctx context.Context, by access.Actor, gid string, id int64) error {
	return s.onWaiter(ctx, by, gid, id, func(tx *gorm.DB, g group.Group, w Queued) error {
		now := s.now().UTC()
		m := group.Membership{GroupID: g.ID, MemberID: w.MemberID, GuestID: w.GuestID, Source: "code", CodeID: w.CodeID}
		switch got, err := group.Admit(tx, &m, now); {
		case err != nil:
			return err
		case got == group.NoSeat:
			return fault.Conflict{Message: fault.Msg("groups.error.full", "Count", g.Capacity)}
		case got == group.AlreadyIn:
			return fault.Conflict{Message: fault.Msg("groups.error.member.already", "Name", w.Name)}
		}
		column, person := "member_id", w.MemberID
		if person == nil {
			column, person = "guest_id", w.GuestID
		}
		err := tx.Exec("UPDATE join_requests SET status = 'approved', decided_at = ?, decided_by = ? WHERE group_id = ? AND "+column+" = ? AND status = 'pending'",
			now, by.MemberID, g.ID, *person).Error
		if err != nil {
			return fmt.Errorf("close the request: %w", err)
		}
		if err := group.GrowIfDue(tx, s.trail, g.ID, now); err != nil {
			return err
		}
		return s.trail.Record(tx, by, waiterEvent("waiting.admit", g, w))
	})
}

// Dismiss takes somebody off the waiting list.
func (s *Service) Dismiss(ctx context.Context, by access.Actor, gid string, id int64) error {
	return s.onWaiter(ctx, by, gid, id, func(tx *gorm.DB, g group.Group, w Queued) error {
		if err := group.EndWait(tx, g.ID, group.Person{MemberID: w.MemberID, GuestID: w.GuestID}, "removed", s.now()); err != nil {
			return err
		}
		return s.trail.Record(tx, by, waiterEvent("waiting.remove", g, w))
	})
}

// onWaiter locks the person, the series and the group, in the order everybody locks them,
// checks the right under it and refuses a row that is over.
func (s *Service) onWaiter(ctx context.Context, by access.Actor, gid string, id int64, do func(*gorm.DB, group.Group, Queued) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := s.door(tx, by, gid)
		if err != nil {
			return err
		}
		var held []int64
		err = tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).
			Where("id IN (SELECT member_id FROM waiting_list WHERE id = ? AND group_id = ?)", id, g.ID).Pluck("id", &held).Error
		if err != nil {
			return fmt.Errorf("hold who waits: %w", err)
		}
		if err := group.HoldSeries(tx, []int64{g.ID}); err != nil {
			return err
		}
		err = tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", g.ID).Pluck("id", &held).Error
		if err != nil {
			return fmt.Errorf("hold the group: %w", err)
		}
		if g, err = s.door(tx, by, gid); err != nil {
			return err
		}
		var w Queued
		err = tx.Where("id = ? AND group_id = ?", id, g.ID).Take(&w).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("read who waits: %w", err)
		}
		if w.EndedAt != nil || g.Status != group.Active {
			return fault.Conflict{Message: fault.Msg("waiting.conflict.over", "Name", w.Name)}
		}
		return do(tx, g, w)
	})
}

func waiterEvent(action string, g group.Group, w Queued) audit.Event {
	return audit.Event{Action: action, DepartmentPath: g.DepartmentPath, Object: audit.Object{Kind: "group", ID: g.GID, Name: g.Name},
		Details: map[string]any{"name": w.Name}}
}
