package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/testkit"
)

const (
	auditEntries = 1_000_000
	auditRounds  = 5
	auditWriters = 64
	auditLasting = time.Second
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// event is an entry of ordinary length.
func event(i int) audit.Event {
	return audit.Event{Action: "request.approve", Object: audit.Object{Kind: "request", ID: strconv.Itoa(i), Name: "卢嘉禾 → 平台技术交流群"},
		DepartmentPath: fmt.Sprintf("/1/%d/%d/", 2+i%9, 20+i%83), Details: map[string]any{"group": "G" + strconv.Itoa(i%5000), "reason": "符合要求"}}
}

func auditor(i int) access.Actor {
	return access.Actor{Kind: access.Member, MemberID: int64(1 + i%300), Name: "许一诺", Address: "10.2.14.8",
		Device: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.42"}
}

// entryCount is how many entries the benchmarks of reading work on.
func entryCount(b *testing.B) int {
	text := os.Getenv("DOORPLATE_BENCH_ENTRIES")
	if text == "" {
		return auditEntries
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal("DOORPLATE_BENCH_ENTRIES:", err)
	}
	return n
}

// streamed reads the trail as plainly as can be: all that verifying needs, one row after the other.
func streamed(db *gorm.DB) (n int, err error) {
	rows, err := db.Raw(`SELECT s.seq, s.previous, s.hash, e.id, e.uid, e.at, e.actor_kind, e.actor_id, e.actor_name, e.action, e.object_kind, e.object_id, e.object_name,
		e.department_path, e.outcome, e.details, e.address, e.device, e.mac FROM audit_seals s JOIN audit_entries e ON e.id = s.entry_id ORDER BY s.seq`).Rows()
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var seq int64
	var previous, hash string
	var e audit.Entry
	to := []any{&seq, &previous, &hash, &e.ID, &e.UID, &e.At, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Action, &e.ObjectKind, &e.ObjectID, &e.ObjectName,
		&e.DepartmentPath, &e.Outcome, &e.Details, &e.Address, &e.Device, &e.MAC}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// read reads a file line by line into entries.
func read(path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Seq            int64
			Previous, Hash string
			Entry          audit.Entry
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return n, err
		}
		n++
	}
	return n, lines.Err()
}

// BenchmarkAuditVerify verifies 1,000,000 entries (DOORPLATE_BENCH_ENTRIES for
// another number) against only reading them, in the database and in a file.
// MiB is the most memory that the process had while it verified.
func BenchmarkAuditVerify(b *testing.B) {
	n := entryCount(b)
	for _, store := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"postgres", testkit.Postgres}, {"sqlite", testkit.SQLite}} {
		b.Run(store.name, func(b *testing.B) {
			db := store.open(b)
			trail := longTrail(b, db, n)
			verify := func() error {
				r, err := trail.Verify(context.Background(), db)
				return whole(r, err, n)
			}
			against(b, verify, func() error { return counted(streamed(db))(n) })
		})
	}
	b.Run("file", func(b *testing.B) {
		db := testkit.Postgres(b)
		trail := longTrail(b, db, n)
		path := filepath.Join(b.TempDir(), "trail.jsonl")
		f, err := os.Create(path)
		if err == nil {
			err = trail.Export(context.Background(), db, f)
		}
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		keys := testkit.Keys()
		verify := func() error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			r, err := audit.VerifyFile(f, audit.Proof{Keys: &keys, PublicKey: trail.PublicKey()})
			return whole(r, err, n)
		}
		against(b, verify, func() error { return counted(read(path))(n + 1) })
	})
}

func whole(r audit.Report, err error, n int) error {
	if err == nil && (r.Broken != nil || r.Head.Seq != int64(n)) {
		err = fmt.Errorf("report %+v %+v", r, r.Broken)
	}
	return err
}

func counted(n int, err error) func(int) error {
	return func(want int) error {
		if err == nil && n != want {
			err = fmt.Errorf("%d read, want %d", n, want)
		}
		return err
	}
}

// against reports how many times as long as base do takes, in paired rounds.
func against(b *testing.B, do, base func() error) {
	b.Helper()
	timed := func(f func() error) float64 {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start).Seconds()
	}
	timed(base)
	b.ReportMetric(memoryOf(b, do), "MiB") // and warms up
	var all []float64
	for range auditRounds {
		plain := timed(base)
		all = append(all, timed(do)/plain)
	}
	spread(b, "of-reading", all)
}

