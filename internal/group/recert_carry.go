package group

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Unconfirmed reports whether a round that has begun still asks for somebody or
// for a code of from, and does not ask for into: merged, they would have passed
// without anybody looking, and what stands still would work again.
func Unconfirmed(tx *gorm.DB, from, into Group, now time.Time) (left bool, err error) {
	now = now.UTC()
	err = tx.Raw(`SELECT EXISTS (SELECT 1 FROM recert_rounds r JOIN groups g ON g.id = ? JOIN groups i ON i.id = ?
		WHERE r.opens_at <= ? AND `+RecertRoundSQL+` AND NOT (r.opens_at > i.created_at AND i.confirmed_round < r.id)
		AND (EXISTS (SELECT 1 FROM memberships ms WHERE ms.group_id = g.id AND ms.status = 'active' AND `+RecertSeatSQL+`)
			OR EXISTS (SELECT 1 FROM codes c WHERE c.group_id = g.id AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?)
				AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = g.id AND k.kind = 'code' AND k.item_id = c.id AND k.round_id >= r.id))))`,
		from.ID, into.ID, now, now).Scan(&left).Error
	if err != nil {
		return false, fmt.Errorf("look what is not confirmed: %w", err)
	}
	return left, nil
}

// carry copies what was decided in the rounds that still decide, with who did it
// and when, to another group or another stay. said is when a mark k speaks of the thing.
const carry = `INSERT INTO recert_marks (round_id, group_id, kind, item_id, decision, marked_by, marked_at) SELECT k.round_id, ?, ?, %s, 'confirm', k.marked_by, k.marked_at
	FROM recert_marks k JOIN recert_rounds r ON r.id = k.round_id AND NOT r.closed %s WHERE k.group_id = ? AND k.decision = 'confirm' AND %s ON CONFLICT DO NOTHING`

// CarryCodes lets the codes of a group that is about to be merged stay confirmed
// as far as they were. Call it while they still hang on it.
func CarryCodes(tx *gorm.DB, from, into Group) error {
	sql := fmt.Sprintf(carry, "c.id", "JOIN codes c ON c.group_id = k.group_id AND c.revoked_at IS NULL",
		"(k.kind = 'code' AND k.item_id = c.id OR k.kind = 'group' AND k.item_id = 0 AND c.issued_at <= k.marked_at)")
	if err := tx.Exec(sql, into.ID, "code", from.ID).Error; err != nil {
		return fmt.Errorf("take along which codes are confirmed: %w", err)
	}
	return nil
}

// carryMembers does the same for those who came over by a merge.
func carryMembers(tx *gorm.DB, from, into Group) error {
	sql := fmt.Sprintf(carry, "b.id", `JOIN memberships a ON a.group_id = k.group_id AND a.status = 'active'
		JOIN memberships b ON b.group_id = ? AND b.status = 'active' AND b.source = 'merge' AND (b.member_id = a.member_id OR b.guest_id = a.guest_id)`,
		"(k.kind = 'member' AND k.item_id = a.id OR k.kind = 'group' AND k.item_id = 0 AND a.joined_at <= k.marked_at)")
	if err := tx.Exec(sql, into.ID, "member", into.ID, from.ID).Error; err != nil {
		return fmt.Errorf("take along who is confirmed: %w", err)
	}
	return nil
}

// carryStay makes a new stay count as the old one did: since then, and confirmed
// as far as that was. Taking a removal back is no way around a round.
func carryStay(tx *gorm.DB, old, fresh Membership) error {
	if err := tx.Model(&Membership{}).Where("id = ?", fresh.ID).Update("joined_at", old.JoinedAt.UTC()).Error; err != nil {
		return fmt.Errorf("note since when: %w", err)
	}
	sql := fmt.Sprintf(carry, "CAST(? AS bigint)", "", "k.kind = 'member' AND k.item_id = ?")
	if err := tx.Exec(sql, fresh.GroupID, "member", fresh.ID, old.GroupID, old.ID).Error; err != nil {
		return fmt.Errorf("take along what was confirmed: %w", err)
	}
	return nil
}
