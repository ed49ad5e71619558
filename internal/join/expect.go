package join

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// Expect is how long others waited for a decision: measured, never promised.
type Expect struct {
	Half  time.Duration // half of them waited no longer
	Most  time.Duration // four fifths did not
	Of    int           // so many decisions were looked at
	Group bool          // all of this group, else of the organisation
}

// What is measured: people's own decisions of the last quarter.
const (
	expectDays  = 90
	expectGroup = 30 // newest decisions of the group
	expectAll   = 100
	leastGroup  = 5 // fewer say nothing of the group
	leastAll    = 10
)

// addExpect measures for a page on which somebody waits.
func (s *Service) addExpect(tx *gorm.DB, v visit, out *View) (err error) {
	if out.State == StatePending {
		out.Expect, err = expect(tx, v.group.ID, s.now())
	}
	return err
}

// expect is nil when too little was decided lately to say anything.
func expect(tx *gorm.DB, groupID int64, now time.Time) (*Expect, error) {
	since := now.UTC().AddDate(0, 0, -expectDays)
	waits, err := waited(tx, expectGroup, "group_id = ? AND decided_at > ?", groupID, since)
	if err != nil {
		return nil, err
	}
	if len(waits) >= leastGroup {
		return measure(waits, true), nil
	}
	if waits, err = waited(tx, expectAll, "decided_at > ?", since); err != nil || len(waits) < leastAll {
		return nil, err
	}
	return measure(waits, false), nil
}

// waited lists the waits behind the newest decisions that people made. A request
// that came from the waiting list waited from the moment it became one.
func waited(tx *gorm.DB, limit int, where string, args ...any) ([]time.Duration, error) {
	var rows []struct{ CreatedAt, DecidedAt time.Time }
	err := tx.Raw(`SELECT created_at, decided_at FROM join_requests WHERE `+where+` AND status IN ('approved', 'rejected') AND decided_by IS NOT NULL
		ORDER BY decided_at DESC, id DESC LIMIT ?`, append(args, limit)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("measure how long decisions take: %w", err)
	}
	waits := make([]time.Duration, len(rows))
	for i, r := range rows {
		waits[i] = max(0, r.DecidedAt.Sub(r.CreatedAt))
	}
	return waits, nil
}

func measure(waits []time.Duration, group bool) *Expect {
	slices.Sort(waits)
	at := func(per int) time.Duration { return waits[(len(waits)*per+99)/100-1] }
	return &Expect{Half: at(50), Most: at(80), Of: len(waits), Group: group}
}
