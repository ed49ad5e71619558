package audit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

// verifyAsked asks for a verification, has it done, and returns what came of it.
func verifyAsked(t *testing.T, db *gorm.DB, trail *audit.Trail) audit.Run {
	t.Helper()
	log := audit.NewLog(db, trail)
	must(t, log.AskVerify(context.Background(), super))
	carryOut(t, db, trail)
	return *state(t, log).Run
}

func carryOut(t *testing.T, db *gorm.DB, trail *audit.Trail) {
	t.Helper()
	if worked, err := trail.VerifyAsked(context.Background(), db, quiet); err != nil || !worked {
		t.Fatal(worked, err)
	}
}

// grow writes and seals n entries.
func grow(t *testing.T, db *gorm.DB, trail *audit.Trail, n int) {
	t.Helper()
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = audit.Event{Action: "code.revoke"}
	}
	must(t, db.Transaction(func(tx *gorm.DB) error { return trail.RecordAll(tx, super, events) }))
	must(t, trail.SealAll(context.Background(), db, quiet))
}

func actions(t *testing.T, db *gorm.DB, action string) (n int64) {
	t.Helper()
	must(t, db.Raw("SELECT count(*) FROM audit_entries WHERE action = ?", action).Scan(&n).Error)
	return n
}

func TestAVerificationIsAskedForOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 3)
		log := audit.NewLog(db, trail)
		if err := log.AskVerify(context.Background(), access.Actor{Kind: access.Member, MemberID: 9}); !errors.As(err, new(fault.Forbidden)) {
			t.Fatal("staff asked:", err)
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := log.AskVerify(context.Background(), super); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := actions(t, db, "audit.verify.ask"); n != 1 {
			t.Errorf("%d runs for one double click", n)
		}
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() {
				if _, err := trail.VerifyAsked(context.Background(), db, quiet); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if r := state(t, log).Run; r.State != audit.Intact || r.Done != 3 || r.Tries != 1 || actions(t, db, "audit.verify") != 1 {
			t.Errorf("%+v", r)
		}
		if worked, err := trail.VerifyAsked(context.Background(), db, quiet); worked || err != nil {
			t.Error("a run that is over was carried out again:", err)
		}
		verifyAsked(t, db, trail)
		if n := actions(t, db, "audit.verify"); n != 2 {
			t.Errorf("%d verifications written, want 2", n)
		}
	})
}

// Whoever writes into the row of a run cannot make it say that all was whole.
func TestTheResultOfARunCannotBeForged(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 3)
		testkit.Unguard(t, db)
		must(t, db.Exec("UPDATE audit_entries SET object_name = 'x' WHERE id = 2").Error)
		if r := verifyAsked(t, db, trail); r.State != audit.Found || r.Done != 1 {
			t.Fatalf("%+v", r)
		}
		must(t, db.Exec("UPDATE audit_runs SET state = 'whole', done = 3").Error)
		if r := state(t, audit.NewLog(db, trail)).Run; r != nil {
			t.Errorf("%+v", r)
		}
	})
}

// telling is a logger that calls told each time a run says how far it is.
type telling struct {
	logger.Interface
	told func()
}

func (l telling) Trace(_ context.Context, _ time.Time, say func() (string, int64), _ error) {
	if sql, _ := say(); strings.HasPrefix(sql, "UPDATE audit_runs SET done =") {
		l.told()
	}
}

// asked returns a long trail on a clock that hurries, with a run asked for.
func asked(t *testing.T, db *gorm.DB) (*audit.Trail, *testkit.Clock) {
	t.Helper()
	clock := testkit.NewClock()
	trail := audit.New(testkit.Keys(), func() time.Time { clock.Add(time.Second); return clock.Now() })
	grow(t, db, trail, 20_000)
	must(t, audit.NewLog(db, trail).AskVerify(context.Background(), super))
	return trail, clock
}

func listening(db *gorm.DB, told func()) *gorm.DB {
	return db.Session(&gorm.Session{Logger: telling{logger.Discard, told}})
}

