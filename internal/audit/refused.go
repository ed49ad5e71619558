package audit

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// repeatAfter is how long the same refusal is not written down again, so that
// nobody can flood the trail by pressing a dead button.
const repeatAfter = time.Minute

// bound remembers what was written lately. It is safe for concurrent use.
type bound struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]repeat
}

type repeat struct {
	at   time.Time
	more int // how often it happened since
}

func newBound(now func() time.Time) *bound { return &bound{now: now, seen: map[string]repeat{}} }

// sweepAt is how many keys are remembered before those are dropped that no longer matter.
const sweepAt = 4096

// first reports whether key has to be written now, and how often it was left
// out before.
func (b *bound) first(key string) (leftOut int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	r, known := b.seen[key]
	if known && now.Sub(r.at) < repeatAfter {
		r.more++
		b.seen[key] = r
		return 0, false
	}
	if len(b.seen) >= sweepAt {
		maps.DeleteFunc(b.seen, func(_ string, r repeat) bool { return now.Sub(r.at) >= repeatAfter })
	}
	b.seen[key] = repeat{at: now}
	return r.more, true
}

// forget makes the next one be written: this one could not be.
func (b *bound) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.seen, key)
}

// RecordOnce records what somebody can cause at will, such as a refusal, in a
// transaction of its own: the first time at once, then at most once a minute
// for the same key, saying how often it happened in between.
func (t *Trail) RecordOnce(ctx context.Context, db *gorm.DB, key string, by access.Actor, e Event) error {
	key = fmt.Sprintf("%s %s %d %d %s", e.Action, by.Kind, by.MemberID, by.GuestID, key)
	leftOut, ok := t.bound.first(key)
	if !ok {
		return nil
	}
	if leftOut > 0 {
		e.Details = maps.Clone(e.Details)
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		e.Details["left_out"] = leftOut
	}
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return t.Record(tx, by, e) })
	if err != nil {
		t.bound.forget(key)
	}
	return err
}

// Refusal is a right that somebody signed in asked for and does not have.
type Refusal struct {
	Right  string // as fault.Forbidden names it
	Route  string // method and pattern, e.g. "POST /groups/:id"
	Object Object // in the asker's scope; zero for a whole page
}

// Refused writes a refusal down. It is bounded per person, right, route and object.
func (l *Log) Refused(ctx context.Context, by access.Actor, r Refusal) error {
	if r.Object.Kind == "" {
		r.Object = Object{Kind: "page", Name: r.Route}
	} else if err := l.db.WithContext(ctx).Raw(`SELECT object_name FROM audit_entries WHERE object_kind = ? AND object_id = ? ORDER BY id DESC LIMIT 1`,
		r.Object.Kind, r.Object.ID).Scan(&r.Object.Name).Error; err != nil {
		return fmt.Errorf("look up the name of what was refused: %w", err)
	}
	home := ""
	if len(by.Own) > 0 {
		home = by.Own[0]
	}
	return l.trail.RecordOnce(ctx, l.db, r.Right+" "+r.Route+" "+r.Object.Kind+" "+r.Object.ID, by, Event{Action: "right.refused", Outcome: Refused,
		Object: r.Object, DepartmentPath: home, Details: map[string]any{"right": r.Right, "route": r.Route}})
}
