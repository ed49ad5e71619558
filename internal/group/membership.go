package group

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Membership is one stay of a member or a guest in a group.
type Membership struct {
	ID          int64
	GroupID     int64
	MemberID    *int64
	GuestID     *int64
	Status      string // active or ended
	Source      string // code, added, demo
	CodeID      *int64
	RequestID   *int64
	JoinedAt    time.Time
	EndedAt     *time.Time
	EndedReason string
	EndedBy     *int64
	// RulesVersion is the newest version of the rules that the person agreed to.
	RulesVersion int
	Until        *time.Time // when the stay ends by itself
}

// TableName is for gorm.
func (Membership) TableName() string { return "memberships" }

// Admission is how an attempt to let somebody in ended.
type Admission uint8

// The admissions.
const (
	Admitted Admission = iota
	AlreadyIn
	NoSeat
)

// Person is a member or a guest: exactly one id is set.
type Person struct{ MemberID, GuestID *int64 }

func (p Person) where(tx *gorm.DB) *gorm.DB {
	if p.MemberID != nil {
		return tx.Where("member_id = ?", *p.MemberID)
	}
	return tx.Where("guest_id = ?", *p.GuestID)
}

// Joined reports whether p is in the group now.
func Joined(tx *gorm.DB, groupID int64, p Person) (bool, error) {
	var m Membership
	err := p.where(tx.Where("group_id = ? AND status = 'active'", groupID)).Select("id").Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Admit takes a seat and writes the membership, inside the caller's
// transaction. The seat is one conditional statement on the group's row, which
// then stays locked: capacity is never exceeded however many press at once.
// There is no seat for a guest in an internal group.
// m names group, person, source, code and request; state and time are filled in.
func Admit(tx *gorm.DB, m *Membership, at time.Time) (Admission, error) {
	// Touching the row first puts everybody who wants into this group in one line.
	lock := tx.Exec("UPDATE groups SET member_count = member_count WHERE id = ?", m.GroupID)
	if lock.Error != nil {
		return NoSeat, fmt.Errorf("lock group: %w", lock.Error)
	}
	in, err := Joined(tx, m.GroupID, Person{m.MemberID, m.GuestID})
	if err != nil {
		return NoSeat, err
	}
	if in {
		return AlreadyIn, nil
	}
	seat := tx.Exec("UPDATE groups SET member_count = member_count + 1 WHERE id = ? AND status = 'active' AND member_count < capacity AND (type <> 'internal' OR ?)",
		m.GroupID, m.GuestID == nil)
	if seat.Error != nil {
		return NoSeat, fmt.Errorf("take a seat: %w", seat.Error)
	}
	if seat.RowsAffected == 0 {
		return NoSeat, nil
	}
	m.Status, m.JoinedAt = Active, at.UTC()
	if err := tx.Create(m).Error; err != nil {
		return NoSeat, fmt.Errorf("write membership: %w", err)
	}
	return Admitted, EndWait(tx, m.GroupID, Person{m.MemberID, m.GuestID}, "in", at)
}

// EndFor ends every membership of a departing member and frees the seats.
func EndFor(tx *gorm.DB, memberID int64, at time.Time, reason string) (int64, error) {
	// In one order, as everybody takes more than one group.
	var held []int64
	err := tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where("id IN (SELECT group_id FROM memberships WHERE member_id = ? AND status = 'active')", memberID).Order("id").Pluck("id", &held).Error
	if err != nil {
		return 0, fmt.Errorf("hold the groups: %w", err)
	}
	err = tx.Exec(`UPDATE groups SET member_count = member_count - 1
		WHERE id IN (SELECT group_id FROM memberships WHERE member_id = ? AND status = 'active')`, memberID).Error
	if err != nil {
		return 0, fmt.Errorf("free seats: %w", err)
	}
	done := tx.Exec("UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = ? WHERE member_id = ? AND status = 'active'",
		at.UTC(), reason, memberID)
	return done.RowsAffected, done.Error
}
