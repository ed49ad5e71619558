package directory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/directory"
)

const (
	crowdMembers     = 20000
	crowdDepartments = 1500
)

// crowd adds many departments in three levels and many members, a tenth of them departed.
func (o office) crowd() {
	o.t.Helper()
	people := crowdMembers
	if !database.Postgres(o.db) {
		people /= 4 // its plans go by rules more than by numbers
	}
	series := "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) "
	name := "substr('赵钱孙李周吴郑王冯陈', 1 + i %% 10, 1) || substr('伟芳娜敏静丽强磊军洋', 1 + (i / 10) %% 10, 1) || substr('平安喜乐吉祥如意美好', 1 + (i / 100) %% 10, 1)"
	o.exec(fmt.Sprintf(series+`INSERT INTO departments (id, parent_id, name, path, depth, created_at)
		SELECT 1000 + i, CASE WHEN i <= 15 THEN ? ELSE 1000 + (i - 1) / 10 END, '部' || i, '', 1, ? FROM s`, crowdDepartments), o.w.Root, o.clock.Now())
	for range 4 {
		o.exec(`UPDATE departments SET path = (SELECT p.path || departments.id || '/' FROM departments p WHERE p.id = departments.parent_id),
			depth = (SELECT p.depth + 1 FROM departments p WHERE p.id = departments.parent_id) WHERE parent_id IS NOT NULL`)
	}
	o.exec(fmt.Sprintf(series+"INSERT INTO members (id, job_number, name, phone, created_at, updated_at) SELECT 1000 + i, 'K' || i, "+name+", '+861' || (3000000000 + i * 7919), ?, ? FROM s", people),
		o.clock.Now(), o.clock.Now())
	if database.Postgres(o.db) { // or the keys of each place are looked up with the plan for the empty tables, by a walk
		o.exec("VACUUM ANALYZE members")
		o.exec("VACUUM ANALYZE departments")
	}
	o.exec(fmt.Sprintf(series+"INSERT INTO member_departments (member_id, department_id) SELECT 1000 + i, 1001 + (i * 31) %% %d FROM s", people, crowdDepartments))
	o.exec("UPDATE members SET status = 'departed', departed_at = ? WHERE id > 1000 AND id % 10 = 0", o.clock.Now())
	if err := o.Reindex(ctx); err != nil {
		o.t.Fatal(err)
	}
	if database.Postgres(o.db) {
		o.exec("VACUUM ANALYZE members")
		o.exec("VACUUM ANALYZE member_departments")
		o.exec("VACUUM ANALYZE departments")
		o.exec("ANALYZE memberships")
	}
}

// statement is one that the service sent.
type statement struct {
	sql  string
	vars []any
}

func (o office) statements(do func()) (all []statement) {
	keep := func(tx *gorm.DB) {
		all = append(all, statement{tx.Statement.SQL.String(), append([]any(nil), tx.Statement.Vars...)})
	}
	for _, c := range []interface {
		Register(string, func(*gorm.DB)) error
	}{o.db.Callback().Raw().After("gorm:raw"), o.db.Callback().Query().After("gorm:query"), o.db.Callback().Row().After("gorm:row")} {
		if err := c.Register("test:keep", keep); err != nil {
			o.t.Fatal(err)
		}
	}
	do()
	for _, err := range []error{o.db.Callback().Raw().Remove("test:keep"), o.db.Callback().Query().Remove("test:keep"), o.db.Callback().Row().Remove("test:keep")} {
		if err != nil {
			o.t.Fatal(err)
		}
	}
	return all
}

// explained is a plan as text, and on PostgreSQL how many pages it touched.
func (o office) explained(s statement) (plan string, pages int) {
	o.t.Helper()
	if !database.Postgres(o.db) {
		var rows []struct{ Detail string }
		if err := o.db.Raw("EXPLAIN QUERY PLAN "+s.sql, s.vars...).Scan(&rows).Error; err != nil {
			o.t.Fatal(s.sql, err)
		}
		for _, r := range rows {
			plan += r.Detail + "\n"
		}
		return plan, 0
	}
	pool, err := o.db.DB()
	if err != nil {
		o.t.Fatal(err)
	}
	var text string
	if err := pool.QueryRow("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+s.sql, s.vars...).Scan(&text); err != nil {
		o.t.Fatal(s.sql, err)
	}
	var tree []map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		o.t.Fatal(err)
	}
	top := tree[0]["Plan"].(map[string]any)
	return text, int(top["Shared Hit Blocks"].(float64) + top["Shared Read Blocks"].(float64))
}

