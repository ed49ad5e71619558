package notify

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
	"doorplate/internal/events"
)

// Remind announces chat images that end soon where no other image lasts longer,
// once each: whoever scans after that stands before a dead page.
func (s *Service) Remind(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		policies, err := directory.LoadPolicies(tx)
		if err != nil {
			return err
		}
		now := s.now().UTC()
		soon := now.Add(time.Duration(policies.UpstreamWarnHours) * time.Hour)
		var dying []struct {
			ID, GroupID int64
			ValidUntil  time.Time
		}
		err = tx.Raw(`SELECT i.id, i.group_id, i.valid_until FROM entry_images i JOIN groups g ON g.id = i.group_id AND g.status = 'active' AND g.entry_kind = 'upstream'
			WHERE i.dead_at IS NULL AND i.valid_until > ? AND i.valid_until <= ?
			AND NOT EXISTS (SELECT 1 FROM entry_images o WHERE o.group_id = i.group_id AND o.dead_at IS NULL AND (o.valid_until > i.valid_until OR o.valid_until = i.valid_until AND o.id > i.id))
			AND NOT EXISTS (SELECT 1 FROM entry_warnings w WHERE w.image_id = i.id AND w.valid_until = i.valid_until) ORDER BY i.id LIMIT 500`, now, soon).Scan(&dying).Error
		if err != nil {
			return fmt.Errorf("find dying images: %w", err)
		}
		var all []events.Event
		for _, d := range dying {
			done := tx.Exec("INSERT INTO entry_warnings (image_id, valid_until, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", d.ID, d.ValidUntil, now)
			if done.Error != nil {
				return fmt.Errorf("note a dying image: %w", done.Error)
			} else if done.RowsAffected == 1 {
				all = append(all, events.Event{Kind: events.EntryDying, GroupID: &d.GroupID, Data: jsonText(map[string]any{"until": d.ValidUntil.UTC().Format(time.RFC3339)}), At: now})
			}
		}
		return events.Publish(tx, all...)
	})
}
