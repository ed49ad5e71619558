// Package operations is what happens to several groups at once, or to one for
// the sake of another: merging, moving, creating in batches, changing in bulk.
package operations

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/group"
)

// Most is how many groups one press creates or changes. req: D28
const Most = 500

// Service is the use cases on several groups.
type Service struct {
	db     *gorm.DB
	trail  *audit.Trail
	groups *group.Service
	codes  *code.Service
	now    func() time.Time
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, groups *group.Service, codes *code.Service, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, groups: groups, codes: codes, now: now}
}

// Successor is the group that took another one over. Seen says that the reader
// may open it: its name is for everybody who may read of the merge.
type Successor struct {
	GID   string `gorm:"column:gid"`
	Name  string
	Seen  bool
	Codes []Moved
}

// Moved is a code that followed.
type Moved struct {
	PublicID string
	Label    string
	Seen     bool
}

// movedShown bounds the codes listed on the page of a merged group.
const movedShown = 100

// Successor reads what a merged group's page says; nil for any other group.
func (s *Service) Successor(ctx context.Context, by access.Actor, g group.Group) (*Successor, error) {
	if g.MergedIntoID == nil {
		return nil, nil
	}
	tx := s.db.WithContext(ctx)
	into, err := group.LoadByID(tx, *g.MergedIntoID)
	if err != nil {
		return nil, err
	}
	joined := false
	if by.MemberID != 0 {
		if joined, err = group.Joined(tx, into.ID, group.Person{MemberID: &by.MemberID}); err != nil {
			return nil, fmt.Errorf("look up membership: %w", err)
		}
	}
	out := Successor{GID: into.GID, Name: into.Name, Seen: access.Can(by, access.GroupSee, into.Object(joined))}
	var rows []struct {
		PublicID string
		Label    string
		group.Group
	}
	err = tx.Raw(`SELECT c.public_id, c.label, g.*, d.path AS department_path FROM code_moves m JOIN codes c ON c.id = m.code_id
		JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id WHERE m.from_group_id = ? ORDER BY c.id LIMIT ?`, g.ID, movedShown).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list the codes that followed: %w", err)
	}
	for _, r := range rows {
		out.Codes = append(out.Codes, Moved{PublicID: r.PublicID, Label: r.Label, Seen: access.Can(by, access.CodeDownload, r.Object(false))})
	}
	return &out, nil
}
