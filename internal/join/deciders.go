package join

import (
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/group"
)

// deciders names who is expected to decide: who leads nearest up the tree and is
// there, without the applicant, or whom a request went to that nobody decided in
// time. Empty when nobody but a super admin can.
func deciders(tx *gorm.DB, g group.Group, applicant *int64, r *Request, now time.Time) ([]string, error) {
	var went *int64
	if r != nil && r.Status == Pending && r.EscalatedAt != nil {
		if went = r.EscalatedTo; went == nil {
			return nil, nil
		}
	}
	all, err := levels(tx, g.DepartmentPath, now.UTC())
	for _, l := range all {
		if left, ok := l.without(applicant); ok && (went == nil || l.Department == *went) {
			return left.Names[:min(len(left.Names), 3)], err
		}
	}
	return nil, err
}

// upward lists the paths of a department and of all above it: /1/4/ → /1/4/, /1/.
func upward(path string) []string {
	var all []string
	for len(path) > 1 {
		all = append(all, path)
		path = path[:strings.LastIndex(strings.TrimSuffix(path, "/"), "/")+1]
	}
	return all
}
