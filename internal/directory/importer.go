package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const (
	// importBatch is how many rows one transaction takes: small enough that
	// others who want to write wait for less than a second.
	importBatch = 5000
	// importLease is how long a run belongs to the process that last wrote to it.
	importLease = 15 * time.Second
	// importTries is how often a batch may fail before the run is given up.
	importTries = 5
)

// Importer does the imports that StartImport and ApplyImport leave behind. Runs
// cut off by a restart go on where their last batch was committed.
type Importer struct {
	s     *Service
	log   *slog.Logger
	tries map[int64]int
	name  string // who works, for the lease
	tidy  bool   // the last one was large: give its memory back
}

// NewImporter returns the importer of s. One goroutine runs it.
func NewImporter(s *Service, log *slog.Logger) *Importer {
	return &Importer{s: s, log: log, tries: map[int64]int{}, name: rand.Text()}
}

func (s *Service) wakeImporter() {
	select {
	case s.imports <- struct{}{}:
	default:
	}
}

// Run works until ctx ends.
func (im *Importer) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for ctx.Err() == nil {
			worked, err := im.Next(ctx)
			if err != nil && ctx.Err() == nil {
				im.log.Error("import", "err", err)
			}
			if im.tidy {
				im.tidy = false
				debug.FreeOSMemory()
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-im.s.imports:
		}
	}
}

// Next takes one waiting import and works on it to its end. It reports whether
// there was one.
func (im *Importer) Next(ctx context.Context) (bool, error) {
	i, err := im.take(ctx)
	if err != nil || i == nil {
		return false, err
	}
	err = im.work(ctx, i)
	if errors.Is(err, errStopped) {
		return true, nil
	}
	if err == nil {
		delete(im.tries, i.ID)
		return true, nil
	}
	if ctx.Err() != nil {
		return true, im.letGo(context.WithoutCancel(ctx), i.ID)
	}
	if im.tries[i.ID]++; im.tries[i.ID] >= importTries {
		return true, errors.Join(err, im.giveUp(ctx, i, fault.Msg("import.cause.internal")))
	}
	return true, fmt.Errorf("import %d: %w", i.ID, err)
}

// errStopped says that the run is no longer ours: cancelled, or taken over.
var errStopped = errors.New("import stopped")

// take leases the oldest running import that nobody works on.
func (im *Importer) take(ctx context.Context) (*Import, error) {
	now := im.s.now().UTC()
	db := im.s.db.WithContext(ctx)
	var i Import
	err := db.Where("state = 'running' AND NOT waiting AND (lease_until IS NULL OR lease_until < ?)", now).Order("id").Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for an import: %w", err)
	}
	done := db.Exec("UPDATE imports SET lease_until = ?, lease_owner = ? WHERE id = ? AND state = 'running' AND rows_done = ? AND (lease_until IS NULL OR lease_until < ?)",
		now.Add(importLease), im.name, i.ID, i.RowsDone, now)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	return &i, nil
}

func (im *Importer) letGo(ctx context.Context, id int64) error {
	return im.s.db.WithContext(ctx).Exec("UPDATE imports SET lease_until = NULL WHERE id = ? AND state = 'running' AND lease_owner = ?", id, im.name).Error
}

func (im *Importer) giveUp(ctx context.Context, i *Import, why fault.Message) error {
	return im.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE imports SET state = 'failed', cause = ?, finished_at = ? WHERE id = ? AND state = 'running' AND lease_owner = ?",
			storeMessage(why), im.s.now().UTC(), i.ID, im.name)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return im.s.trail.Record(tx, access.Background("import"), importEvent("import.fail", *i, access.Actor{}))
	})
}
