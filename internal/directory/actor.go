package directory

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// LoadActor reads what an active member may do, as of now. A departed or
// unknown member answers fault.NotFound.
func LoadActor(tx *gorm.DB, memberID int64, now time.Time) (access.Actor, error) {
	var m Member
	err := tx.Select("id", "name", "super_admin").Where("id = ? AND status = ?", memberID, Active).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return access.Actor{}, fault.NotFound
	} else if err != nil {
		return access.Actor{}, fmt.Errorf("load actor: %w", err)
	}
	a := access.Actor{Kind: access.Member, MemberID: m.ID, Name: m.Name, Super: m.SuperAdmin, Duties: map[int64]access.Duty{}}
	var rows []rightRow
	err = tx.Raw(rightsSQL, m.ID, m.ID, m.ID, now.UTC(), now.UTC(), m.ID, m.ID, m.ID, m.ID).Scan(&rows).Error
	if err != nil {
		return access.Actor{}, fmt.Errorf("load actor's rights: %w", err)
	}
	for _, r := range rows {
		r.addTo(&a)
	}
	return a, nameAbsent(tx, &a)
}

// AwaySQL holds while every active head h of department dp.department_id is
// absent, and when there is none. Its arguments are the same moment twice.
const AwaySQL = `NOT EXISTS (SELECT 1 FROM department_heads h JOIN members hm ON hm.id = h.member_id AND hm.status = 'active'
	WHERE h.department_id = dp.department_id
	AND NOT EXISTS (SELECT 1 FROM absences ab WHERE ab.member_id = h.member_id AND ab.starts_at <= ? AND ab.ends_at > ?))`

// rightsSQL looks each department up by its id: joined, a planner may walk through them all to the one.
const rightsSQL = `
	SELECT 'led' AS kind, (SELECT d.path FROM departments d WHERE d.id = h.department_id) AS path, 0 AS "group", '' AS name FROM department_heads h WHERE h.member_id = ?
	UNION ALL
	SELECT 'own', (SELECT d.path FROM departments d WHERE d.id = md.department_id), 0, '' FROM member_departments md WHERE md.member_id = ?
	UNION ALL
	SELECT 'acting', d.path, 0, d.name FROM department_deputies dp JOIN departments d ON d.id = dp.department_id
	WHERE dp.member_id = ? AND ` + AwaySQL + `
	UNION ALL
	SELECT 'grant', d.path, rg.role_id, rr.right_name FROM role_grants rg JOIN role_rights rr ON rr.role_id = rg.role_id
	JOIN departments d ON d.id = rg.department_id WHERE rg.member_id = ?
	UNION ALL
	SELECT 'owner', '', g.id, '' FROM groups g WHERE g.owner_id = ? AND g.status = 'active'
	UNION ALL
	SELECT gd.duty, '', gd.group_id, '' FROM group_duties gd JOIN groups g ON g.id = gd.group_id WHERE gd.member_id = ? AND g.status = 'active'
	UNION ALL
	SELECT 'keeps', '', g.id, '' FROM groups g WHERE g.entry_custodian_id = ? AND g.status = 'active'
	UNION ALL
	SELECT name, value, 0, '' FROM policies WHERE name IN ('staff_groups', 'group_creation')`

// rightRow is one thing that brings rights. Group is a role's id for a grant.
type rightRow struct {
	Kind  string
	Path  string
	Group int64
	Name  string
}

func (r rightRow) addTo(a *access.Actor) {
	switch r.Kind {
	case "led":
		a.Led = append(a.Led, r.Path)
	case "own":
		a.Own = append(a.Own, r.Path)
	case "acting":
		a.Acting = append(a.Acting, access.Stand{Path: r.Path, For: r.Name})
	case "grant":
		addRight(a, r)
	case "staff_groups", "group_creation":
		a.Creation.Set(r.Kind, r.Path)
	case "keeps":
		a.Keeps = append(a.Keeps, r.Group)
	default:
		a.Duties[r.Group] |= duties[r.Kind]
	}
}

func addRight(a *access.Actor, r rightRow) {
	for i, g := range a.Grants {
		if g.Role == r.Group && g.Path == r.Path {
			a.Grants[i].Rights = append(g.Rights, access.Right(r.Name))
			return
		}
	}
	a.Grants = append(a.Grants, access.Grant{Role: r.Group, Path: r.Path, Rights: []access.Right{access.Right(r.Name)}})
}

// nameAbsent names the heads whom a deputy stands in for; a department without
// any stands for itself.
func nameAbsent(tx *gorm.DB, a *access.Actor) error {
	if len(a.Acting) == 0 {
		return nil
	}
	paths := make([]string, len(a.Acting))
	for i, s := range a.Acting {
		paths[i] = s.Path
	}
	var heads []struct{ Path, Name string }
	err := tx.Raw(`SELECT d.path, m.name FROM department_heads h JOIN departments d ON d.id = h.department_id
		JOIN members m ON m.id = h.member_id AND m.status = 'active' WHERE d.path IN ? ORDER BY m.name, m.id`, paths).Scan(&heads).Error
	if err != nil {
		return fmt.Errorf("name absent heads: %w", err)
	}
	for i, s := range a.Acting {
		var names []string
		for _, h := range heads {
			if h.Path == s.Path {
				names = append(names, h.Name)
			}
		}
		if len(names) > 0 {
			a.Acting[i].For = strings.Join(names, ", ")
		}
	}
	return nil
}

var duties = map[string]access.Duty{
	"owner": access.Owner, "review": access.Review, "content": access.Content, "events": access.Events,
}
