package directory

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// Lineages names departments as people say them: "研发中心 / 平台组", without
// the organisation unless it is the department itself. The keys are paths.
func Lineages(tx *gorm.DB, paths []string) (map[string]string, error) {
	wanted := map[int64]bool{}
	for _, p := range paths {
		for _, id := range idsOf(p) {
			wanted[id] = true
		}
	}
	names := make(map[int64]string, len(wanted))
	for ids := range slices.Chunk(slices.Collect(maps.Keys(wanted)), 2000) {
		var rows []struct {
			ID   int64
			Name string
		}
		if err := tx.Table("departments").Select("id", "name").Where("id IN ?", ids).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("name departments: %w", err)
		}
		for _, r := range rows {
			names[r.ID] = r.Name
		}
	}
	out := make(map[string]string, len(paths))
	for _, p := range paths {
		out[p] = spoken(idsOf(p), names)
	}
	return out, nil
}

func spoken(ids []int64, names map[int64]string) string {
	if len(ids) > 1 {
		ids = ids[1:]
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = names[id]
	}
	return strings.Join(parts, " / ")
}

// PathIDs are the numbers of the departments from the organisation down to the one at path.
func PathIDs(path string) []int64 { return idsOf(path) }

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
