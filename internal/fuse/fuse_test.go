package fuse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/fuse"
	"doorplate/internal/testkit"
)

var ctx = context.Background()

// door is an open group with a code on it.
type door struct {
	t      *testing.T
	db     *gorm.DB
	clock  *testkit.Clock
	w      testkit.World
	s      *fuse.Service
	id     int64
	public string
	n      int
}

func onBoth(t *testing.T, test func(t *testing.T, d *door)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		group, _ := w.Group(t, db, "报告厅", "external", "open", w.RD, 5000)
		until := clock.Now().AddDate(0, 0, 30)
		id, public := w.Code(t, db, group, "门口", &until, w.Head.MemberID)
		test(t, &door{t: t, db: db, clock: clock, w: w, id: id, public: public,
			s: fuse.New(db, testkit.Keys(), audit.New(testkit.Keys(), clock.Now), clock.Now)})
	})
}

func (d *door) exec(sql string, args ...any) {
	d.t.Helper()
	if err := d.db.Exec(sql, args...).Error; err != nil {
		d.t.Fatal(err)
	}
}

func (d *door) count(sql string, args ...any) (n int) {
	d.t.Helper()
	if err := d.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		d.t.Fatal(err)
	}
	return n
}

// scans writes n scans of one outcome, spread over a time that ends now.
func (d *door) scans(n int, outcome string, over time.Duration) (ref string) {
	d.t.Helper()
	var rows []string
	var args []any
	for i := range n {
		d.n++
		ref = fmt.Sprintf("S-%06d", d.n)
		rows, args = append(rows, "(?, ?, ?, ?, ?)"), append(args, ref, d.clock.Now().UTC().Add(-over*time.Duration(n-1-i)/time.Duration(n)), d.id, outcome, fmt.Sprintf("192.0.2.%d", i%250))
	}
	d.exec("INSERT INTO scans (ref, at, code_id, outcome, address) VALUES "+strings.Join(rows, ", "), args...)
	return ref
}

// watch lets a minute pass and looks.
func (d *door) watch() (n int) {
	d.t.Helper()
	d.clock.Add(time.Minute)
	n, err := d.s.Watch(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *door) facts() code.Facts {
	d.t.Helper()
	f, err := code.LoadFacts(d.db, d.public)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

func (d *door) fused() bool { return d.facts().Fused(d.clock.Now()) }

// A lecture hall scans at once: with a threshold that fits, or where the code
// gets as many on a usual day, nothing happens. A leaked code is raised.
func TestALectureIsNoLeak(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(d *door)
		live  int
		other string
		n     int
		why   string
	}{
		{"a quiet day", func(*door) {}, 150, "live", 0, ""},
		{"a lecture with its own number", func(d *door) {
			if err := d.s.Set(ctx, d.w.Head, d.public, fuse.Setting{Burst: 1000}); err != nil {
				t.Fatal(err)
			}
		}, 500, "live", 0, ""},
		{"a lecture every day", func(d *door) {
			for day := range 5 {
				d.exec("INSERT INTO scan_days (code_id, day, live) VALUES (?, ?, 700)", d.id, d.clock.Now().AddDate(0, 0, -1-day).Format(time.DateOnly))
			}
		}, 500, "live", 0, ""},
		{"a leak to a big chat", func(*door) {}, 500, "live", 0, fuse.Burst},
		{"a leak of a quiet code", func(d *door) {
			d.exec("INSERT INTO scan_days (code_id, day, live) VALUES (?, ?, 40)", d.id, d.clock.Now().AddDate(0, 0, -2).Format(time.DateOnly))
		}, 260, "live", 0, fuse.Burst},
		{"strangers from elsewhere", func(*door) {}, 10, "network", 25, fuse.Outside},
		{"people it is not for", func(*door) {}, 10, "audience", 25, fuse.Outside},
		{"switched off for the code", func(d *door) {
			if err := d.s.Set(ctx, d.w.Head, d.public, fuse.Setting{Off: true}); err != nil {
				t.Fatal(err)
			}
		}, 500, "network", 50, ""},
		{"switched off in the policies", func(d *door) {
			d.exec("INSERT INTO policies (name, value, updated_at) VALUES ('fuse_hours', '0', ?)", d.clock.Now())
		}, 500, "network", 50, ""},
		{"nobody gets in at once anyway", func(d *door) { d.exec("UPDATE groups SET join_mode = 'approval'") }, 500, "network", 50, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, d *door) {
				d.t = t
				c.set(d)
				d.scans(c.live, "live", 5*time.Minute)
				if c.n > 0 {
					d.scans(c.n, c.other, 5*time.Minute)
				}
				want := 0
				if c.why != "" {
					want = 1
				}
				if got := d.watch(); got != want || d.fused() != (c.why != "") {
					t.Fatalf("%d raised, fused %v", got, d.fused())
				}
				st, err := d.s.Of(ctx, d.w.Head, d.facts())
				if err != nil || c.why != "" && (st.Why != c.why || st.Until == nil) {
					t.Errorf("%v %+v", err, st)
				}
				if n := d.count("SELECT count(*) FROM events WHERE kind = ?", events.Fused); n != want {
					t.Errorf("%d facts", n)
				}
				if n := d.count("SELECT count(*) FROM audit_entries WHERE action = 'code.fuse.raise'"); n != want {
					t.Errorf("%d entries in the trail", n)
				}
			})
		})
	}
}

