package scan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Overview counts scans and joins per day over the last 30 days in the groups
// whose scans by may see in scope, or everywhere for a super admin; today last. Anybody else gets
// no days.
func (s *Service) Overview(ctx context.Context, by access.Actor) ([]Day, error) {
	if !by.HoldsAny(access.ScansSee) {
		return nil, nil
	}
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, err
	}
	scope, scopeArgs := access.Scope(by, access.ScansSee, "d.path")
	days := lastDays(s.now().In(org.Location()), chartDays)
	var scans []struct {
		Day  string
		Live int64
	}
	sum, args := "SELECT s.day, CAST(sum(s.live) AS bigint) AS live FROM scan_days s WHERE s.day >= ?", []any{days[0].key()}
	if !by.Super { // who sees all needs no look at each code's department
		sum += ` AND s.code_id IN (SELECT c.id FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id WHERE ` + scope + ")"
		args = append(args, scopeArgs...)
	}
	err = tx.Raw(sum+" GROUP BY s.day", args...).Scan(&scans).Error
	if err != nil {
		return nil, fmt.Errorf("sum scans per day: %w", err)
	}
	live := map[string]int64{}
	for _, one := range scans {
		live[one.Day] = one.Live
	}
	terms := make([]string, len(days))
	args = nil
	for i := range days {
		days[i].Scans = int(live[days[i].key()])
		terms[i] = fmt.Sprintf(`SELECT %d AS i, (SELECT count(*) FROM memberships m JOIN groups g ON g.id = m.group_id JOIN departments d ON d.id = g.department_id
				WHERE m.joined_at >= ? AND m.joined_at < ? AND m.source <> 'merge' AND %s) AS joined`, i, scope)
		args = append(append(args, days[i].Date.UTC(), days[i].Date.AddDate(0, 0, 1).UTC()), scopeArgs...)
	}
	var counts []struct{ I, Joined int }
	if err := tx.Raw(strings.Join(terms, " UNION ALL "), args...).Scan(&counts).Error; err != nil {
		return nil, fmt.Errorf("count joins per day: %w", err)
	}
	for _, c := range counts {
		days[c.I].Joined = c.Joined
	}
	return days, nil
}

// lastDays are a chart's days without counts, today last; now is in the organisation's zone.
func lastDays(now time.Time, n int) []Day {
	days := make([]Day, n)
	for i := range days {
		days[i].Date = time.Date(now.Year(), now.Month(), now.Day()-n+1+i, 0, 0, 0, 0, now.Location())
	}
	return days
}

// key is the day as the roll-ups name it.
func (d Day) key() string { return d.Date.Format(time.DateOnly) }
