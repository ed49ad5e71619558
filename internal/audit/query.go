package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

// query finds the ids of a page. It reads along one index, the one that narrows
// most, in one branch per value; what the index does not narrow is checked row
// by row, but only so far back (window): no filter makes a page expensive.
type query struct {
	db       *gorm.DB
	nothing  bool
	branches []branch // none walks the primary key
	rest     []string
	args     []any
	before   int64 // exclusive; 0 is the newest
	least    int64 // no entry below it can fit
}

// branch is what one walk along an index keeps equal: its first columns.
type branch struct {
	columns []string
	values  []any
	also    string // a condition without arguments
}

// along is a walk along the index of one column.
func along(column, also string) branch { return branch{columns: []string{column}, also: also} }

// window is how many entries one page looks at, in all branches together, when
// not every one of them fits.
const window = 4000

// branchMost is how many values an index is asked for at once.
const branchMost = 64

func newQuery(db *gorm.DB, reader access.Actor, f Filter) (query, error) {
	q := query{db: db, before: f.Before, nothing: f.Actors != nil && len(f.Actors) == 0}
	if err := q.bound(f.From, f.To); err != nil {
		return q, err
	}
	if err := q.object(f); err != nil {
		return q, err
	}
	if f.System {
		q.along(along("e.actor_id", " AND e.actor_kind = 'system'"), 0)
	}
	if len(f.Actors) > 0 {
		q.along(along("e.actor_id", " AND e.actor_kind = 'member'"), anys(f.Actors)...)
	}
	switch f.Outcome {
	case "":
	case Done:
		q.and("e.outcome = ?", []any{Done})
	default:
		q.along(along("e.outcome", " AND e.outcome <> 'done'"), f.Outcome)
	}
	if err := q.actions(f.Action); err != nil {
		return q, err
	}
	return q, q.scope(reader)
}

// object narrows to one object, to those of a name, or to those of a kind.
func (q *query) object(f Filter) error {
	one := []string{"e.object_kind", "e.object_id"}
	switch {
	case f.ObjectID != "":
		q.branches = append(q.branches, branch{one, []any{f.ObjectKind, f.ObjectID}, ""})
	case f.ObjectName != "":
		found, err := objectsNamed(q.db, f.ObjectKind, f.ObjectName)
		if err != nil {
			return err
		}
		for _, o := range found {
			q.branches = append(q.branches, branch{one, []any{o.Kind, o.ID}, ""})
		}
	case f.ObjectKind != "":
		q.and("e.object_kind = ?", []any{f.ObjectKind})
	}
	return nil
}

// and adds a condition that is checked row by row.
func (q *query) and(condition string, args []any) {
	q.rest, q.args = append(q.rest, condition), append(q.args, args...)
}

// along walks the index of b's column, once per value, unless a better one is
// taken already.
func (q *query) along(b branch, values ...any) {
	if len(q.branches) == 0 && len(values) <= branchMost {
		for _, v := range values {
			q.branches = append(q.branches, branch{b.columns, []any{v}, b.also})
		}
		return
	}
	q.and(b.columns[0]+" IN ?"+b.also, []any{values})
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// clockSkew is how far the times of entries may be out of the order of their ids.
const clockSkew = time.Hour

// bound turns a time into ids, which the list is ordered by.
func (q *query) bound(from, to time.Time) error {
	edge := func(sql string, at time.Time) (id int64, err error) {
		err = q.db.Raw(sql, at).Scan(&id).Error
		return id, err
	}
	if !from.IsZero() {
		q.and("e.at >= ?", []any{from})
		id, err := edge("SELECT id FROM audit_entries WHERE at < ? ORDER BY at DESC, id DESC LIMIT 1", from.Add(-clockSkew))
		if err != nil {
			return err
		}
		q.least = id + 1
	}
	if !to.IsZero() {
		q.and("e.at < ?", []any{to})
		id, err := edge("SELECT id FROM audit_entries WHERE at >= ? ORDER BY at, id LIMIT 1", to.Add(clockSkew))
		if err != nil {
			return err
		}
		if id > 0 && (q.before == 0 || id < q.before) {
			q.before = id
		}
	}
	return nil
}

// actions narrows to one action, or to those of an area that the trail knows.
func (q *query) actions(action string) error {
	if action == "" {
		return nil
	}
	if !strings.HasSuffix(action, ".") {
		q.along(along("e.action", ""), action)
		return nil
	}
	known, err := knownActions(q.db)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(a string) bool { return !strings.HasPrefix(a, action) })
	if q.nothing = q.nothing || len(known) == 0; !q.nothing {
		q.along(along("e.action", ""), anys(known)...)
	}
	return nil
}

