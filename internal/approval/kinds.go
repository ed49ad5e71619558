package approval

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// carry does what was asked for, in the transaction that approves it, against
// the world as it is now. It returns what came into being and what to write
// into the trail beside the decision. A fault.Conflict leaves the request
// pending, a never closes it.
type carry func(s *Service, tx *gorm.DB, a Approval) (result string, done audit.Event, err error)

// kind is one sort of action that can wait for a second person.
type kind struct {
	tell  func(s *Service, tx *gorm.DB, d *Detail) error  // what exactly will happen
	check func(s *Service, tx *gorm.DB, a Approval) error // whether it could, as the world is; nil = only carry knows
	carry carry
}

// kinds is every action that can wait for a second person.
var kinds = map[string]kind{
	GroupNew:      {tell: (*Service).tellGroup, check: (*Service).checkGroup, carry: (*Service).createGroup},
	GroupExternal: {tell: (*Service).tellGroup, check: (*Service).checkGroup, carry: (*Service).createGroup},
	SuperAppoint:  {tell: (*Service).tellMember, check: (*Service).checkSuper, carry: (*Service).appointSuper},
	SuperRemove:   {tell: (*Service).tellMember, check: (*Service).checkSuper, carry: (*Service).removeSuper},
	ExportKind:    {tell: (*Service).tellExport, check: (*Service).checkExport, carry: (*Service).grantExport},
	CodeIssue:     {tell: (*Service).tellCode, check: (*Service).checkCode, carry: (*Service).applyCode},
	CodeTerms:     {tell: (*Service).tellCode, check: (*Service).checkCode, carry: (*Service).applyCode},
	GroupOpen:     {tell: (*Service).tellOpening, check: (*Service).checkOpening, carry: (*Service).openGroup},
	RetentionCut:  {tell: (*Service).tellRetention, check: (*Service).checkRetention, carry: (*Service).shortenRetention},
}

// Kinds lists them in the order of the filter.
var Kinds = []string{GroupExternal, GroupNew, CodeIssue, CodeTerms, GroupOpen, SuperAppoint, SuperRemove, ExportKind, RetentionCut}

// never is a conflict that no waiting cures: the request is closed.
type never struct{ fault.Conflict }

// As makes a never a fault.Conflict for errors.As.
func (n never) As(target any) bool {
	c, ok := target.(*fault.Conflict)
	if ok {
		*c = n.Conflict
	}
	return ok
}

// forGood turns a conflict about something that is over into a never.
func forGood(err error) error {
	var c fault.Conflict
	if errors.As(err, &c) {
		return never{c}
	}
	return err
}

// author reads who asked, as of now, and keeps their tier as it is until the
// transaction ends. Somebody who departed is a fault.Conflict.
func (s *Service) author(tx *gorm.DB, a Approval) (access.Actor, error) {
	var held []int64
	if err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ?", a.RequestedBy).Pluck("id", &held).Error; err != nil {
		return access.Actor{}, fmt.Errorf("hold the author: %w", err)
	}
	author, err := directory.LoadActor(tx, a.RequestedBy, s.now())
	if errors.Is(err, fault.NotFound) {
		return author, fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	}
	return author, err
}

// lost says that the author could not do it any more, for the errors that mean this.
func lost(author access.Actor, err error) error {
	var forbidden fault.Forbidden
	if errors.Is(err, fault.NotFound) || errors.As(err, &forbidden) {
		return fault.Conflict{Message: fault.Msg("second.error.lost", "Name", author.Name)}
	}
	var invalid fault.Invalid
	if errors.As(err, &invalid) { // a rule that a form would have shown beside its field
		for _, field := range slices.Sorted(maps.Keys(invalid)) {
			return fault.Conflict{Message: invalid[field]}
		}
	}
	return err
}

