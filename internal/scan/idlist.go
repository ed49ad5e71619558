package scan

import (
	"encoding/json"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// idList is what stands behind IN for many ids as one parameter: the text of
// the statement then does not grow with the list.
func idList(tx *gorm.DB, ids []int64) (sql, arg string) {
	if database.Postgres(tx) {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = strconv.FormatInt(id, 10)
		}
		return "(SELECT unnest(CAST(? AS bigint[])))", "{" + strings.Join(texts, ",") + "}"
	}
	list, _ := json.Marshal(ids) // numbers always become JSON
	return "(SELECT value FROM json_each(?))", string(list)
}
