package approval

import (
	"context"
	"fmt"

	"doorplate/internal/access"
)

// mineShown bounds how many of their own wishes a reader is shown, and mineDays for how long.
const (
	mineShown = 5
	mineDays  = 14
)

// Wishes are by's own groups that wait for a word or got one lately, the latest first.
func (s *Service) Wishes(ctx context.Context, by access.Actor) ([]Line, error) {
	now := s.now().UTC()
	var rows []Approval
	err := named(s.db.WithContext(ctx)).Where("a.requested_by = ? AND a.kind = ? AND (a.status = 'pending' OR a.decided_at > ?)",
		by.MemberID, GroupNew, now.AddDate(0, 0, -mineDays)).Order("a.id DESC").Limit(mineShown).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list own wishes: %w", err)
	}
	lines := make([]Line, len(rows))
	for i, a := range rows {
		lines[i] = Line{Approval: a, State: a.State(now)}
	}
	return lines, nil
}
