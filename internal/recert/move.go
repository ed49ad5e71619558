package recert

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// maxAhead bounds a date that somebody types.
const maxAhead = 366

// Start begins the next round now. One that is open already is fault.Conflict.
func (s *Service) Start(ctx context.Context, by access.Actor) error {
	return s.onPlan(ctx, by, func(tx *gorm.DB, p Plan, policies directory.Policies) error {
		now := s.now().UTC().Truncate(time.Microsecond)
		if p.Round != nil && !p.Round.Over(now) {
			return fault.Conflict{Message: fault.Msg("recert.conflict.open")}
		}
		r := Round{FromAt: now, OpensAt: now, DueAt: now.AddDate(0, 0, policies.RecertGraceDays), StartedBy: &by.MemberID}
		if p.Next != nil {
			if err := run(tx, "DELETE FROM recert_rounds WHERE id = ?", p.Next.ID); err != nil {
				return err
			}
		}
		if err := tx.Create(&r).Error; err != nil {
			return fmt.Errorf("start a round: %w", err)
		}
		return s.trail.Record(tx, by, event("recert.start", r))
	})
}

// Move sets the date by which a round must be answered: day is YYYY-MM-DD, the
// end of that day. was is the date its form showed; when somebody else moved it
// meanwhile, that is fault.Conflict. A date that has passed may be moved too:
// what stood still works again until the new one.
func (s *Service) Move(ctx context.Context, by access.Actor, id int64, was, day string) error {
	return s.onPlan(ctx, by, func(tx *gorm.DB, p Plan, policies directory.Policies) error {
		r := p.Round
		if p.Next != nil && p.Next.ID == id {
			r = p.Next
		}
		if r == nil || r.ID != id {
			return fault.NotFound
		}
		if was != r.DueAt.In(p.Zone).Format(time.DateOnly) {
			return movedBy(tx, *r)
		}
		now := s.now().UTC()
		date, err := time.ParseInLocation(time.DateOnly, day, p.Zone)
		due := date.AddDate(0, 0, 1).Add(-time.Second).UTC()
		if err != nil || !due.After(now) || due.After(now.AddDate(0, 0, maxAhead)) {
			return fault.Invalid{"due": fault.Msg("recert.error.due", "Days", maxAhead)}
		}
		if !r.Open(now) { // the whole round moves, its length stays
			if r.OpensAt = due.AddDate(0, 0, -policies.RecertGraceDays); r.OpensAt.Before(now) {
				r.OpensAt = now.Truncate(time.Microsecond)
			}
		} else if p.Next != nil { // planned anew once this one is over
			if err := run(tx, "DELETE FROM recert_rounds WHERE id = ?", p.Next.ID); err != nil {
				return err
			}
		}
		err = run(tx, "UPDATE recert_rounds SET opens_at = ?, due_at = ?, moved_by = ?, moved_at = ? WHERE id = ?", r.OpensAt.UTC(), due, by.MemberID, now, r.ID)
		if err != nil {
			return err
		}
		r.DueAt = due
		e := event("recert.move", *r)
		e.Details["due_was"] = was
		return s.trail.Record(tx, by, e)
	})
}

func (s *Service) onPlan(ctx context.Context, by access.Actor, do func(*gorm.DB, Plan, directory.Policies) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RecertPlan, access.Object{}); err != nil {
			return err
		}
		if _, err := lockPlan(tx); err != nil {
			return err
		}
		policies, err := directory.LoadPolicies(tx)
		if err != nil {
			return err
		}
		p, err := s.Plan(tx)
		if err != nil {
			return err
		}
		if p.Off {
			return fault.Conflict{Message: fault.Msg("recert.conflict.off")}
		}
		return do(tx, p, policies)
	})
}

func movedBy(tx *gorm.DB, r Round) error {
	c := fault.Conflict{Message: fault.Msg("recert.conflict.moved")}
	if r.MovedBy != nil && r.MovedAt != nil {
		c.At = *r.MovedAt
		if err := tx.Raw("SELECT name FROM members WHERE id = ?", *r.MovedBy).Scan(&c.By).Error; err != nil {
			return err
		}
	}
	return c
}

func event(action string, r Round) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "round", ID: idText(r.ID), Name: r.OpensAt.Format(time.DateOnly)},
		Details: map[string]any{"due": r.DueAt.Format(time.DateOnly)}}
}
