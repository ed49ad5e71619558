package code

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"

	"doorplate/internal/group"
)

// recertDueSQL is the date from which on the code c of the group g stands still,
// null once a head confirmed it. It probes two indexes for each of the one or two
// rounds that count; a pass through the group covers the codes issued since, too.
const recertDueSQL = `(SELECT r.due_at FROM recert_rounds r WHERE ` + group.RecertRoundSQL + `
	AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = g.id AND k.kind = 'code' AND k.item_id = c.id AND k.round_id >= r.id)
	ORDER BY r.due_at LIMIT 1)`

// Unconfirmed reports whether the code stands still because the date of a round
// passed and no head had confirmed it.
func (f Facts) Unconfirmed(now time.Time) bool {
	return f.RecertDue != nil && !f.RecertDue.After(now)
}

// RevokeIn is Revoke inside the caller's transaction, of a code of the group
// whose row id is given: another group's is fault.NotFound. It reports false for a code that
// is over already. req: A13
func (s *Service) RevokeIn(tx *gorm.DB, by access.Actor, id, groupID int64, reason string) (bool, error) {
	f, err := LoadFactsByID(tx, id)
	if err != nil {
		return false, err
	}
	if f.GroupID != groupID {
		return false, fault.NotFound
	}
	if err := access.Check(by, access.CodeRevoke, f.Object(false)); err != nil || f.Over() {
		return false, err
	}
	if err := s.end(tx, by, f.ID, reason, nil); err != nil {
		return false, err
	}
	return true, s.trail.Record(tx, by, event("code.revoke", f, because(reason)))
}

// FactsOf reads several codes by their rows' numbers, the newest first, whoever asks.
func FactsOf(tx *gorm.DB, ids []int64) ([]Facts, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return facts(tx, "WHERE c.id IN ? ORDER BY c.id DESC", ids)
}
