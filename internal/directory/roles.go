package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Role is a custom role: a named set of rights that super admins grant to
// members, each time for one department and all below it. req: A15, A16
type Role struct {
	ID        int64
	Name      string
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time

	Rights  []access.Right `gorm:"-"`
	Holders int            `gorm:"->;-:migration"` // members who hold it
}

// TableName is for gorm.
func (Role) TableName() string { return "roles" }

// RoleDraft is what the form about a role says.
type RoleDraft struct {
	Name    string
	Rights  []string
	Version string // of the page it was decided on; empty = whatever is there
}

// Has reports whether r is ticked.
func (d RoleDraft) Has(r access.Right) bool { return slices.Contains(d.Rights, string(r)) }

// Draft is the role as its form shows it.
func (r Role) Draft() RoleDraft {
	d := RoleDraft{Name: r.Name, Version: strconv.FormatInt(r.Version, 10)}
	for _, right := range r.Rights {
		d.Rights = append(d.Rights, string(right))
	}
	return d
}

func (r Role) audited() audit.Object {
	return audit.Object{Kind: "role", ID: strconv.FormatInt(r.ID, 10), Name: r.Name}
}

// roleLimit bounds how many roles an organisation keeps: a page shows them all.
const roleLimit = 200

const holdersSQL = `(SELECT count(DISTINCT rg.member_id) FROM role_grants rg WHERE rg.role_id = r.id) AS holders`

// Roles lists the custom roles by name.
func (s *Service) Roles(ctx context.Context, by access.Actor) ([]Role, error) {
	if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
		return nil, err
	}
	db := s.db.WithContext(ctx)
	var roles []Role
	if err := db.Table("roles r").Select("r.*, " + holdersSQL).Order("r.name, r.id").Limit(roleLimit).Find(&roles).Error; err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return roles, addRights(db, roles)
}

// Role reads one custom role; unknown: fault.NotFound.
func (s *Service) Role(ctx context.Context, by access.Actor, id int64) (Role, error) {
	if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
		return Role{}, err
	}
	return loadRole(s.db.WithContext(ctx), id)
}

func loadRole(tx *gorm.DB, id int64) (Role, error) {
	var roles []Role
	if err := tx.Table("roles r").Select("r.*, "+holdersSQL).Where("r.id = ?", id).Limit(1).Find(&roles).Error; err != nil {
		return Role{}, fmt.Errorf("load role: %w", err)
	}
	if len(roles) == 0 {
		return Role{}, fault.NotFound
	}
	err := addRights(tx, roles)
	return roles[0], err
}

func addRights(tx *gorm.DB, roles []Role) error {
	var rows []struct {
		RoleID    int64
		RightName access.Right
	}
	at := map[int64]int{}
	ids := make([]int64, len(roles))
	for i, r := range roles {
		ids[i], at[r.ID] = r.ID, i
	}
	if len(ids) == 0 {
		return nil
	}
	if err := tx.Raw("SELECT role_id, right_name FROM role_rights WHERE role_id IN ?", ids).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read the rights of roles: %w", err)
	}
	for _, row := range rows {
		r := &roles[at[row.RoleID]]
		r.Rights = append(r.Rights, row.RightName)
	}
	for i := range roles {
		roles[i].Rights = access.Complete(roles[i].Rights) // in the order of the table
	}
	return nil
}

// clean checks a draft and completes its rights with what they imply.
func (d RoleDraft) clean() (name string, rights []access.Right, err error) {
	wrong := fault.Invalid{}
	switch name = line(d.Name); {
	case name == "":
		wrong["name"] = fault.Msg("roles.error.name.missing")
	case tooLong(name, nameLimit):
		wrong["name"] = fault.Msg("roles.error.name.long", "Limit", nameLimit)
	}
	for _, text := range d.Rights {
		r := access.Right(text)
		if !access.Grantable(r) {
			wrong["right"] = fault.Msg("roles.error.right.unknown")
			continue
		}
		rights = append(rights, r)
	}
	if rights = access.Complete(rights); len(rights) == 0 && wrong["right"].Key == "" {
		wrong["right"] = fault.Msg("roles.error.right.missing")
	}
	return name, rights, wrong.Or()
}