// knownActions lists what ever happened, hopping along the index.
func knownActions(db *gorm.DB) (known []string, err error) {
	err = db.Raw(`WITH RECURSIVE a(action) AS (
			SELECT (SELECT action FROM audit_entries ORDER BY action LIMIT 1)
			UNION ALL SELECT (SELECT n.action FROM audit_entries n WHERE n.action > a.action ORDER BY n.action LIMIT 1) FROM a WHERE a.action IS NOT NULL)
		SELECT action FROM a WHERE action IS NOT NULL`).Scan(&known).Error
	if err != nil {
		return nil, fmt.Errorf("list the actions: %w", err)
	}
	slices.Sort(known)
	return known, nil
}

// bytewise makes PostgreSQL compare a text by its bytes, as SQLite does.
func bytewise(db *gorm.DB, column string) string {
	if database.Postgres(db) {
		return column + ` COLLATE "C"`
	}
	return column
}

// beyond is greater than every text that begins with prefix.
func beyond(prefix string) string { return prefix + "\U0010FFFF" }

// scope keeps what by may read. It takes the index of departments for a head
// whose departments are few: the newest entries of the whole organisation may
// all be about others.
func (q *query) scope(by access.Actor) error {
	condition, args := access.Scope(by, access.AuditRead, "e.department_path")
	if condition == "1 = 1" {
		return nil
	}
	if len(q.branches) > 0 {
		q.and(condition, args)
		return nil
	}
	var all []string
	for _, led := range by.Paths(access.AuditRead) {
		found, err := q.placesBelow(led)
		if err != nil {
			return err
		}
		if all = append(all, found...); len(all) > branchMost {
			q.and(condition, args) // so large a part that the newest entries hold enough of it
			return nil
		}
	}
	slices.Sort(all)
	q.nothing = q.nothing || len(all) == 0
	for _, path := range slices.Compact(all) {
		q.branches = append(q.branches, branch{[]string{bytewise(q.db, "e.department_path")}, []any{path}, ""})
	}
	return nil
}

// placesBelow lists the departments below a path that the trail speaks of, at
// most one more than can be asked for at once.
func (q *query) placesBelow(led string) (found []string, err error) {
	column := bytewise(q.db, "department_path")
	next := func(from string) string {
		return "(SELECT department_path FROM audit_entries WHERE " + column + from + " AND " + column + " < ? ORDER BY " + column + " LIMIT 1)"
	}
	err = q.db.Raw("WITH RECURSIVE p(path) AS (SELECT "+next(" >= ?")+" UNION ALL SELECT "+next(" > p.path")+" FROM p WHERE p.path IS NOT NULL)"+
		" SELECT path FROM p WHERE path IS NOT NULL LIMIT ?", led, beyond(led), beyond(led), branchMost+1).Scan(&found).Error
	return found, err
}

// Kinds are what entries are about, in the order of the filter.
var Kinds = []string{"group", "code", "request", "member", "department", "import", "approval", "print", "preset", "role", "batch", "round", "organisation", "audit", "page"}

// objectsNamed finds the objects of a kind, or of any, whose id is the text or
// whose name begins with it.
func objectsNamed(db *gorm.DB, kind, text string) (found []Object, err error) {
	kinds := []string{kind}
	if kind == "" {
		kinds = Kinds
	}
	name, next := bytewise(db, "object_name"), bytewise(db, "x.object_name")
	for _, k := range kinds {
		var ids []string
		err := db.Raw(`WITH RECURSIVE o(name, id) AS (
				SELECT * FROM (SELECT object_name, object_id FROM audit_entries WHERE object_kind = ? AND `+name+` >= ? AND `+name+` < ?
					ORDER BY `+name+`, object_id LIMIT 1) one
				UNION ALL SELECT n.object_name, n.object_id FROM o JOIN audit_entries n ON n.id = (SELECT x.id FROM audit_entries x
					WHERE x.object_kind = ? AND (`+next+`, x.object_id) > (o.name, o.id) AND `+next+` < ?
					ORDER BY `+next+`, x.object_id LIMIT 1))
			SELECT DISTINCT id FROM (SELECT id FROM o LIMIT ?) found`, k, text, beyond(text), k, beyond(text), objectsMost).Scan(&ids).Error
		if err != nil {
			return nil, fmt.Errorf("find objects by name: %w", err)
		}
		found = append(found, Object{Kind: k, ID: text})
		for _, id := range ids {
			if id != text {
				found = append(found, Object{Kind: k, ID: id})
			}
		}
	}
	return found[:min(len(found), branchMost)], nil
}

// objectsMost is how many objects of a kind a name may stand for.
const objectsMost = 20

