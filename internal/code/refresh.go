package code

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Generation is what a code was before it was refreshed.
type Generation struct {
	CodeID     int64
	Generation int
	ValidFrom  *time.Time // when it began
	ValidUntil *time.Time
	Scans      int64
	EndedAt    time.Time
	EndedBy    *int64
	Reason     string
	EnderName  string `gorm:"->"` // only read
}

// TableName is for gorm.
func (Generation) TableName() string { return "code_generations" }

// Renewal is the form that refreshes a code, as it was typed.
type Renewal struct {
	ValidUntil string // needed when the code has a date of its own
	Reason     string // may be empty
	Generation string // the one the form was shown for; empty does not compare
}

// Refresh starts a code anew without touching its print: its period begins again,
// its total cap counts from zero, and the old generation goes into its history.
// What is over stays over; one that expired or was used up works again, so by
// must have the right to issue it. Refreshing twice is fault.Conflict. req: B25, C52
func (s *Service) Refresh(ctx context.Context, by access.Actor, publicID string, form Renewal) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(form.Reason, false)
		if err != nil {
			return err
		}
		if err := s.mayHold(tx, by, f); err != nil {
			return err
		}
		if f.ValidityFixed {
			return fault.Invalid{"": fault.Msg("copies.error.fixed")}
		}
		if form.Generation != "" && form.Generation != strconv.Itoa(f.Generation) {
			return alreadyRefreshed(tx, f)
		}
		until, err := s.nextEnd(tx, f, form.ValidUntil)
		if err != nil {
			return err
		}
		if err := s.begin(tx, by, f, until, reason); err != nil {
			return err
		}
		details := because(reason)
		details["generation"] = f.Generation + 1
		return s.trail.Record(tx, by, event("code.refresh", f, details))
	})
}

// nextEnd is the end of the new period, nil for a permanent code.
func (s *Service) nextEnd(tx *gorm.DB, f Facts, typed string) (*time.Time, error) {
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	wrong := fault.Invalid{}
	until := validUntil(f.Validity, typed, s.now().UTC(), s.now().UTC(), f.Location(), policies.TemporaryMaxDays, wrong)
	return until, wrong.Or()
}

// begin closes the running generation and opens the next. The counters are
// locked as a scan locks them, so that no scan falls between the two.
func (s *Service) begin(tx *gorm.DB, by access.Actor, f Facts, until *time.Time, reason string) error {
	now := s.now().UTC().Truncate(time.Microsecond)
	var total int64
	err := tx.Table("code_counters").Clauses(clause.Locking{Strength: "UPDATE"}).Where("code_id = ?", f.ID).Select("total").Row().Scan(&total)
	if err != nil {
		return fmt.Errorf("read the counter: %w", err)
	}
	began := f.ValidFrom
	if f.RefreshedAt != nil {
		began = f.RefreshedAt
	} else if began == nil {
		began = &f.IssuedAt
	}
	old := Generation{CodeID: f.ID, Generation: f.Generation, ValidFrom: began, ValidUntil: f.ValidUntil, Scans: total, EndedAt: now, EndedBy: &by.MemberID, Reason: reason}
	if err := tx.Create(&old).Error; err != nil {
		return fmt.Errorf("close a generation: %w", err)
	}
	if err := tx.Exec("UPDATE code_counters SET total = 0 WHERE code_id = ?", f.ID).Error; err != nil {
		return fmt.Errorf("count from zero: %w", err)
	}
	err = tx.Exec("UPDATE codes SET valid_until = ?, generation = generation + 1, refreshed_at = ?, version = version + 1 WHERE id = ?", until, now, f.ID).Error
	if err != nil {
		return fmt.Errorf("refresh code: %w", err)
	}
	return nil
}

func alreadyRefreshed(tx *gorm.DB, f Facts) error {
	c := fault.Conflict{Message: fault.Msg("copies.conflict.refreshed")}
	all, err := generations(tx, f.ID)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		c.By, c.At = all[0].EnderName, all[0].EndedAt
	}
	return c
}

const maxGenerations = 20

// generations are the newest of a code's past ones.
func generations(tx *gorm.DB, codeID int64) ([]Generation, error) {
	var all []Generation
	err := tx.Raw(`SELECT e.*, coalesce(m.name, '') AS ender_name FROM code_generations e LEFT JOIN members m ON m.id = e.ended_by
		WHERE e.code_id = ? ORDER BY e.generation DESC LIMIT ?`, codeID, maxGenerations).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read generations: %w", err)
	}
	return all, nil
}

// Generations lists what a code was before it was refreshed, newest first, for
// somebody who may see it.
func (s *Service) Generations(ctx context.Context, by access.Actor, publicID string) ([]Generation, error) {
	tx := s.db.WithContext(ctx)
	f, err := Reach(tx, by, access.CodeDownload, publicID)
	if err != nil {
		return nil, err
	}
	return generations(tx, f.ID)
}
