package group

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// EndWait takes a person off a group's waiting list, if they are on it: they got
// "in", "left", were "removed", or the wait is "over".
func EndWait(tx *gorm.DB, groupID int64, p Person, how string, at time.Time) error {
	err := p.where(tx.Table("waiting_list").Where("group_id = ? AND ended_at IS NULL", groupID)).
		Updates(map[string]any{"ended_at": at.UTC(), "ended_how": how}).Error
	if err != nil {
		return fmt.Errorf("end a wait: %w", err)
	}
	return nil
}
