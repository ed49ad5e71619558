package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Node is a department in its tree. Seen says that the reader may open it;
// Members counts the active members in it and below.
type Node struct {
	Department
	Parent   *Node
	Children []*Node
	Seen     bool
	Members  int
}

// Title is the name with the departments above it, without the organisation:
// 研发中心 / 平台组.
func (n *Node) Title() string {
	if n.Parent == nil {
		return n.Name
	}
	names := []string{n.Name}
	for up := n.Parent; up.Parent != nil; up = up.Parent {
		names = append(names, up.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " / ")
}

// Tree is every department, for one reader.
type Tree struct {
	Root *Node
	byID map[int64]*Node
	all  []*Node // parents before children
}

// Node returns the department with this id, nil when there is none.
func (t *Tree) Node(id int64) *Node { return t.byID[id] }

// Nodes returns the departments the reader may open, parents before children.
func (t *Tree) Nodes() []*Node {
	return slices.DeleteFunc(slices.Clone(t.all), func(n *Node) bool { return !n.Seen })
}

// Walk visits the tree depth first.
func (t *Tree) Walk(visit func(*Node)) {
	var walk func(*Node)
	walk = func(n *Node) {
		visit(n)
		for _, c := range n.Children {
			walk(c)
		}
	}
	if t.Root != nil {
		walk(t.Root)
	}
}

func loadTree(tx *gorm.DB) (*Tree, error) {
	var rows []Department
	if err := tx.Order("depth, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("load departments: %w", err)
	}
	t := &Tree{byID: make(map[int64]*Node, len(rows))}
	for _, d := range rows {
		t.add(d)
	}
	return t, nil
}

func (t *Tree) add(d Department) *Node {
	n := &Node{Department: d}
	if d.ParentID != nil {
		n.Parent = t.byID[*d.ParentID]
	}
	if n.Parent != nil {
		n.Parent.Children = append(n.Parent.Children, n)
	} else if t.Root == nil {
		t.Root = n
	}
	t.byID[d.ID] = n
	t.all = append(t.all, n)
	return n
}

// child finds a department below n by name, however it is capitalised.
func (n *Node) child(name string) *Node {
	for _, c := range n.Children {
		if strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}

func sees(by access.Actor, path string) bool { return by.Sees(path) }

// Tree reads the departments, marks those by may open and counts their members.
func (s *Service) Tree(ctx context.Context, by access.Actor) (*Tree, error) {
	db := s.db.WithContext(ctx)
	t, err := loadTree(db)
	if err != nil {
		return nil, err
	}
	var counts []struct {
		DepartmentID int64
		Members      int
	}
	err = db.Raw(`SELECT md.department_id, count(*) AS members FROM member_departments md
		JOIN members m ON m.id = md.member_id AND m.status = 'active' GROUP BY md.department_id`).Scan(&counts).Error
	if err != nil {
		return nil, fmt.Errorf("count members: %w", err)
	}
	for _, c := range counts {
		for n := t.byID[c.DepartmentID]; n != nil; n = n.Parent {
			n.Members += c.Members
		}
	}
	for _, n := range t.all {
		n.Seen = sees(by, n.Path)
	}
	return t, nil
}

// department finds a node of a locked tree for a change of it: foreign ones are
// fault.NotFound, own ones without the right fault.Forbidden.
func (t *Tree) department(by access.Actor, r access.Right, id int64) (*Node, error) {
	n := t.byID[id]
	if n == nil {
		return nil, fault.NotFound
	}
	return n, access.Check(by, r, access.Object{Path: n.Path})
}
