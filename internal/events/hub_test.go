package events_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/events"
	"doorplate/internal/testkit"
)

var quiet = slog.New(slog.DiscardHandler)

// running starts a hub and stops it with the test.
func running(t *testing.T, db *gorm.DB) *events.Hub {
	t.Helper()
	hub := events.NewHub(db, quiet, time.Now)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { hub.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return hub
}

func subscribe(t *testing.T, hub *events.Hub, wants func(events.Told) bool) *events.Subscription {
	t.Helper()
	sub, err := hub.Subscribe(context.Background(), wants)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return sub
}

func publish(t *testing.T, db *gorm.DB, all ...events.Event) {
	t.Helper()
	for i := range all {
		if all[i].At.IsZero() {
			all[i].At = time.Now().UTC()
		}
	}
	if err := db.Transaction(func(tx *gorm.DB) error { return events.Publish(tx, all...) }); err != nil {
		t.Fatal(err)
	}
}

// hears waits until an event of this kind was told.
func hears(t *testing.T, sub *events.Subscription, kind string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case <-sub.Wake():
			heard, _ := sub.Take()
			for _, e := range heard {
				if e.Kind == kind {
					return
				}
			}
		case <-limit:
			t.Fatalf("%s was never told", kind)
		}
	}
}

// What one instance commits is heard on another, with the department of its group.
func TestWhatIsCommittedIsHeardOnEveryInstance(t *testing.T) {
	run := func(t *testing.T, one, other *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, one, clock)
		g, _ := w.Group(t, one, "群", "internal", "approval", w.Platform, 5)
		sub := subscribe(t, running(t, other), func(e events.Told) bool { return e.Kind == events.Submitted && e.Path != "" })
		err := one.Exec("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", g, w.Staff.MemberID, clock.Now()).Error
		if err != nil {
			t.Fatal(err)
		}
		hears(t, sub, events.Submitted)
		undone := one.Begin()
		if err := events.Publish(undone, events.Event{Kind: events.Notice, At: clock.Now()}); err != nil {
			t.Fatal(err)
		}
		undone.Rollback()
		all := subscribe(t, running(t, other), nil)
		publish(t, one, events.Event{Kind: "a"})
		select {
		case <-all.Wake():
		case <-time.After(20 * time.Second):
			t.Fatal("nothing")
		}
		if heard, _ := all.Take(); len(heard) != 1 || heard[0].Kind != "a" {
			t.Errorf("heard %+v", heard)
		}
	}
	t.Run("sqlite", func(t *testing.T) { db := testkit.SQLite(t); run(t, db, db) })
	t.Run("postgres", func(t *testing.T) { one, other := twice(t); run(t, one, other) })
}

func twice(t *testing.T) (one, other *gorm.DB) {
	t.Helper()
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
	return both[0], both[1]
}

// A transaction that took its number early and commits late is not overlooked.
func TestALateCommitIsHeard(t *testing.T) {
	db := testkit.Postgres(t)
	sub := subscribe(t, running(t, db), nil)
	late := db.Begin()
	if err := events.Publish(late, events.Event{Kind: "late", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	publish(t, db, events.Event{Kind: "early"})
	hears(t, sub, "early")
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	hears(t, sub, "late")
}

// A fresh start looks for numbers that were taken before it and commit after.
func TestALateCommitFromBeforeTheStartIsHeard(t *testing.T) {
	db := testkit.Postgres(t)
	publish(t, db, events.Event{Kind: "first"})
	late := db.Begin()
	if err := events.Publish(late, events.Event{Kind: "late", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	publish(t, db, events.Event{Kind: "early"})
	sub := subscribe(t, running(t, db), nil)
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	hears(t, sub, "late")
}

// The listening connection is killed again and again: nothing is missed.
func TestALostListenerMissesNothing(t *testing.T) {
	db := testkit.Postgres(t)
	sub := subscribe(t, running(t, db), nil)
	for _, kind := range []string{"a", "b", "c"} {
		publish(t, db, events.Event{Kind: kind})
		hears(t, sub, kind)
		err := db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database() AND pid <> pg_backend_pid()").Error
		if err != nil {
			t.Fatal(err)
		}
		publish(t, db, events.Event{Kind: kind + "'"})
		hears(t, sub, kind+"'")
	}
}

// Who does not listen is told once that there was too much, and is then fine again.
func TestASlowListenerIsTold(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		ctx := context.Background()
		hub := events.NewHub(db, quiet, time.Now)
		slow, quick := subscribe(t, hub, nil), subscribe(t, hub, func(e events.Told) bool { return e.Kind == "b" })
		publish(t, db, make([]events.Event, 1200)...)
		publish(t, db, events.Event{Kind: "b"})
		if err := hub.Look(ctx); err != nil {
			t.Fatal(err)
		}
		if heard, lost := slow.Take(); len(heard) != 0 || !lost {
			t.Errorf("the slow one got %d, lost %v", len(heard), lost)
		}
		if heard, lost := quick.Take(); len(heard) != 1 || lost {
			t.Errorf("the quick one got %d, lost %v", len(heard), lost)
		}
		publish(t, db, events.Event{Kind: "c"})
		if err := hub.Look(ctx); err != nil {
			t.Fatal(err)
		}
		if heard, lost := slow.Take(); len(heard) != 1 || lost {
			t.Errorf("afterwards %d, lost %v", len(heard), lost)
		}
		slow.Close()
		quick.Close()
		if n := hub.Subscribers(); n != 0 {
			t.Errorf("%d still there", n)
		}
	})
}

// A database that was put back to an earlier state counts from there again.
func TestARestoredDatabaseIsFollowed(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		ctx := context.Background()
		publish(t, db, make([]events.Event, 30)...)
		hub := events.NewHub(db, quiet, time.Now)
		sub := subscribe(t, hub, nil)
		if err := db.Exec("DELETE FROM events WHERE id > 5").Error; err != nil {
			t.Fatal(err)
		}
		restart := "UPDATE sqlite_sequence SET seq = 5 WHERE name = 'events'"
		if database.Postgres(db) {
			restart = "ALTER TABLE events ALTER COLUMN id RESTART WITH 6"
		}
		if err := db.Exec(restart).Error; err != nil {
			t.Fatal(err)
		}
		publish(t, db, events.Event{Kind: "a"})
		if err := hub.Look(ctx); err != nil {
			t.Fatal(err)
		}
		if _, lost := sub.Take(); !lost {
			t.Error("nobody was told to look anew")
		}
		publish(t, db, events.Event{Kind: "b"})
		if err := hub.Look(ctx); err != nil {
			t.Fatal(err)
		}
		if heard, _ := sub.Take(); len(heard) != 1 {
			t.Errorf("heard %+v", heard)
		}
	})
}

func TestOldEventsAreSwept(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		now := time.Now().UTC()
		long := now.Add(-events.Kept - time.Hour)
		publish(t, db, events.Event{Kind: "old", At: long, HandledAt: &long}, events.Event{Kind: "unsaid", At: long}, events.Event{Kind: "young", At: now.Add(-events.Kept + time.Hour), HandledAt: &now})
		if err := events.Sweep(context.Background(), db, now); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := db.Raw("SELECT kind FROM events ORDER BY id").Scan(&left).Error; err != nil || !slices.Equal(left, []string{"unsaid", "young"}) {
			t.Errorf("left %v, %v", left, err)
		}
		rows, more, err := events.NewHub(db, quiet, time.Now).Since(context.Background(), 0, now.Add(-events.Kept))
		if err != nil || more || len(rows) != 1 {
			t.Errorf("since: %+v %v %v", rows, more, err)
		}
	})
}
