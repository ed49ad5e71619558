package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/testkit"
)

func state(t *testing.T, log *audit.Log) audit.State {
	t.Helper()
	s, err := log.State(context.Background(), super)
	must(t, err)
	return s
}

func TestTheServerVerifiesAsTheTrailGrows(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		trail := audit.New(testkit.Keys(), clock.Now)
		log := audit.NewLog(db, trail)
		grow := func(n int) {
			for range n {
				write(t, db, trail)
			}
			must(t, trail.SealAll(context.Background(), db, quiet))
			must(t, trail.Watch(context.Background(), db, quiet))
		}
		grow(3)
		if v := state(t, log).Verified; v.TipSeq != 3 || v.WholeSeq != 3 || v.BrokenAt != nil {
			t.Fatalf("%+v", v)
		}
		clock.Add(2 * time.Minute)
		grow(2)
		if v := state(t, log).Verified; v.TipSeq != 5 || v.WholeSeq != 3 || !v.TipAt.Equal(clock.Now()) {
			t.Fatalf("%+v", v)
		}
		testkit.Unguard(t, db)
		must(t, db.Exec("UPDATE audit_entries SET object_name = 'x' WHERE id = 2").Error)
		clock.Add(2 * time.Minute)
		grow(1) // looks only at what is new
		clock.Add(25 * time.Hour)
		grow(1)
		v := state(t, log).Verified
		if v.BrokenSeq != 2 || v.BrokenCause != audit.Changed || v.BrokenEntryAt == nil {
			t.Fatalf("a change of an old entry was not found within a day: %+v", v)
		}
		if _, err := log.Checkpoint(context.Background(), super); err == nil {
			t.Error("a broken chain was signed")
		}
		must(t, db.Exec("UPDATE audit_entries SET object_name = '前台' WHERE id = 2").Error)
		clock.Add(2 * time.Minute)
		grow(1)
		if state(t, log).Verified.BrokenAt == nil {
			t.Error("the break was forgotten without anybody verifying")
		}
		if r := verifyAsked(t, db, trail); r.State != audit.Intact || state(t, log).Verified.BrokenAt != nil {
			t.Errorf("%+v", r)
		}
	})
}

// Whoever writes into the row of the state cannot make an altered part count as verified.
func TestTheVerifiedStateCannotBeForged(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 3)
		log := audit.NewLog(db, trail)
		must(t, trail.Watch(context.Background(), db, quiet))
		testkit.Unguard(t, db)
		must(t, db.Exec("UPDATE audit_entries SET object_name = 'x' WHERE id = 2").Error)
		if r := verifyAsked(t, db, trail); r.State != audit.Found {
			t.Fatal(r)
		}
		must(t, db.Exec("UPDATE audit_verified SET broken_at = NULL, broken_seq = 0, broken_entry = 0, broken_cause = '', broken_entry_at = NULL").Error)
		must(t, trail.Watch(context.Background(), db, quiet))
		if v := state(t, log).Verified; v.BrokenSeq != 2 {
			t.Errorf("%+v", v)
		}
	})
}

// A chain that was cut off and continued while the server ran: the file beside
// the database is evidence and stays.
func TestTheSealerDoesNotOverwriteWhatItKnows(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 5)
		path := filepath.Join(t.TempDir(), "audit.head")
		over, cancel := context.WithCancel(context.Background())
		cancel()
		trail.RunSealer(over, db, quiet, path)
		before, err := os.ReadFile(path)
		must(t, err)
		testkit.Unguard(t, db)
		goOn(t, db, trail)
		trail.RunSealer(over, db, quiet, path)
		after, err := os.ReadFile(path)
		must(t, err)
		if string(before) != string(after) {
			t.Errorf("the file is %s, was %s", after, before)
		}
		if v := state(t, audit.NewLog(db, trail)).Verified; v.BrokenSeq != 5 || v.BrokenCause != audit.Rewritten {
			t.Errorf("%+v", v)
		}
	})
}

