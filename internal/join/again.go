package join

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// askAgain is how long a refused person waits before asking again.
func askAgain(p directory.Policies) time.Duration { return time.Duration(p.AskAgainHours) * time.Hour }

// turnedDown reports whether the person's newest request was refused and may not
// be repeated yet, or any more. It lays beside it when that ends: asking again is
// possible by itself from then on.
func (s *Service) turnedDown(tx *gorm.DB, v visit, out *View) (bool, error) {
	r := out.Request
	if r == nil || r.Status != Rejected || r.DecidedAt == nil {
		return false, nil
	}
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return false, err
	}
	refusals := 0
	if p.AskAgainTimes > 0 {
		if refusals, err = refused(tx, v); err != nil {
			return false, err
		}
		if refusals > p.AskAgainTimes {
			return true, nil
		}
		out.AgainLeft = p.AskAgainTimes - refusals + 1
	}
	out.RetryAt = r.DecidedAt.Add(askAgain(p))
	return s.now().Before(out.RetryAt), nil
}

// refused counts how often the person was refused by the group since it last let them in.
func refused(tx *gorm.DB, v visit) (n int, err error) {
	column, person := "member_id", v.person.MemberID
	if person == nil {
		column, person = "guest_id", v.person.GuestID
	}
	err = tx.Raw(`SELECT count(*) FROM join_requests WHERE group_id = ? AND `+column+` = ? AND status = 'rejected'
		AND id > coalesce((SELECT max(id) FROM join_requests WHERE group_id = ? AND `+column+` = ? AND status = 'approved'), 0)`,
		v.group.ID, *person, v.group.ID, *person).Scan(&n).Error
	if err != nil {
		err = fmt.Errorf("count refusals: %w", err)
	}
	return n, err
}
