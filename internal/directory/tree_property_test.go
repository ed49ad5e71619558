package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// model is the tree as it should be.
type model struct {
	parent  map[int64]int64
	name    map[int64]string
	members map[int64]int // right in it
}

func (m model) above(id int64) (chain []int64) {
	for id != 0 {
		chain = append([]int64{id}, chain...)
		id = m.parent[id]
	}
	return chain
}

func (m model) path(id int64) string {
	path := "/"
	for _, up := range m.above(id) {
		path += itoa(up) + "/"
	}
	return path
}

func (m model) under(id, top int64) bool { return slices.Contains(m.above(id), top) }

func (m model) height(id int64) (deepest int) {
	for other := range m.parent {
		if m.under(other, id) {
			deepest = max(deepest, len(m.above(other))-len(m.above(id)))
		}
	}
	return deepest
}

func (m model) twin(parent int64, name string, self int64) bool {
	for id, up := range m.parent {
		if up == parent && id != self && m.name[id] == name {
			return true
		}
	}
	return false
}

// reference reads the world as the model's start.
func (o office) reference() model {
	m := model{parent: map[int64]int64{}, name: map[int64]string{}, members: map[int64]int{}}
	for _, d := range o.departments() {
		m.parent[d.ID], m.name[d.ID] = 0, d.Name
		if d.ParentID != nil {
			m.parent[d.ID] = *d.ParentID
		}
		m.members[d.ID] = o.count("SELECT count(*) FROM member_departments md JOIN members m ON m.id = md.member_id WHERE md.department_id = ? AND m.status = 'active'", d.ID)
	}
	return m
}

func (o office) departments() (all []directory.Department) {
	o.t.Helper()
	if err := o.db.Order("id").Find(&all).Error; err != nil {
		o.t.Fatal(err)
	}
	return all
}

