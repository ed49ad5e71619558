package group

import (
	"context"
	"fmt"
	"time"

	"doorplate/internal/access"
)

// Arrival is somebody who joined a group lately.
type Arrival struct {
	Name     string
	Guest    bool
	GID      string `gorm:"column:gid"`
	Group    string
	JoinedAt time.Time
}

// arrivalDays is how long somebody is new.
const arrivalDays = 7

// Arrivals are the newest members of the groups in by's scope, and of those by
// has a duty on, of the last days.
func (s *Service) Arrivals(ctx context.Context, by access.Actor, limit int) (all []Arrival, err error) {
	where, args := managed(by)
	args = append([]any{s.now().UTC().AddDate(0, 0, -arrivalDays)}, args...)
	err = s.db.WithContext(ctx).Raw(`SELECT coalesce(m.name, gu.name) AS name, ms.guest_id IS NOT NULL AS guest, g.gid, g.name AS "group", ms.joined_at FROM memberships ms
		JOIN groups g ON g.id = ms.group_id JOIN departments d ON d.id = g.department_id LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
		WHERE ms.joined_at >= ? AND ms.status = 'active' AND g.status = 'active' AND `+where+" ORDER BY ms.joined_at DESC, ms.id DESC LIMIT ?", append(args, limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list who joined lately: %w", err)
	}
	return all, nil
}

// managed keeps the groups g in by's scope and those by has a duty on.
func managed(by access.Actor) (string, []any) {
	where, args := access.Scope(by, access.CodeDownload, "d.path")
	ids := make([]int64, 0, len(by.Duties))
	for id := range by.Duties {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return where, args
	}
	return "(" + where + " OR g.id IN ?)", append(args, ids)
}
