package scan

import (
	"fmt"

	"gorm.io/gorm"
)

// unmarkJoined takes back that the people behind some scans were let in, and
// counts them no more in their cohorts.
func unmarkJoined(tx *gorm.DB, scanIDs []int64) error {
	bit := stageBits[Joined]
	back, err := cohorts(tx, `UPDATE scans SET stages = stages - ? WHERE id IN (SELECT id FROM scans WHERE id IN ? ORDER BY id`+forUpdate(tx)+`)
		AND (stages & ?) <> 0`, bit, scanIDs, bit)
	if err != nil {
		return fmt.Errorf("take a scan's stage back: %w", err)
	}
	return addStep(tx, back, 1+bit, -1)
}
