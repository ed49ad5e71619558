package fuse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/events"
)

const (
	// every is how often the codes are looked at, by whichever instance comes first.
	every = time.Minute
	// looked bounds how many of the newest scans one look reads.
	looked = 50_000
	// usualDays is how far back a code's usual day is asked for.
	usualDays = 14
	// refusedFor is how far back refused requests count.
	refusedFor = 24 * time.Hour
)

// Run watches until ctx ends. Any number of instances may.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	for {
		if _, err := s.Watch(ctx); err != nil && ctx.Err() == nil {
			log.Error("watch of codes", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// Watch raises the codes that behave oddly, lowers those whose time is over, and
// says how many it raised. Of several instances one does it each minute.
func (s *Service) Watch(ctx context.Context) (raised int, err error) {
	tx, now := s.db.WithContext(ctx), s.now().UTC()
	mine := tx.Exec("UPDATE fuse_watch SET next_at = ? WHERE id = 1 AND next_at <= ?", now.Add(every-5*time.Second), now)
	if mine.Error != nil {
		return 0, fmt.Errorf("take the watch: %w", mine.Error)
	} else if mine.RowsAffected == 0 {
		return 0, nil
	}
	if err := s.fallBack(ctx); err != nil {
		return 0, err
	}
	p, err := directory.LoadPolicies(tx)
	if err != nil || p.FuseHours <= 0 {
		return 0, err
	}
	odd, err := s.look(tx, p)
	if err != nil {
		return 0, err
	}
	for _, o := range odd {
		won, err := s.raise(ctx, o, p)
		if err != nil {
			return raised, err
		} else if won {
			raised++
		}
	}
	return raised, nil
}

// odd is a code that did what it should not.
type odd struct {
	id         int64
	why        string
	seen, most int
}

// raise is one conditional statement: of those who see the same one raises.
func (s *Service) raise(ctx context.Context, o odd, p directory.Policies) (won bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC().Truncate(time.Microsecond)
		until := now.Add(time.Duration(p.FuseHours) * time.Hour)
		done := tx.Exec("UPDATE codes SET fused_until = ? WHERE id = ? AND fused_until IS NULL AND revoked_at IS NULL", until, o.id)
		if done.Error != nil {
			return fmt.Errorf("raise a code: %w", done.Error)
		}
		if won = done.RowsAffected == 1; !won {
			return nil
		}
		err := tx.Exec(`INSERT INTO code_fuses (code_id, why, seen, most, fused_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (code_id) DO UPDATE SET why = excluded.why, seen = excluded.seen, most = excluded.most, fused_at = excluded.fused_at`, o.id, o.why, o.seen, o.most, now).Error
		if err != nil {
			return fmt.Errorf("raise a code: %w", err)
		}
		f, err := code.LoadFactsByID(tx, o.id)
		if err != nil {
			return err
		}
		details := map[string]any{"why": o.why, "seen": o.seen, "until": until.Format(time.RFC3339)}
		text, err := json.Marshal(details)
		if err != nil {
			return err
		}
		if err := s.tell(tx, events.Fused, f, access.Actor{}, string(text)); err != nil {
			return err
		}
		return s.trail.Record(tx, access.Background("fuse"), *event("code.fuse.raise", f, details))
	})
	return won, err
}

// fallBack ends the raises whose time is over.
func (s *Service) fallBack(ctx context.Context) error {
	var over []struct {
		ID         int64
		FusedUntil time.Time
	}
	err := s.db.WithContext(ctx).Raw("SELECT id, fused_until FROM codes WHERE fused_until <= ? ORDER BY id LIMIT 500", s.now().UTC()).Scan(&over).Error
	if err != nil {
		return fmt.Errorf("find raises that are over: %w", err)
	}
	for _, o := range over {
		err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			won, err := s.fall(tx, o.ID, o.FusedUntil)
			if err != nil || !won {
				return err
			}
			f, err := code.LoadFactsByID(tx, o.ID)
			if err != nil {
				return err
			}
			if err := s.tell(tx, events.Unfused, f, access.Actor{}, ""); err != nil {
				return err
			}
			return s.trail.Record(tx, access.Background("fuse"), *event("code.fuse.end", f, nil))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
