package audit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/testkit"
)

// long is enough entries for PostgreSQL to think twice about reading them all.
const long = 36_000

// stuff fills the trail with entries of many people, objects and departments in
// one statement. Person 7 and department 9 had their say long ago.
func stuff(t *testing.T, db *gorm.DB) {
	t.Helper()
	series := "generate_series(1, " + fmt.Sprint(long) + ") i"
	concat, at := "md5(i::text)", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 minute'"
	with := ""
	if db.Name() == "sqlite" {
		with = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < " + fmt.Sprint(long) + ") "
		series, concat, at = "s", "'u' || i", "strftime('%Y-%m-%d %H:%M:%S+00:00', '2026-01-01', '+' || i || ' minutes')"
	}
	must(t, db.Exec(`INSERT INTO audit_entries (uid, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, department_path, outcome, mac) `+with+`
		SELECT `+concat+`, `+at+`, CASE WHEN i % 50 = 0 THEN 'system' ELSE 'member' END, CASE WHEN i < 3000 THEN 7 WHEN i % 50 = 0 THEN 0 ELSE 8 + i % 500 END, '某人',
		CASE i % 4 WHEN 0 THEN 'request.approve' WHEN 1 THEN 'code.download' WHEN 2 THEN 'join.enter' ELSE 'request.submit' END,
		CASE i % 4 WHEN 1 THEN 'code' ELSE 'request' END, CAST(i % 9000 AS text), '群 ' || (i % 9000),
		CASE WHEN i < 3000 THEN '/1/9/' ELSE '/1/' || (2 + i % 5) || '/' || (20 + i % 3000) || '/' END, CASE WHEN i % 601 = 0 THEN 'refused' ELSE 'done' END, 'x' FROM `+series).Error)
	must(t, db.Exec("INSERT INTO audit_seals (seq, entry_id, previous, hash) SELECT id, id, 'x', 'x' FROM audit_entries").Error)
	must(t, db.Exec("ANALYZE").Error)
}

// explained collects the plan of every query a page makes.
type explained struct {
	logger.Interface
	t     *testing.T
	db    *gorm.DB
	plans []string
	on    bool
}

func (e *explained) LogMode(logger.LogLevel) logger.Interface { return e }