// Old scans, however many, raise nothing; nor do slow ones.
func TestOnlyWhatIsLatelyCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		d.scans(900, "live", time.Minute)
		d.clock.Add(11 * time.Minute)
		d.scans(100, "live", time.Minute)
		if n := d.watch(); n != 0 {
			t.Error("old scans raise a code")
		}
	})
}

// Wrong answers are what the challenges' own count says; refused requests count too.
func TestWrongAnswersRaiseACode(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		d.scans(3, "live", time.Minute)
		key := testkit.Keys().Hash("throttle", fmt.Sprint("ask code ", d.id))
		d.exec("INSERT INTO throttles (key, window_start, hits) VALUES (?, ?, 12)", key, d.clock.Now().UTC())
		if n := d.watch(); n != 0 {
			t.Fatal("a few wrong answers raise a code")
		}
		for i := range 8 {
			var guest int64
			if err := d.db.Raw("INSERT INTO guests (name, phone, created_at) VALUES ('x', ?, ?) RETURNING id", fmt.Sprint(i), d.clock.Now()).Scan(&guest).Error; err != nil {
				t.Fatal(err)
			}
			d.exec("INSERT INTO join_requests (group_id, code_id, guest_id, name, status, created_at, decided_at) SELECT group_id, id, ?, 'x', 'rejected', ?, ? FROM codes WHERE id = ?", guest, d.clock.Now(), d.clock.Now(), d.id)
		}
		if n := d.watch(); n != 1 {
			t.Fatal("many wrong answers and refusals raise nothing")
		}
		if st, _ := d.s.Of(ctx, d.w.Head, d.facts()); st.Why != fuse.Refused || st.Seen != 20 {
			t.Errorf("%+v", st)
		}
		if err := d.s.Lower(ctx, d.w.Head, d.public); err != nil {
			t.Fatal(err)
		}
		if n := d.watch(); n != 0 {
			t.Error("what was looked into raises the code anew")
		}
	})
}

// It falls back by itself, can be lowered and extended, and each step is written down.
func TestARaiseEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		d.scans(300, "live", time.Minute)
		if d.watch() != 1 || d.watch() != 0 {
			t.Fatal("not raised, or twice")
		}
		if err := d.s.Lower(ctx, d.w.OtherHead, d.public); !errors.Is(err, fault.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
		var forbidden fault.Forbidden
		if err := d.s.Extend(ctx, d.w.Staff, d.public); err == nil || !errors.Is(err, fault.NotFound) && !errors.As(err, &forbidden) {
			t.Errorf("staff: %v", err)
		}
		d.clock.Add(10 * time.Hour)
		if err := d.s.Extend(ctx, d.w.Head, d.public); err != nil {
			t.Fatal(err)
		}
		d.clock.Add(11 * time.Hour)
		if !d.fused() {
			t.Fatal("extended, and over already")
		}
		d.clock.Add(2 * time.Hour)
		if d.fused() {
			t.Error("not over though the time is")
		}
		d.watch()
		if n := d.count("SELECT count(*) FROM codes WHERE fused_until IS NOT NULL"); n != 0 {
			t.Error("nobody fell back")
		}
		var conflict fault.Conflict
		if err := d.s.Lower(ctx, d.w.Head, d.public); !errors.As(err, &conflict) {
			t.Errorf("lowered twice: %v", err)
		}
		for action, want := range map[string]int{"code.fuse.raise": 1, "code.fuse.extend": 1, "code.fuse.end": 1, "code.fuse.lower": 0} {
			if n := d.count("SELECT count(*) FROM audit_entries WHERE action = ?", action); n != want {
				t.Errorf("%s: %d", action, n)
			}
		}
		if n := d.count("SELECT count(*) FROM events WHERE kind = ?", events.Unfused); n != 1 {
			t.Errorf("%d facts", n)
		}
	})
}

