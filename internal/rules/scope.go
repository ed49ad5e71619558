package rules

import (
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Service is the use cases around rules, their lists and their words.
type Service struct {
	db    *gorm.DB
	trail *audit.Trail
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, now: now}
}

// Scope is whose rules are meant: the organisation's (Group nil) or a group's.
type Scope struct {
	Group *group.Group
	home  int64 // what its rules go by; 0 for the organisation
}

// In answers whether by may set the rules of the group, or with "" those of the
// organisation, as access.Check does.
func In(tx *gorm.DB, by access.Actor, gid string) (Scope, error) {
	if gid == "" {
		return Scope{}, access.Check(by, access.OrganisationEdit, access.Object{})
	}
	g, err := group.Load(tx, gid)
	if err != nil {
		return Scope{}, err
	}
	joined := false
	if by.Kind == access.Member {
		if joined, err = group.Joined(tx, g.ID, group.Person{MemberID: &by.MemberID}); err != nil {
			return Scope{}, fmt.Errorf("look for the membership: %w", err)
		}
	}
	if err := access.Check(by, access.GroupSettings, g.Object(joined)); err != nil {
		return Scope{}, err
	}
	home, err := Home(tx, g)
	return Scope{&g, home}, err
}

// held is In for a change: the scope's rules stand still until the transaction ends.
func held(tx *gorm.DB, by access.Actor, gid string) (Scope, error) {
	sc, err := In(tx, by, gid)
	if err != nil {
		return sc, err
	}
	table, id := "organisation", int64(1)
	if sc.Group != nil {
		table, id = "groups", sc.home
	}
	var rows []int64
	if err := tx.Table(table).Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", id).Pluck("id", &rows).Error; err != nil {
		return sc, fmt.Errorf("hold the rules: %w", err)
	}
	if sc, err = In(tx, by, gid); err != nil {
		return sc, err
	}
	if sc.Group != nil && sc.Group.Status != group.Active {
		return sc, fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
	}
	return sc, nil
}

// ID is the number that its rules and words go by: 0 for the organisation.
func (sc Scope) ID() int64 { return sc.home }

func (sc Scope) groupID() *int64 {
	if sc.Group == nil {
		return nil
	}
	return &sc.home
}

// own narrows a statement to the scope's rows.
func (sc Scope) own(tx *gorm.DB) *gorm.DB {
	if sc.Group == nil {
		return tx.Where("group_id IS NULL")
	}
	return tx.Where("group_id = ?", sc.home)
}

func (sc Scope) event(action string, kind string, id int64, name string) audit.Event {
	e := audit.Event{Action: action, Object: audit.Object{Kind: kind, ID: fmt.Sprint(id), Name: name}, Details: map[string]any{}}
	if sc.Group != nil {
		e.DepartmentPath, e.Details["group"] = sc.Group.DepartmentPath, sc.Group.GID
	}
	return e
}

func author(by access.Actor) *int64 {
	if by.MemberID == 0 {
		return nil
	}
	return &by.MemberID
}
