package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/join"
	"doorplate/internal/testkit"
)

const (
	manyRounds = 5
	manyAtOnce = 10_000
	oneByOne   = 500 // decided alone in each round: what one costs
)

// asked writes n guests' pending requests for one large group, with their scans.
func asked(t testing.TB, db *gorm.DB, h *hall, group int64, n int) (ids []int64) {
	t.Helper()
	_, public := h.w.Code(t, db, group, "门", nil, h.w.Super.MemberID)
	var code int64
	if err := db.Raw("SELECT id FROM codes WHERE public_id = ?", public).Scan(&code).Error; err != nil {
		t.Fatal(err)
	}
	tag := fmt.Sprintf("%d-%d", group, rand.Int64())
	now := h.clock.Now()
	for _, sql := range []string{
		"INSERT INTO guests (name, phone, created_at) SELECT '访客' || i, '+86' || @tag || '-' || i, @now FROM generate_series(1, @n) i",
		"INSERT INTO scans (ref, at, code_id, outcome) SELECT 's' || @tag || '-' || i, @now, @code, 'live' FROM generate_series(1, @n) i",
		`INSERT INTO join_requests (group_id, code_id, scan_id, guest_id, name, phone, created_at, sought)
			SELECT @group, @code, s.id, g.id, g.name, g.phone, @now, ` + soughtOf("g") + ` FROM guests g JOIN scans s ON s.ref = 's' || substr(g.phone, 4) WHERE g.phone LIKE '+86' || @tag || '-%'`,
	} {
		if err := db.Exec(sql, map[string]any{"tag": tag, "n": n, "now": now, "code": code, "group": group}).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Raw("SELECT id FROM join_requests WHERE group_id = ? AND status = 'pending' ORDER BY id", group).Scan(&ids).Error; err != nil {
		t.Fatal(err)
	}
	return ids
}

// BenchmarkDecideMany approves 10,000 requests in one run, on a database that
// really writes. The baseline is a person who decides one by one through the
// same domain method: 500 of them in each round, right before, counted up to
// 10,000. It reports the ratio of the times a request costs.
func BenchmarkDecideMany(b *testing.B) {
	db := durableDB(b)
	h := newHall(b, db, testkit.Crowd{Departments: 50, Members: 500, Groups: 50, Seats: 100, Requests: 100, Codes: 50, Copies: 1, Audit: 100, Days: 1})
	ctx := context.Background()
	var ratios []float64
	for b.Loop() {
	}
	for range manyRounds {
		group, gid := h.w.Group(b, db, fmt.Sprint("群", rand.Int64()), "external", "approval", h.w.RD, 2*manyAtOnce)
		ids := asked(b, db, h, group, manyAtOnce+oneByOne)
		if err := db.Exec("ANALYZE").Error; err != nil {
			b.Fatal(err)
		}
		from := time.Now()
		for _, id := range ids[:oneByOne] {
			if _, err := h.joins.Decide(ctx, h.w.Super, join.Decision{Approve: true}, id); err != nil {
				b.Fatal(err)
			}
		}
		single := time.Since(from).Seconds() / oneByOne
		run, err := h.joins.DraftRun(ctx, h.w.Super, join.Filter{Group: gid}, "", join.Decision{Approve: true})
		if err != nil {
			b.Fatal(err)
		}
		from = time.Now()
		if err := h.joins.StartRun(ctx, h.w.Super, run); err != nil {
			b.Fatal(err)
		}
		if _, err := h.joins.NextRun(ctx, run); err != nil {
			b.Fatal(err)
		}
		ratios = append(ratios, single/(time.Since(from).Seconds()/manyAtOnce))
		if v, err := h.joins.RunByID(ctx, h.w.Super, run); err != nil || v.Outcomes[join.Approved] != manyAtOnce {
			b.Fatal(v.Outcomes, err)
		}
	}
	reportMany(b, ratios)
}

func reportMany(b *testing.B, ratios []float64) {
	const name = "x-one-by-one"
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[len(ratios)/2], name)
	b.ReportMetric(ratios[0], name+"-least")
	b.ReportMetric(ratios[len(ratios)-1], name+"-most")
}

