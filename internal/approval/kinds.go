package approval

import (
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// carry does what was asked for, in the transaction that approves it, against
// the world as it is now. It returns what came into being and what to write
// into the trail beside the decision. A fault.Conflict leaves the request pending.
type carry func(s *Service, tx *gorm.DB, a Approval) (result string, done audit.Event, err error)

// kinds is every action that can wait for a second person.
var kinds = map[string]carry{
	GroupExternal: (*Service).createGroup,
	GroupNew:      (*Service).createGroup,
	SuperAppoint:  (*Service).appointSuper,
	SuperRemove:   (*Service).removeSuper,
	ExportKind:    (*Service).grantExport,
}

func (s *Service) createGroup(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	var plan group.Plan
	if err := json.Unmarshal([]byte(a.Payload), &plan); err != nil {
		return "", audit.Event{}, fmt.Errorf("payload of approval %d: %w", a.ID, err)
	}
	author, err := directory.LoadActor(tx, a.RequestedBy, s.now())
	if errors.Is(err, fault.NotFound) {
		return "", audit.Event{}, fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	} else if err != nil {
		return "", audit.Event{}, err
	}
	g, err := s.groups.CreateIn(tx, author, plan)
	var forbidden fault.Forbidden
	if errors.Is(err, fault.NotFound) || errors.As(err, &forbidden) {
		return "", audit.Event{}, fault.Conflict{Message: fault.Msg("approvals.error.author_lost", "Name", author.Name)}
	}
	return g.GID, g.Created(), err
}

func (s *Service) appointSuper(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	return s.changeSuper(tx, a, directory.GrantSuper)
}

func (s *Service) removeSuper(tx *gorm.DB, a Approval) (string, audit.Event, error) {
	return s.changeSuper(tx, a, directory.RevokeSuper)
}

// changeSuper also asks whether the author still is a super admin: two of them
// must stand behind it at the moment it happens.
func (s *Service) changeSuper(tx *gorm.DB, a Approval, change func(*gorm.DB, int64) (directory.Member, error)) (string, audit.Event, error) {
	var payload member
	if err := json.Unmarshal([]byte(a.Payload), &payload); err != nil {
		return "", audit.Event{}, fmt.Errorf("payload of approval %d: %w", a.ID, err)
	}
	author, err := directory.LoadActor(tx, a.RequestedBy, s.now())
	if err != nil && !errors.Is(err, fault.NotFound) {
		return "", audit.Event{}, err
	}
	if !access.Can(author, access.SupersAppoint, access.Object{}) {
		return "", audit.Event{}, fault.Conflict{Message: fault.Msg("approvals.error.author_left")}
	}
	m, err := change(tx, payload.MemberID)
	if err != nil {
		return "", audit.Event{}, err
	}
	object := audit.Object{Kind: "member", ID: fmt.Sprint(m.ID), Name: m.Name}
	return fmt.Sprint(m.ID), audit.Event{Action: a.Kind, Object: object, Details: map[string]any{"asked_by": author.Name}}, nil
}
