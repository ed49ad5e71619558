package scan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/secret"
)

const (
	purgeLease = 2 * time.Minute
	// The embedded database has one writer: there a batch is over before a visitor notices.
	purgeBatch       = 5000
	purgeBatchSQLite = 1000
	purgeBreath      = 20 * time.Millisecond // between batches, for everybody else
	purgeTimeout     = 20 * time.Second      // of one batch
	purgesShown      = 10
)

// Purge is one run of the retention and the proof of what it deleted.
type Purge struct {
	ID         int64
	Day        string    // the organisation's, on which it began
	Days       int       // the policy
	Before     time.Time // scans older than this were deleted
	Deleted    int64
	FirstRef   string // the oldest that was deleted
	FirstAt    *time.Time
	LastRef    string // the newest
	LastAt     *time.Time
	OldestKept *time.Time // nil when nothing is left
	Holder     string
	LeaseUntil time.Time
	Running    bool
	StartedAt  time.Time
	FinishedAt *time.Time
}

// TableName is for gorm.
func (Purge) TableName() string { return "scan_purges" }

// errLostLease ends a worker whose run somebody else has taken over.
var errLostLease = errors.New("scan: another instance goes on with this purge")

// RunPurges deletes old scans once a day until ctx ends: at the first chance
// of the organisation's day, so also when nothing ran at midnight.
func (s *Service) RunPurges(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if n, err := s.PurgeOverdue(ctx); err != nil && ctx.Err() == nil {
			log.Error("deleting old scans", "err", err)
		} else if n > 0 {
			log.Info("old scans were deleted as the policy says", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// PurgeOverdue deletes the single scans that are older than the policy's days,
// in small batches, and says how many this call deleted. It does nothing when
// today's run is done or another instance is at it; a run that was cut short is
// continued. Roll-ups and counters stay. req: B37
func (s *Service) PurgeOverdue(ctx context.Context) (total int64, err error) {
	run, err := s.claimPurge(ctx)
	if err != nil || run == nil {
		return 0, err
	}
	for {
		n, err := s.purgeSome(ctx, run)
		total += n
		if errors.Is(err, errLostLease) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		if n == 0 {
			return total, s.finishPurge(ctx, run)
		}
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(purgeBreath):
		}
	}
}

// claimPurge begins today's run, or takes over one that nobody holds any more;
// nil when there is nothing to do.
func (s *Service) claimPurge(ctx context.Context) (run *Purge, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var org directory.Organisation
		// The one row that all instances share: two of them claim one after the other.
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = 1").Take(&org).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		} else if err != nil {
			return fmt.Errorf("lock the organisation: %w", err)
		}
		policies, err := directory.LoadPolicies(tx)
		if err != nil {
			return err
		}
		now := s.now().UTC().Truncate(time.Microsecond)
		var last []Purge
		if err := tx.Order("running DESC, id DESC").Limit(1).Find(&last).Error; err != nil {
			return fmt.Errorf("find the last purge: %w", err)
		}
		if len(last) > 0 && last[0].Running {
			run, err = takeOver(tx, last[0], now)
			return err
		}
		day := now.In(org.Location()).Format(time.DateOnly)
		if policies.ScanDays <= 0 || len(last) > 0 && last[0].Day >= day {
			return nil
		}
		run = &Purge{Day: day, Days: policies.ScanDays, Before: now.AddDate(0, 0, -policies.ScanDays), Holder: secret.Token(12),
			LeaseUntil: now.Add(purgeLease), Running: true, StartedAt: now}
		if err := tx.Create(run).Error; err != nil {
			return fmt.Errorf("begin a purge: %w", err)
		}
		return nil
	})
	return run, err
}

func takeOver(tx *gorm.DB, run Purge, now time.Time) (*Purge, error) {
	if run.LeaseUntil.After(now) {
		return nil, nil
	}
	run.Holder, run.LeaseUntil = secret.Token(12), now.Add(purgeLease)
	if err := tx.Model(&Purge{}).Where("id = ?", run.ID).Updates(map[string]any{"holder": run.Holder, "lease_until": run.LeaseUntil}).Error; err != nil {
		return nil, fmt.Errorf("go on with a purge: %w", err)
	}
	return &run, nil
}

// doomed is one scan about to go.
type doomed struct {
	ID  int64
	Ref string
	At  time.Time
}

// purgeSome deletes one batch and counts it in the run, in one transaction: a
// process that is killed leaves the count and the rows in agreement.
func (s *Service) purgeSome(ctx context.Context, run *Purge) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC().Truncate(time.Microsecond)
		held := tx.Model(&Purge{}).Where("id = ? AND holder = ? AND running", run.ID, run.Holder).Update("lease_until", now.Add(purgeLease))
		if held.Error != nil {
			return fmt.Errorf("hold on to a purge: %w", held.Error)
		}
		if held.RowsAffected == 0 {
			return errLostLease
		}
		policies, err := directory.LoadPolicies(tx)
		if err != nil || policies.ScanDays <= 0 {
			return err // somebody has just decided to keep them
		}
		// The policy may have become more generous since the run began.
		before := now.AddDate(0, 0, -policies.ScanDays)
		if run.Before.Before(before) {
			before = run.Before
		}
		rows, err := overdue(tx, before, now)
		if err != nil || len(rows) == 0 {
			return err
		}
		n = int64(len(rows))
		if err := erase(tx, rows); err != nil {
			return err
		}
		return countPurged(tx, run.ID, rows)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// age is when a scan s was as the retention's index keeps it, and the parameter it is compared with.
