package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/jobs"
	"doorplate/internal/testkit"
)

func outbox(db *gorm.DB, clock *testkit.Clock) *jobs.Outbox {
	return jobs.New(db, testkit.Keys(), clock.Now, slog.New(slog.DiscardHandler))
}

func enqueue(t *testing.T, o *jobs.Outbox, db *gorm.DB, payload string) {
	t.Helper()
	if err := db.Transaction(func(tx *gorm.DB) error { return o.Enqueue(tx, "mail", payload) }); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, o *jobs.Outbox, want bool) {
	t.Helper()
	if worked, err := o.Next(context.Background()); worked != want || err != nil {
		t.Fatalf("worked %v, %v; want %v", worked, err, want)
	}
}

func TestARolledBackJobNeverRuns(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		o, undo := outbox(db, testkit.NewClock()), errors.New("undo")
		o.Handle("mail", func(context.Context, []byte) error { t.Error("done"); return nil })
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := o.Enqueue(tx, "mail", "x"); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		next(t, o, false)
	})
}

func TestManyWorkersDoEachJobOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		o := outbox(db, clock)
		const jobsThere = 30
		var mu sync.Mutex
		seen := map[string]int{}
		o.Handle("mail", func(_ context.Context, payload []byte) error {
			mu.Lock()
			defer mu.Unlock()
			seen[string(payload)]++
			return nil
		})
		for i := range jobsThere {
			enqueue(t, o, db, strings.Repeat("x", i+1))
		}
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for worked := true; worked; {
					var err error
					if worked, err = o.Next(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		workers.Wait()
		for left := true; left; { // a worker that met another's lock went home early
			left, _ = o.Next(context.Background())
		}
		for payload, times := range seen {
			if times != 1 {
				t.Errorf("%s was done %d times", payload, times)
			}
		}
		if len(seen) != jobsThere {
			t.Errorf("%d of %d were done", len(seen), jobsThere)
		}
	})
}

func TestAFailureIsTriedAgainLaterAndLater(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		o := outbox(db, clock)
		tries := 0
		o.Handle("mail", func(context.Context, []byte) error {
			tries++
			switch tries {
			case 1:
				return errors.New("away\x00\xff" + strings.Repeat("长", 5000))
			case 2:
				panic("\x00")
			}
			return nil
		})
		enqueue(t, o, db, "x")
		next(t, o, true)
		next(t, o, false)
		clock.Add(2 * time.Second)
		next(t, o, true)
		clock.Add(3 * time.Second)
		next(t, o, false)
		clock.Add(time.Second)
		next(t, o, true)
		clock.Add(24 * time.Hour)
		next(t, o, false)
		if tries != 3 {
			t.Errorf("%d tries", tries)
		}
	})
}

func TestAJobIsGivenUpInTheEnd(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		o := outbox(db, clock)
		enqueue(t, o, db, "x") // nobody handles it
		for range 8 {
			next(t, o, true)
			clock.Add(time.Hour)
		}
		next(t, o, false)
	})
}

func TestTheJobOfAKilledWorkerIsDoneByAnother(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		slow, other := outbox(db, clock), outbox(db, clock)
		var done atomic.Int32
		slow.Handle("mail", func(context.Context, []byte) error {
			next(t, other, false) // the lease holds
			clock.Add(61 * time.Second)
			next(t, other, true)
			return errors.New("too late to matter")
		})
		other.Handle("mail", func(context.Context, []byte) error { done.Add(1); return nil })
		enqueue(t, slow, db, "x")
		next(t, slow, true)
		clock.Add(time.Hour)
		next(t, other, false)
		if done.Load() != 1 {
			t.Errorf("done %d times", done.Load())
		}
	})
}

// A worker whose lease ran out must not free the job that another one is at.
func TestALateFailureDoesNotFreeTheJob(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		late, now, third := outbox(db, clock), outbox(db, clock), outbox(db, clock)
		failed, atWork := make(chan struct{}), make(chan struct{})
		now.Handle("mail", func(context.Context, []byte) error { close(atWork); <-failed; return nil })
		enqueue(t, late, db, "x")
		var workers sync.WaitGroup
		late.Handle("mail", func(context.Context, []byte) error {
			clock.Add(61 * time.Second)
			workers.Go(func() { next(t, now, true) })
			<-atWork
			return errors.New("late")
		})
		next(t, late, true)
		clock.Add(30 * time.Second)
		next(t, third, false)
		close(failed)
		workers.Wait()
	})
}

func TestPayloadsAreSealedAndThenGone(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		o := outbox(db, testkit.NewClock())
		o.Handle("mail", func(_ context.Context, payload []byte) error {
			if string(payload) != `"code 123456"` {
				t.Errorf("payload %s", payload)
			}
			return nil
		})
		enqueue(t, o, db, "code 123456")
		kept := func() (payload []byte) {
			if err := db.Raw("SELECT payload FROM jobs").Row().Scan(&payload); err != nil {
				t.Fatal(err)
			}
			return payload
		}
		if p := kept(); len(p) == 0 || bytes.Contains(p, []byte("123456")) {
			t.Errorf("kept as %q", p)
		}
		next(t, o, true)
		if p := kept(); len(p) != 0 {
			t.Errorf("%d bytes are left after the work", len(p))
		}
	})
}

func TestRunWakesAndEnds(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		o := outbox(db, testkit.NewClock())
		done, over := make(chan struct{}), make(chan struct{})
		o.Handle("mail", func(context.Context, []byte) error { close(done); return nil })
		ctx, stop := context.WithCancel(context.Background())
		go func() { o.Run(ctx); close(over) }()
		enqueue(t, o, db, "x")
		o.Wake()
		<-done
		stop()
		<-over
	})
}
