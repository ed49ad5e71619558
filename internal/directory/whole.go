package directory

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// errRefused ends a run of all or nothing: these rows, or this many people who
// cannot leave.
type errRefused struct {
	rows []*plannedRow
	stay int
}

func (errRefused) Error() string { return "refused" }

// allOrNothing looks at every row first, and only when none is refused writes
// all of them in one transaction. Until that commits nobody sees any of it, so a
// cancellation and a killed process leave nothing behind.
func (r *run) allOrNothing(ctx context.Context) error {
	r.check = true
	if err := r.batches(ctx); err != nil {
		return err
	}
	if r.Refused > 0 {
		return errRefused{}
	}
	r.check, r.dry, r.needed = false, nil, nil // what was planned is planned anew on what is written
	writing, stop := context.WithCancel(ctx)
	defer stop()
	r.s.writing.Store(r.ID, stop)
	defer r.s.writing.Delete(r.ID)
	write := func(tx *gorm.DB) error { return r.writeAll(writing, tx) }
	err := r.s.db.WithContext(writing).Transaction(write)
	for writing.Err() == nil && r.again(err) {
		err = r.s.db.WithContext(writing).Transaction(write)
	}
	if writing.Err() != nil && ctx.Err() == nil {
		return errStopped
	}
	return err
}

// stopWriting ends a transaction of all or nothing in this process. One of
// another process looks at the import's state by itself.
func (s *Service) stopWriting(id int64) {
	if stop, there := s.writing.Load(id); there {
		stop.(context.CancelFunc)()
	}
}

// writeAll does every row and every departure.
func (r *run) writeAll(ctx context.Context, tx *gorm.DB) error {
	if _, err := lockOrganisation(tx); err != nil {
		return err
	}
	if err := r.mayGoOn(tx); err != nil {
		return err
	}
	tree, err := loadTree(tx)
	if err != nil {
		return err
	}
	r.tree, r.lines = tree, newSeenLines(r.RowsTotal)
	defer func() { r.tree = nil }()
	before := *r.Import
	next := before
	next.RowsDone, next.Departments = 0, 0 // counted by the check, and now for good
	for next.RowsDone < len(r.sheet.records) {
		if err := r.still(ctx, tx); err != nil {
			return err
		}
		refused := next.Refused
		if err := r.batch(tx, &next); err != nil {
			return err
		}
		if next.Refused > refused {
			return errRefused{rows: r.late}
		}
	}
	*r.Import = next
	err = r.partAll(ctx, tx)
	if err == nil {
		err = r.finish(tx)
	}
	if err != nil {
		*r.Import = before
	}
	return err
}

// still renews the lease from outside the transaction and finds out whether the
// run was stopped. SQLite has one writer and one server: nobody can take it over.
func (r *run) still(ctx context.Context, tx *gorm.DB) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !database.Postgres(tx) {
		return nil
	}
	done := r.s.db.WithContext(ctx).Exec("UPDATE imports SET lease_until = ? WHERE id = ? AND state = 'running' AND lease_owner = ?",
		r.s.now().UTC().Add(importLease), r.ID, r.owner)
	if done.Error != nil {
		return fmt.Errorf("renew the lease: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return errStopped
	}
	return nil
}

// refuseAll says what kept a run of all or nothing from being carried out.
func (im *Importer) refuseAll(ctx context.Context, r *run, refused errRefused) error {
	rows := make([]importRow, len(refused.rows))
	for i, row := range refused.rows {
		kept, err := r.refusal(row)
		if err != nil {
			return err
		}
		rows[i] = kept
	}
	r.Refused += len(rows)
	err := im.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := r.store(tx, rows, nil); err != nil {
			return err
		}
		return tx.Model(&Import{}).Where("id = ? AND state = 'running' AND lease_owner = ?", r.ID, im.name).Update("refused", r.Refused).Error
	})
	if err != nil {
		return err
	}
	if refused.stay > 0 {
		return im.giveUp(ctx, r.Import, fault.Msg("mapping.cause.stay", "Count", refused.stay))
	}
	return im.giveUp(ctx, r.Import, fault.Msg("mapping.cause.whole", "Count", r.Refused))
}

func refusedOf(rows []*plannedRow) []*plannedRow {
	return slices.DeleteFunc(slices.Clone(rows), func(row *plannedRow) bool { return row.outcome != rowRefused })
}
