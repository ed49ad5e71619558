package directory

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// LoadActor reads what an active member may do, as of now. A departed or
// unknown member answers fault.NotFound.
func LoadActor(tx *gorm.DB, memberID int64) (access.Actor, error) {
	var m Member
	err := tx.Select("id", "name", "super_admin").Where("id = ? AND status = ?", memberID, Active).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return access.Actor{}, fault.NotFound
	} else if err != nil {
		return access.Actor{}, fmt.Errorf("load actor: %w", err)
	}
	a := access.Actor{Kind: access.Member, MemberID: m.ID, Name: m.Name, Super: m.SuperAdmin}
	var rows []struct {
		Kind  string
		Path  string
		Group int64
	}
	err = tx.Raw(`
		SELECT 'led' AS kind, d.path AS path, 0 AS "group" FROM department_heads h JOIN departments d ON d.id = h.department_id WHERE h.member_id = ?
		UNION ALL
		SELECT 'own', d.path, 0 FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = ?
		UNION ALL
		SELECT 'owner', '', g.id FROM groups g WHERE g.owner_id = ? AND g.status = 'active'
		UNION ALL
		SELECT gd.duty, '', gd.group_id FROM group_duties gd JOIN groups g ON g.id = gd.group_id WHERE gd.member_id = ? AND g.status = 'active'
		UNION ALL
		SELECT 'keeps', '', g.id FROM groups g WHERE g.entry_custodian_id = ? AND g.status = 'active'
		UNION ALL
		SELECT name, value, 0 FROM policies WHERE name IN ('staff_groups', 'group_creation')`,
		m.ID, m.ID, m.ID, m.ID, m.ID).Scan(&rows).Error
	if err != nil {
		return access.Actor{}, fmt.Errorf("load actor's rights: %w", err)
	}
	a.Duties = map[int64]access.Duty{}
	for _, r := range rows {
		switch r.Kind {
		case "led":
			a.Led = append(a.Led, r.Path)
		case "own":
			a.Own = append(a.Own, r.Path)
		case "staff_groups", "group_creation":
			a.Creation.Set(r.Kind, r.Path)
		case "keeps":
			a.Keeps = append(a.Keeps, r.Group)
		default:
			a.Duties[r.Group] |= duties[r.Kind]
		}
	}
	return a, nil
}

var duties = map[string]access.Duty{
	"owner": access.Owner, "review": access.Review, "content": access.Content, "events": access.Events,
}
