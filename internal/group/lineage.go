package group

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Home is a department that a group can belong to.
type Home struct {
	ID      int64
	Path    string
	Lineage string
}

// homeLimit bounds the choice a form offers.
const homeLimit = 3000

// Homes lists the departments in which by may create groups, by name.
func (s *Service) Homes(ctx context.Context, by access.Actor) ([]Home, error) {
	db := s.db.WithContext(ctx)
	where, args := startable(by)
	var homes []Home
	if err := db.Table("departments").Select("id", "path").Where(where, args...).Order("depth, id").Limit(homeLimit).Find(&homes).Error; err != nil {
		return nil, fmt.Errorf("list departments: %w", err)
	}
	paths := make([]string, len(homes))
	for i, h := range homes {
		paths[i] = h.Path
	}
	lineages, err := Lineages(db, paths)
	for i := range homes {
		homes[i].Lineage = lineages[homes[i].Path]
	}
	slices.SortStableFunc(homes, func(a, b Home) int { return cmp.Compare(a.Lineage, b.Lineage) })
	return homes, err
}

// Lineages names departments as people say them: "研发中心 / 平台组", without
// the organisation unless it is the department itself. The keys are paths.
func Lineages(tx *gorm.DB, paths []string) (map[string]string, error) {
	return directory.Lineages(tx, paths)
}
