package recert

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/directory"
)

// Tend keeps the next round planned: it is called at the start and every hour.
// The first round of an installation begins a whole period after the first call,
// so that an upgrade suspends nothing. Only the plan is written; what stands
// still follows from the dates.
func (s *Service) Tend(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		org, err := lockPlan(tx)
		if err != nil || org.SetUpAt == nil {
			return err
		}
		return s.tend(tx)
	})
}

// lockPlan makes those who change the plan go one after the other.
func lockPlan(tx *gorm.DB) (org directory.Organisation, err error) {
	err = tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = 1").Take(&org).Error
	if missing(err) {
		return org, nil
	} else if err != nil {
		return org, fmt.Errorf("lock organisation: %w", err)
	}
	return org, nil
}

func (s *Service) tend(tx *gorm.DB) error {
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return err
	}
	if policies.RecertDays == 0 { // whoever switches rounds on again begins anew
		return run(tx, "UPDATE recert_rounds SET closed = true WHERE NOT closed")
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	var rounds []Round
	if err := tx.Where("NOT closed").Order("id").Find(&rounds).Error; err != nil {
		return fmt.Errorf("read the rounds: %w", err)
	}
	if len(rounds) == 0 {
		return s.plan(tx, now, now, policies)
	}
	last := rounds[len(rounds)-1]
	switch {
	case last.Over(now):
		// What the last round asks for, the ones before it asked for too.
		if err := run(tx, "UPDATE recert_rounds SET closed = true WHERE NOT closed AND id < ?", last.ID); err != nil {
			return err
		}
		return s.plan(tx, last.OpensAt, now, policies)
	case !last.Open(now) && last.MovedBy == nil && last.StartedBy == nil:
		return follow(tx, last, now, policies)
	}
	return nil
}

// plan writes the round that begins a period after from, but not in the past.
func (s *Service) plan(tx *gorm.DB, from, now time.Time, p directory.Policies) error {
	r := dated(Round{FromAt: from}, now, p)
	if err := tx.Create(&r).Error; err != nil {
		return fmt.Errorf("plan a round: %w", err)
	}
	return nil
}

// follow moves a planned round that nobody touched to where the policies put it now.
func follow(tx *gorm.DB, r Round, now time.Time, p directory.Policies) error {
	fresh := dated(r, now, p)
	if fresh.OpensAt.Equal(r.OpensAt) && fresh.DueAt.Equal(r.DueAt) {
		return nil
	}
	return run(tx, "UPDATE recert_rounds SET opens_at = ?, due_at = ? WHERE id = ?", fresh.OpensAt, fresh.DueAt, r.ID)
}

func dated(r Round, now time.Time, p directory.Policies) Round {
	r.FromAt = r.FromAt.UTC()
	r.OpensAt = r.FromAt.AddDate(0, 0, p.RecertDays)
	if r.OpensAt.Before(now) {
		r.OpensAt = now
	}
	r.DueAt = r.OpensAt.AddDate(0, 0, p.RecertGraceDays)
	return r
}

func run(tx *gorm.DB, sql string, args ...any) error {
	if err := tx.Exec(sql, args...).Error; err != nil {
		return fmt.Errorf("change the rounds: %w", err)
	}
	return nil
}
