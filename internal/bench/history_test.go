package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

const (
	historyRounds = 7  // paired rounds
	historyRuns   = 20 // of the quick variant in a round
	historyDays   = 90 // over which the scans are spread
	exportRows    = 1_000_000
	historyScans  = 10_000_000
)

// historyHall is a hot code in a small organisation.
type historyHall struct {
	b     *testing.B
	db    *gorm.DB
	w     testkit.World
	clock *testkit.Clock
	scans *scan.Service
	id    int64
	spot  scan.Spot
}

func newHistoryHall(b *testing.B, db *gorm.DB) *historyHall {
	h := &historyHall{b: b, db: db, clock: testkit.NewClock()}
	h.w = testkit.Org(b, db, h.clock)
	group, _ := h.w.Group(b, db, "hot", "internal", "approval", h.w.Platform, 500)
	h.id, h.spot.Code = h.w.Code(b, db, group, "hot", nil, h.w.Super.MemberID)
	trail := audit.New(testkit.Keys(), h.clock.Now)
	codes := code.New(db, testkit.Keys(), trail, h.clock.Now, "http://door.example")
	h.scans = scan.New(db, testkit.Keys(), codes, trail, h.clock.Now)
	b.Cleanup(h.scans.Close)
	return h
}

func (h *historyHall) exec(sql string, args ...any) {
	h.b.Helper()
	if err := h.db.Exec(sql, args...).Error; err != nil {
		h.b.Fatal(err)
	}
}

// fill adds scans from..to, spread evenly over the last days, a few in a thousand rare in some way.
func (h *historyHall) fill(from, to, of int) {
	columns := "ref, at, code_id, outcome, device, app, channel, copy_serial"
	if database.Postgres(h.db) {
		h.exec(`INSERT INTO scans (`+columns+`) SELECT 'B' || i, CAST(? AS timestamptz) - (i % ?) * interval '1 second' * ?, ?,
			CASE WHEN i % 500 = 0 THEN 'network' ELSE 'live' END, 'mobile', 'wechat', CASE WHEN i % 300 = 0 THEN 'poster' ELSE '' END, CASE WHEN i % 300 = 1 THEN 7 ELSE 0 END
			FROM generate_series(?::bigint, ?::bigint) i`, h.clock.Now(), of, float64(historyDays*86400)/float64(of), h.id, from, to-1)
		return
	}
	h.exec(`INSERT INTO scans (`+columns+`) WITH RECURSIVE s(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM s WHERE i < ?)
		SELECT 'B' || i, strftime('%Y-%m-%d %H:%M:%S+00:00', ?, '-' || (i * ? / ?) || ' seconds'), ?, 'live', 'mobile', 'wechat', 'poster', 7 FROM s`,
		from, to-1, h.clock.Now().Format("2006-01-02 15:04:05"), historyDays*86400, of, h.id)
}

// rollUps writes the days that the scan batch would have kept.
func (h *historyHall) rollUps(perDay int) {
	for ago := range historyDays {
		day := h.clock.Now().AddDate(0, 0, -ago).Format(time.DateOnly)
		h.exec("INSERT INTO scan_days (code_id, day, live, mobile, wechat, h09) VALUES (?, ?, ?, ?, ?, 1)", h.id, day, perDay, perDay, perDay)
		h.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live) VALUES (?, ?, 'poster', 7, ?), (?, ?, '', 0, ?)", h.id, day, 10, h.id, day, perDay)
	}
}

