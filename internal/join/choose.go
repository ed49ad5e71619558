package join

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/rules"
)

// choose makes v.group the one of a live code's groups that the visit is for:
// the one the person is in or asked for; else the one chosen before, as long as
// it takes them; else what the code's rule says. Without a free seat anywhere
// it stays the one of before, or the code's own. req: B18, D31
func (s *Service) choose(tx *gorm.DB, v *visit) error {
	v.doors, v.door = nil, nil
	if !code.LeadsOn(v.code.Code, v.group) {
		return nil
	}
	var err error
	if v.doors, err = code.Doors(tx, v.code.Code, v.group); err != nil {
		return err
	}
	v.fuseDoors()
	rooms := v.rooms()
	if known, err := s.settled(tx, *v, rooms); err != nil || known != nil {
		return v.take(known, err)
	}
	if at := v.session.GroupID; at != nil {
		for i, d := range v.doors {
			if v.takes(d) && slices.ContainsFunc(d.Rooms, func(g group.Group) bool { return g.ID == *at }) {
				v.door, v.group = &v.doors[i], *d.Still(*at)
				return nil
			}
		}
	}
	return s.pick(tx, v, rooms)
}

func (v *visit) take(g *group.Group, err error) error {
	if g != nil {
		v.group = v.room(*g)
	}
	return err
}

// pick goes by the rule.
func (s *Service) pick(tx *gorm.DB, v *visit, rooms []group.Group) error {
	departments, err := v.departments(tx)
	if err != nil {
		return err
	}
	if v.door = code.Pick(v.code.Route, v.doors, v.takes, v.seed(), departments); v.door != nil {
		v.group = *v.door.Room
		return nil
	}
	v.group = v.fullRoom(rooms)
	return nil
}

// fullRoom is the group to read "full" of: the one of before, else the first
// that would admit the visitor at all.
func (v visit) fullRoom(rooms []group.Group) group.Group {
	for _, before := range []bool{true, false} {
		for _, g := range rooms {
			at := v.session.GroupID
			if g.Status == group.Active && (!v.guest() || g.Admits()) && (!before || at != nil && *at == g.ID) {
				return g
			}
		}
	}
	return v.group
}

func (v visit) guest() bool { return v.person != nil && v.person.MemberID == nil }

// takes reports whether the visitor could get in through a door. The audience
// is the code's; who is outside the directory needs a group that admits guests.
func (v visit) takes(d code.Door) bool {
	if !d.Open() || !v.inOrder(d.Room.ID) {
		return false
	}
	g := *d.Room
	return (g.JoinMode != group.Restricted || v.code.Narrow()) && (!v.guest() || g.Admits())
}

// inOrder reports whether a seat in the group may still be taken: it is held, or
// comes after all that are, as the next of a series does. One that was hung
// behind the code this very moment waits for the next press.
func (v visit) inOrder(groupID int64) bool {
	return len(v.held) == 0 || groupID > v.held[len(v.held)-1] || slices.Contains(v.held, groupID)
}

// departments are the paths of those the visitor belongs to, where the rule asks for them.
func (v visit) departments(tx *gorm.DB) ([]string, error) {
	if v.code.Route != code.RouteDepartment || v.person == nil || v.person.MemberID == nil {
		return nil, nil
	}
	var paths []string
	err := tx.Raw("SELECT d.path FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ? ORDER BY d.path", *v.person.MemberID).
		Scan(&paths).Error
	if err != nil {
		return nil, fmt.Errorf("read the visitor's departments: %w", err)
	}
	return paths, nil
}

// seed is the visit's own number, the same each time it is asked for.
func (v visit) seed() uint64 {
	sum := sha256.Sum256([]byte("route " + v.session.SecretHash))
	return binary.BigEndian.Uint64(sum[:])
}

// rooms are the groups behind all doors.
func (v visit) rooms() (all []group.Group) {
	for _, d := range v.doors {
		all = append(all, d.Rooms...)
	}
	return all
}

// admitsGuests reports whether anybody outside the directory may come in by this code.
func (v visit) admitsGuests() bool {
	return v.group.Admits() || slices.ContainsFunc(v.rooms(), func(g group.Group) bool { return g.Status == group.Active && g.Admits() })
}

// full reports whether no seat is left for the visit.
func (v visit) full() bool {
	if v.doors != nil && v.door != nil {
		return false // it takes people, be it in a group that is still to be made
	}
	return v.group.MemberCount >= v.group.Capacity
}

