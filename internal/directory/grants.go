package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Held is a role that a member holds for a department.
type Held struct {
	ID           int64 // of the grant
	RoleID       int64
	Role         string
	MemberID     int64
	Member       string
	DepartmentID int64
	Path         string
	Department   string // title
	GrantedBy    string
	GrantedAt    time.Time
}

// heldLimit bounds a list of who holds what.
const heldLimit = 500

const heldSQL = `SELECT rg.id, rg.role_id, r.name AS role, rg.member_id, m.name AS member, rg.department_id, d.path, d.name AS department,
	b.name AS granted_by, rg.granted_at FROM role_grants rg JOIN roles r ON r.id = rg.role_id JOIN members m ON m.id = rg.member_id
	JOIN departments d ON d.id = rg.department_id JOIN members b ON b.id = rg.granted_by WHERE `

func held(tx *gorm.DB, where string, args ...any) ([]Held, error) {
	var rows []Held
	err := tx.Raw(heldSQL+where+" ORDER BY m.name, m.id, d.path, r.name LIMIT ?", append(args, heldLimit)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list who holds roles: %w", err)
	}
	return rows, nil
}

// Holders lists who holds a role, and where.
func (s *Service) Holders(ctx context.Context, by access.Actor, roleID int64) ([]Held, error) {
	if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
		return nil, err
	}
	return held(s.db.WithContext(ctx), "rg.role_id = ?", roleID)
}

// RolesOf lists the roles a member holds, for whoever sees more of them than the name.
func (s *Service) RolesOf(ctx context.Context, by access.Actor, memberID int64) ([]Held, error) {
	p, err := s.Profile(ctx, by, memberID)
	if err != nil || !p.InScope {
		return nil, err
	}
	return held(s.db.WithContext(ctx), "rg.member_id = ?", memberID)
}

// GrantRole gives a member, named by id or else by phone, a role for a
// department and all below it. Giving it twice changes nothing.
func (s *Service) GrantRole(ctx context.Context, by access.Actor, roleID int64, memberID, phone, departmentID string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
			return err
		}
		role, err := loadRole(tx, roleID)
		if err != nil {
			return err
		}
		d, err := chosenDepartment(tx, departmentID)
		if err != nil {
			return err
		}
		m, err := ActiveMember(tx, memberID, phone)
		if err != nil {
			return err
		}
		if m, err = lockMember(tx, m.ID); err != nil {
			return err
		}
		if m.Status != Active {
			return s.alreadyDeparted(tx, m)
		}
		done := tx.Clauses(clause.OnConflict{DoNothing: true}).Table("role_grants").Create(map[string]any{
			"role_id": role.ID, "member_id": m.ID, "department_id": d.ID, "granted_by": by.MemberID, "granted_at": s.now().UTC()})
		if errors.Is(done.Error, gorm.ErrForeignKeyViolated) {
			return fault.NotFound // the role was deleted meanwhile
		} else if done.Error != nil {
			return fmt.Errorf("grant role: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return nil
		}
		return s.trail.Record(tx, by, grantEvent("role.grant", role.Name, m, d))
	})
}

func grantEvent(action, role string, m Member, d Department) audit.Event {
	return audit.Event{Action: action, Object: m.audited(), DepartmentPath: d.Path, Details: map[string]any{"role": role, "department": d.Name}}
}

func chosenDepartment(tx *gorm.DB, text string) (Department, error) {
	var found []Department
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		if err := tx.Where("id = ?", id).Limit(1).Find(&found).Error; err != nil {
			return Department{}, fmt.Errorf("read department: %w", err)
		}
	}
	if len(found) == 0 {
		return Department{}, fault.Invalid{"department_id": fault.Msg("roles.error.department")}
	}
	return found[0], nil
}

// WithdrawRole takes a grant of a role back, with effect from the member's next request.
func (s *Service) WithdrawRole(ctx context.Context, by access.Actor, roleID, grantID int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.RolesGrant, access.Object{}); err != nil {
			return err
		}
		rows, err := held(tx, "rg.id = ? AND rg.role_id = ?", grantID, roleID)
		if err != nil {
			return err
		} else if len(rows) == 0 {
			return fault.NotFound
		}
		done := tx.Exec("DELETE FROM role_grants WHERE id = ?", grantID)
		if done.Error != nil {
			return fmt.Errorf("withdraw role: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return fault.NotFound
		}
		g := rows[0]
		return s.trail.Record(tx, by, grantEvent("role.withdraw", g.Role, Member{ID: g.MemberID, Name: g.Member}, Department{Path: g.Path, Name: g.Department}))
	})
}

// endRoles takes roles, deputyships and announced absences from somebody who
// departs. Coming back restores none of them.
func endRoles(tx *gorm.DB, _ access.Actor, memberID int64, _ time.Time) (int64, error) {
	var n int64
	for _, table := range []string{"role_grants", "department_deputies", "absences"} {
		done := tx.Exec("DELETE FROM "+table+" WHERE member_id = ?", memberID)
		if done.Error != nil {
			return n, fmt.Errorf("end %s: %w", table, done.Error)
		}
		if table != "absences" {
			n += done.RowsAffected
		}
	}
	return n, nil
}
