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

// onTree runs change in one transaction while nobody else changes the tree.
func (s *Service) onTree(ctx context.Context, change func(tx *gorm.DB) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// One line for all changes: two moves at once could make a ring, a move
		// could leave a new child with an old path.
		if _, err := lockOrganisation(tx); err != nil {
			return err
		}
		return change(tx)
	})
}

// editable reads a department for a change of it: foreign ones are
// fault.NotFound, own ones without the right fault.Forbidden.
func editable(tx *gorm.DB, by access.Actor, id int64) (Department, error) {
	d, err := departmentByID(tx, id)
	if err != nil {
		return d, err
	}
	return d, access.Check(by, access.DepartmentsEdit, access.Object{Path: d.Path})
}

// orRoot is the organisation's own department for the id 0.
func orRoot(tx *gorm.DB, id int64) (int64, error) {
	if id != 0 {
		return id, nil
	}
	if err := tx.Raw("SELECT id FROM departments WHERE parent_id IS NULL ORDER BY id LIMIT 1").Scan(&id).Error; err != nil {
		return 0, fmt.Errorf("find the root: %w", err)
	}
	return id, nil
}

// CreateDepartment adds a department below parentID, 0 meaning the
// organisation itself, and returns its id.
func (s *Service) CreateDepartment(ctx context.Context, by access.Actor, name string, parentID int64) (id int64, err error) {
	name = line(name)
	err = s.onTree(ctx, func(tx *gorm.DB) error {
		above, err := orRoot(tx, parentID)
		if err != nil {
			return err
		}
		parent, err := editable(tx, by, above)
		if err != nil {
			return err
		}
		if err := checkDepartmentName(tx, parent, name, 0); err != nil {
			return err
		}
		d, err := insertDepartment(tx, parent, name, s.now())
		if err != nil {
			return err
		}
		id = d.ID
		return s.trail.Record(tx, by, departmentEvent("department.create", d, nil))
	})
	return id, err
}

// checkDepartmentName refuses a bad name, one taken below parent by another
// department than self (0 = a new one), and a level too deep.
func checkDepartmentName(tx *gorm.DB, parent Department, name string, self int64) error {
	wrong := fault.Invalid{}
	switch {
	case name == "":
		wrong["name"] = fault.Msg("contacts.department.name.missing")
	case tooLong(name, nameLimit):
		wrong["name"] = fault.Msg("contacts.department.name.long", "Limit", nameLimit)
	case strings.ContainsAny(name, "/／"):
		wrong["name"] = fault.Msg("contacts.department.name.slash")
	case parent.Depth >= maxDepth && self == 0:
		wrong["parent_id"] = fault.Msg("contacts.department.deep", "Limit", maxDepth+1)
	}
	if err := wrong.Or(); err != nil {
		return err
	}
	twin, err := twinBelow(tx, parent.ID, name, self)
	if twin != "" {
		wrong["name"] = fault.Msg("contacts.department.name.taken", "Name", twin)
	}
	if err != nil {
		return err
	}
	return wrong.Or()
}

// twinBelow is the name of another department than self below parent that reads
// the same, however it is capitalised; "" when there is none. SQLite lowers
// ASCII only, so the other ways to write it are asked for too.
func twinBelow(tx *gorm.DB, parentID int64, name string, self int64) (string, error) {
	var names []string
	err := tx.Raw("SELECT name FROM departments WHERE coalesce(parent_id, 0) = ? AND lower(name) IN (lower(?), ?, lower(?)) AND id <> ? LIMIT 1",
		parentID, name, strings.ToLower(name), strings.ToUpper(name), self).Scan(&names).Error
	if err != nil {
		return "", fmt.Errorf("look for a department of the same name: %w", err)
	}
	return strings.Join(names, ""), nil
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
	return s.onTree(ctx, func(tx *gorm.DB) error {
		d, err := editable(tx, by, id)
		if err != nil {
			return err
		}
		if d.ParentID == nil {
			return fault.Invalid{"name": fault.Msg("contacts.department.root")}
		}
		parent, err := departmentByID(tx, *d.ParentID)
		if err != nil {
			return err
		}
		if err := checkDepartmentName(tx, parent, name, id); err != nil || name == d.Name {
			return err
		}
		err = tx.Model(&Department{}).Where("id = ?", id).Update("name", name).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return fault.Invalid{"name": fault.Msg("contacts.department.name.taken", "Name", name)}
		} else if err != nil {
			return fmt.Errorf("rename department: %w", err)
		}
		was := d.Name
		d.Name = name
		return s.trail.Record(tx, by, departmentEvent("department.rename", d, map[string]any{"was": was}))
	})
}

// DeleteDepartment removes an empty department and returns its parent's id.
func (s *Service) DeleteDepartment(ctx context.Context, by access.Actor, id int64) (parentID int64, err error) {
	err = s.onTree(ctx, func(tx *gorm.DB) error {
		d, err := editable(tx, by, id)
		if err != nil {
			return err
		}
		if d.ParentID == nil {
			return fault.Conflict{Message: fault.Msg("contacts.department.root.delete")}
		}
		parentID = *d.ParentID
		if err := emptied(tx, d.ID); err != nil {
			return err
		}
		err = tx.Delete(&Department{}, id).Error
		if errors.Is(err, gorm.ErrForeignKeyViolated) {
			return fault.Conflict{Message: fault.Msg("contacts.department.inuse")}
		} else if err != nil {
			return fmt.Errorf("delete department: %w", err)
		}
		return s.trail.Record(tx, by, departmentEvent("department.delete", d, nil))
	})
	return parentID, err
}

// emptied refuses a department in use. Departed members let go of it silently:
// nobody could ever take them out.
func emptied(tx *gorm.DB, id int64) error {
	for _, use := range []struct{ key, query string }{
		{"departments", `SELECT count(*) FROM departments WHERE parent_id = ?`},
		{"members", `SELECT count(*) FROM member_departments md JOIN members m ON m.id = md.member_id WHERE md.department_id = ? AND m.status = 'active'`},
		{"heads", `SELECT count(*) FROM department_heads WHERE department_id = ?`},
		{"deputies", `SELECT count(*) FROM department_deputies WHERE department_id = ?`},
		{"grants", `SELECT count(*) FROM role_grants WHERE department_id = ?`},
		{"groups", `SELECT count(*) FROM groups WHERE department_id = ?`},
	} {
		var count int
		if err := tx.Raw(use.query, id).Scan(&count).Error; err != nil {
			return fmt.Errorf("look into department: %w", err)
		}
		if count > 0 {
			return fault.Conflict{Message: fault.Msg("contacts.department.notempty."+use.key, "Count", count)}
		}
	}
	err := tx.Exec(`DELETE FROM member_departments WHERE department_id = ?
		AND member_id IN (SELECT id FROM members WHERE status = 'departed')`, id).Error
	if err != nil {
		return fmt.Errorf("let departed members go: %w", err)
	}
	return nil
}