func age(tx *gorm.DB) (expression, parameter string) {
	if database.Postgres(tx) {
		return "(s.at AT TIME ZONE 'UTC')", "(CAST(? AS timestamptz) AT TIME ZONE 'UTC')"
	}
	return "s.at", "?"
}

// overdue are the oldest scans before a moment. One whose visitor still has the
// join page open stays until that is over.
func overdue(tx *gorm.DB, before, now time.Time) ([]doomed, error) {
	limit := purgeBatch
	if !database.Postgres(tx) {
		limit = purgeBatchSQLite
	}
	age, cut := age(tx)
	var rows []doomed
	err := tx.Raw(`SELECT s.id, s.ref, s.at FROM scans s WHERE `+age+` < `+cut+`
		AND NOT EXISTS (SELECT 1 FROM join_sessions j WHERE j.scan_id = s.id AND j.expires_at > ?) ORDER BY `+age+`, s.id LIMIT ?`, before, now, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find overdue scans: %w", err)
	}
	return rows, nil
}

// erase deletes scans. What was asked through them stays and keeps where the
// person came from; join sessions that are over go with them.
func erase(tx *gorm.DB, rows []doomed) error {
	list := make([]int64, len(rows))
	for i, r := range rows {
		list[i] = r.ID
	}
	ids, arg := idList(tx, list)
	for _, step := range []struct{ what, sql string }{
		{"detach requests", `UPDATE join_requests SET scan_id = NULL, channel = CASE WHEN join_requests.channel = '' THEN s.channel ELSE join_requests.channel END,
			copy_serial = CASE WHEN join_requests.copy_serial = 0 THEN s.copy_serial ELSE join_requests.copy_serial END
			FROM scans s WHERE s.id = join_requests.scan_id AND join_requests.scan_id IN ` + ids},
		{"detach the waiting list", "UPDATE waiting_list SET scan_id = NULL WHERE scan_id IN " + ids},
		{"delete join sessions that are over", "DELETE FROM join_sessions WHERE scan_id IN " + ids},
		{"delete scans", "DELETE FROM scans WHERE id IN " + ids},
	} {
		if err := tx.Exec(step.sql, arg).Error; err != nil {
			return fmt.Errorf("purge: %s: %w", step.what, err)
		}
	}
	return nil
}

// countPurged writes a batch into the run's row.
func countPurged(tx *gorm.DB, id int64, rows []doomed) error {
	first, last := rows[0], rows[len(rows)-1]
	err := tx.Exec(`UPDATE scan_purges SET deleted = deleted + ?, first_ref = CASE WHEN first_at IS NULL THEN ? ELSE first_ref END,
		first_at = coalesce(first_at, ?), last_ref = ?, last_at = ? WHERE id = ?`, len(rows), first.Ref, first.At, last.Ref, last.At, id).Error
	if err != nil {
		return fmt.Errorf("count what was purged: %w", err)
	}
	return nil
}

// finishPurge closes the run and, when it deleted something, says so in the trail.
func (s *Service) finishPurge(ctx context.Context, run *Purge) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC().Truncate(time.Microsecond)
		var oldest []doomed
		age, _ := age(tx)
		if err := tx.Raw("SELECT s.id, s.ref, s.at FROM scans s ORDER BY " + age + " LIMIT 1").Scan(&oldest).Error; err != nil {
			return fmt.Errorf("find the oldest scan kept: %w", err)
		}
		set := map[string]any{"running": false, "finished_at": now, "lease_until": now}
		if len(oldest) > 0 {
			set["oldest_kept"] = oldest[0].At
		}
		done := tx.Model(&Purge{}).Where("id = ? AND holder = ? AND running", run.ID, run.Holder).Updates(set)
		if done.Error != nil {
			return fmt.Errorf("finish a purge: %w", done.Error)
		}
		var p Purge
		if err := tx.Where("id = ?", run.ID).Take(&p).Error; err != nil {
			return fmt.Errorf("read the purge: %w", err)
		}
		if done.RowsAffected == 0 || p.Deleted == 0 {
			return nil
		}
		return s.trail.Record(tx, access.Background("retention"), audit.Event{Action: "scans.purge", Object: audit.Object{Kind: "organisation", ID: "1"},
			Details: map[string]any{"before": p.Before.UTC().Format(time.RFC3339), "days": p.Days, "count": p.Deleted,
				"first": p.FirstRef, "first_at": p.FirstAt.UTC().Format(time.RFC3339), "last": p.LastRef, "last_at": p.LastAt.UTC().Format(time.RFC3339)}})
	})
}

// Purges lists the newest runs of the retention.
func (s *Service) Purges(ctx context.Context, by access.Actor) ([]Purge, error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	var all []Purge
	if err := s.db.WithContext(ctx).Order("id DESC").Limit(purgesShown).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("list purges: %w", err)
	}
	return all, nil
}
