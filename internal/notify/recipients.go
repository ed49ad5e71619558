package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"doorplate/internal/directory"
)

// expected is somebody who may decide about a group, and how near they stand:
// the depth of the department they lead, or beside for who has the duty itself.
type expected struct {
	ID    int64
	Depth int
}

const beside = 1 << 20

// expectedSQL: heads who are there, deputies of departments whose heads are all
// away, roles that decide requests, and the review duty.
const expectedSQL = `
	SELECT m.id, d.depth FROM departments d JOIN department_heads h ON h.department_id = d.id JOIN members m ON m.id = h.member_id AND m.status = 'active'
	WHERE d.path IN ? AND NOT EXISTS (SELECT 1 FROM absences ab WHERE ab.member_id = m.id AND ab.starts_at <= ? AND ab.ends_at > ?)
	UNION
	SELECT m.id, d.depth FROM departments d JOIN department_deputies dp ON dp.department_id = d.id JOIN members m ON m.id = dp.member_id AND m.status = 'active'
	WHERE d.path IN ? AND ` + directory.AwaySQL + `
	UNION
	SELECT m.id, d.depth FROM departments d JOIN role_grants rg ON rg.department_id = d.id JOIN role_rights rr ON rr.role_id = rg.role_id AND rr.right_name = 'requests.decide'
	JOIN members m ON m.id = rg.member_id AND m.status = 'active' WHERE d.path IN ?
	UNION
	SELECT m.id, 1048576 FROM group_duties gd JOIN members m ON m.id = gd.member_id AND m.status = 'active' WHERE gd.group_id = ? AND gd.duty = 'review'
	ORDER BY 2 DESC, 1`

// recipients are the members who hear of a fact; the one who did it does not.
func (b *batch) recipients(f *fact, k kind) ([]int64, error) {
	if named := named(f.data["to"]); len(named) > 0 {
		return b.without(named, f), nil
	}
	switch k.to {
	case applicant:
		if f.MemberID == nil {
			return nil, nil
		}
		return []int64{*f.MemberID}, nil
	case superOnly:
		all, err := b.allSupers()
		return b.without(all, f), err
	}
	all, err := b.deciders(f)
	if err != nil {
		return nil, err
	}
	near := b.nearest(all, f, k.to == higher)
	if k.to == inCharge && f.GroupOwner != nil {
		near = append(near, *f.GroupOwner)
	}
	if len(near) == 0 {
		if near, err = b.allSupers(); err != nil {
			return nil, err
		}
	}
	slices.Sort(near)
	return b.without(slices.Compact(near), f), nil
}

// named reads members whom a fact itself names.
func named(list any) (ids []int64) {
	raw, err := json.Marshal(list)
	if err != nil || json.Unmarshal(raw, &ids) != nil {
		return nil
	}
	return ids
}

// without leaves out who did it and, where others decide, whom it is about.
func (b *batch) without(ids []int64, f *fact) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return f.ActorID != nil && *f.ActorID == id || f.MemberID != nil && *f.MemberID == id
	})
}

// nearest keeps the lowest level that has somebody but the applicant, or the one
// above it, and everybody with the duty itself.
func (b *batch) nearest(all []expected, f *fact, above bool) (ids []int64) {
	level := -1
	for _, e := range all {
		if f.MemberID != nil && e.ID == *f.MemberID {
			continue
		}
		if e.Depth != beside && level < 0 {
			level = e.Depth
		}
		if e.Depth != beside && above && e.Depth < level {
			above, level, ids = false, e.Depth, nil
		}
		if e.Depth == level && !above || e.Depth == beside && !above {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func (b *batch) deciders(f *fact) ([]expected, error) {
	if f.GroupID == nil {
		return nil, nil
	}
	key := fmt.Sprint(*f.GroupID)
	if known, ok := b.expected[key]; ok {
		return known, nil
	}
	up := upward(f.GroupPath)
	var all []expected
	err := b.tx.Raw(expectedSQL, up, b.now, b.now, up, b.now, b.now, up, *f.GroupID).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("find who decides: %w", err)
	}
	b.expected[key] = all
	return all, nil
}

func (b *batch) allSupers() ([]int64, error) {
	if b.supers == nil {
		err := b.tx.Raw("SELECT id FROM members WHERE super_admin AND status = 'active' ORDER BY id").Scan(&b.supers).Error
		if err != nil {
			return nil, fmt.Errorf("find the super admins: %w", err)
		}
	}
	return b.supers, nil
}

// upward lists the paths of a department and of all above it: /1/4/ → /1/4/, /1/.
func upward(path string) []string {
	all := []string{}
	for len(path) > 1 {
		all = append(all, path)
		path = path[:strings.LastIndex(strings.TrimSuffix(path, "/"), "/")+1]
	}
	return all
}
