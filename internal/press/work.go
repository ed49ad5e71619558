package press

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

const (
	// lease is how long a run belongs to the process that last wrote to it.
	lease = 15 * time.Second
	// heldFor is how many files are drawn between two signs of life.
	heldFor = 50
	// workTries is how often a run may fail before it is given up.
	workTries = 3
	// maxZip is how large a finished zip may be.
	maxZip = 64 << 20
)

// errStopped says that the run is no longer ours: cancelled, or taken over.
var errStopped = errors.New("print run stopped")

// errTooLarge says that the zip grew beyond maxZip.
var errTooLarge = errors.New("print run too large")

// Work draws what Start left behind, until ctx ends. Runs cut off by a restart
// begin anew: drawing is quick and leaves nothing behind. One goroutine runs it.
func (s *Service) Work(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	tries := map[int64]int{}
	for {
		for ctx.Err() == nil {
			worked, err := s.Next(ctx, tries)
			if err != nil && ctx.Err() == nil {
				s.log.Error("print run", "err", err)
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.waiting:
		}
	}
}

// Next draws one waiting run to its end and reports whether there was one.
// tries counts the failures of each.
func (s *Service) Next(ctx context.Context, tries map[int64]int) (bool, error) {
	r, err := s.lease(ctx)
	if err != nil || r == nil {
		return false, err
	}
	err = s.work(ctx, *r)
	switch {
	case err == nil, errors.Is(err, errStopped):
		delete(tries, r.ID)
		return true, nil
	case ctx.Err() != nil:
		free := context.WithoutCancel(ctx)
		return true, s.db.WithContext(free).Exec("UPDATE print_runs SET lease_until = NULL WHERE id = ? AND state = ?", r.ID, Running).Error
	}
	var refused fault.Invalid
	tries[r.ID]++
	switch {
	case errors.Is(err, errTooLarge):
		return true, s.giveUp(ctx, *r, "print.cause.large")
	case errors.As(err, &refused), errors.Is(err, fault.NotFound), errors.As(err, new(fault.Forbidden)):
		return true, s.giveUp(ctx, *r, "print.cause.rights")
	case tries[r.ID] >= workTries:
		return true, errors.Join(err, s.giveUp(ctx, *r, "print.cause.internal"))
	}
	return true, fmt.Errorf("print run %d: %w", r.ID, err)
}

// lease takes the oldest run that nobody works on.
func (s *Service) lease(ctx context.Context) (*Run, error) {
	db, now := s.db.WithContext(ctx), s.now().UTC()
	const free = "state = 'running' AND (lease_until IS NULL OR lease_until < ?)"
	var r Run
	err := db.Where(free, now).Order("id").Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for a print run: %w", err)
	}
	done := db.Exec("UPDATE print_runs SET lease_until = ?, done = 0 WHERE id = ? AND "+free, now.Add(lease), r.ID, now)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	return &r, nil
}

func (s *Service) work(ctx context.Context, r Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	o, err := r.Order()
	if err != nil {
		return err
	}
	by, err := directory.LoadActor(s.db.WithContext(ctx), r.CreatedBy, s.now())
	if err != nil {
		return err // fault.NotFound: the author has left
	}
	b, err := s.bundle(ctx, by, o)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	err = b.Write(&file, func(done int) error {
		if file.Len() > maxZip {
			return errTooLarge
		}
		if done%heldFor == 0 {
			return s.hold(ctx, r.ID, done, b.Len())
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return s.finish(ctx, by, r, b.Len(), file.Bytes())
}

// hold renews the lease, shows how far the run is and finds out whether it was cancelled.
func (s *Service) hold(ctx context.Context, id int64, done, total int) error {
	held := s.db.WithContext(ctx).Exec("UPDATE print_runs SET lease_until = ?, done = ?, total = ? WHERE id = ? AND state = ?",
		s.now().UTC().Add(lease), done, total, id, Running)
	if held.Error != nil {
		return fmt.Errorf("hold a print run: %w", held.Error)
	} else if held.RowsAffected == 0 {
		return errStopped
	}
	return nil
}

func (s *Service) finish(ctx context.Context, by access.Actor, r Run, total int, file []byte) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now, sum := s.now().UTC(), sha256.Sum256(file)
		var id int64
		err := tx.Raw("INSERT INTO files (sha256, content_type, content, created_at) VALUES (?, 'application/zip', ?, ?) RETURNING id",
			hex.EncodeToString(sum[:]), file, now).Scan(&id).Error
		if err != nil {
			return fmt.Errorf("keep the zip: %w", err)
		}
		done := tx.Exec("UPDATE print_runs SET state = ?, done = ?, total = ?, file_id = ?, finished_at = ? WHERE id = ? AND state = ?",
			Done, total, total, id, now, r.ID, Running)
		if done.Error != nil {
			return fmt.Errorf("finish a print run: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return errStopped // and the file with it
		}
		r.Total = total
		return s.trail.Record(tx, by, runEvent("print.finish", r, by))
	})
}

func (s *Service) giveUp(ctx context.Context, r Run, why string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE print_runs SET state = ?, cause = ?, finished_at = ? WHERE id = ? AND state = ?", Failed, why, s.now().UTC(), r.ID, Running)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return s.trail.Record(tx, access.Background("print"), runEvent("print.fail", r, access.Actor{}))
	})
}