// every walks each branch from an id, exclusive, down. inner selects
// from audit_entries e; its two %s are the condition and the order.
func (q *query) every(inner string, top int64, args []any) (string, []any) {
	branches := q.branches
	if len(branches) == 0 {
		branches = []branch{{}}
	}
	texts := make([]string, len(branches))
	var all []any
	for i, b := range branches {
		where, order, values := b.between(database.Postgres(q.db), top)
		texts[i] = "SELECT * FROM (" + fmt.Sprintf(inner, where, order) + ") b"
		all = append(append(all, values...), args...)
	}
	return "(" + strings.Join(texts, " UNION ALL ") + ") b", all
}

// between is the part of the index from top down. PostgreSQL takes
// "column = value ORDER BY id" for a reason to walk the primary key, which is
// endless when all that fits is old; when the last column is compared together
// with the id, no index but the right one gives the order.
func (b branch) between(postgres bool, top int64) (where, order string, args []any) {
	last := len(b.columns) - 1
	for i, c := range b.columns {
		if !postgres || i < last {
			where += c + " = ? AND "
			args = append(args, b.values[i])
		}
	}
	if !postgres || last < 0 {
		return where + "e.id < ?" + b.also, "e.id DESC", append(args, top)
	}
	row, value := "("+b.columns[last]+", e.id)", b.values[last]
	return where + row + " < (?, ?) AND " + row + " >= (?, ?)" + b.also, b.columns[last] + " DESC, e.id DESC", append(args, value, top, value, 0)
}

// each is how many entries of a branch one page looks at.
func (q *query) each() int { return window / max(len(q.branches), 1) }

// floor is the id down to which this page looks, 0 when it looks at all there is.
func (q *query) floor() (int64, error) {
	if len(q.rest) == 0 {
		return 0, nil
	}
	inner, args := q.every("SELECT e.id FROM audit_entries e WHERE %s ORDER BY %s LIMIT 1 OFFSET ?", q.top(), []any{q.each()})
	var ids []int64
	err := q.db.Raw("SELECT b.id FROM "+inner+" ORDER BY b.id DESC LIMIT 1", args...).Scan(&ids).Error
	if err != nil || len(ids) == 0 || ids[0] <= q.least {
		return 0, err
	}
	return ids[0], nil
}

func (q *query) top() int64 {
	if q.before > 0 {
		return q.before
	}
	return 1 << 62
}

// inner reads a page's part of one branch, not below least. PostgreSQL would not
// stop there, but at the end of the branch: there, what the index does not narrow
// is asked of as many entries as the page looks at, taken first.
func (q *query) inner(least int64) string {
	from := "audit_entries e WHERE %[1]s AND "
	switch {
	case len(q.rest) == 0:
		return "SELECT e.id FROM audit_entries e WHERE %s ORDER BY %s LIMIT ?"
	case database.Postgres(q.db):
		from = fmt.Sprintf("(SELECT * FROM audit_entries e WHERE %%[1]s ORDER BY %%[2]s LIMIT %d) e WHERE ", q.each()+1)
	}
	return "SELECT e.id FROM " + from + "e.id >= " + strconv.FormatInt(least, 10) + " AND " + strings.Join(q.rest, " AND ") + " ORDER BY %[2]s LIMIT ?"
}

// page returns the ids of a page and where the next one begins.
func (q *query) page(limit int) (ids []int64, next int64, err error) {
	floor, err := q.floor()
	if err != nil {
		return nil, 0, err
	}
	inner, args := q.every(q.inner(max(floor, q.least)), q.top(), append(slices.Clone(q.args), limit+1))
	if err := q.db.Raw("SELECT b.id FROM "+inner+" ORDER BY b.id DESC LIMIT ?", append(args, limit+1)...).Scan(&ids).Error; err != nil {
		return nil, 0, err
	}
	switch {
	case len(ids) > limit:
		ids = ids[:limit]
		next = ids[limit-1]
	case floor > 0:
		next = floor
	}
	return ids, next, nil
}

// after returns the id of the oldest entry newer than id, if one is near. It
// walks the trail upwards, so it looks at a stretch of ids and no index.
func (q *query) after(id int64) (ids []int64, err error) {
	condition, args := "1 = 1", []any{}
	if len(q.rest) > 0 {
		condition, args = strings.Join(q.rest, " AND "), q.args
	}
	err = q.db.Raw("SELECT e.id FROM (SELECT * FROM audit_entries e WHERE e.id > ? ORDER BY e.id LIMIT ?) e WHERE "+condition+" ORDER BY e.id LIMIT 1",
		slices.Concat([]any{id, window}, args)...).Scan(&ids).Error
	return ids, err
}
