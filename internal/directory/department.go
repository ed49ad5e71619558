package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// maxDepth is the depth of the lowest level: 15 levels with the organisation.
const maxDepth = 14

// onTree runs change in one transaction with the whole tree locked and loaded.
func (s *Service) onTree(ctx context.Context, change func(tx *gorm.DB, t *Tree) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// One line for all changes: two moves at once could make a ring, a move
		// could leave a new child with an old path.
		if _, err := lockOrganisation(tx); err != nil {
			return err
		}
		t, err := loadTree(tx)
		if err != nil {
			return err
		}
		return change(tx, t)
	})
}

// CreateDepartment adds a department below parentID, 0 meaning the
// organisation itself, and returns its id.
func (s *Service) CreateDepartment(ctx context.Context, by access.Actor, name string, parentID int64) (id int64, err error) {
	name = line(name)
	err = s.onTree(ctx, func(tx *gorm.DB, t *Tree) error {
		if parentID == 0 && t.Root != nil {
			parentID = t.Root.ID
		}
		parent, err := t.department(by, access.DepartmentsEdit, parentID)
		if err != nil {
			return err
		}
		if err := checkDepartmentName(parent, name, nil); err != nil {
			return err
		}
		d, err := insertDepartment(tx, parent.Department, name, s.now())
		if err != nil {
			return err
		}
		id = d.ID
		return s.trail.Record(tx, by, departmentEvent("department.create", d, nil))
	})
	return id, err
}

// checkDepartmentName refuses a bad name, one taken below parent by another
// department than self, and a level too deep.
func checkDepartmentName(parent *Node, name string, self *Node) error {
	wrong := fault.Invalid{}
	switch twin := parent.child(name); {
	case name == "":
		wrong["name"] = fault.Msg("contacts.department.name.missing")
	case tooLong(name, nameLimit):
		wrong["name"] = fault.Msg("contacts.department.name.long", "Limit", nameLimit)
	case strings.ContainsAny(name, "/／"):
		wrong["name"] = fault.Msg("contacts.department.name.slash")
	case twin != nil && twin != self:
		wrong["name"] = fault.Msg("contacts.department.name.taken", "Name", twin.Name)
	case parent.Depth >= maxDepth && self == nil:
		wrong["parent_id"] = fault.Msg("contacts.department.deep", "Limit", maxDepth+1)
	}
	return wrong.Or()
}

// insertDepartment writes a department below parent. The caller holds the tree.
func insertDepartment(tx *gorm.DB, parent Department, name string, at time.Time) (Department, error) {
	d := Department{ParentID: &parent.ID, Name: name, Depth: parent.Depth + 1, CreatedAt: at.UTC()}
	if err := tx.Create(&d).Error; err != nil {
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return d, fault.Invalid{"name": fault.Msg("contacts.department.name.taken", "Name", name)}
		}
		return d, fmt.Errorf("create department: %w", err)
	}
	d.Path = parent.Path + strconv.FormatInt(d.ID, 10) + "/"
	if err := tx.Model(&Department{}).Where("id = ?", d.ID).Update("path", d.Path).Error; err != nil {
		return d, fmt.Errorf("place department: %w", err)
	}
	return d, nil
}

func departmentEvent(action string, d Department, details map[string]any) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "department", ID: strconv.FormatInt(d.ID, 10), Name: d.Name},
		DepartmentPath: d.Path, Details: details}
}

// RenameDepartment gives a department another name. The root carries the
// organisation's name and is renamed with it.
func (s *Service) RenameDepartment(ctx context.Context, by access.Actor, id int64, name string) error {
	name = line(name)
	return s.onTree(ctx, func(tx *gorm.DB, t *Tree) error {
		n, err := t.department(by, access.DepartmentsEdit, id)
		if err != nil {
			return err
		}
		if n.Parent == nil {
			return fault.Invalid{"name": fault.Msg("contacts.department.root")}
		}
		if err := checkDepartmentName(n.Parent, name, n); err != nil || name == n.Name {
			return err
		}
		err = tx.Model(&Department{}).Where("id = ?", id).Update("name", name).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return fault.Invalid{"name": fault.Msg("contacts.department.name.taken", "Name", name)}
		} else if err != nil {
			return fmt.Errorf("rename department: %w", err)
		}
		was := n.Name
		n.Name = name
		return s.trail.Record(tx, by, departmentEvent("department.rename", n.Department, map[string]any{"was": was}))
	})
}

