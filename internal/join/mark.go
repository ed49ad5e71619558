package join

import (
	"fmt"

	"gorm.io/gorm"
)

// Stages of a scan that joining finds out about.
const (
	stageRequested = "requested"
	stageJoined    = "joined"
)

// mark writes into the scan history what this press found out. It comes last: it
// locks what other scans of the same code need, and they never wait for a group.
func (s *Service) mark(tx *gorm.DB, v visit, out View) error {
	if v.named {
		if err := s.marks.Person(tx, v.session.ScanID, v.person.MemberID, v.person.GuestID); err != nil {
			return err
		}
	}
	if out.reached == "" {
		return nil
	}
	return s.marks.Stage(tx, out.reached, v.session.ScanID)
}

// comeFrom copies where the request's scan came from, when it is still there.
func (r *Request) comeFrom(tx *gorm.DB) error {
	if r.ScanID == nil {
		return nil
	}
	var from []struct {
		Channel    string
		CopySerial int
		Visitor    string
	}
	if err := tx.Table("scans").Select("channel", "copy_serial", "visitor").Where("id = ?", *r.ScanID).Find(&from).Error; err != nil {
		return fmt.Errorf("read where the scan came from: %w", err)
	}
	for _, f := range from {
		r.Channel, r.CopySerial, r.Visitor = f.Channel, f.CopySerial, f.Visitor
	}
	return nil
}
