package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

const (
	contactsMembers = 100_000
	contactsRounds  = 9
	contactsRuns    = 30
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
	for _, table := range []string{"members", "member_departments", "departments"} {
		h.exec("VACUUM ANALYZE " + table)
	}
	return h, s, h.w.Super
}

// trgm is the search as it is usually written over pg_trgm, with the columns and the order of ours, and nothing else.
func (h *historyHall) trgm(typed string) func() error {
	return func() error {
		var rows []directory.Member
		err := h.db.Raw(`SELECT m.id, m.name, m.job_number, m.phone, m.super_admin, m.status, m.departed_at FROM members m
			WHERE m.status = 'active' AND (lower(m.name) LIKE ? OR m.phone LIKE ?) ORDER BY m.name, m.id LIMIT 51`, "%"+typed+"%", "%"+typed+"%").Scan(&rows).Error
		if err == nil && len(rows) == 0 {
			err = fmt.Errorf("pg_trgm finds nobody for %q", typed)
		}
		return err
	}
}

// BenchmarkContacts measures, at 100,000 members, the whole search of ours (with departments, headships and groups of each row)
// against pg_trgm finding the rows alone, and a page deep in the list against the first.
func BenchmarkContacts(b *testing.B) {
	h, s, by := contactsHall(b)
	list := func(q directory.Search) func() error {
		return func() error {
			page, err := s.Members(context.Background(), by, q)
			if err == nil && len(page.Rows) == 0 {
				err = fmt.Errorf("nobody for %+v", q)
			}
			return err
		}
	}
	searches := map[string]string{"name": "王强", "full-name": "王强安", "phone": "3007919"}
	faster, deep := map[string][]float64{}, []float64{}
	var after int64
	if err := h.db.Raw("SELECT id FROM members WHERE status = 'active' ORDER BY name, id OFFSET 90000 LIMIT 1").Scan(&after).Error; err != nil {
		b.Fatal(err)
	}
	for range contactsRounds {
		for name, typed := range searches {
			faster[name] = append(faster[name], h.seconds(contactsRuns, h.trgm(typed))/h.seconds(contactsRuns, list(directory.Search{Query: typed})))
		}
		first := h.seconds(contactsRuns, list(directory.Search{}))
		deep = append(deep, h.seconds(contactsRuns, list(directory.Search{After: after}))/first)
	}
	report := func(name string, all []float64) {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
		b.ReportMetric(all[0], name+"-least")
		b.ReportMetric(all[len(all)-1], name+"-most")
	}
	for name, all := range faster {
		report(name+"-x-trgm", all)
	}
	report("deep-of-first", deep)
	b.ReportMetric(contactsMembers, "members")
	b.ReportMetric(0, "ns/op")
}