// MoveDepartment hangs a department with all below it under another parent,
// 0 meaning the organisation itself.
func (s *Service) MoveDepartment(ctx context.Context, by access.Actor, id, parentID int64) error {
	return s.onTree(ctx, func(tx *gorm.DB, t *Tree) error {
		n, err := t.department(by, access.DepartmentsEdit, id)
		if err != nil {
			return err
		}
		if parentID == 0 && t.Root != nil {
			parentID = t.Root.ID
		}
		parent := t.byID[parentID]
		if err := mayHang(by, n, parent); err != nil {
			return err
		}
		if err := checkMove(t, n, parent); err != nil || n.Parent == parent {
			return err
		}
		if err := moveSubtree(tx, n, parent); err != nil {
			return err
		}
		was := n.Parent.Name
		n.Path = parent.Path + strconv.FormatInt(n.ID, 10) + "/"
		return s.trail.Record(tx, by, departmentEvent("department.move", n.Department, map[string]any{"from": was, "to": parent.Name}))
	})
}

func checkMove(t *Tree, n, parent *Node) error {
	wrong := func(key string, args ...any) error { return fault.Invalid{"parent_id": fault.Msg(key, args...)} }
	switch {
	case n.Parent == nil:
		return wrong("contacts.department.root.move")
	case parent == nil:
		return wrong("contacts.department.parent.unknown")
	case strings.HasPrefix(parent.Path, n.Path):
		return wrong("contacts.department.ring")
	}
	if twin := parent.child(n.Name); twin != nil && twin != n {
		return wrong("contacts.department.name.taken", "Name", n.Name)
	}
	deepest := n.Depth
	for _, other := range t.all {
		if strings.HasPrefix(other.Path, n.Path) {
			deepest = max(deepest, other.Depth)
		}
	}
	if deepest-n.Depth+parent.Depth+1 > maxDepth {
		return wrong("contacts.department.deep", "Limit", maxDepth+1)
	}
	return nil
}

// moveSubtree rewrites parent, paths and depths with one statement.
func moveSubtree(tx *gorm.DB, n, parent *Node) error {
	path := parent.Path + strconv.FormatInt(n.ID, 10) + "/"
	err := tx.Exec(`UPDATE departments SET path = CAST(? AS text) || substr(path, ?), depth = depth + ?,
			parent_id = CASE WHEN id = ? THEN ? ELSE parent_id END
		WHERE path LIKE ?`,
		path, len(n.Path)+1, parent.Depth+1-n.Depth, n.ID, parent.ID, n.Path+"%").Error
	if err != nil {
		return fmt.Errorf("move department: %w", err)
	}
	return nil
}

// DeleteDepartment removes a department that nothing hangs on and returns its
// parent's id. Otherwise fault.Conflict says what is still there.
func (s *Service) DeleteDepartment(ctx context.Context, by access.Actor, id int64) (parentID int64, err error) {
	err = s.onTree(ctx, func(tx *gorm.DB, t *Tree) error {
		n, err := t.department(by, access.DepartmentsEdit, id)
		if err != nil {
			return err
		}
		if n.Parent == nil {
			return fault.Conflict{Message: fault.Msg("contacts.department.root.delete")}
		}
		parentID = n.Parent.ID
		if err := s.emptied(tx, n); err != nil {
			return err
		}
		err = tx.Delete(&Department{}, id).Error
		if errors.Is(err, gorm.ErrForeignKeyViolated) {
			return fault.Conflict{Message: fault.Msg("contacts.department.inuse")}
		} else if err != nil {
			return fmt.Errorf("delete department: %w", err)
		}
		return s.trail.Record(tx, by, departmentEvent("department.delete", n.Department, nil))
	})
	return parentID, err
}

// emptied refuses a department in use. Departed members let go of it silently:
// nobody could ever take them out.
func (s *Service) emptied(tx *gorm.DB, n *Node) error {
	if len(n.Children) > 0 {
		return fault.Conflict{Message: fault.Msg("contacts.department.notempty.departments", "Count", len(n.Children))}
	}
	for _, use := range []struct{ key, query string }{
		{"members", `SELECT count(*) FROM member_departments md JOIN members m ON m.id = md.member_id WHERE md.department_id = ? AND m.status = 'active'`},
		{"heads", `SELECT count(*) FROM department_heads WHERE department_id = ?`},
		{"deputies", `SELECT count(*) FROM department_deputies WHERE department_id = ?`},
		{"grants", `SELECT count(*) FROM role_grants WHERE department_id = ?`},
		{"groups", `SELECT count(*) FROM groups WHERE department_id = ?`},
	} {
		var count int
		if err := tx.Raw(use.query, n.ID).Scan(&count).Error; err != nil {
			return fmt.Errorf("look into department: %w", err)
		}
		if count > 0 {
			return fault.Conflict{Message: fault.Msg("contacts.department.notempty."+use.key, "Count", count)}
		}
	}
	err := tx.Exec(`DELETE FROM member_departments WHERE department_id = ?
		AND member_id IN (SELECT id FROM members WHERE status = 'departed')`, n.ID).Error
	if err != nil {
		return fmt.Errorf("let departed members go: %w", err)
	}
	return nil
}
