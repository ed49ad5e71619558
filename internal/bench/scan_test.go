package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/code"
	"doorplate/internal/config"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/group"
	"doorplate/internal/jobs"
	"doorplate/internal/join"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
	"doorplate/internal/testkit/cluster"
	"doorplate/web"
)

// scanCodes is how many codes the scans are spread over.
const scanCodes = 50

// ours is a whole server of ours on a database, with codes to scan.
type ours struct {
	db      *gorm.DB
	handler http.Handler
	scans   *scan.Service
	hub     *events.Hub
	tokens  []string // of codes without a cap
	capped  string   // of one code with both caps, which are out of reach
	ids     []string // public ids, which is all that the rivals look at
}

func newOurs(b *testing.B, db *gorm.DB) *ours {
	b.Helper()
	clock := testkit.NewClock()
	w := testkit.Org(b, db, clock)
	if err := db.Exec("INSERT INTO policies (name, value, updated_at) VALUES ('address_per_10s', '0', ?)", clock.Now()).Error; err != nil {
		b.Fatal(err) // one machine is not a crowd
	}
	keys, now, log := testkit.Keys(), func() time.Time { return time.Now().UTC() }, slog.New(slog.NewTextHandler(io.Discard, nil))
	trail := audit.New(keys, now)
	cfg := config.Config{Addr: "127.0.0.1:8080", BaseURL: "http://door.example", SMS: "log", Timezone: "Asia/Shanghai"}
	groups, codes := group.New(db, trail, now), code.New(db, keys, trail, now, cfg.BaseURL)
	scans := scan.New(db, keys, codes, trail, now)
	b.Cleanup(scans.Close)
	o := &ours{db: db, scans: scans, hub: events.NewHub(db, log, now)}
	o.handler = web.New(web.Deps{
		Config: cfg, Log: log, Now: now, Trail: trail, Audit: audit.NewLog(db, trail), Auth: auth.New(db, keys, trail, jobs.New(db, keys, now, log), now),
		Directory: directory.New(db, trail, now), Groups: groups, Approvals: approval.New(db, trail, groups, codes, now), Codes: codes, Scans: scans, Hub: o.hub,
		Joins: join.New(db, keys, trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, now),
		Demo:  func(context.Context) error { return nil }, Ready: func(context.Context) error { return nil },
	})
	for i := range scanCodes + 1 {
		group, _ := w.Group(b, db, fmt.Sprint("群", i), "internal", "approval", w.Platform, 500)
		row, id := w.Code(b, db, group, "门口", nil, w.Head.MemberID)
		token := code.Token(keys, id, 0)
		if i == scanCodes {
			o.capped = token
			if err := db.Exec("UPDATE codes SET total_cap = 1000000000, daily_cap = 1000000000 WHERE id = ?", row).Error; err != nil {
				b.Fatal(err)
			}
			break
		}
		o.tokens, o.ids = append(o.tokens, "/j/"+token), append(o.ids, "/j/"+id)
	}
	return o
}

// durable is a PostgreSQL that really writes, one for all benchmarks.
var durable = sync.OnceValues(func() (string, error) {
	server, err := cluster.StartServer(cluster.Durable...)
	return server.DSN, err
})

func onPostgres(b *testing.B) *ours { return newOurs(b, durableDB(b)) }

// durableDB is a fresh database on it.
func durableDB(b testing.TB) *gorm.DB {
	b.Helper()
	dsn, err := durable()
	if err != nil {
		b.Fatal(err)
	}
	admin, err := database.Open(dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer database.Close(admin)
	name := fmt.Sprintf("bench_%d", time.Now().UnixNano())
	if err := admin.Exec("CREATE DATABASE " + name).Error; err != nil {
		b.Fatal(err)
	}
	db, err := database.Open(cluster.WithDatabase(dsn, name))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { database.Close(db) })
	if err := database.Migrate(context.Background(), db); err != nil {
		b.Fatal(err)
	}
	return db
}

// BenchmarkScan compares durable scans with the same stack without a database,
// and with a look-up and an insert per request.
func BenchmarkScan(b *testing.B) {
	for _, connections := range []int{256, 64, 16} {
		b.Run(fmt.Sprintf("%d-connections", connections), func(b *testing.B) {
			o := onPostgres(b)
			compare(b, o, connections)
		})
	}
}

// BenchmarkScanSQLite is the same on the embedded database.
func BenchmarkScanSQLite(b *testing.B) {
	compare(b, newOurs(b, testkit.SQLite(b)), 64)
}

func compare(b *testing.B, o *ours, connections int) {
	rounds := race(b, connections,
		start(b, o.handler, http.StatusSeeOther, o.tokens...),
		start(b, pageOnly(), http.StatusOK, o.ids...),
		start(b, redirectOnly(), http.StatusSeeOther, o.ids...),
		start(b, perRequest(o.db), http.StatusSeeOther, o.ids...))
	report(b, "x-page", rounds, rates(0, 1))
	report(b, "x-redirect", rounds, rates(0, 2))
	report(b, "x-insert", rounds, rates(0, 3))
	report(b, "p99-x-insert", rounds, p99s(0, 3))
}

// BenchmarkScanCaps compares strict caps on one hot code with a code without
// any, and with a row lock per request.
func BenchmarkScanCaps(b *testing.B) {
	o := onPostgres(b)
	rounds := race(b, 64,
		start(b, o.handler, http.StatusSeeOther, "/j/"+o.capped),
		start(b, o.handler, http.StatusSeeOther, o.tokens[0]),
		start(b, rowLock(o.db), http.StatusSeeOther, o.ids[0]))
	report(b, "x-no-cap", rounds, rates(0, 1))
	report(b, "x-row-lock", rounds, rates(0, 2))
}