// settled is the group that the person is in, waits for or was lately refused
// by: nobody tries their luck at the next door.
func (s *Service) settled(tx *gorm.DB, v visit, rooms []group.Group) (*group.Group, error) {
	if v.person == nil {
		return nil, nil
	}
	column, id := "member_id", v.person.MemberID
	if id == nil {
		column, id = "guest_id", v.person.GuestID
	}
	ids := make([]int64, 0, len(rooms))
	for _, g := range rooms {
		if g.Status == group.Active {
			ids = append(ids, g.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	var found []struct{ GroupID int64 }
	err = tx.Raw(`SELECT group_id FROM (
		SELECT group_id, 0 AS rank, id FROM memberships WHERE `+column+` = ? AND group_id IN ? AND status = 'active'
		UNION ALL
		SELECT group_id, CASE status WHEN 'pending' THEN 1 ELSE 2 END, id FROM join_requests
			WHERE `+column+` = ? AND group_id IN ? AND (status = 'pending' OR status = 'rejected' AND decided_at > ?)) x
		ORDER BY rank, id DESC LIMIT 1`, *id, ids, *id, ids, s.now().UTC().Add(-askAgain(p))).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("look where the person is: %w", err)
	}
	for i, g := range rooms {
		if len(found) > 0 && g.ID == found[0].GroupID {
			return &rooms[i], nil
		}
	}
	return nil, nil
}

// keepChoice remembers the group in the session. Before identification the rule
// by department has not chosen yet.
func keepChoice(tx *gorm.DB, v visit) error {
	if v.doors == nil || v.person == nil && v.code.Route == code.RouteDepartment || v.session.GroupID != nil && *v.session.GroupID == v.group.ID {
		return nil
	}
	if err := tx.Model(&Session{}).Where("id = ?", v.session.ID).Update("group_id", v.group.ID).Error; err != nil {
		return fmt.Errorf("remember the group of the visit: %w", err)
	}
	return nil
}

// exclusively is how a group is locked by whoever takes a seat. It leaves the
// key alone: rows that only name the group (a session, a code, an image shown)
// are written before and beside it, and must not wait for it in another order.
const exclusively = "NO KEY UPDATE"

// holdRooms locks every group the visit may end in: first their series, then
// the groups in one order. A seat may be taken where one of them is open.
func holdRooms(tx *gorm.DB, v *visit) (exclusive bool, err error) {
	rooms := v.rooms()
	if v.doors == nil {
		rooms = []group.Group{v.group}
	}
	strength := "SHARE"
	ids := make([]int64, len(rooms))
	for i, g := range rooms {
		ids[i] = g.ID
		if g.JoinMode == group.Open {
			strength = exclusively // a seat may be taken: no upgrade of a shared lock
		}
	}
	ruled, err := rules.MayApprove(tx, ids)
	if err != nil {
		return false, err
	}
	if ruled {
		strength = exclusively
	}
	if (v.doors != nil || ruled) && strength == exclusively {
		if err := group.HoldSeries(tx, ids); err != nil {
			return false, err
		}
	}
	if err := tx.Table("groups").Clauses(clause.Locking{Strength: strength}).Where("id IN ?", ids).Order("id").Pluck("id", &v.held).Error; err != nil {
		return false, fmt.Errorf("hold the groups: %w", err)
	}
	v.seats = strength == exclusively
	return v.seats, nil
}

// chooseAgain is choose under the locks of holdRooms: the group that was chosen
// when the page was shown may have filled up since. Where a series has no seat
// left, its next group is made now. Without exclusive locks nobody gets in at
// once: a group that was opened this very moment is asked once more.
func (s *Service) chooseAgain(tx *gorm.DB, v *visit, exclusive bool) error {
	if v.doors == nil {
		return nil
	}
	own, err := group.LoadByID(tx, v.code.GroupID)
	if err != nil {
		return err
	}
	v.group = v.room(own)
	if err := s.choose(tx, v); err != nil {
		return err
	}
	if !exclusive && v.group.JoinMode == group.Open {
		v.group.JoinMode = group.Approval
	}
	if v.door != nil && v.group.JoinMode == group.Open && v.group.MemberCount >= v.group.Capacity {
		next, err := group.NextRoom(tx, s.trail, v.group.ID, s.now())
		if err := v.take(next, err); err != nil {
			return err
		}
	}
	return keepChoice(tx, *v)
}

// endOtherWaits takes a person who got through one door off the waiting lists of the others.
func (s *Service) endOtherWaits(tx *gorm.DB, v visit, out View) error {
	if out.reached == "" {
		return nil
	}
	for _, g := range v.rooms() {
		if err := group.EndWait(tx, g.ID, v.person.group(), "in", s.now()); err != nil {
			return err
		}
	}
	return nil
}