// agrees compares every row, and every scope that the database answers, with the model.
func (o office) agrees(t interface{ Fatalf(string, ...any) }, m model) {
	rows := o.departments()
	if len(rows) != len(m.parent) {
		t.Fatalf("%d departments, want %d", len(rows), len(m.parent))
	}
	for _, d := range rows {
		total := 0
		for id, n := range m.members {
			if m.under(id, d.ID) {
				total += n
			}
		}
		if d.Path != m.path(d.ID) || d.Depth != len(m.above(d.ID))-1 || d.Name != m.name[d.ID] || d.Members != total {
			t.Fatalf("department %+v, want path %s, depth %d, name %s, %d members", d, m.path(d.ID), len(m.above(d.ID))-1, m.name[d.ID], total)
		}
	}
	for _, d := range rows {
		head := access.Actor{Kind: access.Member, MemberID: 1, Led: []string{d.Path}, Own: []string{m.path(m.above(d.ID)[0])}}
		for what, scope := range map[string]func(access.Actor, string) (string, []any){"sight": access.Sight, "scope": func(a access.Actor, column string) (string, []any) {
			return access.Scope(a, access.MembersEdit, column)
		}} {
			where, args := scope(head, "path")
			var got, want []int64
			if err := o.db.Raw("SELECT id FROM departments WHERE "+where+" ORDER BY id", args...).Scan(&got).Error; err != nil {
				t.Fatalf("%v", err)
			}
			for _, other := range rows {
				if m.under(other.ID, d.ID) || what == "sight" && other.ID == m.above(d.ID)[0] {
					want = append(want, other.ID)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s of the head of %d: %v, want %v", what, d.ID, got, want)
			}
		}
	}
}

const deepest = 14

// refused reports whether the model says that a move must be refused.
func (m model) refused(id, parent int64) bool {
	return m.parent[id] == 0 || m.under(parent, id) || m.twin(parent, m.name[id], id) || len(m.above(parent))+m.height(id) > deepest
}

func (o office) step(t *rapid.T, m *model) {
	ids := make([]int64, 0, len(m.parent))
	for id := range m.parent {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	one, two := rapid.SampledFrom(ids).Draw(t, "one"), rapid.SampledFrom(ids).Draw(t, "two")
	name := rapid.SampledFrom([]string{"a", "B", "中", "é"}).Draw(t, "name")
	var wrong fault.Invalid
	var conflict fault.Conflict
	expect := func(err error, refused bool) bool {
		if refused != (errors.As(err, &wrong) || errors.As(err, &conflict)) || !refused && err != nil {
			t.Fatalf("refused should be %v: %v", refused, err)
		}
		return err == nil
	}
	switch rapid.SampledFrom([]string{"create", "create", "move", "move", "rename", "delete", "member"}).Draw(t, "act") {
	case "create":
		id, err := o.CreateDepartment(ctx, o.w.Super, name, one)
		if expect(err, m.twin(one, name, 0) || len(m.above(one)) > deepest) {
			m.parent[id], m.name[id] = one, name
		}
	case "move":
		if expect(o.MoveDepartment(ctx, o.w.Super, one, two), m.refused(one, two)) {
			m.parent[one] = two
		}
	case "rename":
		if expect(o.RenameDepartment(ctx, o.w.Super, one, name), m.parent[one] == 0 || m.twin(m.parent[one], name, one)) {
			m.name[one] = name
		}
	case "delete":
		err := errors.Join(func() error { _, err := o.DeleteDepartment(ctx, o.w.Super, one); return err }())
		heads := o.count("SELECT count(*) FROM department_heads WHERE department_id = ?", one)
		if expect(err, m.parent[one] == 0 || m.height(one) > 0 || m.members[one] > 0 || heads > 0) {
			delete(m.parent, one)
			delete(m.members, one)
		}
	case "member":
		b := directory.Bulk{Action: directory.BulkMove, IDs: []int64{o.w.OtherStaff.MemberID}, Department: one}
		if _, err := o.EditBulk(ctx, o.w.Super, b); err != nil {
			t.Fatalf("move a member: %v", err)
		}
		fresh := o.reference()
		m.members = fresh.members
	}
}

// Random changes of the tree, each checked against the model: no ring, no wrong path, and scopes that are what they should be.
func TestTheTreeHoldsWhateverIsDoneToIt(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		m := o.reference()
		rapid.Check(t, func(rt *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(rt, "steps") {
				o.step(rt, &m)
			}
			o.agrees(rt, m)
		})
	})
}

// The same with many at once: whatever the order, the result is a tree, and the numbers are those of its members.
func TestTheTreeHoldsWithManyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		var ids []int64
		for i := range 8 {
			id, err := o.CreateDepartment(ctx, o.w.Super, fmt.Sprint("部门", i), o.w.Root)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		for round := range 6 {
			together(8, func(i int) error {
				switch i % 4 {
				case 0, 1:
					return o.MoveDepartment(ctx, o.w.Super, ids[(i+round)%8], ids[(i*3+round*5+1)%8])
				case 2:
					return o.RenameDepartment(ctx, o.w.Super, ids[i], fmt.Sprint("改名", round, i))
				}
				_, err := o.CreateMember(ctx, o.w.Super, person(fmt.Sprint("人", round, i), fmt.Sprintf("1390000%02d%02d", round, i), ids[(i+round)%8], ids[(i*5+round)%8]))
				return err
			})
			o.agrees(t, o.derived(t))
		}
	})
}

// derived is the model that the parents in the database mean; a ring fails the test.
func (o office) derived(t *testing.T) model {
	t.Helper()
	m := o.reference()
	for id := range m.parent {
		seen, at := map[int64]bool{}, id
		for ; at != 0; at = m.parent[at] {
			if seen[at] {
				t.Fatalf("department %d is in a ring", id)
			}
			seen[at] = true
		}
	}
	if strings.Contains(fmt.Sprint(m.members), "-") {
		t.Fatalf("members %v", m.members)
	}
	return m
}
