package scan_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// onTwo runs test with two services: two instances on one PostgreSQL, and two
// writers on one embedded database.
func onTwo(t *testing.T, test func(t *testing.T, g *gate, services [2]*scan.Service)) {
	run := func(t *testing.T, db, other *gorm.DB) {
		g := &gate{t: t, db: db, clock: testkit.NewClock()}
		g.w = testkit.Org(t, db, g.clock)
		g.group, g.gid = g.w.Group(t, db, "两台服务器", "internal", "approval", g.w.RD, 500)
		g.codes, g.scans = g.services(db)
		_, second := g.services(other)
		test(t, g, [2]*scan.Service{g.scans, second})
	}
	t.Run("sqlite", func(t *testing.T) { db := testkit.SQLite(t); run(t, db, db) })
	t.Run("postgres", func(t *testing.T) {
		dsn := testkit.PostgresURL(t)
		var both [2]*gorm.DB
		for i := range both {
			db, err := database.Open(dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { database.Close(db) })
			both[i] = db
		}
		run(t, both[0], both[1])
	})
}

// crowd lets 64 clients scan as often as each says, spread over the services,
// and counts the answers. after is told how many were given.
func crowd(g *gate, services [2]*scan.Service, each int, request func(n int) scan.Request, after func(given int64)) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var given atomic.Int64
	answers := map[string]int{}
	for i := range 64 {
		wg.Go(func() {
			for n := range each {
				d, err := services[(i+n)%2].Record(context.Background(), request(i*each+n))
				mu.Lock()
				if err != nil {
					answers[err.Error()]++
				} else {
					answers[d.Outcome]++
				}
				mu.Unlock()
				after(given.Add(1))
			}
		})
	}
	wg.Wait()
	return answers
}

func nothing(int64) {}

// B15: sixty-four clients, two instances, one hot code, one thousand tickets.
func TestExactlyAThousand(t *testing.T) {
	onTwo(t, func(t *testing.T, g *gate, services [2]*scan.Service) {
		id := g.issue(g.w.Super, code.Form{Validity: "30d", TotalCap: "1000", DailyCap: "5000"})
		g.copied(id, 1, "")
		got := crowd(g, services, 20, func(n int) scan.Request { return g.requestCopy(id, n%2) }, nothing)
		if got[scan.Live] != 1000 || got[scan.Exhausted] != 280 || len(got) != 2 {
			t.Errorf("answers: %v, want 1000 live and 280 exhausted", got)
		}
		if n := g.count("SELECT count(*) FROM scans"); n != 1280 {
			t.Errorf("%d rows for 1280 answers", n)
		}
		if n := g.count("SELECT sum(live) FROM scan_days"); n != 1000 {
			t.Errorf("rolled up %d", n)
		}
		if n := g.count("SELECT sum(refused) FROM scan_days"); n != 280 {
			t.Errorf("rolled up %d refused", n)
		}
		g.exact()
	})
}

// C06: midnight comes while everybody scans; either day gets its cap, to the last one.
func TestTheDailyCapAtMidnight(t *testing.T) {
	onTwo(t, func(t *testing.T, g *gate, services [2]*scan.Service) {
		id := g.issue(g.w.Super, code.Form{Validity: "30d", DailyCap: "300"})
		got := crowd(g, services, 20, func(int) scan.Request { return g.request(id) }, func(given int64) {
			if given == 500 {
				g.clock.Add(15 * time.Hour)
			}
		})
		if got[scan.Live] != 600 || len(got) != 2 {
			t.Errorf("answers: %v, want 300 live on either day", got)
		}
		if n := g.count("SELECT count(*) FROM scan_days WHERE live = 300"); n != 2 {
			t.Errorf("%d days of 300", n)
		}
		g.exact()
	})
}

// Once a revocation was answered, neither instance lets one more scan through.
func TestARevocationIsNeverOutrun(t *testing.T) {
	ctx := context.Background()
	onTwo(t, func(t *testing.T, g *gate, services [2]*scan.Service) {
		g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('address_per_10s', '0', ?)", g.clock.Now())
		for round := range 6 {
			id := g.issue(g.w.Super, code.Form{})
			g.copied(id, 1, "")
			byCopy := round%2 == 1
			var revoked atomic.Bool
			got := crowd(g, services, 8, func(int) scan.Request { return g.requestCopy(id, round%2) }, func(given int64) {
				switch {
				case given != 200:
				case byCopy:
					g.exec("UPDATE code_copies SET revoked_at = ? WHERE code_id = (SELECT id FROM codes WHERE public_id = ?)", g.clock.Now(), id)
					revoked.Store(true)
				default:
					if err := g.codes.Revoke(ctx, g.w.Super, id, "照片外传"); err != nil {
						t.Error(err)
					}
					revoked.Store(true)
				}
				if revoked.Load() {
					for _, s := range services {
						if d, err := s.Record(ctx, g.requestCopy(id, round%2)); err != nil || d.Outcome != scan.Revoked {
							t.Errorf("a scan after the revocation was answered %q, %v", d.Outcome, err)
						}
					}
				}
			})
			if got[scan.Live] == 0 || got[scan.Live]+got[scan.Revoked] != 512 {
				t.Errorf("answers: %v", got)
			}
		}
		g.exact()
	})
}

// A batch of many codes at once, on two instances, in whatever order: no deadlock.
func TestManyCodesOnTwoInstances(t *testing.T) {
	onTwo(t, func(t *testing.T, g *gate, services [2]*scan.Service) {
		ids := make([]string, 12)
		for i := range ids {
			ids[i] = g.issue(g.w.Super, code.Form{TotalCap: fmt.Sprint(50 + i)})
		}
		got := crowd(g, services, 20, func(n int) scan.Request { return g.request(ids[n*7%len(ids)]) }, nothing)
		want := 0
		for i := range ids {
			want += 50 + i
		}
		if got[scan.Live] != want || got[scan.Live]+got[scan.Exhausted] != 1280 {
			t.Errorf("answers: %v, want %d live", got, want)
		}
		g.exact()
	})
}
