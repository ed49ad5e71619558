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
// that by heads, or everywhere for a super admin; today last. Anybody else gets
// no days.
func (s *Service) Overview(ctx context.Context, by access.Actor) ([]Day, error) {
	if !by.Super && !by.Head() {
		return nil, nil
	}
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, err
	}
	scope, scopeArgs := access.Scope(by, "d.path")
	days := lastDays(s.now().In(org.Location()))
	terms, args := make([]string, len(days)), []any{}
	for i, d := range days {
		from, to := d.Date.UTC(), d.Date.AddDate(0, 0, 1).UTC()
		terms[i] = fmt.Sprintf(`SELECT %d AS i,
			(SELECT count(*) FROM scans s JOIN codes c ON c.id = s.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
				WHERE s.at >= ? AND s.at < ? AND s.outcome = 'live' AND %s) AS scans,
			(SELECT count(*) FROM memberships m JOIN groups g ON g.id = m.group_id JOIN departments d ON d.id = g.department_id
				WHERE m.joined_at >= ? AND m.joined_at < ? AND %s) AS joined`, i, scope, scope)
		args = append(append(args, from, to), scopeArgs...)
		args = append(append(args, from, to), scopeArgs...)
	}
	var counts []struct{ I, Scans, Joined int }
	if err := tx.Raw(strings.Join(terms, " UNION ALL "), args...).Scan(&counts).Error; err != nil {
		return nil, fmt.Errorf("count scans and joins per day: %w", err)
	}
	for _, c := range counts {
		days[c.I].Scans, days[c.I].Joined = c.Scans, c.Joined
	}
	return days, nil
}

// lastDays are the chart's days without counts; now is in the organisation's zone.
func lastDays(now time.Time) []Day {
	days := make([]Day, chartDays)
	for i := range days {
		days[i].Date = time.Date(now.Year(), now.Month(), now.Day()-chartDays+1+i, 0, 0, 0, 0, now.Location())
	}
	return days
}
