package recert

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Seat is one member to confirm.
type Seat struct {
	ID         int64 // of the membership
	MemberID   *int64
	Name       string
	JobNumber  string
	Department string // in words
	Path       string
	Departed   bool
	Duties     bool // owner, or with a duty
	Source     string
	JoinedAt   time.Time
	LastScan   *time.Time `gorm:"-"` // of one of the group's codes, by somebody identified
}

// Guest reports whether somebody outside the directory sits there.
func (s Seat) Guest() bool { return s.MemberID == nil }

// Door is one code to confirm.
type Door struct {
	code.Facts
	Now    code.State
	Copies int // printed copies that hang somewhere
}

// Gone is somebody who left the group since the round before.
type Gone struct {
	Name    string
	EndedAt time.Time
	Reason  string `gorm:"column:ended_reason"`
}

// Pass is the page of one group: what is still to be confirmed in it.
type Pass struct {
	Group   group.Group
	Lineage string
	Plan    Plan
	Held    bool // it stands still already
	Steps   bool // the reader is not asked, but may confirm as a super admin
	Seats   []Seat
	Others  int   // further members that are not on this page
	Next    int64 // pass it as after; 0 = the last page
	Doors   []Door
	Gone    []Gone
	Done    *Done // somebody went through it in this round
	At      time.Time
}

// Done says who went through a group, and when.
type Done struct {
	By      string
	At      time.Time
	Members int
	Codes   int
}

const (
	doorLimit = 100
	goneLimit = 10
)

// openSeats keeps the memberships ms of the group g that the round still asks for; its arguments are the
// group, the round's begin and the round.
const openSeats = ` FROM memberships ms LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
	WHERE ms.group_id = ? AND ms.status = 'active' AND ms.joined_at < ?
	AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = ms.group_id AND k.kind = 'member' AND k.item_id = ms.id AND k.round_id >= ?)`

// openDoors does the same for codes; its arguments are the group, the moment and the round.
const openDoors = ` FROM codes c WHERE c.group_id = ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?)
	AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = c.group_id AND k.kind = 'code' AND k.item_id = c.id AND k.round_id >= ?)`

// Pass reads what somebody who may confirm the group has to decide.
func (s *Service) Pass(ctx context.Context, by access.Actor, gid string, after int64) (Pass, error) {
	tx := s.db.WithContext(ctx)
	g, err := group.Load(tx, gid)
	if err != nil {
		return Pass{}, err
	}
	p := Pass{Group: g, At: s.now(), Steps: steps(by, g)}
	if err := may(tx, by, g); err != nil {
		return p, err
	}
	names, err := group.Lineages(tx, []string{g.DepartmentPath})
	if err != nil {
		return p, err
	}
	p.Lineage = names[g.DepartmentPath]
	if p.Plan, err = s.Plan(tx); err != nil || !asks(p.Plan.Round, g) {
		return p, err
	}
	if p.Done, err = done(tx, *p.Plan.Round, g.ID); err != nil || p.Done != nil {
		return p, err
	}
	if err := tx.Raw("SELECT "+heldSQL+" FROM groups g WHERE g.id = ?", s.now().UTC(), g.ID).Scan(&p.Held).Error; err != nil {
		return p, fmt.Errorf("look whether the group stands still: %w", err)
	}
	if err := p.readSeats(tx, after); err != nil {
		return p, err
	}
	if err := s.readDoors(tx, &p); err != nil {
		return p, err
	}
	return p, p.readGone(tx)
}

// Asked reports whether the open round asks for the group.
func (p Pass) Asked() bool { return asks(p.Plan.Round, p.Group) }

// asks reports whether a round asks for a group at all: one made since it began comes with the next.
func asks(r *Round, g group.Group) bool {
	return r != nil && g.Status == group.Active && g.CreatedAt.Before(r.OpensAt)
}

