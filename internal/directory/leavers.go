package directory

import (
	"context"
	"fmt"
	"time"

	"doorplate/internal/access"
)

// Leaver is somebody who left the organisation lately.
type Leaver struct {
	ID         int64
	Name       string
	Department string
	DepartedAt time.Time
}

// leaverDays is how long a departure is news.
const leaverDays = 30

// Leavers are the latest departures in by's scope, of the last days.
func (s *Service) Leavers(ctx context.Context, by access.Actor, limit int) (all []Leaver, err error) {
	where, scope := access.Scope(by, access.MemberDepart, "d.path")
	args := append(append(append([]any{}, scope...), s.now().UTC().AddDate(0, 0, -leaverDays)), scope...)
	err = s.db.WithContext(ctx).Raw(`SELECT m.id, m.name, m.departed_at, coalesce((SELECT d.name FROM member_departments md JOIN departments d ON d.id = md.department_id
			WHERE md.member_id = m.id AND `+where+` ORDER BY d.depth, d.id LIMIT 1), '') AS department FROM members m
		WHERE m.status = 'departed' AND m.departed_at >= ? AND EXISTS (SELECT 1 FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id AND `+where+`)
		ORDER BY m.departed_at DESC, m.id DESC LIMIT ?`, append(args, limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list who left lately: %w", err)
	}
	return all, nil
}
