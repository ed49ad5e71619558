package code

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/group"
)

// Standing is what becomes of one code when its group changes hands.
type Standing struct {
	ID         int64
	PublicID   string
	Label      string
	GroupName  string
	IssuerName string
	Before     bool // its issuer has the right to it where it is
	After      bool // and where it would be
}

// Lost reports whether the code stops until somebody adopts it, Won that it comes back.
func (s Standing) Lost() bool { return s.Before && !s.After }

// Won reports whether the code, which stands still now, works there.
func (s Standing) Won() bool { return !s.Before && s.After }

// StandingsIn says what becomes of the codes of one group when they hang on another.
func StandingsIn(tx *gorm.DB, from, into group.Group, now time.Time) ([]Standing, error) {
	return standings(tx, []int64{from.ID}, now, "JOIN groups g ON g.id = ? JOIN departments d ON d.id = g.department_id", into.ID)
}

// StandingsAt says what becomes of the codes of some groups when these belong to a department.
func StandingsAt(tx *gorm.DB, groupIDs []int64, departmentID int64, now time.Time) ([]Standing, error) {
	if len(groupIDs) == 0 {
		return nil, nil
	}
	return standings(tx, groupIDs, now, "JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = ?", departmentID)
}

// standings reads every code of some groups that is not over, with the issuer's
// right where the group is and as if it were there; there joins the tables g and d.
func standings(tx *gorm.DB, groupIDs []int64, now time.Time, there string, arg any) ([]Standing, error) {
	const which = " WHERE c.group_id IN ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?)"
	var all []Standing
	err := tx.Raw(`SELECT c.id, c.public_id, c.label, o.name AS group_name, m.name AS issuer_name, `+issuerSQL+` AS after
		FROM codes c JOIN members m ON m.id = c.issued_by JOIN groups o ON o.id = c.group_id `+there+which+" ORDER BY c.group_id, c.id",
		arg, groupIDs, now.UTC()).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read the codes that follow: %w", err)
	}
	var fine []int64
	if err := tx.Raw("SELECT c.id"+factsFrom+which+" AND "+issuerSQL, groupIDs, now.UTC()).Scan(&fine).Error; err != nil {
		return nil, fmt.Errorf("read whose codes work: %w", err)
	}
	for i := range all {
		all[i].Before = slices.Contains(fine, all[i].ID)
	}
	return all, nil
}

// Links counts what names a group from outside: live codes of others, and codes
// that send those they turn away there.
type Links struct{ Targets, Fallbacks int }

// LinksTo counts them.
func LinksTo(tx *gorm.DB, g group.Group) (l Links, err error) {
	err = tx.Raw(`SELECT (SELECT count(*) FROM code_targets t JOIN codes c ON c.id = t.code_id WHERE t.group_id = ? AND c.group_id <> ? AND c.revoked_at IS NULL) AS targets,
		(SELECT count(*) FROM codes c WHERE c.fallback_group_id = ? AND c.group_id <> ? AND c.revoked_at IS NULL) AS fallbacks`, g.ID, g.ID, g.ID, g.ID).Scan(&l).Error
	if err != nil {
		err = fmt.Errorf("count what leads to the group: %w", err)
	}
	return l, err
}

// TooOpen reports whether a permanent code that leads to from keeps nobody away
// and would lead to a group that lets everybody in at once: together they need
// a second super admin's word at the code, so they do not come about by a merge.
func TooOpen(tx *gorm.DB, from, into group.Group) (open bool, err error) {
	err = tx.Raw(`SELECT EXISTS (SELECT 1 FROM codes c WHERE (c.group_id = ? OR c.id IN (SELECT t.code_id FROM code_targets t WHERE t.group_id = ?))
			AND c.group_id <> ? AND c.validity = 'permanent' AND c.revoked_at IS NULL
			AND (c.audience = '' AND c.audience_roles = '' AND c.audience_people = '' OR c.audience_roles LIKE '%member%' AND ?)
			AND (c.own_mode = 'open' OR c.own_mode = '' AND EXISTS (SELECT 1 FROM groups r WHERE (r.id = ? OR r.series_id = (SELECT o.series_id FROM groups o WHERE o.id = ?)) AND r.status = 'active' AND r.join_mode = 'open')))`,
		from.ID, from.ID, into.ID, into.Type == group.Internal, into.ID, into.ID).Scan(&open).Error
	if err != nil {
		err = fmt.Errorf("look for permanent codes: %w", err)
	}
	return open, err
}

