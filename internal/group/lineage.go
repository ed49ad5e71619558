package group

import (
	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// Lineages names departments as people say them; see directory.Lineages.
func Lineages(tx *gorm.DB, paths []string) (map[string]string, error) {
	return directory.Lineages(tx, paths)
}
