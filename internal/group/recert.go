package group

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// RecertRoundSQL keeps the rounds r that still ask for a pass through the group
// g: it was there when the round began, and no head went through it in that
// round or a later one (a trigger notes the newest). With the policy at 0 days no round asks for anything.
const RecertRoundSQL = `NOT r.closed AND r.opens_at > g.created_at
	AND NOT EXISTS (SELECT 1 FROM policies WHERE name = 'recert_days' AND value = '0')
	AND g.confirmed_round < r.id`

// RecertSeatSQL keeps of those rounds the ones that ask for the membership ms:
// who joined after the round began was let in knowingly.
const RecertSeatSQL = RecertRoundSQL + ` AND r.opens_at > ms.joined_at
	AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = ms.group_id AND k.kind = 'member' AND k.item_id = ms.id AND k.round_id >= r.id)`

// heldSeats is the query for the memberships among some that stand still: a
// round's date passed and no head had confirmed them.
const heldSeats = `SELECT ms.id FROM memberships ms JOIN groups g ON g.id = ms.group_id
	WHERE ms.status = 'active' AND EXISTS (SELECT 1 FROM recert_rounds r WHERE r.due_at <= ? AND ` + RecertSeatSQL + `) AND `

// Held reports whether p's membership stands still until a head confirms it.
// The seat stays taken; the way in is not shown. req: D24
func Held(tx *gorm.DB, groupID int64, p Person, now time.Time) (bool, error) {
	who, id := "ms.member_id = ?", p.MemberID
	if id == nil {
		who, id = "ms.guest_id = ?", p.GuestID
	}
	var ids []int64
	if err := tx.Raw(heldSeats+"ms.group_id = ? AND "+who, now.UTC(), groupID, *id).Scan(&ids).Error; err != nil {
		return false, fmt.Errorf("look whether the membership is confirmed: %w", err)
	}
	return len(ids) > 0, nil
}

// fillHeld marks the seats of one page of a roster that stand still.
func fillHeld(tx *gorm.DB, seats []Seat, now time.Time) error {
	if len(seats) == 0 {
		return nil
	}
	all := make([]int64, len(seats))
	for i, s := range seats {
		all[i] = s.ID
	}
	var ids []int64
	if err := tx.Raw(heldSeats+"ms.id IN ?", now.UTC(), all).Scan(&ids).Error; err != nil {
		return fmt.Errorf("look which memberships are confirmed: %w", err)
	}
	held := map[int64]bool{}
	for _, id := range ids {
		held[id] = true
	}
	for i := range seats {
		seats[i].Held = held[seats[i].ID]
	}
	return nil
}
