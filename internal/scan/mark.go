package scan

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// Stages of the person behind a scan that are known only after it was answered.
const (
	Requested = "requested" // asked for entry
	Joined    = "joined"    // was let in
	Unjoined  = "unjoined"  // that was taken back
)

// stageBits are what the column scans.stages is made of.
var stageBits = map[string]int{Requested: 1, Joined: 2}

// MarkPerson writes into the history who made a scan, once they have identified
// themselves. It joins the caller's transaction; exactly one id is set.
func MarkPerson(tx *gorm.DB, scanID int64, memberID, guestID *int64) error {
	first, err := cohorts(tx, `UPDATE scans SET member_id = ?, guest_id = ? WHERE id = ? AND member_id IS NULL AND guest_id IS NULL`, memberID, guestID, scanID)
	if err != nil {
		return fmt.Errorf("mark the scan's person: %w", err)
	}
	if len(first) > 0 {
		return countStep(tx, first, 1)
	}
	done := tx.Table("scans").Where("id = ?", scanID).Updates(map[string]any{"member_id": memberID, "guest_id": guestID})
	if done.Error != nil {
		return fmt.Errorf("mark the scan's person: %w", done.Error)
	}
	return nil
}

// MarkStage writes that the people behind some scans reached a stage, and counts
// each of them in the cohort of its scan: once, whoever calls how often. A scan
// that is deleted counts no more. It joins the caller's transaction, which calls
// it last, and once for all its scans: it locks lines that other scans of the
// same code need.
func MarkStage(tx *gorm.DB, stage string, scanIDs ...int64) error {
	if len(scanIDs) == 0 {
		return nil
	}
	if stage == Unjoined {
		return unmarkJoined(tx, scanIDs)
	}
	bit := stageBits[stage]
	these, ids := database.AnyOf(tx, "id", database.Numbers("id", scanIDs))
	first, err := cohorts(tx, `UPDATE scans SET stages = stages + ? WHERE id IN (SELECT id FROM scans WHERE `+these+` ORDER BY id`+forUpdate(tx)+`)
		AND (stages & ?) = 0`, bit, ids, bit)
	if err != nil {
		return fmt.Errorf("mark the scan's stage: %w", err)
	}
	return countStep(tx, first, 1+bit)
}

func forUpdate(tx *gorm.DB) string {
	if database.Postgres(tx) {
		return " FOR NO KEY UPDATE"
	}
	return ""
}

// cohort is what a scan's line in scan_funnel follows from.
type cohort struct {
	CodeID     *int64
	At         time.Time
	Channel    string
	CopySerial int
	Outcome    string
}

// ticketed reports whether the scan has a place in the funnel: it was let
// through, be it that the audience turned out to be another. A visit that was
// turned away and only waited has none.
func (s cohort) ticketed() bool {
	return s.CodeID != nil && (s.Outcome == Live || s.Outcome == Audience)
}

func cohorts(tx *gorm.DB, update string, args ...any) (all []cohort, err error) {
	err = tx.Raw(update+" RETURNING code_id, at, channel, copy_serial, outcome", args...).Scan(&all).Error
	return all, err
}

// countStep adds one to a step of the funnel for each scan.
func countStep(tx *gorm.DB, scans []cohort, step int) error { return addStep(tx, scans, step, 1) }

func addStep(tx *gorm.DB, scans []cohort, step int, n int64) error {
	if len(scans) == 0 {
		return nil
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	r := newRollup()
	for _, s := range scans {
		if s.ticketed() {
			key := dayKey{*s.CodeID, s.At.In(org.Location()).Format(time.DateOnly)}
			r.step(funnelKey{key, s.Channel, s.CopySerial})[step] += n
		}
	}
	return r.write(tx)
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
