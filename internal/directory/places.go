package directory

import (
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// placesMost is how many departments Places names one by one. Whoever has more
// finds what they look for soon, wherever a query begins.
const placesMost = 512

// Places is access.Scope for a column with the number of a department. The
// numbers are read first and stand in the text of the query: it then joins no
// departments, and a planner knows how much of a table they are, which it
// cannot know of a value that it gets later.
func Places(tx *gorm.DB, by access.Actor, right access.Right, column string) (string, []any, error) {
	where, args := access.Scope(by, right, "path")
	if len(args) == 0 { // all, or none
		return where, nil, nil
	}
	var ids []int64
	if err := tx.Raw("SELECT id FROM departments WHERE "+where+" LIMIT "+strconv.Itoa(placesMost+1), args...).Scan(&ids).Error; err != nil {
		return "", nil, fmt.Errorf("read the departments of a scope: %w", err)
	}
	switch {
	case len(ids) == 0:
		return "1 = 0", nil, nil
	case len(ids) > placesMost:
		return column + " IN (SELECT id FROM departments WHERE " + where + ")", args, nil
	}
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return column + " IN (" + b.String() + ")", nil, nil
}
