package code

import (
	"fmt"

	"gorm.io/gorm"
)

// InAudience reports whether a person may use the code: everybody when it has
// no audience, else a member who belongs to, or leads, one of its departments or
// one below. memberID is nil for a guest. req: A05, B24
func (c Code) InAudience(tx *gorm.DB, memberID *int64) (bool, error) {
	if c.Audience == "" {
		return true, nil
	}
	if memberID == nil {
		return false, nil
	}
	var in bool
	err := tx.Raw(`SELECT EXISTS (
		SELECT 1 FROM (
			SELECT department_id FROM member_departments WHERE member_id = ?
			UNION SELECT department_id FROM department_heads WHERE member_id = ?) o
		JOIN departments d ON d.id = o.department_id
		JOIN departments a ON d.path LIKE a.path || '%'
		WHERE a.id IN ?)`, *memberID, *memberID, numbers(c.Audience)).Scan(&in).Error
	if err != nil {
		return false, fmt.Errorf("read audience: %w", err)
	}
	return in, nil
}