// seconds is the median time of one run of do.
func (h *historyHall) seconds(runs int, do func() error) float64 {
	h.b.Helper()
	took := make([]float64, runs)
	for i := range took {
		start := time.Now()
		if err := do(); err != nil {
			h.b.Fatal(err)
		}
		took[i] = time.Since(start).Seconds()
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// charts reads what the page of a code shows of its last 30 days, rights and the newest scans included.
func (h *historyHall) charts() error {
	a, err := h.scans.Activity(context.Background(), h.w.Super, h.spot.Code)
	if err == nil && a.Days[29].Scans == 0 {
		err = fmt.Errorf("the chart is empty")
	}
	return err
}

// covering counts the same days from the rows, by the index that holds all it needs.
func (h *historyHall) covering() error {
	var days []struct {
		Day string
		N   int
	}
	err := h.db.Raw(`SELECT to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS day, count(*) AS n FROM scans WHERE code_id = ? AND at >= ? GROUP BY 1`,
		h.id, h.clock.Now().AddDate(0, 0, -30)).Scan(&days).Error
	if err == nil && len(days) < 30 {
		err = fmt.Errorf("%d days counted", len(days))
	}
	return err
}

func (h *historyHall) page(after string) func() error {
	return func() error {
		r, err := h.scans.Report(context.Background(), h.w.Super, h.spot, scan.Query{Filter: scan.Filter{After: after, From: h.clock.Now().AddDate(-1, 0, 0)}})
		if err == nil && len(r.Page.Lines) != 20 {
			err = fmt.Errorf("%d lines", len(r.Page.Lines))
		}
		return err
	}
}

// BenchmarkHistory measures the charts and the list of a code with 10,000,000 scans (DOORPLATE_BENCH_SCANS for another number): the charts
// against counting over the covering index, the same charts with a tenth of the scans, and a page deep in the list against the first.
func BenchmarkHistory(b *testing.B) {
	total := historyScans
	if text := os.Getenv("DOORPLATE_BENCH_SCANS"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			b.Fatal("DOORPLATE_BENCH_SCANS:", err)
		}
	}
	h := newHistoryHall(b, testkit.Postgres(b))
	h.exec("SET synchronous_commit = off")
	h.exec("DROP INDEX scans_age")
	h.exec("ALTER TABLE scans DROP CONSTRAINT scans_ref_key")
	h.rollUps(total / historyDays)
	h.fill(0, total/10, total)
	h.exec("VACUUM ANALYZE scans")
	var small []float64
	for range historyRounds {
		small = append(small, h.seconds(historyRuns, h.charts))
	}
	h.exec("DROP INDEX scans_code")
	h.fill(total/10, total, total)
	h.exec("SET maintenance_work_mem = '256MB'")
	h.exec("CREATE INDEX scans_code ON scans (code_id, at DESC, id DESC)")
	h.exec("VACUUM ANALYZE scans")
	slices.Sort(small)
	var faster, size, deep []float64
	deepest := fmt.Sprintf("%d-1", h.clock.Now().AddDate(0, 0, -historyDays+1).UnixMicro())
	middle := fmt.Sprintf("%d-1", h.clock.Now().AddDate(0, 0, -historyDays/2).UnixMicro())
	for range historyRounds {
		charts := h.seconds(historyRuns, h.charts)
		faster = append(faster, h.seconds(1, h.covering)/charts)
		size = append(size, charts/small[len(small)/2])
		first := h.seconds(historyRuns, h.page(""))
		deep = append(deep, max(h.seconds(historyRuns, h.page(middle)), h.seconds(historyRuns, h.page(deepest)))/first)
	}
	report := func(name string, all []float64) {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
		b.ReportMetric(all[0], name+"-least")
		b.ReportMetric(all[len(all)-1], name+"-most")
	}
	report("x-covering", faster)
	report("of-a-tenth", size)
	report("deep-of-first", deep)
	b.ReportMetric(float64(total), "scans")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkScanExport streams 1,000,000 scans as CSV and says how much memory it took at most, and against a tenth of them.
func BenchmarkScanExport(b *testing.B) {
	for _, store := range []struct {
		name string
		open func(testing.TB) *gorm.DB
	}{{"postgres", testkit.Postgres}, {"sqlite", testkit.SQLite}} {
		b.Run(store.name, func(b *testing.B) {
			h := newHistoryHall(b, store.open(b))
			h.fill(0, exportRows/10, exportRows)
			tenth, _ := h.export(exportRows / 10)
			h.fill(exportRows/10, exportRows, exportRows)
			whole, bytes := h.export(exportRows)
			b.ReportMetric(whole, "peak-MiB")
			b.ReportMetric(whole/tenth, "peak-of-a-tenth")
			b.ReportMetric(bytes/(1<<20), "file-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// export writes the file and returns the highest heap seen, in MiB, and the bytes written.
func (h *historyHall) export(rows int) (peak, size float64) {
	e, err := h.scans.Export(context.Background(), access.Actor(h.w.Super), h.spot, scan.Filter{})
	if err != nil {
		h.b.Fatal(err)
	}
	runtime.GC()
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, float64(m.HeapInuse)/(1<<20))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	out := &tally{}
	if err := e.Write(context.Background(), out); err != nil {
		h.b.Fatal(err)
	}
	close(stop)
	watch.Wait()
	if out.lines != rows+1 {
		h.b.Fatalf("%d lines, want %d", out.lines, rows+1)
	}
	return peak, float64(out.bytes)
}

// tally counts what is written and forgets it.
type tally struct{ bytes, lines int }

var _ io.Writer = (*tally)(nil)

func (t *tally) Write(p []byte) (int, error) {
	t.bytes += len(p)
	for _, c := range p {
		if c == '\n' {
			t.lines++
		}
	}
	return len(p), nil
}
