package operations_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/operations"
	"doorplate/internal/scan"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
)

// world is a small organisation with everything that works on its groups.
type world struct {
	testkit.World
	t      *testing.T
	db     *gorm.DB
	clock  *testkit.Clock
	groups *group.Service
	codes  *code.Service
	joins  *join.Service
	scans  *scan.Service
	ops    *operations.Service
}

var ctx = context.Background()

func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		keys, trail := testkit.Keys(), audit.New(testkit.Keys(), clock.Now)
		w := &world{World: testkit.Org(t, db, clock), t: t, db: db, clock: clock}
		w.groups = group.New(db, trail, clock.Now)
		w.codes = code.New(db, keys, trail, clock.Now, "http://door.example")
		w.scans = scan.New(db, keys, w.codes, trail, clock.Now)
		t.Cleanup(w.scans.Close)
		w.joins = join.New(db, keys, trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, clock.Now)
		w.ops = operations.New(db, trail, w.groups, w.codes, clock.Now)
		test(t, w)
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.must(w.db.Exec(sql, args...).Error)
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.db.Raw(sql, args...).Scan(&n).Error)
	return n
}

func (w *world) group(name, kind, mode string, department int64, capacity int) (int64, string) {
	w.t.Helper()
	return w.Group(w.t, w.db, name, kind, mode, department, capacity)
}

// person inserts a member; the same number is the same phone.
func (w *world) person(n int) (id int64) {
	w.t.Helper()
	w.must(w.db.Raw("INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING id",
		fmt.Sprint("人", n), fmt.Sprintf("+86139%08d", n), w.clock.Now(), w.clock.Now()).Scan(&id).Error)
	return id
}

// joins puts people into a group.
func (w *world) seat(groupID int64, at time.Time, members ...int64) {
	w.t.Helper()
	for _, m := range members {
		w.exec("INSERT INTO memberships (group_id, member_id, source, joined_at) VALUES (?, ?, 'code', ?)", groupID, m, at)
	}
	w.exec("UPDATE groups SET member_count = member_count + ? WHERE id = ?", len(members), groupID)
}

func (w *world) asks(groupID, member int64) (id int64) {
	w.t.Helper()
	w.must(w.db.Raw("INSERT INTO join_requests (group_id, member_id, name, phone, created_at) VALUES (?, ?, '申请人', '', ?) RETURNING id",
		groupID, member, w.clock.Now()).Scan(&id).Error)
	return id
}

func (w *world) waits(groupID, member int64) {
	w.t.Helper()
	w.exec("INSERT INTO waiting_list (group_id, member_id, name, created_at) VALUES (?, ?, '候补', ?)", groupID, member, w.clock.Now())
}

// scanned is the join cookie of a scan that was let through.
func (w *world) scanned(codeID int64) string {
	w.t.Helper()
	cookie := secret.Token(24)
	var scanID int64
	w.must(w.db.Raw("INSERT INTO scans (ref, at, code_id, outcome) VALUES (?, ?, ?, 'live') RETURNING id", secret.Token(9), w.clock.Now(), codeID).Scan(&scanID).Error)
	w.exec("INSERT INTO join_sessions (secret_hash, scan_id, code_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
		scan.SecretHash(testkit.Keys(), cookie), scanID, codeID, w.clock.Now(), w.clock.Now().Add(join.CookieLife))
	return cookie
}

// scan is one scan of a print, as the page that follows has it.
func (w *world) scan(publicID string) scan.Decision {
	d, err := w.scans.Record(ctx, scan.Request{Token: code.Token(testkit.Keys(), publicID, 0), Address: "192.0.2.9"})
	if err != nil {
		w.t.Error(err)
	}
	return d
}

// together runs all at once.
func together(all ...func()) {
	var begin, end sync.WaitGroup
	begin.Add(1)
	for _, f := range all {
		end.Add(1)
		go func() {
			defer end.Done()
			begin.Wait()
			f()
		}()
	}
	begin.Done()
	end.Wait()
}

// sound fails the test unless every group counts its people and none has more than seats.
func (w *world) sound() {
	w.t.Helper()
	for query, want := range map[string]int{
		"SELECT count(*) FROM groups WHERE member_count > capacity":                                                                                0,
		`SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')`: 0,
		"SELECT count(*) FROM join_requests r JOIN groups g ON g.id = r.group_id WHERE r.status = 'pending' AND g.status <> 'active'":              0,
		"SELECT count(*) FROM codes c JOIN groups g ON g.id = c.group_id WHERE c.revoked_at IS NULL AND g.merged_into_id IS NOT NULL":              0,
	} {
		if got := w.count(query); got != want {
			w.t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
}
