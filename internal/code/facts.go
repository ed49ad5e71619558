package code

import (
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

const factsColumns = `c.*, g.gid AS group_gid, g.name AS group_name, g.type AS group_type, g.origin AS group_origin, g.status AS group_status,
	g.owner_id AS group_owner_id, ` + modeSQL + ` AS join_mode, g.member_count, g.capacity, g.disbanded_at, d.path AS department_path, d.name AS department_name,
	m.name AS issuer_name, m.status = 'active' AS issuer_active, ` + issuerSQL + ` AS issuer_ok, ` + joiningOffSQL + ` AS joining_off,
	(c.route <> 'one' OR g.series_id IS NOT NULL) AS leads_on, (SELECT timezone FROM organisation WHERE id = 1) AS timezone, n.total, n.day, n.day_total, ` + recertDueSQL + ` AS recert_due`

const factsFrom = ` FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
	JOIN members m ON m.id = c.issued_by JOIN code_counters n ON n.code_id = c.id`

// LoadFacts reads one code, whoever asks: the caller checks rights. Unknown: fault.NotFound.
func LoadFacts(tx *gorm.DB, publicID string) (Facts, error) {
	return one(facts(tx, "WHERE c.public_id = ?", publicID))
}

// LoadFactsByID is LoadFacts by the row's number, as sessions and requests keep it.
func LoadFactsByID(tx *gorm.DB, id int64) (Facts, error) {
	return one(facts(tx, "WHERE c.id = ?", id))
}

func one(all []Facts, err error) (Facts, error) {
	if err != nil {
		return Facts{}, err
	}
	if len(all) == 0 {
		return Facts{}, fault.NotFound
	}
	return all[0], nil
}

func facts(tx *gorm.DB, where string, args ...any) ([]Facts, error) {
	var all []Facts
	if err := tx.Raw("SELECT "+factsColumns+factsFrom+" "+where, args...).Scan(&all).Error; err != nil {
		return nil, fmt.Errorf("read codes: %w", err)
	}
	return all, nil
}

// Reach reads one code and checks that by holds right on it: fault.NotFound
// outside by's scope, fault.Forbidden inside it.
func Reach(tx *gorm.DB, by access.Actor, right access.Right, publicID string) (Facts, error) {
	f, err := LoadFacts(tx, publicID)
	if err != nil {
		return f, err
	}
	joined, err := joins(tx, by, f.GroupID, f.DepartmentPath)
	if err != nil {
		return f, err
	}
	return f, access.Check(by, right, f.Object(joined))
}

// joins asks the database about membership only where it can change 404 to 403.
func joins(tx *gorm.DB, by access.Actor, groupID int64, path string) (bool, error) {
	if by.Kind != access.Member || by.Sees(path) {
		return false, nil
	}
	return group.Joined(tx, groupID, group.Person{MemberID: &by.MemberID})
}

// lockCode takes the code's row until the transaction ends, so that of two
// people who press at once the second sees what the first did.
func lockCode(tx *gorm.DB, publicID string) error {
	// Not by an UPDATE: the next one of this transaction would then lock all that the row names, its group included.
	var held []int64
	if err := tx.Table("codes").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("public_id = ?", publicID).Pluck("id", &held).Error; err != nil {
		return fmt.Errorf("lock code: %w", err)
	}
	return nil
}

// Trail is the department path in words, without the organisation itself.
func Trail(tx *gorm.DB, path string) ([]string, error) {
	names := []string{}
	err := tx.Raw("SELECT name FROM departments WHERE id IN ? AND depth > 0 ORDER BY depth", PathIDs(path)).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("read department path: %w", err)
	}
	return names, nil
}

// PathIDs turns a department path, "/1/4/9/", into its numbers.
func PathIDs(path string) []int64 { return numbers(strings.ReplaceAll(path, "/", " ")) }

// numbers reads the space-separated ids of a text column.
func numbers(text string) []int64 {
	ids := []int64{}
	for field := range strings.FieldsSeq(text) {
		if id, err := strconv.ParseInt(field, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
