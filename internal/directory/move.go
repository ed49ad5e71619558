package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Move is what changes hands when a department is moved.
type Move struct {
	ID                                  int64
	Name, Path                          string
	From, To                            DepartmentRef
	Departments, Members, Groups, Codes int
	Lose, Gain                          []HeadName // who leads it no longer, who does from then on
	Suspended, Revived                  []CodeRef
	Requests                            int    // pending ones whose deciders change
	Stranded                            int    // of those, how many only a super admin can decide then
	Seen                                string // names this preview: MoveAsSeen refuses another state of things
}

// CodeRef is a code whose issuer has lost the right to it.
type CodeRef struct{ ID, Label, Group, Issuer string }

// OnMove says how to list the codes of the groups at and below a path that
// stand still because their issuer may not issue them. Called once, while the
// program is wired.
func (s *Service) OnMove(orphans func(tx *gorm.DB, path string) ([]CodeRef, error)) {
	s.orphans = orphans
}

// MoveDepartment hangs a department with all below it under another parent,
// 0 meaning the organisation itself.
func (s *Service) MoveDepartment(ctx context.Context, by access.Actor, id, parentID int64) error {
	return s.onTree(ctx, func(tx *gorm.DB) error { return s.move(tx, by, id, parentID) })
}

// MoveAsSeen is MoveDepartment for somebody who was shown a preview: when it
// would not say the same today, nothing is moved and it answers fault.Conflict.
func (s *Service) MoveAsSeen(ctx context.Context, by access.Actor, id, parentID int64, seen string) error {
	return s.onTree(ctx, func(tx *gorm.DB) error {
		m, err := s.rehearse(tx, by, id, parentID)
		if err != nil {
			return err
		}
		if m.Seen != seen {
			return fault.Conflict{Message: fault.Msg("people.move.stale")}
		}
		return s.move(tx, by, id, parentID)
	})
}

// PreviewMove answers what MoveDepartment would change, by doing it and taking
// it back.
func (s *Service) PreviewMove(ctx context.Context, by access.Actor, id, parentID int64) (m Move, err error) {
	err = s.onTree(ctx, func(tx *gorm.DB) error {
		m, err = s.rehearse(tx, by, id, parentID)
		return err
	})
	return m, err
}

func (s *Service) move(tx *gorm.DB, by access.Actor, id, parentID int64) error {
	d, parent, err := movable(tx, by, id, parentID)
	if err != nil || *d.ParentID == parent.ID {
		return err
	}
	was, err := departmentByID(tx, *d.ParentID)
	if err != nil {
		return err
	}
	if err := moveSubtree(tx, d, parent); err != nil {
		return err
	}
	d.Path = pathBelow(parent, d.ID)
	return s.trail.Record(tx, by, departmentEvent("department.move", d, map[string]any{"from": was.Name, "to": parent.Name}))
}

// movable reads both ends of a move and refuses an impossible one.
func movable(tx *gorm.DB, by access.Actor, id, parentID int64) (d, parent Department, err error) {
	if d, err = editable(tx, by, id); err != nil {
		return d, parent, err
	}
	wrong := func(key string, args ...any) error { return fault.Invalid{"parent_id": fault.Msg(key, args...)} }
	if d.ParentID == nil {
		return d, parent, wrong("contacts.department.root.move")
	}
	if parentID, err = orRoot(tx, parentID); err != nil {
		return d, parent, err
	}
	if parent, err = departmentByID(tx, parentID); errors.Is(err, fault.NotFound) {
		return d, parent, wrong("contacts.department.parent.unknown")
	} else if err != nil {
		return d, parent, err
	}
	if err := mayHang(by, d, parent); err != nil {
		return d, parent, err
	}
	if strings.HasPrefix(parent.Path, d.Path) {
		return d, parent, wrong("contacts.department.ring")
	}
	twin, err := twinBelow(tx, parent.ID, d.Name, d.ID)
	if err != nil {
		return d, parent, err
	}
	if twin != "" {
		return d, parent, wrong("contacts.department.name.taken", "Name", d.Name)
	}
	var deepest int
	if err := tx.Raw("SELECT max(depth) FROM departments WHERE path LIKE ?", d.Path+"%").Scan(&deepest).Error; err != nil {
		return d, parent, fmt.Errorf("measure department: %w", err)
	}
	if deepest-d.Depth+parent.Depth+1 > maxDepth {
		return d, parent, wrong("contacts.department.deep", "Limit", maxDepth+1)
	}
	return d, parent, nil
}

