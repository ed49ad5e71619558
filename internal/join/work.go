package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

const (
	// runChunk is how many requests one transaction of a run decides: its groups are held that long.
	runChunk = 2000
	// runLease is how long a run belongs to the process that last wrote to it.
	runLease = 15 * time.Second
	// runTries is how often a run may break off before it is given up.
	runTries = 3
)

var (
	errRunOver = errors.New("join: the run is over") // cancelled or ended by somebody else
	errRunDone = errors.New("join: the run is done")
)

// Work goes on with the runs that were started, until ctx ends. One that was
// cut off goes on where it was: what is decided is written down with it.
func (s *Service) Work(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for ctx.Err() == nil {
			worked, err := s.NextRun(ctx, 0)
			if err != nil && ctx.Err() == nil {
				log.Error("deciding many requests", "err", err)
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.runs:
		}
	}
}

// NextRun works on one run to its end, on the oldest that nobody works on when
// id is 0, and reports whether there was one.
func (s *Service) NextRun(ctx context.Context, id int64) (bool, error) {
	r, err := s.leaseRun(ctx, id)
	if err != nil || r == nil {
		return false, err
	}
	for err == nil {
		err = s.followed(ctx, func(tx *gorm.DB) error { return s.workRun(tx, *r) })
	}
	switch {
	case errors.Is(err, errRunOver):
		return true, nil
	case errors.Is(err, errRunDone):
		return true, s.endRun(ctx, r.ID, RunDone)
	case errors.Is(err, fault.NotFound), r.Tries >= runTries: // the author has left, or it breaks off again and again
		return true, errors.Join(s.endRun(context.WithoutCancel(ctx), r.ID, RunFailed), unless(err, fault.NotFound))
	}
	free := s.db.WithContext(context.WithoutCancel(ctx)).Exec("UPDATE request_runs SET lease_until = ? WHERE id = ? AND state = 'running'", s.now().UTC(), r.ID).Error
	return true, errors.Join(fmt.Errorf("run %d: %w", r.ID, err), free)
}

func unless(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

func (s *Service) leaseRun(ctx context.Context, id int64) (*Run, error) {
	db, now := s.db.WithContext(ctx), s.now().UTC()
	q := db.Where("state = 'running' AND (lease_until IS NULL OR lease_until < ?)", now)
	if id != 0 {
		q = q.Where("id = ?", id)
	}
	var some []Run
	if err := q.Order("id").Limit(1).Find(&some).Error; err != nil || len(some) == 0 {
		return nil, err
	}
	done := db.Exec("UPDATE request_runs SET lease_until = ?, tries = tries + 1 WHERE id = ? AND state = 'running' AND (lease_until IS NULL OR lease_until < ?)", now.Add(runLease), some[0].ID, now)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	some[0].Tries++
	return &some[0], nil
}

// workRun decides the next chunk, and ends the run when there is none. The
// author's rights are read anew each time.
func (s *Service) workRun(tx *gorm.DB, r Run) error {
	now := s.now().UTC()
	mine := tx.Exec("UPDATE request_runs SET lease_until = ? WHERE id = ? AND state = 'running'", now.Add(runLease), r.ID)
	if mine.Error != nil {
		return fmt.Errorf("hold a run: %w", mine.Error)
	}
	if mine.RowsAffected == 0 {
		return errRunOver
	}
	var items []struct{ Position, RequestID int64 }
	err := tx.Raw("SELECT position, request_id FROM request_run_items WHERE run_id = ? AND outcome = '' ORDER BY position LIMIT ?", r.ID, runChunk).Scan(&items).Error
	if err != nil {
		return fmt.Errorf("read a run's requests: %w", err)
	}
	if len(items) == 0 {
		return errRunDone
	}
	ids, positions := make([]int64, len(items)), make([]int64, len(items))
	for i, item := range items {
		ids[i], positions[i] = item.RequestID, item.Position
	}
	by, err := directory.LoadActor(tx, r.CreatedBy, now)
	if err != nil {
		return err
	}
	by.Address, by.Device = r.Address, r.Device
	d, err := r.decision(tx)
	if err != nil {
		return err
	}
	results, err := s.decideMany(tx, by, d, ids)
	if err != nil {
		return err
	}
	outcomes := make([]string, len(results))
	for i, one := range results {
		outcomes[i] = one.Outcome
	}
	v, args := database.Values(tx, database.Numbers("position", positions), database.Texts("outcome", outcomes))
	err = tx.Exec("UPDATE request_run_items SET outcome = v.outcome FROM "+v+" WHERE run_id = ? AND request_run_items.position = v.position", append(args, r.ID)...).Error
	if err != nil {
		return fmt.Errorf("write down what a run did: %w", err)
	}
	return nil
}

func (s *Service) endRun(ctx context.Context, id int64, state string) error {
	return s.db.WithContext(ctx).Exec("UPDATE request_runs SET state = ?, finished_at = ? WHERE id = ? AND state = 'running'", state, s.now().UTC(), id).Error
}
