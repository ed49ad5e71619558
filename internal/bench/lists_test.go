package bench

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/recert"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// ledger is a logger that keeps what is sent to the database.
type ledger struct {
	mu   sync.Mutex
	sent []string
}

func (l *ledger) LogMode(logger.LogLevel) logger.Interface { return l }
func (*ledger) Info(context.Context, string, ...any)       {}
func (*ledger) Warn(context.Context, string, ...any)       {}
func (*ledger) Error(context.Context, string, ...any)      {}

func (l *ledger) Trace(_ context.Context, _ time.Time, say func() (string, int64), _ error) {
	sql, _ := say()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sql)
}

// take returns what was sent since the last time.
func (l *ledger) take() (sent []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, l.sent = l.sent, nil
	return sent
}

// hall is a large organisation and everything that lists it.
type hall struct {
	w         testkit.World
	clock     *testkit.Clock
	gid       string // of a group below the head
	groups    *group.Service
	directory *directory.Service
	codes     *code.Service
	joins     *join.Service
	scans     *scan.Service
	approvals *approval.Service
	trail     *audit.Log
	rounds    *recert.Service
}

func newHall(t testing.TB, db *gorm.DB, size testkit.Crowd) *hall {
	t.Helper()
	h := &hall{clock: testkit.NewClock()}
	h.w = testkit.Org(t, db, h.clock)
	now := h.clock.Now()
	for _, r := range [][2]time.Time{{now.AddDate(0, 0, -100), now.AddDate(0, 0, -86)}, {now.AddDate(0, 0, -5), now.AddDate(0, 0, 9)}} {
		if err := db.Exec("INSERT INTO recert_rounds (from_at, opens_at, due_at) VALUES (?, ?, ?)", r[0], r[0], r[1]).Error; err != nil {
			t.Fatal(err)
		}
	}
	size.Fill(t, db, h.w)
	// Scans that nobody asked after: of an empty table no planner takes the index.
	if err := db.Exec("INSERT INTO scans (ref, at, outcome) SELECT 'idle' || i, ?, 'live' FROM generate_series(1, 5000) i", now).Error; err != nil {
		t.Fatal(err)
	}
	trail := audit.New(testkit.Keys(), h.clock.Now)
	defer func() { // the hourly work
		for _, chore := range []func(context.Context) error{h.codes.SettlePrints, h.codes.SettleDoubts, h.codes.SettleDoubts, h.scans.SumDays} {
			if err := chore(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Exec("ANALYZE").Error; err != nil {
			t.Fatal(err)
		}
	}()
	h.directory = directory.New(db, trail, h.clock.Now)
	h.groups = group.New(db, trail, h.clock.Now)
	h.codes = code.New(db, testkit.Keys(), trail, h.clock.Now, "http://door.example")
	h.scans = scan.New(db, testkit.Keys(), h.codes, trail, h.clock.Now)
	t.Cleanup(h.scans.Close)
	h.joins = join.New(db, testkit.Keys(), trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, h.clock.Now)
	h.approvals = approval.New(db, trail, h.groups, h.codes, h.clock.Now)
	h.trail = audit.NewLog(db, trail)
	h.rounds = recert.New(db, trail, h.codes, h.clock.Now)
	err := db.Raw("SELECT g.gid FROM groups g JOIN departments d ON d.id = g.department_id WHERE d.path LIKE ? ORDER BY g.id LIMIT 1", h.w.RDPath+"%").Scan(&h.gid).Error
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// listing is one list, read the way its page reads it. deep is the same list
// far down; nil where it has one page.
type listing struct {
	name  string
	first func() error
	deep  func() error
}

// cursorOf runs a list until it is far down and returns the last cursor.
func cursorOf[T comparable](pages int, page func(T) (T, error)) (after T, err error) {
	var end T
	for range pages {
		next, err := page(after)
		if err != nil {
			return after, err
		}
		if next == end {
			break
		}
		after = next
	}
	return after, nil
}

func paged[T comparable](t testing.TB, name string, pages int, page func(T) (T, error)) listing {
	t.Helper()
	var start T
	after, err := cursorOf(pages, page)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if after == start {
		t.Fatalf("%s has one page only", name)
	}
	read := func(from T) func() error {
		return func() error { _, err := page(from); return err }
	}
	return listing{name, read(start), read(after)}
}

// lists are the lists of the console for somebody.
func (h *hall) lists(t testing.TB, who string, by access.Actor, pages int) []listing {
	t.Helper()
	ctx := context.Background()
	all := []listing{
		paged(t, "/groups", pages, func(after int64) (int64, error) {
			p, err := h.groups.List(ctx, by, group.Filter{After: after})
			return p.Next, err
		}),
		{name: "/groups?view=attention", first: func() error { _, err := h.groups.List(ctx, by, group.Filter{Attention: true}); return err }},
		{name: "/groups?view=external", first: func() error { _, err := h.groups.List(ctx, by, group.Filter{Type: "external"}); return err }},
		{name: "/groups?view=disbanded", first: func() error { _, err := h.groups.List(ctx, by, group.Filter{Disbanded: true}); return err }},
		{name: "/groups?q=", first: func() error { _, err := h.groups.List(ctx, by, group.Filter{Q: "群77"}); return err }},
		paged(t, "/codes", pages, func(after string) (string, error) {
			l, err := h.codes.All(ctx, by, "", after)
			return l.Next, err
		}),
		{name: "/codes?state=attention", first: func() error { _, err := h.codes.All(ctx, by, "attention", ""); return err }},
		{name: "/codes?state=orphaned", first: func() error { _, err := h.codes.All(ctx, by, code.Orphans, ""); return err }},
		{name: "/codes/prints", first: func() error { _, err := h.codes.Prints(ctx, by, ""); return err }},
		{name: "stale prints", first: func() error { _, err := h.codes.StaleCount(ctx, by, 100); return err }},
		{name: "/reminders", first: func() error { _, _, err := h.codes.Due(ctx, by, "", 50); return err }},
		{name: "images that run out", first: func() error { _, err := h.groups.RunningOut(ctx, by); return err }},
		paged(t, "/requests", pages, func(after string) (string, error) {
			q, err := h.joins.Queue(ctx, by, join.Filter{After: after})
			return q.Next, err
		}),
		paged(t, "/requests decided", pages, func(after string) (string, error) {
			q, err := h.joins.Queue(ctx, by, join.Filter{Decided: true, After: after})
			return q.Next, err
		}),
		{name: "waiting requests", first: func() error { _, err := h.joins.Waiting(ctx, by, 100); return err }},
		{name: "groups with requests", first: func() error { _, err := h.joins.Choices(ctx, by); return err }},
		paged(t, "/audit", pages, func(after int64) (int64, error) {
			lines, err := h.trail.List(ctx, by, audit.Filter{Before: after}, 50)
			if err != nil || len(lines) < 50 {
				return 0, err
			}
			return lines[49].ID, nil
		}),
		{name: "/audit by area", first: func() error { _, err := h.trail.List(ctx, by, audit.Filter{Action: "code."}, 50); return err }},
		{name: "/audit by object", first: func() error {
			_, err := h.trail.List(ctx, by, audit.Filter{ObjectKind: "group", ObjectID: "GC7"}, 50)
			return err
		}},
		{name: "/audit of a day", first: func() error {
			_, err := h.trail.List(ctx, by, audit.Filter{From: h.clock.Now().AddDate(0, 0, -400), To: h.clock.Now().AddDate(0, 0, -399)}, 50)
			return err
		}},
		{name: "/approvals", first: func() error { _, err := h.approvals.List(ctx, by, approval.Filter{}); return err }},
		{name: "approvals that wait", first: func() error { _, err := h.approvals.Waiting(ctx, by, 100); return err }},
		{name: "the month on the home page", first: func() error { _, err := h.scans.Overview(ctx, by); return err }},
		{name: "who came", first: func() error { _, err := h.groups.Arrivals(ctx, by, 5); return err }},
		{name: "who left", first: func() error { _, err := h.directory.Leavers(ctx, by, 5); return err }},
		{name: "requests by group", first: func() error { _, err := h.joins.ByGroup(ctx, by, 5); return err }},
		{name: "own requests", first: func() error { _, err := h.joins.Own(ctx, by, 5); return err }},
		{name: "members of a group", first: func() error { _, err := h.groups.Roster(ctx, by, h.gid, "", 0); return err }},
		{name: "/recertify", first: func() error { _, err := h.rounds.Due(ctx, by, by.Super, ""); return err }},
		{name: "groups to confirm", first: func() error { _, err := h.rounds.Waiting(ctx, by, 100); return err }},
	}
	for i := range all {
		all[i].name = who + " " + all[i].name
	}
	return all
}

// growing are the tables without a bound; settling ones are as large as the
// organisation is, and a planner rightly reads a small one from end to end.
var (
	growing  = regexp.MustCompile(`Seq Scan on (members|member_departments|memberships|code_copies|join_requests|audit_entries|audit_seals|scans|scan_days|recert_marks|guests)\b`)
	settling = regexp.MustCompile(`Seq Scan on (groups|codes|code_counters|departments|approvals)\b`)
)

// middling is large enough for a planner to prefer an index where there is one.
var middling = testkit.Crowd{Departments: 3000, Members: 20_000, Groups: 5000, Seats: 30_000, Requests: 8000, Codes: 5000, Copies: 2, Audit: 20_000, Days: 3}

// No list reads a table that grows from end to end: the plans of what the pages
// send, with statistics of a middling organisation. Of groups and codes an index
// must be able to serve each list. req: performance.md
func TestNoListReadsAWholeTable(t *testing.T) {
	db := testkit.Postgres(t)
	sent := &ledger{}
	h := newHall(t, db.Session(&gorm.Session{Logger: sent}), middling)
	lists := append(h.lists(t, "super admin", h.w.Super, 8), h.lists(t, "head", h.w.Head, 3)...)
	for _, l := range lists {
		for depth, read := range map[string]func() error{"": l.first, " deep": l.deep} {
			if read == nil {
				continue
			}
			sent.take()
			if err := read(); err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
			for _, sql := range sent.take() {
				found := growing.FindAllString(explain(t, db, sql, true), -1)
				found = append(found, settling.FindAllString(explain(t, db, sql, false), -1)...)
				if len(found) > 0 {
					t.Errorf("%s%s reads whole tables: %q\n%.3000s\n%s", l.name, depth, found, sql, explain(t, db, sql, true))
				}
			}
		}
	}
}

// explain is the plan of a query. With whole set the planner may read whole
// tables where that is cheapest; without it does so only where no index serves.
func explain(t testing.TB, db *gorm.DB, sql string, whole bool) (plan string) {
	t.Helper()
	if start := strings.TrimSpace(sql); !strings.HasPrefix(start, "SELECT") && !strings.HasPrefix(start, "WITH") {
		return ""
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(fmt.Sprintf("SET LOCAL enable_seqscan = %t", whole)).Error; err != nil {
			return err
		}
		var lines []string
		err := tx.Raw("EXPLAIN " + strings.ReplaceAll(sql, "?", "??")).Scan(&lines).Error
		plan = strings.Join(lines, "\n")
		return err
	})
	if err != nil {
		t.Fatalf("%v: %s", err, sql)
	}
	return plan
}
