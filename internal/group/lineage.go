package group

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
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
	wanted := map[int64]bool{}
	for _, p := range paths {
		for _, id := range idsOf(p) {
			wanted[id] = true
		}
	}
	ids := make([]int64, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	var rows []struct {
		ID   int64
		Name string
	}
	if len(ids) > 0 {
		if err := tx.Table("departments").Select("id", "name").Where("id IN ?", ids).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("name departments: %w", err)
		}
	}
	names := make(map[int64]string, len(rows))
	for _, r := range rows {
		names[r.ID] = r.Name
	}
	out := make(map[string]string, len(paths))
	for _, p := range paths {
		out[p] = join(idsOf(p), names)
	}
	return out, nil
}

func join(ids []int64, names map[int64]string) string {
	if len(ids) > 1 {
		ids = ids[1:]
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = names[id]
	}
	return strings.Join(parts, " / ")
}

// idsOf reads "/1/4/9/".
func idsOf(path string) []int64 {
	var ids []int64
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if id, err := strconv.ParseInt(part, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
