package events

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Kept is how long events stay: pages follow them for minutes, messages are made
// of them within seconds, and a stopped instance may be away over a weekend.
const Kept = 14 * 24 * time.Hour

// sweepAtOnce bounds one statement of Sweep.
const sweepAtOnce = 5000

// Sweep deletes events older than Kept whose messages are queued.
func Sweep(ctx context.Context, db *gorm.DB, now time.Time) error {
	for {
		done := db.WithContext(ctx).Exec("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? AND handled_at IS NOT NULL ORDER BY at LIMIT ?)", now.UTC().Add(-Kept), sweepAtOnce)
		if done.Error != nil {
			return fmt.Errorf("delete old events: %w", done.Error)
		}
		if done.RowsAffected < sweepAtOnce {
			return nil
		}
	}
}