// A sealer that is stopped in the middle holds nobody up, and what it was doing is another's.
func TestAStoppedSealerDoesNoHarm(t *testing.T) {
	db := testkit.Postgres(t)
	trail := filled(t, db, 1)
	stopped := db.Begin()
	must(t, stopped.Exec("SELECT pg_advisory_xact_lock(715518)").Error)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	write(t, db, trail) // business goes on
	path := filepath.Join(t.TempDir(), "audit.head")
	trail.RunSealer(over, db, quiet, path) // finds the lock taken and returns
	if r := verify(t, db, trail, audit.Head{}); r.Head.Seq != 1 || r.Unsealed != 1 || r.Broken != nil {
		t.Fatalf("%+v", r)
	}
	must(t, stopped.Rollback().Error)
	trail.RunSealer(over, db, quiet, path)
	if r := verify(t, db, trail, audit.Head{}); r.Head.Seq != 2 || r.Unsealed != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestCheckpointsAreKeptAsTheTrailGrows(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		trail := audit.New(testkit.Keys(), clock.Now)
		path := filepath.Join(t.TempDir(), "audit.head")
		over, cancel := context.WithCancel(context.Background())
		cancel()
		kept := func() (n int64) {
			must(t, db.Raw("SELECT count(*) FROM audit_checkpoints").Scan(&n).Error)
			return n
		}
		write(t, db, trail)
		trail.RunSealer(over, db, quiet, path)
		write(t, db, trail)
		trail.RunSealer(over, db, quiet, path)
		if n := kept(); n != 1 {
			t.Errorf("%d checkpoints at once, want 1", n)
		}
		clock.Add(2 * time.Hour)
		trail.RunSealer(over, db, quiet, path) // nothing new but the one that was not signed yet
		write(t, db, trail)
		trail.RunSealer(over, db, quiet, path)
		if n := kept(); n != 2 {
			t.Errorf("%d checkpoints after two hours, want 2", n)
		}
		events := make([]audit.Event, 1000)
		for i := range events {
			events[i] = audit.Event{Action: "code.revoke"}
		}
		must(t, db.Transaction(func(tx *gorm.DB) error { return trail.RecordAll(tx, super, events) }))
		trail.RunSealer(over, db, quiet, path)
		if n := kept(); n != 3 {
			t.Errorf("%d checkpoints after 1000 entries, want 3", n)
		}
		if r := verify(t, db, trail, audit.Head{}); r.Broken != nil || r.Signed != 3 {
			t.Errorf("%+v %+v", r, r.Broken)
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		trail := audit.New(testkit.Keys(), clock.Now)
		log := audit.NewLog(db, trail)
		staff := access.Actor{Kind: access.Member, MemberID: 9, Name: "顾晓棠", Own: []string{"/1/2/"}}
		refuse := func(by access.Actor, right string) {
			must(t, log.Refused(context.Background(), by, audit.Refusal{Right: right, Route: "GET /x"}))
		}
		count := func() (n int64) {
			must(t, db.Raw("SELECT count(*) FROM audit_entries WHERE action = 'right.refused' AND outcome = 'refused'").Scan(&n).Error)
			return n
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { refuse(staff, "group.disband") })
		}
		all.Wait()
		refuse(staff, "group.settings")
		refuse(super, "group.settings")
		if n := count(); n != 3 {
			t.Errorf("%d refusals written, want 3", n)
		}
		clock.Add(61 * time.Second)
		refuse(staff, "group.disband")
		var details string
		must(t, db.Raw("SELECT details FROM audit_entries ORDER BY id DESC LIMIT 1").Scan(&details).Error)
		if n := count(); n != 4 || !strings.Contains(details, `"left_out":49`) {
			t.Errorf("%d refusals, the last says %s", n, details)
		}
		broken, cancel := context.WithCancel(context.Background())
		cancel()
		if log.Refused(broken, staff, audit.Refusal{Right: "lost"}) == nil {
			t.Fatal("a database that is away took it")
		}
		refuse(staff, "lost")
		refuse(staff, "first")
		if n := count(); n != 6 {
			t.Errorf("%d refusals: the one that could not be written is lost", n)
		}
	})
}
