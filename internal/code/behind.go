package code

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// behindSQL are the groups x that a code may lead to beside one of its own: its
// targets, and all of a series of which it names one. Its arguments are the
// group's id, the code's (0 = it is not written yet), and both once more.
const behindSQL = `(x.id = ? OR x.id IN (SELECT t.group_id FROM code_targets t WHERE t.code_id = ?)
	OR x.series_id IN (SELECT o.series_id FROM groups o WHERE o.id = ? OR o.id IN (SELECT t.group_id FROM code_targets t WHERE t.code_id = ?)))`

func behind(groupID, codeID int64) []any { return []any{groupID, codeID, groupID, codeID} }

// holdBehind keeps every group behind a code as it is, locked in the order of
// their ids, as everybody locks more than one.
func holdBehind(tx *gorm.DB, f Facts) error {
	var held []int64
	err := tx.Table("groups AS x").Clauses(clause.Locking{Strength: "SHARE"}).Where(behindSQL, behind(f.GroupID, f.ID)...).Order("x.id").Pluck("x.id", &held).Error
	if err != nil {
		return fmt.Errorf("hold the groups behind the code: %w", err)
	}
	return nil
}

// checkBehind asks of the groups a permanent code leads on to what is asked of
// its own: where one of them lets everybody in at once, the code needs a second
// super admin.
func (d desk) checkBehind(c Code) (second bool, err error) {
	var open []string
	args := append(behind(d.group.ID, c.ID), d.group.ID, c.OwnMode, c.OwnMode)
	err = d.tx.Raw("SELECT DISTINCT x.type FROM groups x WHERE "+behindSQL+` AND x.id <> ? AND x.status = 'active' AND (x.join_mode = 'open' AND ? = '' OR ? = 'open')
		AND x.origin = 'admin' AND (x.type <> 'external' OR `+externalSQL+")", args...).Scan(&open).Error
	if err != nil {
		return false, fmt.Errorf("look for open groups behind the code: %w", err)
	}
	for _, kind := range open {
		switch {
		case c.narrows(kind):
		case !d.by.Super:
			return false, fault.Forbidden{Right: string(access.CodePermanent) + ".open"}
		default:
			second = true
		}
	}
	return second, nil
}
