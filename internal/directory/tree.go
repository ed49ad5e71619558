package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const (
	// childrenShown is how many departments the tree shows below one; the others are searched for.
	childrenShown = 200
	// treeShown is how many all that are open share, as long as each has fewShown; the one on show has atShown.
	treeShown = 240
	fewShown  = 10
	atShown   = 60
	// openLimit is how many departments a reader may keep open.
	openLimit = 12
)

// shares are how many departments the tree shows below each of those opened.
func shares(opened map[int64]bool, at int64) map[int64]int {
	each := min(childrenShown, max(fewShown, treeShown/max(1, len(opened))))
	all := make(map[int64]int, len(opened))
	for id := range opened {
		all[id] = each
	}
	if opened[at] {
		all[at] = max(each, atShown)
	}
	return all
}

// Node is a department in its tree. Seen says that the reader may open it.
type Node struct {
	Department
	Parent   *Node
	Children []*Node
	Seen     bool
	Below    bool // has departments below it, read or not
	Open     bool // those below it were read
	Cut      bool // not all of them
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

// Tree is the part of the departments that one reader has open.
type Tree struct {
	Root *Node
	byID map[int64]*Node
	all  []*Node // parents before children
}

// Node returns the department with this id, nil when it was not read.
func (t *Tree) Node(id int64) *Node { return t.byID[id] }

// Nodes returns the departments the reader may open, parents before children.
func (t *Tree) Nodes() []*Node {
	return slices.DeleteFunc(slices.Clone(t.all), func(n *Node) bool { return !n.Seen })
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

// Tree reads the departments that by has to do with, those on the way to at (0 =
// nowhere) and, level by level, those below each of open.
func (s *Service) Tree(ctx context.Context, by access.Actor, at int64, open []int64) (*Tree, error) {
	db := s.db.WithContext(ctx)
	named, opened := map[int64]bool{}, map[int64]bool{}
	for _, path := range slices.Concat(by.Paths(access.ContactsSee), by.Own) {
		for _, id := range idsOf(path) {
			named[id] = true
		}
	}
	if at != 0 {
		d, err := departmentByID(db, at)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
		for _, id := range idsOf(d.Path) {
			named[id], opened[id] = true, true
		}
	}
	for _, id := range open[:min(len(open), openLimit)] {
		opened[id] = true
	}
	return readTree(db, by, at, named, opened)
}

func readTree(db *gorm.DB, by access.Actor, at int64, named, opened map[int64]bool) (*Tree, error) {
	var root []int64
	if err := db.Raw("SELECT id FROM departments WHERE parent_id IS NULL ORDER BY id LIMIT 1").Scan(&root).Error; err != nil {
		return nil, fmt.Errorf("find the root: %w", err)
	}
	for _, id := range root {
		named[id] = true
		if by.Super {
			opened[id] = true
		}
	}
	const columns = "d.id, d.parent_id, d.name, d.path, d.depth, d.members, d.created_at, EXISTS (SELECT 1 FROM departments c WHERE c.parent_id = d.id) AS below FROM departments d WHERE "
	parts := []string{"SELECT " + columns + "d.id IN ?"}
	args := []any{slices.Collect(maps.Keys(named))}
	shown := shares(opened, at)
	for id, share := range shown {
		parts = append(parts, "SELECT * FROM (SELECT "+columns+"d.parent_id = ? ORDER BY d.id LIMIT ?) p"+strconv.Itoa(len(parts)))
		args = append(args, id, share+1)
	}
	var rows []struct {
		Department
		Below bool
	}
	if err := db.Raw(strings.Join(parts, " UNION ")+" ORDER BY depth, id", args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("load departments: %w", err)
	}
	t := &Tree{byID: make(map[int64]*Node, len(rows))}
	for _, r := range rows {
		// Below a department that is not on show there is nothing to hang this one under.
		if r.ParentID != nil && t.byID[*r.ParentID] == nil {
			continue
		}
		if up := t.byID[parentOf(r.ParentID)]; up != nil && opened[up.ID] && len(up.Children) >= shown[up.ID] && !named[r.ID] {
			up.Cut = true
			continue
		}
		n := t.add(r.Department)
		n.Below, n.Open, n.Seen = r.Below && by.Holds(access.ContactsSee, n.Path), opened[n.ID], sees(by, n.Path)
	}
	return t, nil
}

func parentOf(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}
