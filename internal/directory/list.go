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

// Search narrows the contacts. The zero value lists everybody in the reader's
// own scope.
type Search struct {
	Query      string // part of a name; for members in scope also a phone, its last digits, a job number
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

// belongs is "member m belongs to a department that …".
func belongs(text string, args []any) sqlText {
	return sqlText{`EXISTS (SELECT 1 FROM member_departments md JOIN departments d ON d.id = md.department_id
		WHERE md.member_id = m.id AND ` + text + `)`, args}
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

// Members lists and searches the contacts as far as by may see them, by name.
func (s *Service) Members(ctx context.Context, by access.Actor, q Search) (Page, error) {
	db := s.db.WithContext(ctx)
	limit := q.Limit
	if limit <= 0 || limit > 500 {
		limit = PageSize
	}
	scope, near := scopeOf(by), nearOf(by)
	where, err := searchWhere(db, by, q)
	if err != nil {
		return Page{}, err
	}
	var found []struct {
		Member
		InScope, Near bool
	}
	err = db.Raw("SELECT m.id, m.name, m.job_number, m.phone, m.super_admin, m.status, m.departed_at, "+scope.text+" AS in_scope, "+near.text+" AS near"+
		" FROM members m WHERE "+where.text+" ORDER BY m.name, m.id LIMIT ?",
		slices.Concat(scope.args, near.args, where.args, []any{limit + 1})...).Scan(&found).Error
	if err != nil {
		return Page{}, fmt.Errorf("list members: %w", err)
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

func searchWhere(db *gorm.DB, by access.Actor, q Search) (sqlText, error) {
	var all []sqlText
	status, visible := Active, namesOf(by)
	text := line(q.Query)
	if text == "" && q.Department == 0 {
		visible = nearOf(by)
	}
	if q.Departed {
		status, visible = Departed, scopeOf(by)
	}
	all = append(all, sqlText{"m.status = '" + status + "'", nil}, visible)
	if q.Department != 0 {
		d, err := departmentByID(db, q.Department)
		if err != nil {
			return sqlText{}, err
		}
		if !sees(by, d.Path) {
			return sqlText{}, fault.NotFound
		}
		all = append(all, within(by, d.Path))
	}
	if text != "" {
		all = append(all, matches(by, text))
	}
	if q.After != 0 {
		all = append(all, sqlText{"(m.name, m.id) > (SELECT a.name, a.id FROM members a WHERE a.id = ?)", []any{q.After}})
	}
	return allOf(all), nil
}

// within keeps a department's members, with those of the departments below it
// for whoever leads it; colleagues see the department itself.
func within(by access.Actor, path string) sqlText {
	if by.Holds(access.ContactsSee, path) {
		return belongs("d.path LIKE ?", []any{path + "%"})
	}
	return belongs("d.path = ?", []any{path})
}

// matches finds people by part of their name; in scope also by phone and job
// number, which outside it nobody may probe.
func matches(by access.Actor, text string) sqlText {
	like := "%" + database.EscapeLike(strings.ToLower(clip(text))) + "%"
	more := []string{"lower(coalesce(m.job_number, '')) LIKE ? ESCAPE '\\'"}
	args := []any{like}
	if e164, ok := ParsePhone(text); ok {
		more, args = append(more, "m.phone = ?"), append(args, e164)
	}
	if digits := strings.TrimPrefix(text, "+"); len(digits) >= 3 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == "" {
		more, args = append(more, "m.phone LIKE ?"), append(args, "%"+digits)
	}
	scope := scopeOf(by)
	return sqlText{"(lower(m.name) LIKE ? ESCAPE '\\' OR (" + scope.text + " AND (" + strings.Join(more, " OR ") + ")))",
		slices.Concat([]any{like}, scope.args, args)}
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

// dress adds departments, headships and numbers of groups with one query each.
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
	tree, err := loadTree(db)
	if err != nil {
		return err
	}
	var facts []struct {
		Kind     string
		MemberID int64
		Value    int64
	}
	err = db.Raw(`SELECT 'in' AS kind, member_id, department_id AS value FROM member_departments WHERE member_id IN ?
		UNION ALL SELECT 'leads', member_id, department_id FROM department_heads WHERE member_id IN ?
		UNION ALL SELECT 'groups', member_id, count(*) FROM memberships WHERE member_id IN ? AND status = 'active' GROUP BY member_id`,
		ids, ids, ids).Scan(&facts).Error
	if err != nil {
		return fmt.Errorf("read members' departments: %w", err)
	}
	for _, f := range facts {
		r := byID[f.MemberID]
		switch n := tree.Node(f.Value); f.Kind {
		case "in":
			if n != nil {
				r.Departments = append(r.Departments, n.Title())
			}
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