// scans reports a walk over all rows of what grows.
func scans(plan string, postgres bool) string {
	if !postgres && strings.Contains(plan, "MATERIALIZE m\n") { // what was collected has the name of the table
		plan = strings.Replace(plan, "SCAN m\n", "", 1)
	}
	for line := range strings.Lines(plan) {
		if !postgres && strings.HasPrefix(line, "SCAN ") && !strings.Contains(line, "INDEX") {
			for _, alias := range []string{"SCAN m\n", "SCAN md\n", "SCAN members", "SCAN member_departments", "SCAN a\n"} {
				if strings.HasPrefix(line, alias) {
					return line
				}
			}
		}
	}
	if !postgres {
		return ""
	}
	var nodes []map[string]any
	if json.Unmarshal([]byte(plan), &nodes) != nil {
		return "no plan"
	}
	return seq(nodes[0]["Plan"].(map[string]any))
}

func seq(node map[string]any) string {
	if table, _ := node["Relation Name"].(string); node["Node Type"] == "Seq Scan" && (table == "members" || table == "member_departments") {
		return "Seq Scan on " + table
	}
	below, _ := node["Plans"].([]any)
	for _, n := range below {
		if found := seq(n.(map[string]any)); found != "" {
			return found
		}
	}
	return ""
}

// No page of the contacts reads all members or all places, however many there are, and a page deep in a list touches at most
// twice the pages of the first.
func TestContactsReadLittle(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.crowd()
		pg := database.Postgres(o.db)
		head := access.Actor{Kind: access.Member, MemberID: o.w.Head.MemberID, Led: []string{fmt.Sprintf("%s%d/", o.w.RootPath, 1001)}, Own: []string{o.w.RDPath}}
		staff := access.Actor{Kind: access.Member, MemberID: 1001, Own: []string{fmt.Sprintf("%s%d/", o.w.RootPath, 1001)}}
		for _, c := range []struct {
			name string
			by   access.Actor
			q    directory.Search
		}{
			{"everybody", o.w.Super, directory.Search{}}, {"the organisation", o.w.Super, directory.Search{Department: o.w.Root}},
			{"a large department", o.w.Super, directory.Search{Department: 1001}}, {"a small department", o.w.Super, directory.Search{Department: 2400}},
			{"departed", o.w.Super, directory.Search{Departed: true}}, {"a head's", head, directory.Search{}}, {"a head's departed", head, directory.Search{Departed: true}},
			{"staff", staff, directory.Search{}}, {"two characters", o.w.Super, directory.Search{Query: "王强"}}, {"one character", o.w.Super, directory.Search{Query: "吉"}},
			{"pinyin", o.w.Super, directory.Search{Query: "wangqiang"}}, {"initials", head, directory.Search{Query: "wqj"}}, {"phone", head, directory.Search{Query: "7919"}},
			{"job number", head, directory.Search{Query: "k1234"}}, {"departed and searched", o.w.Super, directory.Search{Query: "王强", Departed: true}},
		} {
			first, deep := 0, 0
			q, depth := c.q, 0
			for page := 0; page == 0 || q.After != 0 && page < 40; page++ {
				var next int64
				cost := 0
				for _, s := range o.statements(func() {
					got, err := o.Members(ctx, c.by, q)
					if err != nil {
						t.Fatal(c.name, err)
					}
					next = got.Next
				}) {
					if page%13 != 0 {
						continue
					}
					plan, pages := o.explained(s)
					cost += pages
					if bad := scans(plan, pg); bad != "" {
						t.Errorf("%s, page %d: %s in\n%s\n%s", c.name, page, bad, s.sql, plan)
					}
				}
				if page == 0 {
					first = cost
				} else if page%13 == 0 {
					deep, depth = max(deep, cost), page
				}
				q.After = next
			}
			if pg {
				t.Logf("%-24s first page %d, at most %d down to page %d", c.name, first, deep, depth)
			}
			if deep > 2*first {
				t.Errorf("%s: the first page touches %d pages of the database, page %d touches %d", c.name, first, depth, deep)
			}
		}
	})
}