func pathBelow(parent Department, id int64) string {
	return parent.Path + strconv.FormatInt(id, 10) + "/"
}

// moveSubtree rewrites parent, paths and depths with one statement, and takes
// the members from the departments above to those there.
func moveSubtree(tx *gorm.DB, d, parent Department) error {
	// The root first, as whoever changes the numbers does.
	var members int
	if err := tx.Exec("UPDATE departments SET members = members WHERE parent_id IS NULL").Error; err != nil {
		return fmt.Errorf("hold the numbers: %w", err)
	}
	if err := tx.Raw("SELECT members FROM departments WHERE id = ?", d.ID).Scan(&members).Error; err != nil {
		return fmt.Errorf("count members: %w", err)
	}
	above := idsOf(d.Path)
	for _, c := range []struct {
		ids   []int64
		delta int
	}{{above[:len(above)-1], -members}, {idsOf(parent.Path), members}} {
		if err := tx.Exec("UPDATE departments SET members = members + ? WHERE id IN ?", c.delta, c.ids).Error; err != nil {
			return fmt.Errorf("move the numbers: %w", err)
		}
	}
	err := tx.Exec(`UPDATE departments SET path = CAST(? AS text) || substr(path, ?), depth = depth + ?,
			parent_id = CASE WHEN id = ? THEN ? ELSE parent_id END
		WHERE path LIKE ?`,
		pathBelow(parent, d.ID), len(d.Path)+1, parent.Depth+1-d.Depth, d.ID, parent.ID, d.Path+"%").Error
	if err != nil {
		return fmt.Errorf("move department: %w", err)
	}
	return nil
}

// rehearse moves inside a savepoint, looks around and takes it back.
func (s *Service) rehearse(tx *gorm.DB, by access.Actor, id, parentID int64) (Move, error) {
	d, parent, err := movable(tx, by, id, parentID)
	if err != nil {
		return Move{}, err
	}
	if *d.ParentID == parent.ID {
		return Move{}, fault.Invalid{"parent_id": fault.Msg("people.move.same")}
	}
	m := Move{ID: d.ID, Name: d.Name, Path: d.Path}
	if err := m.count(tx, d, parent); err != nil {
		return m, err
	}
	before, err := s.listOrphans(tx, d.Path)
	if err != nil {
		return m, err
	}
	err = tx.Transaction(func(sp *gorm.DB) error {
		if err := moveSubtree(sp, d, parent); err != nil {
			return err
		}
		after, err := s.listOrphans(sp, pathBelow(parent, d.ID))
		if err != nil {
			return err
		}
		m.Suspended, m.Revived = without(after, before), without(before, after)
		if m.Requests == 0 {
			return errPreview
		}
		if m.Stranded, err = stranded(sp, pathBelow(parent, d.ID)); err != nil {
			return err
		}
		return errPreview
	})
	if !errors.Is(err, errPreview) {
		return m, err
	}
	// What only grows and shrinks with the day's work stays out of the name.
	text, err := json.Marshal([]any{m.ID, m.Path, m.From, m.To, m.Departments, m.Lose, m.Gain, m.Suspended, m.Revived})
	if err != nil {
		return m, fmt.Errorf("name the preview: %w", err)
	}
	sum := sha256.Sum256(text)
	m.Seen = hex.EncodeToString(sum[:12])
	return m, nil
}

