package join

import (
	"context"
	"fmt"
	"time"

	"doorplate/internal/access"
)

// GroupQueue is what waits for one group.
type GroupQueue struct {
	GID    string
	Group  string
	Count  int  // as far as the oldest requests were looked through
	More   bool // there may be more
	Oldest time.Time
}

// queueDepth is how many of the oldest requests ByGroup looks through.
const queueDepth = 300

// ByGroup says of the groups whose requests by decides how much waits, the
// longest waiting first.
func (s *Service) ByGroup(ctx context.Context, by access.Actor, limit int) ([]GroupQueue, error) {
	where, args := mine(by)
	var rows []struct {
		GID       string `gorm:"column:gid"`
		Name      string
		CreatedAt time.Time
	}
	err := s.db.WithContext(ctx).Raw(`SELECT g.gid, g.name, r.created_at FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
		WHERE r.status = 'pending' AND g.status = 'active' AND `+where+" ORDER BY r.created_at, r.id LIMIT ?", append(args, queueDepth)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look what waits by group: %w", err)
	}
	var all []GroupQueue
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.GID]
		if !known {
			i = len(all)
			at[r.GID] = i
			all = append(all, GroupQueue{GID: r.GID, Group: r.Name, Oldest: r.CreatedAt, More: len(rows) == queueDepth})
		}
		all[i].Count++
	}
	return all[:min(len(all), limit)], nil
}

// Asked is one of somebody's own requests.
type Asked struct {
	Group     string
	Status    string
	CreatedAt time.Time
}

// Own lists by's own latest requests.
func (s *Service) Own(ctx context.Context, by access.Actor, limit int) (all []Asked, err error) {
	err = s.db.WithContext(ctx).Raw(`SELECT g.name AS "group", CASE WHEN r.status = 'pending' AND g.status <> 'active' THEN 'cancelled' ELSE r.status END AS status, r.created_at
		FROM join_requests r JOIN groups g ON g.id = r.group_id WHERE r.member_id = ? ORDER BY r.id DESC LIMIT ?`, by.MemberID, limit).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list own requests: %w", err)
	}
	return all, nil
}