// Of many instances one watches each minute, and a code is raised once.
func TestOneInstanceWatches(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		d.scans(300, "live", time.Minute)
		var raised atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				n, err := d.s.Watch(ctx)
				if err != nil {
					t.Error(err)
				}
				raised.Add(int64(n))
			})
		}
		all.Wait()
		if n := raised.Load(); n != 1 || d.count("SELECT count(*) FROM events WHERE kind = ?", events.Fused) != 1 {
			t.Errorf("raised %d times", n)
		}
	})
}

// Many reports of one code stand in one case; when that is closed the next opens another.
func TestReportsGatherInOneCase(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		refs := make([]string, 12)
		for i := range refs {
			refs[i] = d.scans(1, "live", 0)
		}
		tell := func(i int, category string) (int64, error) {
			return d.s.Tell(ctx, fuse.Report{Ref: refs[i], Category: category, Words: "盖住了 \x00 \u202e", Address: fmt.Sprintf("192.0.2.%d", i)})
		}
		ids := make([]int64, 6)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				var err error
				if ids[i], err = tell(i, "overprint"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("cases %v", ids)
			}
		}
		k, err := d.s.ByID(ctx, d.w.Head, ids[0])
		if err != nil || k.Reports != 6 || len(k.Told) != 6 || k.State != fuse.Open || strings.Contains(k.Told[0].Words, "\x00") {
			t.Fatalf("%v %+v", err, k.Case)
		}
		if _, err := d.s.ByID(ctx, d.w.OtherHead, ids[0]); !errors.Is(err, fault.NotFound) {
			t.Errorf("another head: %v", err)
		}
		if l, err := d.s.Cases(ctx, d.w.OtherHead, false, ""); err != nil || len(l.Cases) != 0 {
			t.Errorf("another head lists %d, %v", len(l.Cases), err)
		}
		if err := d.s.Take(ctx, d.w.Head, ids[0]); err != nil {
			t.Fatal(err)
		}
		var conflict fault.Conflict
		if err := d.s.Take(ctx, d.w.Super, ids[0]); !errors.As(err, &conflict) || conflict.By != "许一诺" {
			t.Errorf("taken twice: %v", err)
		}
		if err := d.s.Close(ctx, d.w.Super, ids[0], "misused", "换了新码"); err != nil {
			t.Fatal(err)
		}
		if err := d.s.Close(ctx, d.w.Head, ids[0], "harmless", ""); !errors.As(err, &conflict) {
			t.Errorf("closed twice: %v", err)
		}
		next, err := tell(7, "other")
		if err != nil || next == ids[0] {
			t.Errorf("the next report stands in case %d, %v", next, err)
		}
		for closed, want := range map[bool]int{false: 1, true: 1} {
			if l, err := d.s.Cases(ctx, d.w.Super, closed, ""); err != nil || len(l.Cases) != want {
				t.Errorf("closed %v: %d, %v", closed, len(l.Cases), err)
			}
		}
		for action, want := range map[string]int{"case.report": 7, "case.take": 1, "case.close": 1} {
			if n := d.count("SELECT count(*) FROM audit_entries WHERE action = ?", action); n != want {
				t.Errorf("%s: %d", action, n)
			}
		}
	})
}

// Reports are bounded by address and by scan, and by their words.
func TestReportsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, d *door) {
		tell := func(ref, address, category, words string) error {
			_, err := d.s.Tell(ctx, fuse.Report{Ref: ref, Category: category, Words: words, Address: address})
			return err
		}
		var bad fault.Invalid
		var many fault.TooMany
		ref := d.scans(1, "live", 0)
		if err := tell(ref, "192.0.2.1", "other", strings.Repeat("字", 501)); !errors.As(err, &bad) || bad["words"].Key == "" {
			t.Error(err)
		}
		if err := tell(ref, "192.0.2.1", "<b>", ""); !errors.As(err, &bad) {
			t.Error(err)
		}
		if err := tell("S-nothing", "192.0.2.1", "other", ""); !errors.Is(err, fault.NotFound) {
			t.Error(err)
		}
		for i, want := range []bool{true, true, false} {
			if err := tell(ref, fmt.Sprintf("192.0.2.%d", i), "other", strings.Repeat("字", 500)); (err == nil) != want || !want && !errors.As(err, &many) {
				t.Errorf("report %d of one scan: %v", i, err)
			}
		}
		for i := range 11 {
			if err := tell(d.scans(1, "expired", 0), "203.0.113.9", "wrong", ""); (err == nil) != (i < 10) {
				t.Errorf("report %d of one address: %v", i, err)
			}
		}
		d.clock.Add(25 * time.Hour)
		if err := tell(ref, "198.51.100.1", "other", ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("a scan of yesterday: %v", err)
		}
	})
}
