package scan

import (
	"fmt"

	"gorm.io/gorm"
)

// MarkPerson writes into the history who made a scan, once they have identified
// themselves. It joins the caller's transaction; exactly one id is set.
func MarkPerson(tx *gorm.DB, scanID int64, memberID, guestID *int64) error {
	done := tx.Table("scans").Where("id = ?", scanID).Updates(map[string]any{"member_id": memberID, "guest_id": guestID})
	if done.Error != nil {
		return fmt.Errorf("mark the scan's person: %w", done.Error)
	}
	return nil
}

// MarkOutcome changes what came of a scan when that is only known after
// identification (Audience). It joins the caller's transaction. The scan was
// answered with a ticket, so it stays counted.
func MarkOutcome(tx *gorm.DB, scanID int64, outcome string) error {
	if err := tx.Table("scans").Where("id = ?", scanID).Update("outcome", outcome).Error; err != nil {
		return fmt.Errorf("mark the scan's outcome: %w", err)
	}
	return nil
}