func spread(b *testing.B, name string, all []float64) {
	b.Helper()
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2], name)
	b.ReportMetric(all[0], name+"-least")
	b.ReportMetric(all[len(all)-1], name+"-most")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAuditAppend compares writing entries from 64 sides, sealer running,
// with a chain that is extended in the business transaction under a lock.
func BenchmarkAuditAppend(b *testing.B) {
	ours, theirs := onDurable(b), onDurable(b)
	trail := audit.New(testkit.Keys(), func() time.Time { return time.Now().UTC() })
	ctx, stop := context.WithCancel(context.Background())
	var sealer sync.WaitGroup
	sealer.Go(func() { trail.RunSealer(ctx, ours, silent, filepath.Join(b.TempDir(), "audit.head")) })
	defer sealer.Wait()
	defer stop()
	append64 := func() int {
		return writers(b, func(i int) error {
			return ours.Transaction(func(tx *gorm.DB) error { return trail.Record(tx, auditor(i), event(i)) })
		})
	}
	locked := audit.New(testkit.Keys(), func() time.Time { return time.Now().UTC() })
	chained := func() int {
		return writers(b, func(i int) error {
			return theirs.Transaction(func(tx *gorm.DB) error {
				if err := tx.Exec("SELECT pg_advisory_xact_lock(4711)").Error; err != nil {
					return err
				}
				if err := locked.Record(tx, auditor(i), event(i)); err != nil {
					return err
				}
				return tx.Exec(`INSERT INTO audit_seals (seq, entry_id, previous, hash) SELECT coalesce(max(s.seq), 0) + 1, (SELECT max(id) FROM audit_entries),
					coalesce((SELECT hash FROM audit_seals ORDER BY seq DESC LIMIT 1), ''), encode(sha256('x'::bytea), 'hex') FROM audit_seals s`).Error
			})
		})
	}
	append64()
	chained()
	var all []float64
	for range auditRounds {
		base := chained()
		all = append(all, float64(append64())/float64(base))
	}
	spread(b, "x-advisory-lock", all)
}

// writers counts what 64 of them get done in a while.
func writers(b *testing.B, do func(i int) error) (n int) {
	b.Helper()
	end := time.Now().Add(auditLasting)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range auditWriters {
		wg.Go(func() {
			done := 0
			for ; time.Now().Before(end); done++ {
				if err := do(w*1_000_000 + done); err != nil {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			n += done
			mu.Unlock()
		})
	}
	wg.Wait()
	return n
}

// onDurable is a fresh database on a PostgreSQL that really writes, with a connection for every writer.
func onDurable(b *testing.B) *gorm.DB {
	b.Helper()
	db := onPostgres(b).db
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(auditWriters + 4)
	pool.SetMaxIdleConns(auditWriters + 4)
	return db
}

// BenchmarkAuditPages reads the pages of a long trail with each filter, against
// the first page without one.
func BenchmarkAuditPages(b *testing.B) {
	n := entryCount(b)
	db := testkit.Postgres(b)
	w := testkit.Org(b, db, testkit.NewClock())
	trail := longTrail(b, db, n)
	log := audit.NewLog(db, trail)
	head := access.Actor{Kind: access.Member, MemberID: 2, Led: []string{"/1/3/"}}
	first := pageTime(b, log, w.Super, audit.Filter{})
	for _, c := range []struct {
		name   string
		by     access.Actor
		filter audit.Filter
	}{
		{"deep", w.Super, audit.Filter{Before: int64(n / 100)}},
		{"actor", w.Super, audit.Filter{Actors: []int64{7}}},
		{"object", w.Super, audit.Filter{ObjectKind: "request", ObjectID: "77"}},
		{"action", w.Super, audit.Filter{Action: "request."}},
		{"refused", w.Super, audit.Filter{Outcome: audit.Refused}},
		{"nothing-fits", w.Super, audit.Filter{Actors: []int64{7}, Action: "request.approve", Outcome: audit.Refused}},
		{"head", head, audit.Filter{}},
		{"head-deep", head, audit.Filter{Before: int64(n / 100)}},
	} {
		b.ReportMetric(pageTime(b, log, c.by, c.filter)/first, c.name)
	}
	b.ReportMetric(0, "ns/op")
}

func pageTime(b *testing.B, log *audit.Log, by access.Actor, f audit.Filter) float64 {
	b.Helper()
	took := make([]float64, 41)
	for i := range took {
		start := time.Now()
		if _, err := log.Page(context.Background(), by, f, 50); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start).Seconds()
	}
	slices.Sort(took)
	return took[len(took)/2]
}
