package code

import (
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// OrphansUnder lists the codes of active groups at and below a department's
// path that stand still because their issuer may not issue them today.
func (s *Service) OrphansUnder(tx *gorm.DB, path string) (orphans []directory.CodeRef, err error) {
	err = tx.Raw(`SELECT c.public_id AS id, c.label, g.name AS "group", m.name AS issuer FROM codes c JOIN groups g ON g.id = c.group_id
			JOIN departments d ON d.id = g.department_id JOIN members m ON m.id = c.issued_by
		WHERE d.path LIKE ? AND g.status = 'active' AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?) AND NOT `+issuerSQL+`
		ORDER BY c.id`, path+"%", s.now().UTC()).Scan(&orphans).Error
	if err != nil {
		return nil, fmt.Errorf("list codes without an issuer: %w", err)
	}
	return orphans, nil
}
