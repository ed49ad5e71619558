package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// PageSize is how many members a page of the contacts shows.
const PageSize = 50

// fewMembers is up to how many members of departments are looked up first and
// sorted then; more are found sooner by going through the names in order.
const fewMembers = 2000

// Search narrows the contacts. The zero value lists everybody in the reader's
// own scope.
type Search struct {
	Query      string // words: parts of a name or its pinyin; for members in scope also of a phone or a job number
	Department int64  // with all below it
	Departed   bool   // those who left instead of those who are here
	After      int64  // id of the last row of the page before
	Limit      int    // PageSize when 0
}

// Row is a member in a list. What the reader may not know is empty: outside
// their scope there is a name and where the person works.
type Row struct {
	ID          int64
	Name        string
	JobNumber   string
	Phone       string
	SuperAdmin  bool
	Departed    bool
	DepartedAt  *time.Time
	InScope     bool     // the reader knows more than the name
	Near        bool     // the reader may open the person's page
	Departments []string // titles
	Leads       bool
	Groups      int
}

// Page is one page of a list. Next is the After of the following page, 0 at the end.
type Page struct {
	Rows []Row
	Next int64
}

// sqlText is a condition with its arguments.
type sqlText struct {
	text string
	args []any
}

// belongs is "member m belongs to a department that …", asked of each member one
// meets: with OFFSET PostgreSQL does not turn it round and collect everybody of a
// large department first.
func belongs(text string, args []any) sqlText {
	return sqlText{`EXISTS (SELECT 1 FROM member_departments md JOIN departments d ON d.id = md.department_id
		WHERE md.member_id = m.id AND ` + text + ` LIMIT 1 OFFSET 0)`, args}
}

// among is belongs for departments of few members, whose ids are looked up
// first, with self (0 = nobody) besides them. An array makes PostgreSQL go to the
// rows by their ids, whatever it guesses of their number.
func among(db *gorm.DB, self int64, text string, args []any) sqlText {
	// CROSS JOIN keeps SQLite from starting at the members.
	ids := `SELECT md.member_id FROM departments d CROSS JOIN member_departments md WHERE md.department_id = d.id AND ` + text
	if self != 0 {
		ids, args = "SELECT CAST(? AS bigint) UNION "+ids, append([]any{self}, args...)
	}
	if database.Postgres(db) {
		return sqlText{"m.id = ANY (ARRAY(" + ids + "))", args}
	}
	return sqlText{"m.id IN (" + ids + ")", args}
}

// scopeOf keeps the members by knows everything about.
func scopeOf(by access.Actor) sqlText {
	if by.Super || by.Kind == access.System {
		return sqlText{text: "1 = 1"}
	}
	if !by.HoldsAny(access.ContactsSee) {
		return sqlText{text: "1 = 0"}
	}
	return belongs(access.Scope(by, access.ContactsSee, "d.path"))
}

// nearOf keeps the members whose page by may open.
func nearOf(by access.Actor) sqlText {
	if by.Super || by.Kind == access.System {
		return sqlText{text: "1 = 1"}
	}
	near := belongs(access.Sight(by, "d.path"))
	return sqlText{"(m.id = ? OR " + near.text + ")", append([]any{by.MemberID}, near.args...)}
}

// namesOf keeps the members whose names by may know.
func namesOf(by access.Actor) sqlText {
	if by.Manages() {
		return sqlText{text: "1 = 1"}
	}
	return nearOf(by)
}

// memberColumns are what a list needs of a member.
const memberColumns = "m.id, m.name, m.job_number, m.phone, m.super_admin, m.status, m.departed_at"

