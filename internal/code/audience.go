package code

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/group"
)

// Roles that an audience may name.
const (
	RoleSuper  = "super"  // super admins
	RoleHead   = "head"   // who leads a department
	RoleDuty   = "duty"   // who has a duty on the code's group
	RoleMember = "member" // anybody in the directory
)

// Roles lists what an audience may name, in the order of the form.
var Roles = []string{RoleSuper, RoleHead, RoleDuty, RoleMember}

// Capped reports whether the code lets only so many scans through.
func (c Code) Capped() bool { return c.DailyCap > 0 || c.TotalCap > 0 }

// Narrow reports whether only an audience may use the code.
func (c Code) Narrow() bool {
	return c.Audience != "" || c.AudienceRoles != "" || c.AudiencePeople != ""
}

// HasRole reports whether the audience names a role.
func (c Code) HasRole(role string) bool {
	return slices.Contains(strings.Fields(c.AudienceRoles), role)
}

// narrows reports whether the audience keeps anybody away who could join a group
// of this kind anyway: "everybody in the directory" is no limit to an internal group.
func (c Code) narrows(kind string) bool {
	return c.Narrow() && (kind != group.Internal || !c.HasRole(RoleMember))
}

// audienceSQL holds for an active member who fits any part of an audience; its
// arguments are audienceArgs. A department counts with all below it, for those
// who belong to it and those who lead it.
const audienceSQL = `SELECT EXISTS (SELECT 1 FROM members m WHERE m.id = ? AND m.status = 'active' AND (? OR m.id IN ?
	OR (? AND m.super_admin)
	OR (? AND EXISTS (SELECT 1 FROM department_heads h WHERE h.member_id = m.id))
	OR (? AND (EXISTS (SELECT 1 FROM groups g WHERE g.id = ? AND g.owner_id = m.id)
		OR EXISTS (SELECT 1 FROM group_duties gd WHERE gd.group_id = ? AND gd.member_id = m.id)))
	OR EXISTS (SELECT 1 FROM (
			SELECT department_id FROM member_departments WHERE member_id = m.id
			UNION SELECT department_id FROM department_heads WHERE member_id = m.id) o
		JOIN departments d ON d.id = o.department_id
		JOIN departments a ON d.path LIKE a.path || '%'
		WHERE a.id IN ?)))`

func (c Code) audienceArgs(memberID int64) []any {
	return []any{memberID, c.HasRole(RoleMember), none(numbers(c.AudiencePeople)), c.HasRole(RoleSuper), c.HasRole(RoleHead),
		c.HasRole(RoleDuty), c.GroupID, c.GroupID, none(numbers(c.Audience))}
}

// none keeps an empty list legal SQL: 0 is nobody's id.
func none(ids []int64) []int64 { return append(ids, 0) }

// InAudience reports whether a person may use the code: everybody when it has
// no audience, else an active member who belongs to, or leads, one of its
// departments or one below, has one of its roles, or is named. memberID is nil
// for a guest. It is the one rule for scans and joining. req: A05, B24
func (c Code) InAudience(tx *gorm.DB, memberID *int64) (bool, error) {
	if !c.Narrow() {
		return true, nil
	}
	if memberID == nil {
		return false, nil
	}
	var in bool
	if err := tx.Raw(audienceSQL, c.audienceArgs(*memberID)...).Scan(&in).Error; err != nil {
		return false, fmt.Errorf("read audience: %w", err)
	}
	return in, nil
}
