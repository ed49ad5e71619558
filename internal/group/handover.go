package group

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Candidate is a member whom a form can name.
type Candidate struct {
	ID             int64
	Name           string
	JobNumber      string
	DepartmentPath string
	Department     string
}

// maxCandidates bounds what a search offers.
const maxCandidates = 20

// candidates are active members whose name or job number contains q, or whose
// phone it is: names and departments, nothing else.
func candidates(tx *gorm.DB, q string) ([]Candidate, error) {
	if q = OneLine(q); q == "" {
		return nil, nil
	}
	phone, _ := directory.ParsePhone(q)
	var found []Candidate
	err := tx.Raw(`SELECT m.id, m.name, coalesce(m.job_number, '') AS job_number,
			coalesce((SELECT min(d.path) FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id), '') AS department_path
		FROM members m WHERE m.status = 'active' AND (lower(m.name) LIKE ? ESCAPE '\' OR lower(m.job_number) LIKE ? ESCAPE '\' OR m.phone = ?)
		ORDER BY m.name, m.id LIMIT ?`, contains(q), contains(q), phone, maxCandidates).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("look for members: %w", err)
	}
	paths := make([]string, len(found))
	for i, c := range found {
		paths[i] = c.DepartmentPath
	}
	lineages, err := Lineages(tx, paths)
	for i := range found {
		found[i].Department = lineages[found[i].DepartmentPath]
	}
	return found, err
}

// HandOverView is the question before a group gets another owner.
type HandOverView struct {
	Header
	Q          string
	Found      []Candidate
	To         *Candidate // chosen
	Owner      string     // the present one; empty when there is none
	OwnerIsOwn bool       // the reader is the present owner
	Stopping   int        // live codes of the present owner that stop with the ownership
}

// HandingOver looks for a new owner by q or shows the one with the id member,
// with what the change brings.
func (s *Service) HandingOver(ctx context.Context, by access.Actor, gid, q, member string) (HandOverView, error) {
	db := s.db.WithContext(ctx)
	out := HandOverView{Q: q}
	g, o, err := find(db, by, gid)
	if err != nil {
		return out, err
	}
	if err := access.Check(by, access.GroupHandOver, o); err != nil {
		return out, err
	}
	if g.Status != Active {
		return out, disbanded(db, g)
	}
	if out.Header, err = s.ByID(ctx, by, gid); err != nil {
		return out, err
	}
	if out.Found, err = candidates(db, q); err != nil {
		return out, err
	}
	if strings.TrimSpace(member) != "" {
		m, err := directory.ActiveMember(db, member, "")
		if err != nil {
			return out, err
		}
		if out.To, err = candidate(db, m); err != nil {
			return out, err
		}
	}
	return out, s.describeOwner(db, by, g, &out)
}

func candidate(tx *gorm.DB, m directory.Member) (*Candidate, error) {
	c := Candidate{ID: m.ID, Name: m.Name}
	var paths []string
	err := tx.Raw("SELECT d.path FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ? ORDER BY d.path LIMIT 1", m.ID).Scan(&paths).Error
	if err != nil || len(paths) == 0 {
		return &c, err
	}
	lineages, err := Lineages(tx, paths)
	c.DepartmentPath, c.Department = paths[0], lineages[paths[0]]
	return &c, err
}

// describeOwner counts the codes that stop at once when the present owner has
// the right to issue them by that alone.
func (s *Service) describeOwner(tx *gorm.DB, by access.Actor, g Group, out *HandOverView) error {
	if g.OwnerID == nil {
		return nil
	}
	var err error
	if out.Owner, err = nameOf(tx, *g.OwnerID); err != nil {
		return err
	}
	out.OwnerIsOwn = *g.OwnerID == by.MemberID
	owner, err := directory.LoadActor(tx, *g.OwnerID, s.now())
	if err != nil {
		return err
	}
	delete(owner.Duties, g.ID)
	if access.Can(owner, access.CodeTemporary, g.Object(false)) {
		return nil
	}
	err = tx.Raw("SELECT count(*) FROM codes WHERE group_id = ? AND issued_by = ? AND revoked_at IS NULL AND (valid_until IS NULL OR valid_until > ?)",
		g.ID, *g.OwnerID, s.now().UTC()).Scan(&out.Stopping).Error
	if err != nil {
		return fmt.Errorf("count the owner's codes: %w", err)
	}
	return nil
}