// Members lists and searches the contacts as far as by may see them, by name.
func (s *Service) Members(ctx context.Context, by access.Actor, q Search) (Page, error) {
	db := s.db.WithContext(ctx)
	limit := q.Limit
	if limit <= 0 || limit > 500 {
		limit = PageSize
	}
	found, err := s.membersFound(db, by, q, limit+1)
	if err != nil {
		return Page{}, err
	}
	var page Page
	if len(found) > limit {
		found = found[:limit]
		page.Next = found[limit-1].ID
	}
	for _, m := range found {
		r := Row{ID: m.ID, Name: m.Name, SuperAdmin: m.SuperAdmin, Departed: m.Status == Departed, InScope: m.InScope, Near: m.Near}
		if m.InScope {
			r.JobNumber, r.Phone, r.DepartedAt = jobOf(m.Member), m.Phone, m.DepartedAt
		}
		page.Rows = append(page.Rows, r)
	}
	return page, dress(db, page.Rows)
}

type foundMember struct {
	Member
	InScope, Near bool
}

func (s *Service) membersFound(db *gorm.DB, by access.Actor, q Search, limit int) (found []foundMember, err error) {
	n, err := narrow(db, by, q)
	if err != nil {
		return nil, err
	}
	scope, near := scopeOf(by), nearOf(by)
	// Few are collected and sorted; many are met in the order of their names. Which of the two it is, is said here and
	// not left to a planner that cannot know it from a prepared statement.
	text := "SELECT " + memberColumns + ", " + scope.text + " AS in_scope, " + near.text + " AS near FROM members m WHERE " + n.where.text
	args := slices.Concat(scope.args, near.args, n.where.args)
	if n.few {
		few := n.collected()
		text = "WITH m AS MATERIALIZED (" + few.text + ") SELECT m.*, " + scope.text + " AS in_scope, " + near.text + " AS near FROM m"
		args = slices.Concat(few.args, scope.args, near.args)
	}
	if err := db.Raw(text+" ORDER BY m.name, m.id LIMIT ?", append(args, limit)...).Scan(&found).Error; err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return found, nil
}

// narrowed is the condition of a search, the ways to those whom its words find,
// and whether there are few.
type narrowed struct {
	where sqlText
	ways  []sqlText
	few   bool
}

// collected are the members found, way by way: in one condition with OR the
// database would look each row's grams through again.
func (n narrowed) collected() sqlText {
	from := "SELECT " + memberColumns + " FROM members m WHERE "
	if len(n.ways) == 0 {
		return sqlText{from + n.where.text, n.where.args}
	}
	var all sqlText
	for i, way := range n.ways {
		if i > 0 {
			all.text += " UNION "
		}
		all.text += from + way.text + " AND " + n.where.text
		all.args = slices.Concat(all.args, way.args, n.where.args)
	}
	return all
}

func narrow(db *gorm.DB, by access.Actor, q Search) (n narrowed, err error) {
	status, text := Active, line(q.Query)
	terms := termsOf(text)
	if text != "" && len(terms) == 0 {
		return narrowed{where: sqlText{text: "1 = 0"}, few: true}, nil // nothing but punctuation
	}
	visible := namesOf(by)
	if q.Departed {
		status, visible = Departed, scopeOf(by)
	}
	all := []sqlText{{"m.status = '" + status + "'", nil}}
	switch {
	case q.Department != 0:
		inside, few, err := within(db, by, q.Department)
		if err != nil {
			return n, err
		}
		all, n.few = append(all, inside), few
		if q.Departed {
			all = append(all, visible)
		}
	case text == "" || q.Departed:
		near, few, err := home(db, by, q.Departed)
		if err != nil {
			return n, err
		}
		all, n.few = append(all, near), few
	default:
		all = append(all, visible)
	}
	if len(terms) > 0 {
		n.ways, n.few = search(db, by, terms), true
	}
	if q.After != 0 {
		// The name is read first: no database takes a row from a subquery as the start of an index.
		var names []string
		if err := db.Raw("SELECT name FROM members WHERE id = ?", q.After).Scan(&names).Error; err != nil {
			return n, fmt.Errorf("find the page: %w", err)
		}
		if len(names) == 0 {
			all = append(all, sqlText{text: "1 = 0"})
		} else {
			all = append(all, sqlText{"(m.name, m.id) > (?, ?)", []any{names[0], q.After}})
		}
	}
	n.where = allOf(all)
	return n, nil
}

