package scan_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/scan"
)

// keep sets the policy.
func (g *gate) keep(days int) {
	g.t.Helper()
	g.exec("DELETE FROM policies WHERE name = 'scan_days'")
	g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('scan_days', ?, ?)", fmt.Sprint(days), g.clock.Now())
}

func (g *gate) purge() int64 {
	g.t.Helper()
	n, err := g.scans.PurgeOverdue(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// B37
func TestOldScansAreDeletedAndNothingElse(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		const day = 24 * time.Hour
		first := p.scanned(40*day, "channel", "poster", "copy_serial", 7)
		last := p.scanned(7*day+time.Minute, "outcome", scan.Bot)
		kept := p.scanned(7*day-time.Minute, "channel", "hall")
		held := p.scanned(20 * day)
		p.day(40, "live", 1)
		p.cohort(40, "poster", 7, 1, 1, 1, 0)
		id := func(ref string) int { return g.count("SELECT id FROM scans WHERE ref = ?", ref) }
		now := g.clock.Now()
		request := g.count(`INSERT INTO join_requests (group_id, code_id, scan_id, member_id, name, created_at) VALUES (?, ?, ?, ?, '顾晓棠', ?) RETURNING id`,
			g.group, p.id, id(first), g.w.Staff.MemberID, now)
		g.exec("INSERT INTO waiting_list (group_id, code_id, scan_id, member_id, name, created_at) VALUES (?, ?, ?, ?, '卢嘉禾', ?)",
			g.group, p.id, id(last), g.w.OtherStaff.MemberID, now)
		for ref, expires := range map[string]time.Time{first: now.Add(-time.Minute), held: now.Add(2 * day)} {
			g.exec("INSERT INTO join_sessions (secret_hash, scan_id, code_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)", ref, id(ref), p.id, now, expires)
		}
		if n := g.purge(); n != 0 || g.count("SELECT count(*) FROM scan_purges") != 0 {
			t.Fatalf("%d deleted though they are kept for ever", n)
		}
		g.keep(7)
		counters := g.all("code_counters", "scan_days", "scan_funnel")
		if n := g.purge(); n != 2 {
			t.Fatalf("%d deleted, want 2", n)
		}
		if got := g.all("code_counters", "scan_days", "scan_funnel"); got != counters {
			t.Errorf("counters changed:\n%s\n%s", counters, got)
		}
		if n := g.count("SELECT count(*) FROM scans WHERE ref IN ?", []string{kept, held}); n != 2 || g.count("SELECT count(*) FROM scans") != 2 {
			t.Errorf("left: %s", g.all("scans"))
		}
		if n := g.count("SELECT count(*) FROM join_requests WHERE id = ? AND scan_id IS NULL AND channel = 'poster' AND copy_serial = 7", request); n != 1 {
			t.Errorf("the request: %s", g.all("join_requests"))
		}
		if g.count("SELECT count(*) FROM waiting_list WHERE scan_id IS NULL") != 1 || g.count("SELECT count(*) FROM join_sessions") != 1 {
			t.Error("waiting list or sessions")
		}
		runs, err := g.scans.Purges(context.Background(), g.w.Super)
		if err != nil || len(runs) != 1 {
			t.Fatal(runs, err)
		}
		if r := runs[0]; r.Running || r.Deleted != 2 || r.FirstRef != first || r.LastRef != last || r.OldestKept == nil || !r.OldestKept.Equal(now.Add(-20*day)) || r.FinishedAt == nil {
			t.Errorf("proof %+v", r)
		}
		if _, err := g.scans.Purges(context.Background(), g.w.Head); err == nil {
			t.Error("a head reads the proof")
		}
		g.audited(first, last, `"count":2`)
		if n := g.purge(); n != 0 || g.count("SELECT count(*) FROM scan_purges") != 1 {
			t.Error("a second run on one day")
		}
		g.clock.Add(3 * day) // the session is over, another scan is old
		if n := g.purge(); n != 2 || g.count("SELECT count(*) FROM join_sessions") != 0 || g.count("SELECT count(*) FROM scans") != 0 {
			t.Errorf("%d deleted later", n)
		}
		g.clock.Add(day)
		if n := g.purge(); n != 0 || g.count("SELECT count(*) FROM audit_entries WHERE action = 'scans.purge'") != 2 || g.count("SELECT count(*) FROM scan_purges") != 3 {
			t.Error("an empty run leaves a row and no entry")
		}
	})
}

