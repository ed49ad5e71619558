// Package recert keeps the rounds in which heads confirm who is in the groups
// below them and which codes lead there. What nobody confirmed by a round's date
// stands still from then on; that is derived (group.RecertRoundSQL), so moving
// the date or confirming late takes effect at once. req: C52, D24
package recert

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// Round is one round. It is planned until OpensAt, open until DueAt, and from
// then on what it did not get an answer about stands still.
type Round struct {
	ID        int64
	FromAt    time.Time // what a planned date was counted from
	OpensAt   time.Time
	DueAt     time.Time
	Closed    bool // a later round's date has passed: it decides nothing any more
	StartedBy *int64
	MovedBy   *int64
	MovedAt   *time.Time
}

// TableName is for gorm.
func (Round) TableName() string { return "recert_rounds" }

// Open reports whether the round has begun.
func (r Round) Open(now time.Time) bool { return !r.OpensAt.After(now) }

// Over reports whether its date has passed.
func (r Round) Over(now time.Time) bool { return !r.DueAt.After(now) }

// DaysLeft is how many days begin before the date, at least 0.
func (r Round) DaysLeft(now time.Time) int {
	left := r.DueAt.Sub(now)
	if left <= 0 {
		return 0
	}
	return int((left + 24*time.Hour - 1) / (24 * time.Hour))
}

// Mark is one decision of a round.
type Mark struct {
	ID       int64
	RoundID  int64
	GroupID  int64
	Kind     string
	ItemID   int64
	Decision string
	Members  int
	Codes    int
	MarkedBy int64
	MarkedAt time.Time
}

// TableName is for gorm.
func (Mark) TableName() string { return "recert_marks" }

// Kinds and decisions of a Mark.
const (
	wholeGroup = "group"
	oneMember  = "member"
	oneCode    = "code"
	confirmed  = "confirm"
	removed    = "remove"
)

// PageSize is how many lines a list shows.
const PageSize = 50

// Service is the use cases of recertification.
type Service struct {
	db    *gorm.DB
	trail *audit.Trail
	codes *code.Service
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, codes *code.Service, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, codes: codes, now: now}
}

// Plan is what is going on: the round that asks now, if any, and the next one, if it is planned.
type Plan struct {
	Round, Next *Round
	Last        *Round // the newest whose date has passed
	Off         bool   // the policy asks for no rounds
	Zone        *time.Location
}

// Plan reads it for somebody who may see rounds.
func (s *Service) Plan(tx *gorm.DB) (Plan, error) {
	p := Plan{}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return p, err
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return p, err
	}
	p.Zone = org.Location()
	if p.Off = policies.RecertDays == 0; p.Off {
		return p, nil
	}
	var rounds []Round
	if err := tx.Where("NOT closed").Order("id").Find(&rounds).Error; err != nil {
		return p, fmt.Errorf("read the rounds: %w", err)
	}
	for i, r := range rounds {
		if r.Over(s.now()) {
			p.Last = &rounds[i]
		}
		if r.Open(s.now()) {
			p.Round, p.Next = &rounds[i], nil
		} else if p.Next == nil {
			p.Next = &rounds[i]
		}
	}
	return p, nil
}

// may checks that by may confirm the group: a head above it, who is asked, or a
// super admin on their own responsibility. Owners do not confirm themselves, but
// for a super admin whom nobody else could stand in for.
func may(tx *gorm.DB, by access.Actor, g group.Group) error {
	joined := false
	if by.MemberID != 0 && !by.Super {
		var err error
		if joined, err = group.Joined(tx, g.ID, group.Person{MemberID: &by.MemberID}); err != nil {
			return err
		}
	}
	if err := access.Check(by, access.RecertConfirm, g.Object(joined)); err != nil || !owns(by, g) {
		return err
	}
	if by.Super {
		if others, err := standIns(tx, g); err != nil || !others {
			return err
		}
	}
	return access.Check(access.Actor{Kind: access.Member, Own: []string{g.DepartmentPath}}, access.RecertConfirm, g.Object(false))
}

// standIns reports whether somebody besides its owner may confirm a group.
func standIns(tx *gorm.DB, g group.Group) (others bool, err error) {
	// Driven from the few who lead here, or are super admins: not from all members.
	err = tx.Raw(`SELECT count(*) > 0 FROM (SELECT h.member_id FROM department_heads h JOIN members m ON m.id = h.member_id AND m.status = 'active' WHERE h.department_id IN ?
		UNION ALL SELECT id FROM members WHERE super_admin AND status = 'active') y WHERE y.member_id <> ?`, code.PathIDs(g.DepartmentPath), *g.OwnerID).Scan(&others).Error
	if err != nil {
		return false, fmt.Errorf("look for somebody else to confirm: %w", err)
	}
	return others, nil
}

// steps reports whether by confirms as a super admin, and not as one of those who are asked.
func steps(by access.Actor, g group.Group) bool { return by.Super && !by.Leads(g.DepartmentPath) }

func owns(by access.Actor, g group.Group) bool { return g.OwnerID != nil && *g.OwnerID == by.MemberID }

// mine keeps the groups that by is asked to confirm, as far as a list can tell
// quickly. with goes before the query.
func mine(by access.Actor) (with, where string, args []any) {
	led := by
	led.Super = false
	where, args = access.Scope(led, access.RecertConfirm, "d.path")
	where = "(" + where + " AND (g.owner_id IS NULL OR g.owner_id <> ?))"
	args = append(args, by.MemberID)
	if !by.Super {
		return "", where, args
	}
	return headlessSQL, "(" + where + " OR g.department_id IN (SELECT id FROM headless))", args
}

// headlessSQL are the departments with no head above them nor in them: it walks
// down from the top and stops at the first head.
const headlessSQL = `WITH RECURSIVE headless (id) AS (
	SELECT d.id FROM departments d WHERE d.parent_id IS NULL AND NOT EXISTS (
		SELECT 1 FROM department_heads h JOIN members m ON m.id = h.member_id AND m.status = 'active' WHERE h.department_id = d.id)
	UNION ALL SELECT d.id FROM headless u JOIN departments d ON coalesce(d.parent_id, 0) = u.id WHERE NOT EXISTS (
		SELECT 1 FROM department_heads h JOIN members m ON m.id = h.member_id AND m.status = 'active' WHERE h.department_id = d.id)) `

func missing(err error) bool { return errors.Is(err, gorm.ErrRecordNotFound) }