func (s *Service) listOrphans(tx *gorm.DB, path string) ([]CodeRef, error) {
	if s.orphans == nil {
		return nil, nil
	}
	return s.orphans(tx, path)
}

func without(all, some []CodeRef) []CodeRef {
	return slices.DeleteFunc(slices.Clone(all), func(c CodeRef) bool { return slices.Contains(some, c) })
}

// count fills in how much moves and between whose hands.
func (m *Move) count(tx *gorm.DB, d, parent Department) error {
	titles, err := Lineages(tx, []string{parent.Path, parentPath(d)})
	if err != nil {
		return err
	}
	m.From = DepartmentRef{ID: *d.ParentID, Path: parentPath(d), Title: titles[parentPath(d)]}
	m.To = DepartmentRef{ID: parent.ID, Path: parent.Path, Title: titles[parent.Path]}
	m.Members = d.Members
	below := d.Path + "%"
	for _, c := range []struct {
		into *int
		text string
	}{
		{&m.Departments, "SELECT count(*) FROM departments d WHERE d.path LIKE ?"},
		{&m.Groups, "SELECT count(*) FROM groups g JOIN departments d ON d.id = g.department_id WHERE d.path LIKE ? AND g.status = 'active'"},
		{&m.Codes, `SELECT count(*) FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
			WHERE d.path LIKE ? AND g.status = 'active' AND c.revoked_at IS NULL`},
		{&m.Requests, `SELECT count(*) FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
			WHERE d.path LIKE ? AND r.status = 'pending'`},
	} {
		if err := tx.Raw(c.text, below).Scan(c.into).Error; err != nil {
			return fmt.Errorf("look at what moves: %w", err)
		}
	}
	from, err := leadersOf(tx, idsOf(parentPath(d)))
	if err != nil {
		return err
	}
	to, err := leadersOf(tx, idsOf(parent.Path))
	if err != nil {
		return err
	}
	m.Lose, m.Gain = minus(from, to), minus(to, from)
	if len(m.Lose)+len(m.Gain) == 0 {
		m.Requests = 0
	}
	return nil
}

func parentPath(d Department) string {
	return strings.TrimSuffix(d.Path, strconv.FormatInt(d.ID, 10)+"/")
}

// leadersOf are the active heads of these departments.
func leadersOf(tx *gorm.DB, ids []int64) (heads []HeadName, err error) {
	err = tx.Raw(`SELECT DISTINCT m.id, m.name FROM department_heads h JOIN members m ON m.id = h.member_id
		WHERE h.department_id IN ? AND m.status = 'active' ORDER BY m.id`, ids).Scan(&heads).Error
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	return heads, nil
}

func minus(all, some []HeadName) []HeadName {
	return slices.DeleteFunc(slices.Clone(all), func(h HeadName) bool {
		return slices.ContainsFunc(some, func(o HeadName) bool { return o.ID == h.ID })
	})
}

// stranded counts the pending requests at and below path that nobody but a
// super admin may decide.
func stranded(tx *gorm.DB, path string) (n int, err error) {
	err = tx.Raw(`SELECT count(*) FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
		WHERE d.path LIKE ? AND r.status = 'pending' AND NOT `+decidedSQL, path+"%").Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count requests that nobody decides: %w", err)
	}
	return n, nil
}

// decidedSQL holds for a group g of department d with somebody below the super
// admins who decides its requests.
const decidedSQL = `(EXISTS (SELECT 1 FROM group_duties x JOIN members xm ON xm.id = x.member_id WHERE x.group_id = g.id AND x.duty = 'review' AND xm.status = 'active')
	OR EXISTS (SELECT 1 FROM department_heads h JOIN departments hd ON hd.id = h.department_id JOIN members hm ON hm.id = h.member_id
		WHERE hm.status = 'active' AND d.path LIKE hd.path || '%'))`
