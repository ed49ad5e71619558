package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// DepartmentRef is a department on a member's page.
type DepartmentRef struct {
	ID    int64
	Path  string
	Title string
	Own   bool // belongs to it
	Leads bool
	Seen  bool // the reader may open it
}

// GroupRef is a group on a member's page.
type GroupRef struct {
	GID   string `gorm:"column:gid"`
	Name  string
	Owner bool
	Path  string
	Seen  bool // the reader may open it
}

// Profile is a member's page as far as the reader may see it. InScope says
// that it holds more than a name.
type Profile struct {
	Member                                Member
	Departments                           []DepartmentRef
	Groups                                []GroupRef // joined or, with Owner, owned
	Receipt                               *Receipt   // of somebody who left
	Return                                *Return    // of somebody who came back
	DepartedBy                            string
	LiveCodes                             int // issued by the member and otherwise alive; suspended while they are not entitled
	InScope, CanEdit, CanDepart, CanHeads bool
	CanReactivate                         bool
}

// Profile reads a member's page. Somebody outside the reader's sight is
// fault.NotFound.
func (s *Service) Profile(ctx context.Context, by access.Actor, id int64) (Profile, error) {
	db := s.db.WithContext(ctx)
	var p Profile
	err := db.Where("id = ?", id).Take(&p.Member).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fault.NotFound
	} else if err != nil {
		return p, fmt.Errorf("load member: %w", err)
	}
	places, err := placesOf(db, id)
	if err != nil {
		return p, err
	}
	self := by.MemberID == id
	near := func(q place) bool { return q.Own && sees(by, q.Path) }
	if !by.Super && !self && (!slices.ContainsFunc(places, near) || p.Member.Status == Departed && !by.HoldsAny(access.ContactsSee)) {
		return Profile{}, fault.NotFound
	}
	p.InScope = by.Super || self || slices.ContainsFunc(places, func(q place) bool { return q.Own && by.Holds(access.ContactsSee, q.Path) })
	if p.Member.Status == Departed && !p.InScope {
		return Profile{}, fault.NotFound
	}
	active := p.Member.Status == Active
	p.CanEdit = active && checkMember(by, access.MembersEdit, p.Member, places) == nil
	p.CanDepart = active && !self && checkMember(by, access.MemberDepart, p.Member, places) == nil
	p.CanReactivate = !active && checkMember(by, access.MemberDepart, p.Member, places) == nil
	p.CanHeads = active && access.Can(by, access.HeadsAppoint, access.Object{})
	if err := s.addPlaces(db, by, places, &p); err != nil {
		return p, err
	}
	if !p.InScope {
		p.Member = Member{ID: p.Member.ID, Name: p.Member.Name, Status: p.Member.Status, SuperAdmin: p.Member.SuperAdmin}
		return p, nil
	}
	return p, s.addHoldings(db, by, &p)
}

func (s *Service) addPlaces(db *gorm.DB, by access.Actor, places []place, p *Profile) error {
	paths := make([]string, len(places))
	for i, q := range places {
		paths[i] = q.Path
	}
	titles, err := Lineages(db, paths)
	if err != nil {
		return err
	}
	for _, q := range places {
		if q.Own || q.Leads {
			p.Departments = append(p.Departments, DepartmentRef{ID: q.ID, Path: q.Path, Title: titles[q.Path], Own: q.Own, Leads: q.Leads, Seen: sees(by, q.Path)})
		}
	}
	return nil
}