// all is the content of tables as text.
func (g *gate) all(tables ...string) string {
	g.t.Helper()
	var b strings.Builder
	for _, name := range tables {
		var rows []map[string]any
		if err := g.db.Table(name).Order("1, 2").Find(&rows).Error; err != nil {
			g.t.Fatal(err)
		}
		fmt.Fprintln(&b, name, rows)
	}
	return b.String()
}

func (g *gate) audited(words ...string) {
	g.t.Helper()
	var details string
	if err := g.db.Raw("SELECT details FROM audit_entries WHERE action = 'scans.purge' AND actor_kind = ?", access.System).Row().Scan(&details); err != nil {
		g.t.Fatal(err)
	}
	for _, w := range words {
		if !strings.Contains(details, w) {
			g.t.Errorf("the trail lacks %s: %s", w, details)
		}
	}
}

// A process that dies after some batches leaves count and rows in agreement,
// and whoever comes next finishes the same run.
func TestACutPurgeIsFinished(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		p.fill(12000, "device = 'mobile'")
		g.clock.Add(9 * 24 * time.Hour)
		kept := p.scanned(time.Hour)
		g.keep(7)
		ctx, cancel := context.WithCancel(context.Background())
		var batches int
		must(t, g.db.Callback().Raw().After("gorm:raw").Register("cut", func(tx *gorm.DB) {
			if strings.HasPrefix(tx.Statement.SQL.String(), "DELETE FROM scans") {
				if batches++; batches == 2 {
					cancel() // in the middle of the second batch
				}
			}
		}))
		n, err := g.scans.PurgeOverdue(ctx)
		must(t, g.db.Callback().Raw().Remove("cut"))
		if err == nil || n == 0 {
			t.Fatalf("%d deleted, %v: the run was not cut", n, err)
		}
		left := g.count("SELECT count(*) FROM scans")
		if counted := g.count("SELECT deleted FROM scan_purges"); int64(counted) != n || counted+left != 12001 {
			t.Errorf("%d counted, %d reported, %d left", counted, n, left)
		}
		if n := g.purge(); n != 0 {
			t.Errorf("%d deleted while the lease holds", n)
		}
		g.clock.Add(3 * time.Minute)
		_, second := g.services(g.db)
		var wg sync.WaitGroup
		for _, s := range []*scan.Service{g.scans, second, g.scans, second} {
			wg.Go(func() {
				if _, err := s.PurgeOverdue(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if g.count("SELECT count(*) FROM scans") != 1 || g.count("SELECT count(*) FROM scans WHERE ref = ?", kept) != 1 {
			t.Errorf("left: %d", g.count("SELECT count(*) FROM scans"))
		}
		if g.count("SELECT count(*) FROM scan_purges") != 1 || g.count("SELECT deleted FROM scan_purges WHERE NOT running") != 12000 {
			t.Errorf("runs: %s", g.all("scan_purges"))
		}
		g.audited(`"count":12000`)
	})
}

// Who makes the policy more generous while a run is under way saves what is left.
func TestAPolicyChangedMidwayIsObeyed(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		p.scanned(10 * 24 * time.Hour)
		p.scanned(40 * 24 * time.Hour)
		now := g.clock.Now()
		g.exec(`INSERT INTO scan_purges (day, days, before, holder, lease_until, started_at) VALUES ('2026-11-22', 7, ?, 'x', ?, ?)`,
			now.AddDate(0, 0, -7), now.Add(-time.Minute), now.Add(-time.Hour))
		g.keep(30)
		if n := g.purge(); n != 1 || g.count("SELECT count(*) FROM scans") != 1 {
			t.Errorf("%d deleted", n)
		}
		g.exec(`INSERT INTO scan_purges (day, days, before, holder, lease_until, started_at) VALUES ('2026-11-22', 7, ?, 'x', ?, ?)`,
			now.AddDate(0, 0, -7), now.Add(-time.Minute), now.Add(-time.Hour))
		g.keep(0)
		if n := g.purge(); n != 0 || g.count("SELECT count(*) FROM scan_purges WHERE running") != 0 {
			t.Errorf("%d deleted though all are kept", n)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
