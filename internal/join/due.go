package join

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// Clock is when a request is to be decided and what time has done to it since.
type Clock struct {
	DueAt       *time.Time // nil: no clock runs
	ClockStep   int
	StepAt      *time.Time // when the next step is due; nil when there is none
	EscalatedAt *time.Time
	EscalatedTo *int64 // a department, whose heads are to decide; nil with EscalatedAt: the super admins
}

// Steps that the clock takes, one after the other.
const (
	stepNone     = iota
	stepReminded // before it is due
	stepDue      // reminded again when due
	stepAbove    // with the heads of a department above
	stepSupers   // with the super admins
)

// Late reports whether the request should have been decided by now.
func (c Clock) Late(now time.Time) bool { return c.DueAt != nil && !c.DueAt.After(now) }

// terms are what the clock runs by.
type terms struct {
	hours              directory.Hours
	due, ahead, beyond time.Duration // of working time
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }

// termsOf reads the policies' terms. own is the group's number of hours, 0 for none.
func termsOf(p directory.Policies, zone *time.Location, own int) terms {
	t := terms{hours: p.Hours(zone), due: hours(p.DueHours), ahead: hours(p.RemindHours), beyond: hours(p.EscalateHours)}
	if own > 0 {
		t.due = hours(own)
	}
	return t
}

// start is the clock of a request that is made at a moment.
func (t terms) start(at time.Time) Clock {
	if t.due <= 0 {
		return Clock{}
	}
	due := t.hours.After(at, t.due).UTC().Truncate(time.Microsecond)
	c := Clock{DueAt: &due, ClockStep: stepReminded, StepAt: &due}
	if t.ahead > 0 && t.ahead < t.due {
		remind := t.hours.After(at, t.due-t.ahead).UTC().Truncate(time.Microsecond)
		c.ClockStep, c.StepAt = stepNone, &remind
	}
	return c
}

// next is when the step after an escalation is due; nil when there is none.
func (t terms) next(at time.Time) *time.Time {
	if t.beyond <= 0 {
		return nil
	}
	then := t.hours.After(at, t.beyond).UTC().Truncate(time.Microsecond)
	return &then
}

// wind starts the clock of a request that is about to be written. Without a zone it is looked up.
func (s *Service) wind(tx *gorm.DB, g group.Group, zone *time.Location, r *Request) error {
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return err
	}
	if zone == nil {
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return fmt.Errorf("start a request's clock: %w", err)
		}
		zone = org.Location()
	}
	r.Clock = termsOf(p, zone, g.DueHours).start(r.CreatedAt)
	return nil
}

// due narrows to what the clock says.
func (f Filter) due(now time.Time, and func(string, ...any)) {
	switch f.Due {
	case "late":
		and("r.due_at <= ?", now.UTC())
	case "soon":
		and("r.due_at > ? AND r.due_at <= ?", now.UTC(), now.UTC().Add(24*time.Hour))
	case "up":
		and("r.escalated_at IS NOT NULL")
	}
}