// HoldLinks takes every code that names one of two groups until the transaction
// ends, in one order. Whoever changes a code takes it before its groups, so this
// comes before them. Calling it again tells whether there are more by now.
func HoldLinks(tx *gorm.DB, from, into int64) (held []int64, err error) {
	err = tx.Table("codes").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where("group_id = ? OR fallback_group_id = ? OR id IN (SELECT code_id FROM code_targets WHERE group_id IN ?)", from, from, []int64{from, into}).
		Order("id").Pluck("id", &held).Error
	if err != nil {
		err = fmt.Errorf("hold the codes: %w", err)
	}
	return held, err
}

// Follow makes every code of one group that is not over hang on another, and
// what led to the first lead to the second. Prints, copies, channels and
// history stay with each code; where it hung is kept. It returns how many moved.
// The caller holds the codes and the groups and has asked every rule.
func Follow(tx *gorm.DB, from, into group.Group, at time.Time) (int64, error) {
	a, b := from.ID, into.ID
	done := tx.Exec("INSERT INTO code_moves (code_id, from_group_id, to_group_id, at) SELECT id, ?, ?, ? FROM codes WHERE group_id = ? AND revoked_at IS NULL", a, b, at.UTC(), a)
	if done.Error != nil {
		return 0, fmt.Errorf("note which codes move: %w", done.Error)
	}
	const moved = "(SELECT m.code_id FROM code_moves m WHERE m.from_group_id = ?)"
	for _, one := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE codes SET group_id = ?, version = version + 1 WHERE id IN " + moved, []any{b, a}},
		// A target may be the code's own group, for its weight.
		{"DELETE FROM code_targets WHERE group_id = ? AND code_id IN " + moved, []any{b, a}},
		{"UPDATE code_targets SET group_id = ? WHERE group_id = ? AND code_id IN " + moved, []any{b, a, a}},
		{seriesStaysSQL, []any{a, a, a, b}},
		{"UPDATE codes SET version = version + 1 WHERE id IN (SELECT t.code_id FROM code_targets t WHERE t.group_id = ?)", []any{a}},
		{`DELETE FROM code_targets WHERE group_id = ? AND EXISTS (SELECT 1 FROM codes c JOIN groups o ON o.id = c.group_id OR o.id IN (SELECT x.group_id FROM code_targets x WHERE x.code_id = c.id)
			WHERE c.id = code_targets.code_id AND o.id <> ? AND (o.id = ? OR o.series_id = (SELECT s.series_id FROM groups s WHERE s.id = ?)))`, []any{a, a, b, b}},
		{"UPDATE code_targets SET group_id = ? WHERE group_id = ?", []any{b, a}},
		{"UPDATE codes SET fallback_group_id = ?, version = version + 1 WHERE fallback_group_id = ?", []any{b, a}},
		{"UPDATE codes SET fallback = 'message', fallback_group_id = NULL WHERE fallback_group_id = ? AND group_id = ?", []any{b, b}},
	} {
		if err := tx.Exec(one.sql, one.args...).Error; err != nil {
			return 0, fmt.Errorf("let the codes follow: %w", err)
		}
	}
	return done.RowsAffected, nil
}

// seriesStaysSQL keeps a series behind a live code that named it by the group ?:
// its newest living other group stands for it from now on.
const seriesStaysSQL = `INSERT INTO code_targets (code_id, group_id, position, weight, department_id)
	SELECT t.code_id, n.id, t.position, t.weight, t.department_id FROM code_targets t JOIN codes c ON c.id = t.code_id
	JOIN groups n ON n.id = (SELECT max(s.id) FROM groups s WHERE s.series_id = (SELECT f.series_id FROM groups f WHERE f.id = ?) AND s.status = 'active' AND s.id <> ?)
	WHERE t.group_id = ? AND n.id <> ? AND n.id <> c.group_id AND NOT EXISTS (SELECT 1 FROM code_targets x WHERE x.code_id = c.id AND x.group_id = n.id)`
