package group

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/events"
)

// LetInto is LetIn for a group that somebody chose: when it is full, no other of
// its series takes the person. The caller has called HoldSeries.
func LetInto(tx *gorm.DB, trail *audit.Trail, m *Membership, at time.Time) (Admission, error) {
	got, err := Admit(tx, m, at)
	if err != nil || got != Admitted {
		return got, err
	}
	if err := GrowIfDue(tx, trail, m.GroupID, at); err != nil {
		return got, err
	}
	return got, events.Publish(tx, events.Event{Kind: events.Joined, GroupID: &m.GroupID, RequestID: m.RequestID, MemberID: m.MemberID, GuestID: m.GuestID, CodeID: m.CodeID, At: at.UTC()})
}
