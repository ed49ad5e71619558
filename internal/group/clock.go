package group

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// MaxDueHours bounds a group's own hours until a request is due.
const MaxDueHours = 500

// SetDueHours gives a group its own hours of work until a request is due; "" or
// 0 is as the organisation. Requests that wait already keep their time.
func (s *Service) SetDueHours(ctx context.Context, by access.Actor, gid, typed string) error {
	hours, err := strconv.Atoi(strings.TrimSpace(typed))
	if strings.TrimSpace(typed) == "" {
		hours, err = 0, nil
	}
	if err != nil || hours < 0 || hours > MaxDueHours {
		return fault.Invalid{"due_hours": fault.Msg("settings.error.number", "Min", 0, "Max", MaxDueHours)}
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil || g.DueHours == hours {
			return err
		}
		if err := tx.Model(&Group{}).Where("id = ?", g.ID).Update("due_hours", hours).Error; err != nil {
			return fmt.Errorf("save the group's hours: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.clock", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"due_hours": hours, "due_hours_was": g.DueHours}})
	})
}
