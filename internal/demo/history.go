package demo

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/join"
)

// happening is one entry of the trail with the moment it belongs to.
type happening struct {
	at    time.Time
	event audit.Event
}

// addAudit writes the trail that the organisation's past would have left,
// oldest first.
func (b *builder) addAudit() error {
	all := slices.Concat(b.groupHistory(), b.codeHistory(), b.requestHistory())
	all = append(all, happening{*b.departed.DepartedAt, audit.Event{Action: "member.depart", DepartmentPath: b.home[b.departed.ID].Path,
		Object: audit.Object{Kind: "member", ID: strconv.FormatInt(b.departed.ID, 10), Name: b.departed.Name}, Details: map[string]any{"reason": b.departed.DepartedReason}}})
	slices.SortStableFunc(all, func(x, y happening) int { return x.at.Compare(y.at) })
	admin := access.Actor{Kind: access.Member, MemberID: b.members[0].ID, Name: b.members[0].Name}
	for _, h := range all {
		b.clock = h.at
		if err := b.trail.Record(b.tx, admin, h.event); err != nil {
			return err
		}
	}
	if err := b.addGovernance(); err != nil {
		return err
	}
	b.clock = b.now
	return b.trail.Record(b.tx, access.Background("demo"), audit.Event{Action: "organisation.demo", Object: audit.Object{Kind: "organisation", ID: "1", Name: organisation}})
}

func (b *builder) groupHistory() (all []happening) {
	for _, g := range b.groups {
		object := audit.Object{Kind: "group", ID: g.GID, Name: g.Name}
		all = append(all, happening{g.CreatedAt, audit.Event{Action: "group.create", Object: object, DepartmentPath: g.DepartmentPath, Details: map[string]any{"type": g.Type}}})
		if g.DisbandedAt != nil {
			all = append(all, happening{*g.DisbandedAt, audit.Event{Action: "group.disband", Object: object, DepartmentPath: g.DepartmentPath, Details: map[string]any{"reason": g.DisbandReason}}})
		}
	}
	return all
}

func (b *builder) codeHistory() (all []happening) {
	for _, c := range b.codes {
		g := b.groupOf(c)
		add := func(at *time.Time, action, reason string) {
			if at == nil {
				return
			}
			e := audit.Event{Action: action, Object: audit.Object{Kind: "code", ID: c.PublicID, Name: g.Name + " · " + c.Label}, DepartmentPath: g.DepartmentPath}
			if reason != "" {
				e.Details = map[string]any{"reason": reason}
			}
			all = append(all, happening{*at, e})
		}
		add(&c.IssuedAt, "code.issue", "")
		add(c.SuspendedAt, "code.suspend", "")
		add(c.RevokedAt, endedBy(c), c.RevokeReason)
	}
	return all
}

func endedBy(c *code.Code) string {
	if c.ReplacedBy != nil {
		return "code.regenerate"
	}
	return "code.revoke"
}

func (b *builder) requestHistory() (all []happening) {
	actions := map[string]string{join.Approved: "request.approve", join.Rejected: "request.reject"}
	for _, r := range b.requests {
		action := actions[r.Status]
		if action == "" {
			continue
		}
		g := b.byID(r.GroupID)
		e := audit.Event{Action: action, Object: audit.Object{Kind: "request", ID: fmt.Sprint(r.ID), Name: r.Name + " → " + g.Name}, DepartmentPath: g.DepartmentPath}
		if r.Reason != "" {
			e.Details = map[string]any{"reason": r.Reason}
		}
		all = append(all, happening{*r.DecidedAt, e})
	}
	return all
}
