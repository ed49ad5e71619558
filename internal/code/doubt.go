package code

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"doorplate/internal/database"
)

// suspects are, by rank, the living codes that may stand there: each query reads
// an index and may name too many, but never too few. Whether an issuer still has
// the right is asked only of the codes in doubt. Args are what it has to know.
var suspects = map[int]struct {
	sql  string
	args func(m moment) []any
}{
	0: {`SELECT code_id FROM code_doubts`, nil},
	1: {`SELECT n.code_id FROM codes x JOIN code_counters n ON n.code_id = x.id WHERE (x.total_cap > 0 OR x.daily_cap > 0) AND x.revoked_at IS NULL AND x.total_cap > 0 AND n.total >= x.total_cap`, nil},
	2: {`SELECT n.code_id FROM codes x JOIN code_counters n ON n.code_id = x.id WHERE (x.total_cap > 0 OR x.daily_cap > 0) AND x.revoked_at IS NULL AND x.daily_cap > 0 AND n.day = ? AND n.day_total >= x.daily_cap`,
		func(m moment) []any { return []any{m.day} }},
	3: {`SELECT id FROM codes WHERE revoked_at IS NULL AND valid_until IS NOT NULL AND valid_until <= ?`, func(m moment) []any { return []any{m.now} }},
	4: {`SELECT id FROM codes WHERE suspended_at IS NOT NULL AND revoked_at IS NULL UNION ALL SELECT x.id FROM groups y JOIN codes x ON x.group_id = y.id
		WHERE y.status = 'active' AND y.confirmed_round < (SELECT coalesce(max(id), 0) FROM recert_rounds WHERE NOT closed AND due_at <= ?)
			AND y.created_at < (SELECT opens_at FROM recert_rounds WHERE NOT closed AND due_at <= ? ORDER BY opens_at DESC LIMIT 1)`,
		func(m moment) []any { return []any{m.now, m.now} }},
	5: {`SELECT x.id FROM groups y JOIN codes x ON x.group_id = y.id WHERE y.status = 'active' AND y.member_count >= y.capacity`, nil},
	6: {`SELECT x.id FROM groups y JOIN codes x ON x.group_id = y.id WHERE y.status = 'active' AND y.join_mode = 'off'
		UNION ALL SELECT id FROM codes WHERE own_mode = 'off'`, nil},
	7: {`SELECT id FROM codes WHERE valid_from IS NOT NULL AND revoked_at IS NULL AND valid_from > ?`, func(m moment) []any { return []any{m.now} }},
	8: {`SELECT id FROM codes WHERE hours <> '' AND revoked_at IS NULL AND substr(hours, ?, 1) = '0'`, func(m moment) []any { return []any{m.quarter} }},
}

// suspected keeps the codes c that may stand in one of the ranks. With the
// organisation's switch off that is every one of them.
func (p *placer) suspected(ranks []int) (string, []any, error) {
	if slices.Contains(ranks, 6) {
		var off bool
		if err := p.tx.Raw("SELECT " + joiningOffSQL).Scan(&off).Error; err != nil || off {
			return "1 = 1", nil, err
		}
	}
	var parts []string
	var args []any
	for _, rank := range ranks {
		s := suspects[rank]
		parts = append(parts, s.sql)
		if s.args != nil {
			args = append(args, s.args(p.moment)...)
		}
	}
	// Read first and handed over as one value: a planner that cannot know how few
	// they are would begin with all departments of the scope.
	var ids []int64
	if err := p.tx.Raw(strings.Join(parts, " UNION "), args...).Scan(&ids).Error; err != nil {
		return "", nil, err
	}
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
	if database.Postgres(p.tx) {
		return "c.id = ANY (CAST(? AS bigint[]))", []any{"{" + list + "}"}, nil
	}
	return "c.id IN (SELECT value FROM json_each(?))", []any{"[" + list + "]"}, nil
}

// SettleDoubts looks at the codes in doubt and forgets those whose issuer may
// issue them, so that the lists of codes stay quick. It leaves what came since
// the call before: somebody who took the right away at that moment may not have
// seen the code yet.
func (s *Service) SettleDoubts(ctx context.Context) error {
	tx := s.db.WithContext(ctx)
	var newest int64
	if err := tx.Raw("SELECT coalesce(max(id), 0) FROM code_doubts").Scan(&newest).Error; err != nil {
		return fmt.Errorf("look for codes in doubt: %w", err)
	}
	upTo := s.settled.Swap(newest)
	// One statement: what it reads and what it deletes are of one moment.
	err := tx.Exec(`DELETE FROM code_doubts WHERE id <= ? AND id NOT IN (SELECT min(q.id) FROM code_doubts q JOIN codes c ON c.id = q.code_id
		JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id JOIN members m ON m.id = c.issued_by
		WHERE q.id <= ? AND c.revoked_at IS NULL AND NOT `+issuerSQL+` GROUP BY q.code_id)`, upTo, upTo).Error
	if err != nil {
		return fmt.Errorf("look at codes in doubt: %w", err)
	}
	return nil
}