func (s *Service) checkGroup(tx *gorm.DB, a Approval) error {
	plan, err := decode[group.Plan](a)
	if err != nil {
		return err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	path, err := departmentPath(tx, plan.DepartmentID)
	if errors.Is(err, fault.NotFound) {
		return never{fault.Conflict{Message: fault.Msg("second.error.department")}}
	} else if err != nil {
		return err
	}
	if !access.Can(author, access.GroupCreate, plan.Object(path)) {
		return fault.Conflict{Message: fault.Msg("approvals.error.author_lost", "Name", author.Name)}
	}
	return nil
}

func (s *Service) createGroup(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	if err := s.checkGroup(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	plan, err := decode[group.Plan](a)
	if err != nil {
		return "", audit.Event{}, err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return "", audit.Event{}, err
	}
	g, err := s.groups.CreateIn(tx, author, plan)
	return g.GID, g.Created(), lost(author, err)
}

func (s *Service) appointSuper(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	return s.changeSuper(tx, a, directory.GrantSuper)
}

func (s *Service) removeSuper(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	return s.changeSuper(tx, a, directory.RevokeSuper)
}

// checkSuper asks whether the author still is a super admin: two of them must
// stand behind it at the moment it happens.
func (s *Service) checkSuper(tx *gorm.DB, a Approval) error {
	if err := directory.HoldOrganisation(tx); err != nil {
		return err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	if !access.Can(author, access.SupersAppoint, access.Object{}) {
		return fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	}
	payload, err := decode[member](a)
	if err != nil {
		return err
	}
	m, err := directory.ActiveMember(tx, fmt.Sprint(payload.MemberID), "")
	var invalid fault.Invalid
	switch {
	case errors.As(err, &invalid):
		return fault.Conflict{Message: fault.Msg("approvals.error.member_left")}
	case err != nil:
		return err
	case a.Kind == SuperAppoint && m.SuperAdmin:
		return fault.Conflict{Message: fault.Msg("approvals.error.already_super", "Name", m.Name)}
	case a.Kind == SuperRemove && !m.SuperAdmin:
		return fault.Conflict{Message: fault.Msg("approvals.error.not_super", "Name", m.Name)}
	}
	return nil
}

func (s *Service) changeSuper(tx *gorm.DB, a Approval, change func(*gorm.DB, int64) (directory.Member, error)) (string, audit.Event, error) {
	if err := s.checkSuper(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	payload, err := decode[member](a)
	if err != nil {
		return "", audit.Event{}, err
	}
	m, err := change(tx, payload.MemberID)
	if err != nil {
		return "", audit.Event{}, err
	}
	object := audit.Object{Kind: "member", ID: fmt.Sprint(m.ID), Name: m.Name}
	return fmt.Sprint(m.ID), audit.Event{Action: a.Kind, Object: object, Details: map[string]any{"asked_by": a.AuthorName}}, nil
}

func (s *Service) checkCode(tx *gorm.DB, a Approval) error {
	p, err := decode[code.Plan](a)
	if err != nil {
		return err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	_, err = s.codes.CheckPlan(tx, author, p)
	return lost(author, forGood(err))
}

// applyCode issues the code, or changes its terms, for its author.
func (s *Service) applyCode(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	if err := s.checkCode(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	p, err := decode[code.Plan](a)
	if err != nil {
		return "", audit.Event{}, err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return "", audit.Event{}, err
	}
	public, done, err := s.codes.Apply(tx, author, p)
	return public, askedBy(done, author), err
}

func (s *Service) checkOpening(tx *gorm.DB, a Approval) error {
	p, err := decode[opening](a)
	if err != nil {
		return err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	if !author.Super {
		return lost(author, fault.Forbidden{})
	}
	_, err = s.groups.CheckOpening(tx, author, p.GID)
	return lost(author, forGood(err))
}

func (s *Service) openGroup(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	if err := s.checkOpening(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	p, err := decode[opening](a)
	if err != nil {
		return "", audit.Event{}, err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return "", audit.Event{}, err
	}
	done, err := s.groups.OpenIn(tx, author, p.GID)
	return p.GID, askedBy(done, author), err
}

func (s *Service) checkRetention(tx *gorm.DB, a Approval) error {
	r, err := decode[directory.Retention](a)
	if err != nil {
		return err
	}
	if err := directory.HoldOrganisation(tx); err != nil { // before the person, as whoever changes a tier does
		return err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return err
	}
	return lost(author, directory.CheckRetention(tx, author, r))
}

func (s *Service) shortenRetention(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	if err := s.checkRetention(tx, a); err != nil {
		return "", audit.Event{}, err
	}
	r, err := decode[directory.Retention](a)
	if err != nil {
		return "", audit.Event{}, err
	}
	author, err := s.author(tx, a)
	if err != nil {
		return "", audit.Event{}, err
	}
	done, err := directory.ShortenRetention(tx, author, r, s.now())
	return fmt.Sprint(r.Days), askedBy(done, author), err
}

// askedBy names the author beside the one who approves.
func askedBy(e audit.Event, author access.Actor) audit.Event {
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	e.Details["asked_by"] = author.Name
	return e
}
