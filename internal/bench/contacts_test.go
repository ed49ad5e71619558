package bench

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

const (
	contactsMembers   = 100_000
	contactsRounds    = 9
	contactsRuns      = 30
	contactsRivalRuns = 10
)

// contactsHall is an organisation of many, indexed both ways.
func contactsHall(b *testing.B) (*historyHall, *directory.Service, access.Actor) {
	h := &historyHall{b: b, db: testkit.Postgres(b), clock: testkit.NewClock()}
	h.w = testkit.Org(b, h.db, h.clock)
	s := directory.New(h.db, audit.New(testkit.Keys(), h.clock.Now), h.clock.Now)
	h.exec(`INSERT INTO departments (id, parent_id, name, path, depth, created_at) SELECT 1000 + i, ?, '部' || i, ? || (1000 + i) || '/', 1, ? FROM generate_series(1, 300) i`,
		h.w.Root, h.w.RootPath, h.clock.Now())
	h.exec(`INSERT INTO members (id, job_number, name, phone, created_at, updated_at) SELECT 1000 + i, 'K' || i,
			substr('赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张', CAST(1 + (i * 7) % 24 AS integer), 1) || substr('伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华', CAST(1 + (i / 24) % 24 AS integer), 1)
				|| substr('安喜乐吉祥如意美好文武双全龙凤虎豹山河江海日月', CAST(1 + (i / 576) % 23 AS integer), 1),
			'+861' || (3000000000 + i::bigint * 7919), ?, ? FROM generate_series(1, ?::bigint) i`, h.clock.Now(), h.clock.Now(), contactsMembers)
	h.exec(`INSERT INTO member_departments (member_id, department_id) SELECT 1000 + i, 1001 + i % 300 FROM generate_series(1, ?::bigint) i`, contactsMembers)
	if err := s.Reindex(context.Background()); err != nil {
		b.Fatal(err)
	}
	h.exec("CREATE EXTENSION pg_trgm")
	h.exec("CREATE INDEX rival_name ON members USING gin (lower(name) gin_trgm_ops)")
	h.exec("CREATE INDEX rival_phone ON members USING gin (phone gin_trgm_ops)")
	h.exec("CREATE INDEX rival_job ON members USING gin (lower(job_number) gin_trgm_ops)")
	for _, table := range []string{"members", "member_departments", "departments"} {
		h.exec("VACUUM ANALYZE " + table)
	}
	return h, s, h.w.Super
}

// trgm is a connection on which the statement that finds people is the one usually written over pg_trgm, with the
// columns, the order and the limit of ours. All else of a page, departments, headships and groups, is read by the same code.
type trgm struct {
	gorm.ConnPool
	typed   string
	planned bool // each search is planned for what was typed and found before it is sorted: the best that pg_trgm can do; else the statement is kept, as usual
}

func (c *trgm) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if strings.HasPrefix(query, "WITH m AS MATERIALIZED") {
		part := "%" + strings.ToLower(c.typed) + "%"
		found := `SELECT m.id, m.name, m.job_number, m.phone, m.super_admin, m.status, m.departed_at, true AS in_scope, true AS near FROM members m
			WHERE m.status = 'active' AND (lower(m.name) LIKE $1 OR m.phone LIKE $2 OR lower(m.job_number) LIKE $3)`
		query, args = found+" ORDER BY m.name, m.id LIMIT 51", []any{part, part, part}
		if c.planned {
			query, args = "WITH m AS MATERIALIZED ("+found+") SELECT * FROM m ORDER BY m.name, m.id LIMIT 51", append([]any{pgx.QueryExecModeExec}, args...)
		}
	}
	return c.ConnPool.QueryContext(ctx, query, args...)
}

// rivals are the same service on trgm.
func (h *historyHall) rivals(by access.Actor, planned bool) func(typed string) (directory.Page, error) {
	db := h.db.Session(&gorm.Session{Context: context.Background()})
	pool := &trgm{ConnPool: db.Statement.ConnPool, planned: planned}
	db.Statement.ConnPool = pool
	s := directory.New(db, audit.New(testkit.Keys(), h.clock.Now), h.clock.Now)
	return func(typed string) (directory.Page, error) {
		pool.typed = typed
		return s.Members(context.Background(), by, directory.Search{Query: typed})
	}
}

// contactsSearches are what people type, in the order in which they do.
var contactsSearches = []struct{ name, typed string }{
	{"two-characters", "王强"}, {"three-characters", "王强安"}, {"phone-4", "7919"}, {"phone-7", "3007919"}, {"job-number", "K12345"},
}

// BenchmarkContacts measures, at 100,000 members, a page of a search against the same page found with pg_trgm: once with statements that are
// kept, as programs do (one search box, one statement), and once with each planned for what was typed. And a page deep in the list against the first.
func BenchmarkContacts(b *testing.B) {
	h, s, by := contactsHall(b)
	ours := func(typed string) (directory.Page, error) {
		return s.Members(context.Background(), by, directory.Search{Query: typed})
	}
	usual, planned := h.rivals(by, false), h.rivals(by, true)
	for _, search := range contactsSearches {
		want, err := ours(search.typed)
		if err != nil || len(want.Rows) == 0 {
			b.Fatalf("%q finds %d people, %v", search.typed, len(want.Rows), err)
		}
		for _, rival := range []func(string) (directory.Page, error){usual, planned} {
			if got, err := rival(search.typed); err != nil || fmt.Sprint(idsOf(got)) != fmt.Sprint(idsOf(want)) {
				b.Fatalf("%q: pg_trgm has another page: %v, %v and %v", search.typed, err, idsOf(got), idsOf(want))
			}
		}
	}
	var after int64
	if err := h.db.Raw("SELECT id FROM members WHERE status = 'active' ORDER BY name, id OFFSET 90000 LIMIT 1").Scan(&after).Error; err != nil {
		b.Fatal(err)
	}
	list := func(q directory.Search) func() error {
		return func() error { _, err := s.Members(context.Background(), by, q); return err }
	}
	ratios := map[string][]float64{}
	for range contactsRounds {
		for _, search := range contactsSearches {
			seconds := func(runs int, page func(string) (directory.Page, error)) float64 {
				return h.seconds(runs, func() error { _, err := page(search.typed); return err })
			}
			took := seconds(contactsRuns, ours)
			ratios[search.name+"-x-trgm"] = append(ratios[search.name+"-x-trgm"], seconds(contactsRivalRuns, usual)/took)
			ratios[search.name+"-x-planned-trgm"] = append(ratios[search.name+"-x-planned-trgm"], seconds(contactsRivalRuns, planned)/took)
		}
		first := h.seconds(contactsRuns, list(directory.Search{}))
		ratios["deep-of-first"] = append(ratios["deep-of-first"], h.seconds(contactsRuns, list(directory.Search{After: after}))/first)
	}
	for name, all := range ratios {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
		b.ReportMetric(all[0], name+"-least")
		b.ReportMetric(all[len(all)-1], name+"-most")
	}
	b.ReportMetric(contactsMembers, "members")
	b.ReportMetric(0, "ns/op")
}

func idsOf(page directory.Page) []int64 {
	ids := make([]int64, len(page.Rows))
	for i, r := range page.Rows {
		ids[i] = r.ID
	}
	return ids
}