// CreateRole makes a custom role that nobody holds yet, and returns its id.
func (s *Service) CreateRole(ctx context.Context, by access.Actor, d RoleDraft) (id int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
			return err
		}
		name, rights, err := d.clean()
		if err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&Role{}).Count(&n).Error; err != nil {
			return fmt.Errorf("count roles: %w", err)
		}
		if n >= roleLimit {
			return fault.Invalid{"name": fault.Msg("roles.error.limit", "Limit", roleLimit)}
		}
		now := s.now().UTC()
		r := Role{Name: name, Version: 1, CreatedAt: now, UpdatedAt: now}
		if err := tx.Create(&r).Error; err != nil {
			return roleTaken(err, name)
		}
		id = r.ID
		if err := setRights(tx, r.ID, rights); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "role.create", Object: r.audited(), Details: map[string]any{"rights": listed(rights)}})
	})
	return id, err
}

// SaveRole changes a role's name and rights, for everybody who holds it and
// from their next request on.
func (s *Service) SaveRole(ctx context.Context, by access.Actor, id int64, d RoleDraft) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
			return err
		}
		was, err := loadRole(tx, id)
		if err != nil {
			return err
		}
		name, rights, err := d.clean()
		if err != nil {
			return err
		}
		version := was.Version
		if d.Version != "" {
			if version, err = strconv.ParseInt(d.Version, 10, 64); err != nil {
				version = 0
			}
		}
		done := tx.Exec("UPDATE roles SET name = ?, version = version + 1, updated_at = ? WHERE id = ? AND version = ?", name, s.now().UTC(), id, version)
		if done.Error != nil {
			return roleTaken(done.Error, name)
		} else if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("roles.conflict.stale")}
		}
		if err := setRights(tx, id, rights); err != nil {
			return err
		}
		gone := slices.DeleteFunc(slices.Clone(was.Rights), func(r access.Right) bool { return slices.Contains(rights, r) })
		details := map[string]any{"rights": listed(rights), "rights_gone": listed(gone), "holders": was.Holders}
		if name != was.Name {
			details["was"] = was.Name
		}
		was.Name = name
		return s.trail.Record(tx, by, audit.Event{Action: "role.update", Object: was.audited(), Details: details})
	})
}

// DeleteRole ends a role; whoever held it loses what it gave with their next request.
func (s *Service) DeleteRole(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
			return err
		}
		r, err := loadRole(tx, id)
		if err != nil {
			return err
		}
		done := tx.Exec("DELETE FROM roles WHERE id = ?", id)
		if done.Error != nil {
			return fmt.Errorf("delete role: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return fault.NotFound
		}
		return s.trail.Record(tx, by, audit.Event{Action: "role.delete", Object: r.audited(),
			Details: map[string]any{"rights": listed(r.Rights), "holders": r.Holders}})
	})
}

func setRights(tx *gorm.DB, roleID int64, rights []access.Right) error {
	if err := tx.Exec("DELETE FROM role_rights WHERE role_id = ?", roleID).Error; err != nil {
		return fmt.Errorf("clear the rights of a role: %w", err)
	}
	rows := make([]map[string]any, len(rights))
	for i, r := range rights {
		rows[i] = map[string]any{"role_id": roleID, "right_name": string(r)}
	}
	if err := tx.Table("role_rights").Create(rows).Error; err != nil {
		return fmt.Errorf("write the rights of a role: %w", err)
	}
	return nil
}

func roleTaken(err error, name string) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return fault.Invalid{"name": fault.Msg("roles.error.name.taken", "Name", name)}
	}
	return fmt.Errorf("write role: %w", err)
}

func listed(rights []access.Right) string {
	texts := make([]string, len(rights))
	for i, r := range rights {
		texts[i] = string(r)
	}
	return strings.Join(texts, " ")
}
