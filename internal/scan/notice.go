package scan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/directory"
)

// Notice is what a visitor may learn from a page that refuses, or from a robot's
// preview: no person, no number of members.
type Notice struct {
	Organisation string
	Location     *time.Location
	Group        string // empty when the visitor must not learn it
	Department   string // the path in words
	Official     bool
	Ask          string // department whose head can help; empty = the super admins
}

// Notice reads the words of a refusal.
func (s *Service) Notice(ctx context.Context, d Decision) (Notice, error) {
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return Notice{}, err
	}
	n := Notice{Organisation: org.Name, Location: org.Location()}
	if d.Facts == nil || d.Outcome == Bot || d.Outcome == Limited {
		return n, nil
	}
	trail, err := code.Trail(tx, d.Facts.DepartmentPath)
	if err != nil {
		return n, err
	}
	n.Group, n.Department, n.Official = d.Facts.GroupName, strings.Join(trail, " / "), d.Facts.Official()
	n.Ask, err = responsible(tx, d.Facts.DepartmentPath)
	return n, err
}

// responsible is the nearest department, from the group's upwards, that has an active head.
func responsible(tx *gorm.DB, path string) (string, error) {
	var name string
	err := tx.Raw(`SELECT d.name FROM departments d WHERE d.id IN ? AND EXISTS (
			SELECT 1 FROM department_heads h JOIN members m ON m.id = h.member_id WHERE h.department_id = d.id AND m.status = 'active')
		ORDER BY d.depth DESC LIMIT 1`, code.PathIDs(path)).Scan(&name).Error
	if err != nil {
		return "", fmt.Errorf("read who is responsible: %w", err)
	}
	return name, nil
}
