package scan

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// rebuildChunk is how many scans are counted at once: memory does not grow with the history.
const rebuildChunk = 20_000

// Rebuild counts the kept scans into the roll-ups when these do not reach back
// to the oldest one: after an upgrade, or after scans were put there by other
// means. It never drops what was counted from scans that are deleted since. Of
// several instances that start at once, one does it.
func (s *Service) Rebuild(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return Recount(tx)
	})
}

// Recount is Rebuild inside the caller's transaction.
func Recount(tx *gorm.DB) error {
	due, err := rebuildDue(tx)
	if due && database.Postgres(tx) {
		// Scans of other instances wait, and are counted on top.
		if err := tx.Exec("LOCK TABLE scan_days, scan_funnel IN EXCLUSIVE MODE").Error; err != nil {
			return fmt.Errorf("lock the roll-ups: %w", err)
		}
		due, err = rebuildDue(tx) // another instance may have been first
	}
	if !due || err != nil {
		return err
	}
	for _, table := range []string{"scan_days", "scan_funnel"} {
		if err := tx.Exec("DELETE FROM " + table).Error; err != nil {
			return fmt.Errorf("empty the roll-ups: %w", err)
		}
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	for after, more := int64(0), true; more; {
		if after, more, err = countChunk(tx, after, org.Location()); err != nil {
			return err
		}
	}
	return nil
}

// rebuildDue reports whether the oldest kept scan is older than every roll-up.
// In any time zone its day is at most one after that of UTC.
func rebuildDue(tx *gorm.DB) (bool, error) {
	var oldest []time.Time
	if err := tx.Raw("SELECT at FROM scans WHERE code_id IS NOT NULL ORDER BY at LIMIT 1").Scan(&oldest).Error; err != nil {
		return false, fmt.Errorf("look for the oldest scan: %w", err)
	}
	if len(oldest) == 0 {
		return false, nil
	}
	var counted bool
	day := oldest[0].UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM scan_days WHERE day <= ?)", day).Scan(&counted).Error; err != nil {
		return false, fmt.Errorf("look for the oldest roll-up: %w", err)
	}
	return !counted, nil
}

// countChunk adds the scans above an id, and returns the last one's.
func countChunk(tx *gorm.DB, after int64, zone *time.Location) (last int64, more bool, err error) {
	// A scan that turned out to be for others was answered with a ticket all the same.
	rows, err := tx.Raw(`SELECT s.id, s.at, s.code_id, CASE WHEN s.outcome = 'audience' AND EXISTS (SELECT 1 FROM join_sessions j WHERE j.scan_id = s.id)
			THEN 'live' ELSE s.outcome END, s.device, s.app, s.channel, s.copy_serial, s.member_id IS NOT NULL OR s.guest_id IS NOT NULL, s.stages
		FROM scans s WHERE s.id > ? ORDER BY s.id LIMIT ?`, after, rebuildChunk).Rows()
	if err != nil {
		return after, false, fmt.Errorf("read scans to count: %w", err)
	}
	defer rows.Close()
	sums, n := newRollup(), 0
	for last = after; rows.Next(); n++ {
		var c counted
		var at time.Time
		var code sql.NullInt64
		if err := rows.Scan(&last, &at, &code, &c.outcome, &c.device, &c.app, &c.channel, &c.serial, &c.identified, &c.stages); err != nil {
			return last, false, fmt.Errorf("read scans to count: %w", err)
		}
		if code.Valid {
			local := at.In(zone)
			c.code, c.day, c.hour = code.Int64, local.Format(time.DateOnly), local.Hour()
			sums.add(c)
		}
	}
	if err := rows.Err(); err != nil {
		return last, false, fmt.Errorf("read scans to count: %w", err)
	}
	return last, n == rebuildChunk, sums.write(tx)
}