func (e *explained) Trace(_ context.Context, _ time.Time, f func() (string, int64), _ error) {
	sql, _ := f()
	if !e.on || !strings.HasPrefix(sql, "SELECT") && !strings.HasPrefix(sql, "WITH") {
		return
	}
	e.on = false
	defer func() { e.on = true }()
	explain := "EXPLAIN "
	if e.db.Name() == "sqlite" {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := e.db.Raw(explain + sql).Rows()
	must(e.t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(e.t, err)
	to, plan := make([]any, len(columns)), ""
	for i := range to {
		to[i] = new(any)
	}
	for rows.Next() {
		must(e.t, rows.Scan(to...))
		plan += fmt.Sprintln(*to[len(to)-1].(*any))
	}
	e.plans = append(e.plans, sql+"\n"+plan)
}

// scans reports whether a plan reads the whole trail, or sorts a part of it that has no bound.
func scans(plan string) bool {
	for line := range strings.Lines(plan[strings.Index(plan, "\n")+1:]) {
		if strings.Contains(line, "Seq Scan on audit_") || strings.HasPrefix(line, "SCAN e") && !strings.Contains(line, "INDEX") && !strings.Contains(line, "PRIMARY") {
			return true
		}
	}
	return false
}

// req: A23
func TestNoFilterReadsTheWholeTrail(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		stuff(t, db)
		plans := &explained{Interface: logger.Discard, t: t, db: db}
		log := audit.NewLog(db.Session(&gorm.Session{Logger: plans}), audit.New(testkit.Keys(), time.Now))
		small := access.Actor{Kind: access.Member, Led: []string{"/1/9/"}}
		large := access.Actor{Kind: access.Member, Led: []string{"/1/3/"}}
		day := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
		for name, c := range map[string]struct {
			by     access.Actor
			filter audit.Filter
			least  int // lines
		}{
			"all":              {super, audit.Filter{}, 50},
			"deep":             {super, audit.Filter{Before: 500}, 50},
			"actor":            {super, audit.Filter{Actors: []int64{7}}, 50},
			"actors":           {super, audit.Filter{Actors: []int64{7, 8, 9, 10}}, 50},
			"system":           {super, audit.Filter{System: true}, 50},
			"object":           {super, audit.Filter{ObjectKind: "request", ObjectID: "78"}, 4},
			"object by name":   {super, audit.Filter{ObjectName: "群 77"}, 5},
			"kind":             {super, audit.Filter{ObjectKind: "code"}, 50},
			"action":           {super, audit.Filter{Action: "join.enter"}, 50},
			"area":             {super, audit.Filter{Action: "request."}, 50},
			"unknown area":     {super, audit.Filter{Action: "nothing."}, 0},
			"refused":          {super, audit.Filter{Outcome: audit.Refused}, 50},
			"day":              {super, audit.Filter{From: day, To: day.AddDate(0, 0, 1)}, 50},
			"actor and action": {super, audit.Filter{Actors: []int64{7}, Action: "join.enter"}, 50},
			"hardly any fits":  {super, audit.Filter{Actors: []int64{7}, Action: "join.enter", Outcome: audit.Refused}, 0},
			"head, long ago":   {small, audit.Filter{}, 50},
			"head, large":      {large, audit.Filter{}, 50},
			"head and actor":   {large, audit.Filter{Actors: []int64{24}}, 1},
		} {
			plans.plans, plans.on = nil, true
			p, err := log.Page(context.Background(), c.by, c.filter, 50)
			plans.on = false
			must(t, err)
			if len(p.Lines) < c.least {
				t.Errorf("%s: %d lines, want %d", name, len(p.Lines), c.least)
			}
			if len(plans.plans) == 0 && c.least > 0 {
				t.Fatalf("%s: no plan was seen", name)
			}
			for _, plan := range plans.plans {
				if scans(plan) {
					t.Errorf("%s reads everything:\n%s", name, plan)
				}
			}
		}
		if !scans("x\nSeq Scan on audit_entries e\n") || !scans("x\nSCAN e\n") {
			t.Error("the test does not see a scan")
		}
	})
}

// Every page of every filter together is what one look at all entries finds, in the same order.
func TestPagesAreWhole(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		stuff(t, db)
		log := audit.NewLog(db, audit.New(testkit.Keys(), time.Now))
		large := access.Actor{Kind: access.Member, Led: []string{"/1/3/"}}
		day := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
		for name, c := range map[string]struct {
			by     access.Actor
			filter audit.Filter
			where  string
		}{
			"rare":   {super, audit.Filter{Actors: []int64{7, 40}, Action: "request.", Outcome: audit.Refused}, "actor_kind = 'member' AND actor_id IN (7, 40) AND action LIKE 'request.%' AND outcome = 'refused'"},
			"scope":  {large, audit.Filter{Outcome: audit.Refused}, "department_path LIKE '/1/3/%' AND outcome = 'refused'"},
			"object": {super, audit.Filter{ObjectName: "群 777"}, "object_name LIKE '群 777%'"},
			"day":    {super, audit.Filter{From: day, To: day.AddDate(0, 0, 1), ObjectKind: "code"}, "at >= '2026-01-20 00:00:00+00:00' AND at < '2026-01-21 00:00:00+00:00' AND object_kind = 'code'"},
		} {
			var want, got []int64
			must(t, db.Raw("SELECT id FROM audit_entries WHERE "+c.where+" ORDER BY id DESC").Scan(&want).Error)
			for pages := 0; ; pages++ {
				p, err := log.Page(context.Background(), c.by, c.filter, 20)
				must(t, err)
				for _, l := range p.Lines {
					got = append(got, l.ID)
				}
				if c.filter.Before = p.Next; p.Next == 0 || pages > 200 {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
				t.Errorf("%s: %d lines, want %d", name, len(got), len(want))
			}
		}
	})
}