func (s *Service) addHoldings(db *gorm.DB, by access.Actor, p *Profile) error {
	id := p.Member.ID
	err := db.Raw(`SELECT g.gid, g.name, coalesce(g.owner_id, 0) = ? AS owner, d.path FROM groups g JOIN departments d ON d.id = g.department_id
		WHERE g.status = 'active' AND (g.owner_id = ? OR EXISTS
			(SELECT 1 FROM memberships s WHERE s.group_id = g.id AND s.member_id = ? AND s.status = 'active'))
		ORDER BY g.name, g.id LIMIT 200`, id, id, id).Scan(&p.Groups).Error
	if err != nil {
		return fmt.Errorf("read member's groups: %w", err)
	}
	for i, g := range p.Groups {
		p.Groups[i].Seen = by.MemberID == id || sees(by, g.Path)
	}
	err = db.Raw(`SELECT count(*) FROM codes c JOIN groups g ON g.id = c.group_id
		WHERE c.issued_by = ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?) AND g.status = 'active'`,
		id, s.now().UTC()).Scan(&p.LiveCodes).Error
	if err != nil {
		return fmt.Errorf("count member's codes: %w", err)
	}
	if err := s.addDeparture(db, by, p); err != nil || p.Member.DepartedBy == nil {
		return err
	}
	var by2 Member
	if err := db.Select("name").Where("id = ?", *p.Member.DepartedBy).Take(&by2).Error; err != nil {
		return fmt.Errorf("who marked the departure: %w", err)
	}
	p.DepartedBy = by2.Name
	return nil
}

// Editable reads a member for the edit form: the right is checked as for the change itself.
func (s *Service) Editable(ctx context.Context, by access.Actor, id int64) (Profile, error) {
	p, err := s.Profile(ctx, by, id)
	if err != nil {
		return p, err
	}
	places, err := placesOf(s.db.WithContext(ctx), id)
	if err != nil {
		return p, err
	}
	if err := checkMember(by, access.MembersEdit, p.Member, places); err != nil {
		return p, err
	}
	if p.Member.Status != Active {
		return p, s.alreadyDeparted(s.db.WithContext(ctx), p.Member)
	}
	return p, nil
}

// DepartmentPage is what the head of a department's page says.
type DepartmentPage struct {
	Department       Department
	Heads            []HeadName
	Groups           int
	Below            int // departments right below
	CanEdit          bool
	CanMembers       bool
	SubtreeIsVisible bool
}

// HeadName is a head of a department. Near says that the reader may open their page.
type HeadName struct {
	ID   int64
	Name string
	Near bool
}

// DepartmentPage reads a department for who may open it; else fault.NotFound.
func (s *Service) DepartmentPage(ctx context.Context, by access.Actor, id int64) (DepartmentPage, error) {
	db := s.db.WithContext(ctx)
	d, err := departmentByID(db, id)
	if err != nil {
		return DepartmentPage{}, err
	}
	if !sees(by, d.Path) {
		return DepartmentPage{}, fault.NotFound
	}
	p := DepartmentPage{Department: d, CanEdit: access.Can(by, access.DepartmentsEdit, access.Object{Path: d.Path}),
		CanMembers: access.Can(by, access.MembersEdit, access.Object{Path: d.Path}), SubtreeIsVisible: by.Holds(access.ContactsSee, d.Path)}
	near := nearOf(by)
	err = db.Raw("SELECT m.id, m.name, "+near.text+` AS near FROM department_heads h JOIN members m ON m.id = h.member_id
		WHERE h.department_id = ? AND m.status = 'active' ORDER BY m.name, m.id`, append(near.args, id)...).Scan(&p.Heads).Error
	if err != nil {
		return p, fmt.Errorf("read heads: %w", err)
	}
	if err == nil {
		err = db.Raw("SELECT count(*) FROM departments WHERE parent_id = ?", id).Scan(&p.Below).Error
	}
	if err == nil && p.SubtreeIsVisible {
		err = db.Raw(`SELECT count(*) FROM groups g JOIN departments d ON d.id = g.department_id WHERE d.path LIKE ? AND g.status = 'active'`,
			d.Path+"%").Scan(&p.Groups).Error
	}
	if err != nil {
		return p, fmt.Errorf("count groups: %w", err)
	}
	return p, nil
}