func TestARunTellsHowFarItIs(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail, _ := asked(t, db)
		log := audit.NewLog(db, trail)
		var seen []int
		carryOut(t, listening(db, func() { seen = append(seen, state(t, log).Run.Percent()) }), trail)
		if len(seen) != 3 || seen[0] != 40 || seen[1] != 81 || seen[2] != 100 {
			t.Errorf("it was at %d%%", seen)
		}
		if r := state(t, log).Run; r.State != audit.Intact || r.Done != 20_000 {
			t.Errorf("%+v", r)
		}
	})
}

// A server that stops lets its run go, and the next one begins it anew.
func TestARunOutlivesItsServer(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail, _ := asked(t, db)
		log := audit.NewLog(db, trail)
		ctx, stop := context.WithCancel(context.Background())
		if worked, err := trail.VerifyAsked(ctx, listening(db, stop), quiet); !worked || err != nil {
			t.Fatal(worked, err)
		}
		if r := state(t, log).Run; r.State != audit.Running || r.Done == 0 || r.LeaseUntil != nil {
			t.Fatalf("%+v", r)
		}
		carryOut(t, db, trail)
		if r := state(t, log).Run; r.State != audit.Intact || r.Done != 20_000 || r.Tries != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// What a killed server held is taken over when its lease is over, not before;
// if it lives after all it writes nothing any more.
func TestARunIsTakenOver(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail, clock := asked(t, db)
		log := audit.NewLog(db, trail)
		other := audit.New(testkit.Keys(), clock.Now)
		taken := false
		slow := listening(db, func() {
			if worked, err := other.VerifyAsked(context.Background(), db, quiet); worked || err != nil {
				t.Error("a run was taken from a living process:", err)
			}
			if !taken {
				taken = true
				clock.Add(time.Minute)
				carryOut(t, db, other)
			}
		})
		if worked, err := trail.VerifyAsked(context.Background(), slow, quiet); !worked || err != nil {
			t.Fatal(worked, err)
		}
		if r := state(t, log).Run; r.State != audit.Intact || r.Tries != 2 {
			t.Errorf("%+v", r)
		}
		if n := actions(t, db, "audit.verify"); n != 1 {
			t.Errorf("%d results of one run", n)
		}
	})
}

func TestARunThatNeverEndsIsGivenUp(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 3)
		log := audit.NewLog(db, trail)
		must(t, log.AskVerify(context.Background(), super))
		must(t, db.Exec("ALTER TABLE audit_checkpoints RENAME TO elsewhere").Error)
		for range 3 {
			if worked, err := trail.VerifyAsked(context.Background(), db, quiet); err == nil || !worked {
				t.Fatal(worked, err)
			}
		}
		must(t, db.Exec("ALTER TABLE elsewhere RENAME TO audit_checkpoints").Error)
		if r := state(t, log).Run; r == nil || r.State != audit.Interrupted {
			t.Fatalf("%+v", r)
		}
		if worked, err := trail.VerifyAsked(context.Background(), db, quiet); worked || err != nil {
			t.Error(worked, err)
		}
		if r := verifyAsked(t, db, trail); r.State != audit.Intact {
			t.Errorf("%+v", r)
		}
	})
}

// What somebody else found broken while a run looked elsewhere stays broken.
func TestARunForgetsNoBreakFoundMeanwhile(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail, clock := asked(t, db)
		testkit.Unguard(t, db)
		other := audit.New(testkit.Keys(), clock.Now)
		var once sync.Once
		carryOut(t, listening(db, func() {
			once.Do(func() {
				must(t, db.Exec("UPDATE audit_entries SET object_name = 'x' WHERE id = 2").Error)
				must(t, other.Watch(context.Background(), db, quiet))
			})
		}), trail)
		if s := state(t, audit.NewLog(db, trail)); s.Run.State != audit.Found || s.Verified.BrokenSeq != 2 {
			t.Errorf("%+v %+v", s.Run, s.Verified)
		}
	})
}
