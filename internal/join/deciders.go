package join

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/group"
)

// deciders names who is expected to decide: the heads nearest up the tree,
// without the applicant. Empty when nobody but a super admin can.
func deciders(tx *gorm.DB, g group.Group, applicant *int64) ([]string, error) {
	var rows []struct {
		ID    int64
		Name  string
		Depth int
	}
	err := tx.Raw(`SELECT m.id, m.name, d.depth FROM departments d
		JOIN department_heads h ON h.department_id = d.id JOIN members m ON m.id = h.member_id
		WHERE d.path IN ? AND m.status = 'active' ORDER BY d.depth DESC, m.id LIMIT 20`, upward(g.DepartmentPath)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find who decides: %w", err)
	}
	var names []string
	depth := -1
	for _, r := range rows {
		if applicant != nil && r.ID == *applicant {
			continue
		}
		if depth >= 0 && r.Depth != depth || len(names) == 3 {
			break
		}
		depth, names = r.Depth, append(names, r.Name)
	}
	return names, nil
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
