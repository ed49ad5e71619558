package recert

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// MaxLines bounds what one press decides line by line.
const MaxLines = 500

// Decisions is what one press says about a group. What it names nowhere stays
// open, unless Others confirms all that was not named.
type Decisions struct {
	Round         int64 // the one the form was made for
	Keep, Remove  []int64
	KeepCodes     []int64
	RevokeCodes   []int64
	Later         []int64 // members that Others leaves open
	LaterCodes    []int64
	Others        bool
	RevokeBecause string // the reason on revoked codes
}

// Result is what it came to.
type Result struct {
	Confirmed, Removed, Revoked int
	Done                        bool // nothing in the group is open any more
	WasHeld                     bool // it stood still until now
}

// Confirm decides about members and codes of one group in one go. Who comes
// second learns who was first (fault.Conflict); lines that were decided or ended
// meanwhile are passed over.
func (s *Service) Confirm(ctx context.Context, by access.Actor, gid string, d Decisions) (out Result, err error) {
	if len(d.Keep)+len(d.Remove)+len(d.KeepCodes)+len(d.RevokeCodes)+len(d.Later)+len(d.LaterCodes) > MaxLines {
		return out, fault.Invalid{"": fault.Msg("recert.error.lines", "Limit", MaxLines)}
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		out = Result{}
		g, r, err := s.hold(tx, by, gid, d)
		if err != nil {
			return err
		}
		if err := tx.Raw("SELECT "+heldSQL+" FROM groups g WHERE g.id = ?", s.now().UTC(), g.ID).Scan(&out.WasHeld).Error; err != nil {
			return fmt.Errorf("look whether the group stands still: %w", err)
		}
		p := press{Service: s, tx: tx, by: by, g: g, r: r, d: d, at: s.now().UTC().Truncate(time.Microsecond), out: &out}
		for _, step := range []func() error{p.remove, p.revoke, p.confirm, p.finish} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// press is one Confirm at work.
type press struct {
	*Service
	tx    *gorm.DB
	by    access.Actor
	g     group.Group
	r     Round
	d     Decisions
	at    time.Time
	out   *Result
	names []string // who was removed
}

// hold takes the codes that are to end, then the group, in the order everybody
// takes them, and checks that there is still something to decide.
func (s *Service) hold(tx *gorm.DB, by access.Actor, gid string, d Decisions) (g group.Group, r Round, err error) {
	if g, err = group.Load(tx, gid); err != nil {
		return g, r, err
	}
	if err := may(tx, by, g); err != nil {
		return g, r, err
	}
	var held []int64
	lock := clause.Locking{Strength: "NO KEY UPDATE"}
	if len(d.RevokeCodes) > 0 {
		if err := tx.Table("codes").Clauses(lock).Where("id IN ? AND group_id = ?", d.RevokeCodes, g.ID).Order("id").Pluck("id", &held).Error; err != nil {
			return g, r, fmt.Errorf("hold the codes: %w", err)
		}
	}
	if err := tx.Table("groups").Clauses(lock).Where("id = ?", g.ID).Pluck("id", &held).Error; err != nil {
		return g, r, fmt.Errorf("hold the group: %w", err)
	}
	if g, err = group.LoadByID(tx, g.ID); err != nil {
		return g, r, err
	}
	if err := may(tx, by, g); err != nil {
		return g, r, err
	}
	p, err := s.Plan(tx)
	if err != nil {
		return g, r, err
	}
	if g.Status != group.Active {
		return g, r, fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
	}
	if !asks(p.Round, g) || p.Round.ID != d.Round {
		return g, r, errOver
	}
	before, err := done(tx, *p.Round, g.ID)
	if err == nil && before != nil {
		err = fault.Conflict{Message: fault.Msg("recert.conflict.done"), By: before.By, At: before.At}
	}
	return g, *p.Round, err
}

func (p *press) openArgs() []any { return []any{p.g.ID, p.r.OpensAt.UTC(), p.r.ID} }

// remove ends memberships and frees their seats.
func (p *press) remove() error {
	if len(p.d.Remove) == 0 {
		return nil
	}
	var rows []struct {
		ID   int64
		Name string
	}
	err := p.tx.Raw(`SELECT ms.id, coalesce(m.name, gu.name) AS name`+openSeats+" AND ms.id IN ? ORDER BY ms.id", append(p.openArgs(), p.d.Remove)...).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("read who is to be removed: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	ids, events := make([]int64, len(rows)), make([]audit.Event, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		p.names = append(p.names, row.Name)
		events[i] = p.event("group.member.remove", map[string]any{"member": row.Name})
	}
	if err := run(p.tx, "UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = 'removed' WHERE id IN ? AND status = 'active'", p.at, ids); err != nil {
		return err
	}
	if err := run(p.tx, "UPDATE groups SET member_count = member_count - ? WHERE id = ?", len(ids), p.g.ID); err != nil {
		return err
	}
	p.out.Removed = len(ids)
	p.g.MemberCount -= len(ids)
	if err := p.mark(oneMember, removed, ids); err != nil {
		return err
	}
	return p.trail.RecordAll(p.tx, p.by, events)
}

func (p *press) revoke() error {
	var ended []int64
	for _, id := range p.d.RevokeCodes {
		switch over, err := p.codes.RevokeIn(p.tx, p.by, id, p.g.ID, p.d.RevokeBecause); {
		case err != nil:
			return err
		case over:
			ended = append(ended, id)
		}
	}
	p.out.Revoked = len(ended)
	return p.mark(oneCode, removed, ended)
}

// confirm writes a mark for each line that was ticked off, or for all that were
// not left for later.
func (p *press) confirm() error {
	seats, err := p.chosen("ms.id", openSeats, p.openArgs(), p.d.Keep, p.d.Later)
	if err != nil {
		return err
	}
	doors, err := p.chosen("c.id", openDoors, []any{p.g.ID, p.at, p.r.ID}, p.d.KeepCodes, p.d.LaterCodes)
	if err != nil {
		return err
	}
	p.out.Confirmed = len(seats) + len(doors)
	if err := p.mark(oneMember, confirmed, seats); err != nil {
		return err
	}
	return p.mark(oneCode, confirmed, doors)
}

// chosen are the open lines that the press confirms.
func (p *press) chosen(column, from string, args []any, keep, later []int64) (ids []int64, err error) {
	where := " AND " + column + " IN ?"
	if p.d.Others {
		where, keep = " AND "+column+" NOT IN ?", later
	}
	if err := p.tx.Raw("SELECT "+column+from+where+" ORDER BY 1", append(args, append(keep, 0))...).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("read what is confirmed: %w", err)
	}
	return ids, nil
}

// finish closes the pass when nothing is open any more, and writes it all down.
func (p *press) finish() error {
	var open bool
	args := append(p.openArgs(), p.g.ID, p.at, p.r.ID)
	if err := p.tx.Raw("SELECT EXISTS (SELECT 1"+openSeats+") OR EXISTS (SELECT 1"+openDoors+")", args...).Scan(&open).Error; err != nil {
		return fmt.Errorf("look what is still open: %w", err)
	}
	if p.out.Confirmed+p.out.Removed+p.out.Revoked == 0 && open {
		return fault.Conflict{Message: fault.Msg("recert.conflict.nothing")}
	}
	if p.out.Done = !open; p.out.Done {
		if err := p.pass(); err != nil {
			return err
		}
	}
	details := map[string]any{"round": p.r.OpensAt.Format(time.DateOnly), "confirmed": p.out.Confirmed, "removed": p.out.Removed, "revoked": p.out.Revoked, "complete": p.out.Done}
	if steps(p.by, p.g) {
		details["responsibility"] = "super_admin"
	}
	return p.trail.Record(p.tx, p.by, p.event("recert.confirm", details))
}

// pass is the mark that ends the group's round.
func (p *press) pass() error {
	var codes int
	err := p.tx.Raw("SELECT count(*) FROM codes c WHERE c.group_id = ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?)", p.g.ID, p.at).Scan(&codes).Error
	if err != nil {
		return fmt.Errorf("count the group's codes: %w", err)
	}
	m := Mark{RoundID: p.r.ID, GroupID: p.g.ID, Kind: wholeGroup, Decision: confirmed, Members: p.g.MemberCount, Codes: codes, MarkedBy: p.by.MemberID, MarkedAt: p.at}
	if err := p.tx.Create(&m).Error; err != nil {
		return fmt.Errorf("end the pass: %w", err)
	}
	return nil
}

func (p *press) mark(kind, decision string, ids []int64) error {
	marks := make([]Mark, len(ids))
	for i, id := range ids {
		marks[i] = Mark{RoundID: p.r.ID, GroupID: p.g.ID, Kind: kind, ItemID: id, Decision: decision, MarkedBy: p.by.MemberID, MarkedAt: p.at}
	}
	if len(marks) == 0 {
		return nil
	}
	if err := p.tx.CreateInBatches(&marks, 500).Error; err != nil {
		return fmt.Errorf("write down what was decided: %w", err)
	}
	return nil
}

func (p *press) event(action string, details map[string]any) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "group", ID: p.g.GID, Name: p.g.Name}, DepartmentPath: p.g.DepartmentPath, Details: details}
}
