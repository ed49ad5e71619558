package join

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Waiting counts the pending requests that by may decide, up to limit.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (n int, err error) {
	where, args := mine(by)
	err = s.db.WithContext(ctx).Raw(`SELECT count(*) FROM (SELECT 1 AS one FROM join_requests r JOIN groups g ON g.id = r.group_id
		JOIN departments d ON d.id = g.department_id WHERE r.status = 'pending' AND g.status = 'active' AND `+where+` LIMIT ?) x`,
		append(args, limit)...).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count waiting requests: %w", err)
	}
	return n, nil
}

// mine keeps the requests whose group's department d is in by's scope, or on
// whose group g by has the review duty.
func mine(by access.Actor) (string, []any) {
	where, args := access.Scope(by, access.RequestsDecide, "d.path")
	return orReviewed(by, where, args)
}

// fewGroups is how many groups mineByGroup names one by one. Whoever decides on
// more finds requests of theirs soon, wherever a query begins.
const fewGroups = 1000

// mineByGroup is mine without the department d: for walks along all requests,
// where a look at each one's department would be half of the work. The numbers
// of the groups are read first and stand in the text of the query, so that a
// planner knows how much of all requests they are.
func mineByGroup(tx *gorm.DB, by access.Actor) (string, []any, error) {
	where, args, err := directory.Places(tx, by, access.RequestsDecide, "g.department_id")
	if err != nil || where == "1 = 1" {
		return where, args, err
	}
	where, args = orReviewed(by, where, args)
	var ids []int64
	if err := tx.Raw("SELECT g.id FROM groups g WHERE "+where+" LIMIT "+strconv.Itoa(fewGroups+1), args...).Scan(&ids).Error; err != nil {
		return "", nil, fmt.Errorf("read the groups of a scope: %w", err)
	}
	switch {
	case len(ids) == 0:
		return "1 = 0", nil, nil
	case len(ids) > fewGroups:
		return where, args, nil
	}
	return "r.group_id IN (" + strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]") + ")", nil, nil
}

func orReviewed(by access.Actor, where string, args []any) (string, []any) {
	var reviewed []int64
	for id, duty := range by.Duties {
		if duty&access.Review != 0 {
			reviewed = append(reviewed, id)
		}
	}
	if len(reviewed) == 0 {
		return where, args
	}
	return "(" + where + " OR g.id IN ?)", append(args, reviewed)
}