func done(tx *gorm.DB, r Round, groupID int64) (*Done, error) {
	var rows []Done
	err := tx.Raw(`SELECT m.name AS "by", k.marked_at AS "at", k.members, k.codes FROM recert_marks k JOIN members m ON m.id = k.marked_by
		WHERE k.group_id = ? AND k.kind = 'group' AND k.item_id = 0 AND k.round_id >= ? ORDER BY k.round_id DESC LIMIT 1`, groupID, r.ID).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look who went through the group: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// readSeats reads one page of members, those in doubt (who left, guests) in their place among the others.
func (p *Pass) readSeats(tx *gorm.DB, after int64) error {
	r := p.Plan.Round
	args := []any{p.Group.ID, r.OpensAt.UTC(), r.ID}
	where := ""
	if after > 0 {
		where = " AND ms.id < ?"
		args = append(args, after)
	}
	err := tx.Raw(`SELECT ms.id, ms.member_id, coalesce(m.name, gu.name) AS name, coalesce(m.job_number, '') AS job_number, coalesce(m.status = 'departed', false) AS departed,
		coalesce((SELECT min(d.path) FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ms.member_id), '') AS path,
		ms.member_id IS NOT NULL AND (EXISTS (SELECT 1 FROM group_duties gd WHERE gd.group_id = ms.group_id AND gd.member_id = ms.member_id)
			OR EXISTS (SELECT 1 FROM groups o WHERE o.id = ms.group_id AND o.owner_id = ms.member_id)) AS duties,
		ms.source, ms.joined_at`+openSeats+where+" ORDER BY ms.id DESC LIMIT ?", append(args, PageSize+1)...).Scan(&p.Seats).Error
	if err != nil {
		return fmt.Errorf("list members to confirm: %w", err)
	}
	if len(p.Seats) > PageSize {
		p.Seats = p.Seats[:PageSize]
		p.Next = p.Seats[PageSize-1].ID
	}
	if p.Next != 0 || after > 0 {
		// Of one group, whose seats are limited.
		if err := tx.Raw("SELECT count(*)"+openSeats, p.Group.ID, r.OpensAt.UTC(), r.ID).Scan(&p.Others).Error; err != nil {
			return fmt.Errorf("count members to confirm: %w", err)
		}
		p.Others -= len(p.Seats)
	}
	paths := make([]string, 0, len(p.Seats))
	for _, s := range p.Seats {
		if s.Path != "" {
			paths = append(paths, s.Path)
		}
	}
	names, err := group.Lineages(tx, paths)
	if err != nil {
		return err
	}
	for i := range p.Seats {
		p.Seats[i].Department = names[p.Seats[i].Path]
	}
	return p.readScans(tx)
}

// readScans finds for each member of the page the last scan of one of the group's codes.
func (p *Pass) readScans(tx *gorm.DB) error {
	if len(p.Seats) == 0 {
		return nil
	}
	ids := make([]int64, len(p.Seats))
	at := map[int64]int{}
	for i, seat := range p.Seats {
		ids[i], at[seat.ID] = seat.ID, i
	}
	var rows []struct {
		ID int64
		At *time.Time
	}
	err := tx.Raw(`SELECT ms.id, (SELECT s.at FROM scans s WHERE s.code_id = c.id AND s.member_id = ms.member_id AND s.member_id IS NOT NULL ORDER BY s.at DESC, s.id DESC LIMIT 1) AS at
		FROM memberships ms JOIN codes c ON c.group_id = ms.group_id WHERE ms.id IN ? AND ms.member_id IS NOT NULL`, ids).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("look for the last scans: %w", err)
	}
	for _, r := range rows {
		if seat := &p.Seats[at[r.ID]]; r.At != nil && (seat.LastScan == nil || r.At.After(*seat.LastScan)) {
			seat.LastScan = r.At
		}
	}
	return nil
}

func (s *Service) readDoors(tx *gorm.DB, p *Pass) error {
	var ids []int64
	err := tx.Raw("SELECT c.id"+openDoors+" ORDER BY c.id DESC LIMIT ?", p.Group.ID, s.now().UTC(), p.Plan.Round.ID, doorLimit).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("list codes to confirm: %w", err)
	}
	facts, err := code.FactsOf(tx, ids)
	if err != nil {
		return err
	}
	var copies []struct {
		CodeID int64
		N      int
	}
	err = tx.Raw("SELECT code_id, count(*) AS n FROM code_copies WHERE code_id IN ? AND removed_at IS NULL GROUP BY code_id", append(ids, 0)).Scan(&copies).Error
	if err != nil {
		return fmt.Errorf("count the copies of codes to confirm: %w", err)
	}
	hang := map[int64]int{}
	for _, c := range copies {
		hang[c.CodeID] = c.N
	}
	for _, f := range facts {
		p.Doors = append(p.Doors, Door{Facts: f, Now: f.State(s.now()), Copies: hang[f.ID]})
	}
	return nil
}

// readGone names who left the group in the period before the round.
func (p *Pass) readGone(tx *gorm.DB) error {
	since := p.Plan.Round.OpensAt.AddDate(0, 0, -90).UTC()
	err := tx.Raw(`SELECT coalesce(m.name, gu.name) AS name, ms.ended_at, ms.ended_reason FROM memberships ms
		LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
		WHERE ms.group_id = ? AND ms.status = 'ended' AND ms.ended_at >= ? ORDER BY ms.id DESC LIMIT ?`, p.Group.ID, since, goneLimit).Scan(&p.Gone).Error
	if err != nil {
		return fmt.Errorf("list who left: %w", err)
	}
	return nil
}

// heads names who is asked to confirm a group: the nearest heads above it, at most three.
func heads(tx *gorm.DB, g group.Group) (names []string, err error) {
	owner := int64(0)
	if g.OwnerID != nil {
		owner = *g.OwnerID
	}
	err = tx.Raw(`SELECT m.name FROM departments d JOIN department_heads h ON h.department_id = d.id JOIN members m ON m.id = h.member_id AND m.status = 'active'
		WHERE d.id IN ? AND m.id <> ? ORDER BY d.depth DESC, m.id LIMIT 3`, code.PathIDs(g.DepartmentPath), owner).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("name the heads: %w", err)
	}
	return names, nil
}

var errOver = fault.Conflict{Message: fault.Msg("recert.conflict.round")}
