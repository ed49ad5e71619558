package join

import (
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// MadeLine is a decision with who made it and who took it back.
type MadeLine struct {
	Made      `gorm:"embedded"`
	Decider   string
	Undoer    string
	IntoName  string // the other group that it led to
	Withdrawn bool   `gorm:"-"` // it was taken back
}

// Told is what the applicant read, in one of the two languages.
func (m Made) Told(english bool) string {
	return Request{Reason: m.Reason, ReasonID: m.ReasonID, ReasonZh: m.ReasonZh, ReasonEn: m.ReasonEn, ReasonFree: m.ReasonFree}.Told(english)
}

// madeLimit bounds the decisions on a request's page.
const madeLimit = 20

// readMade reads what was decided before, and where an approval could lead.
func (d *Detail) readMade(tx *gorm.DB, by access.Actor) (err error) {
	err = tx.Raw(`SELECT x.*, coalesce(a.name, '') AS decider, coalesce(b.name, '') AS undoer, coalesce(g.name, '') AS into_name FROM request_decisions x
		LEFT JOIN members a ON a.id = x.decided_by LEFT JOIN members b ON b.id = x.undone_by LEFT JOIN groups g ON g.id = x.into_group_id
		WHERE x.request_id = ? ORDER BY x.id DESC LIMIT ?`, d.ID, madeLimit).Scan(&d.Made).Error
	if err != nil {
		return fmt.Errorf("read the decisions: %w", err)
	}
	for i := range d.Made {
		d.Made[i].Withdrawn = d.Made[i].UndoneAt != nil
	}
	if d.Status != Pending || d.Own {
		return nil
	}
	d.Doors, err = targets(tx, by, d.Listed)
	return err
}