// within keeps a department's members, with those of the departments below it
// for whoever leads it; colleagues see the department itself.
func within(db *gorm.DB, by access.Actor, id int64) (sqlText, bool, error) {
	d, err := departmentByID(db, id)
	if err != nil {
		return sqlText{}, false, err
	}
	if !sees(by, d.Path) {
		return sqlText{}, false, fault.NotFound
	}
	below := by.Holds(access.ContactsSee, d.Path)
	switch {
	case !below:
		return among(db, 0, "d.path = ?", []any{d.Path}), true, nil
	case d.Members <= fewMembers:
		return among(db, 0, "d.path LIKE ?", []any{d.Path + "%"}), true, nil
	}
	return belongs("d.path LIKE ?", []any{d.Path + "%"}), false, nil
}

// home keeps the members a list without a search begins with: those by may open.
func home(db *gorm.DB, by access.Actor, departed bool) (sqlText, bool, error) {
	if by.Super || by.Kind == access.System {
		return sqlText{text: "1 = 1"}, false, nil
	}
	text, args := access.Sight(by, "d.path")
	if departed {
		if !by.HoldsAny(access.ContactsSee) {
			return sqlText{text: "1 = 0"}, true, nil
		}
		text, args = access.Scope(by, access.ContactsSee, "d.path")
	}
	var members int
	if tops := by.Paths(access.ContactsSee); len(tops) > 0 {
		err := db.Raw("SELECT coalesce(sum(members), 0) FROM departments WHERE path IN ?", tops).Scan(&members).Error
		if err != nil {
			return sqlText{}, false, fmt.Errorf("count members: %w", err)
		}
	}
	if members > fewMembers {
		if departed {
			return scopeOf(by), false, nil
		}
		return nearOf(by), false, nil
	}
	self := by.MemberID
	if departed {
		self = 0
	}
	return among(db, self, text, args), true, nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > nameLimit {
		return string(r[:nameLimit])
	}
	return s
}

func allOf(terms []sqlText) sqlText {
	var all sqlText
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = t.text
		all.args = append(all.args, t.args...)
	}
	all.text = strings.Join(texts, " AND ")
	return all
}

// dress adds departments, headships and numbers of groups.
func dress(db *gorm.DB, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	byID := make(map[int64]*Row, len(rows))
	ids := make([]int64, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
		byID[rows[i].ID] = &rows[i]
	}
	var facts []struct {
		Kind     string
		MemberID int64
		Value    int64
		Path     string
	}
	err := db.Raw(`SELECT 'in' AS kind, md.member_id, d.id AS value, d.path FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id IN ?
		UNION ALL SELECT 'leads', member_id, department_id, '' FROM department_heads WHERE member_id IN ?
		UNION ALL SELECT 'groups', member_id, count(*), '' FROM memberships WHERE member_id IN ? AND status = 'active' GROUP BY member_id ORDER BY 1, 3`,
		ids, ids, ids).Scan(&facts).Error
	if err != nil {
		return fmt.Errorf("read members' departments: %w", err)
	}
	var paths []string
	for _, f := range facts {
		if f.Kind == "in" {
			paths = append(paths, f.Path)
		}
	}
	titles, err := Lineages(db, paths)
	if err != nil {
		return err
	}
	for _, f := range facts {
		r := byID[f.MemberID]
		switch f.Kind {
		case "in":
			r.Departments = append(r.Departments, titles[f.Path])
		case "leads":
			r.Leads = true
		case "groups":
			if r.InScope {
				r.Groups = int(f.Value)
			}
		}
	}
	return nil
}
