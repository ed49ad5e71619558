package group

import (
	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// Lineages names departments as people say them: "研发中心 / 平台组", without
// the organisation unless it is the department itself. The keys are paths.
func Lineages(tx *gorm.DB, paths []string) (map[string]string, error) {
	return directory.Lineages(tx, paths)
}