// lists of the queue, narrowed in every way.
func (h *hall) queues(t testing.TB, who string, by access.Actor, pages int) (all []listing) {
	t.Helper()
	ctx := context.Background()
	for name, f := range map[string]join.Filter{"": {}, " guests": {Kind: "guest"}, " hints": {Hinted: true}, " age": {Age: 1}, " decided": {Decided: true}, " name": {Search: "申请"}, " phone": {Search: "4321"}, " group": {Group: h.gid}} {
		one := listing{name: who + " /requests" + name, first: func() error { _, err := h.joins.Queue(ctx, by, f); return err }}
		after, err := cursorOf(pages, func(after string) (string, error) {
			f.After = after
			q, err := h.joins.Queue(ctx, by, f)
			return q.Next, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if after != "" {
			deep := f
			deep.After = after
			one.deep = func() error { _, err := h.joins.Queue(ctx, by, deep); return err }
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b listing) int { return strings.Compare(a.name, b.name) })
	return all
}

// BenchmarkQueue reads the queue with a million requests stored and 50,000 open:
// its first page and one far down, with every filter, and reports the median
// ratio of the two and the CPU of a first page, the database's included.
func BenchmarkQueue(b *testing.B) {
	db := testkit.Postgres(b)
	h := newHall(b, db, testkit.Crowd{Departments: 3000, Members: 100_000, Groups: 5000, Seats: 200_000, Requests: 50_000, Codes: 5000, Copies: 1, Audit: 1000, Days: 1})
	fillQueue(b, db, 1_000_000)
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	var backend int
	if err := db.Raw("SELECT pg_backend_pid()").Scan(&backend).Error; err != nil {
		b.Fatal(err)
	}
	cpu := func() int64 { return cpuTicks(b, os.Getpid()) + cpuTicks(b, backend) }
	for _, l := range append(h.queues(b, "super", h.w.Super, 500), h.queues(b, "head", h.w.Head, 50)...) {
		b.Run(strings.ReplaceAll(l.name, " ", "_"), func(b *testing.B) { measurePage(b, db, l, cpu) })
	}
}

// soughtOf is what the domain keeps to find a request of that table by.
func soughtOf(table string) string {
	return strings.ReplaceAll(`(SELECT string_agg(g, ' ') FROM (SELECT DISTINCT substr(t.name, i, 2) AS g FROM generate_series(1, length(t.name)) i
		UNION SELECT '§' || substr(t.phone, i, 3) FROM generate_series(2, length(t.phone) - 2) i) x)`, "t.", table+".")
}

// fillQueue adds decided requests until so many are stored, and the signs of
// all. The indexes are built when the rows are there.
func fillQueue(t testing.TB, db *gorm.DB, stored int) {
	t.Helper()
	var indexes []struct{ Name, Definition string }
	err := db.Raw(`SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'join_requests' AND indexdef NOT LIKE 'CREATE UNIQUE%'`).Scan(&indexes).Error
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"SET LOCAL maintenance_work_mem = '256MB'", "ALTER TABLE join_requests DISABLE TRIGGER ALL"}
	for _, i := range indexes {
		all = append(all, "DROP INDEX "+i.Name)
	}
	all = append(all, "UPDATE join_requests SET hints = CASE WHEN id % 50 = 0 THEN 2 ELSE 0 END, sought = "+soughtOf("join_requests"),
		`INSERT INTO join_requests (group_id, code_id, member_id, guest_id, name, phone, note, status, created_at, decided_at, decided_by, hints, sought)
			SELECT r.group_id, r.code_id, r.member_id, r.guest_id, r.name, r.phone, r.note, 'approved', r.created_at - interval '1 day' * s, r.decided_at - interval '1 day' * s, r.decided_by, r.hints, r.sought
			FROM join_requests r CROSS JOIN generate_series(1, (@stored / (SELECT count(*) FROM join_requests WHERE status = 'approved'))::int) s WHERE r.status = 'approved'
			LIMIT greatest(@stored - (SELECT count(*) FROM join_requests), 0)`)
	for _, i := range indexes {
		all = append(all, i.Definition)
	}
	all = append(all, "ALTER TABLE join_requests ENABLE TRIGGER ALL")
	err = db.Transaction(func(tx *gorm.DB) error {
		for _, sql := range all {
			if err := tx.Exec(strings.ReplaceAll(sql, "@stored", fmt.Sprint(stored))).Error; err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("VACUUM ANALYZE join_requests").Error; err != nil {
		t.Fatal(err)
	}
}

// No page of the queue, however narrowed, reads a table that grows from end to end.
func TestTheQueueReadsNoWholeTable(t *testing.T) {
	db := testkit.Postgres(t)
	sent := &ledger{}
	h := newHall(t, db.Session(&gorm.Session{Logger: sent}), testkit.Crowd{Departments: 1000, Members: 10_000, Groups: 2000, Seats: 10_000, Requests: 8000, Codes: 2000, Copies: 1, Audit: 100, Days: 1})
	fillQueue(t, db, 60_000)
	for _, l := range append(h.queues(t, "super", h.w.Super, 8), h.queues(t, "head", h.w.Head, 3)...) {
		for depth, read := range map[string]func() error{"": l.first, " deep": l.deep} {
			if read == nil {
				continue
			}
			sent.take()
			if err := read(); err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
			all := sent.take()
			if len(all) > 12 {
				t.Errorf("%s%s takes %d statements", l.name, depth, len(all))
			}
			for _, sql := range all {
				if found := growing.FindAllString(explain(t, db, sql, true), -1); len(found) > 0 {
					t.Errorf("%s%s reads whole tables: %q\n%.3000s\n%s", l.name, depth, found, sql, explain(t, db, sql, true))
				}
			}
		}
	}
}
