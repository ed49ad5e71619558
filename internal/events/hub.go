package events

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// How often a hub looks by itself, while somebody wants to hear.
const (
	pollEmbedded = 250 * time.Millisecond // nobody tells us of another process's commit
	pollDeaf     = time.Second            // PostgreSQL, without a connection that listens
	pollHearing  = 15 * time.Second       // the second chance
	breath       = 40 * time.Millisecond  // between two looks: a burst is one look
)

const (
	atOnce     = 500 // events per statement
	maxQueue   = 64  // events kept for one slow subscriber; then it only learns that it missed some
	lookBack   = 200 // newest events in which a fresh start looks for numbers that are still to be committed
	maxMissing = 2000
)

// missingFor is how long a number that was passed over may still turn up: the
// transaction that took it may commit after later ones did.
const missingFor = time.Minute

// Told is an event with what a listener needs to know of its group.
type Told struct {
	Event
	Path   string // of the group's department; "" without a group
	Type   string
	Origin string
}

// Hub reads new events once per process and tells them to all who subscribed.
// It tells at least once: after a disturbance something may be told again.
type Hub struct {
	db  *gorm.DB
	log *slog.Logger
	now func() time.Time

	look    chan struct{} // there may be something
	done    chan struct{}
	once    sync.Once
	hearing atomic.Bool // a connection listens

	reading sync.Mutex // one look at a time; guards what follows
	started bool       // high is where we are
	high    int64
	missing map[int64]time.Time // numbers below high that were not there yet

	mu    sync.Mutex
	all   map[*Subscription]struct{}
	eager int // of them that make the hub look by itself
}

// NewHub returns a hub that reads db. now is only for how long numbers are
// missed, so it may be a test's clock.
func NewHub(db *gorm.DB, log *slog.Logger, now func() time.Time) *Hub {
	return &Hub{db: db, log: log, now: now, look: make(chan struct{}, 1), done: make(chan struct{}), all: map[*Subscription]struct{}{}, missing: map[int64]time.Time{}}
}

// Subscribe hears of events that are committed from now on and that wants
// keeps; wants must be quick and touch nothing. Close it.
func (h *Hub) Subscribe(ctx context.Context, wants func(Told) bool) (*Subscription, error) {
	return h.subscribe(ctx, wants, true)
}

// Overhear is Subscribe for work that looks by itself now and then: it alone
// does not make the hub ask the embedded database.
func (h *Hub) Overhear(ctx context.Context, wants func(Told) bool) (*Subscription, error) {
	return h.subscribe(ctx, wants, false)
}

func (h *Hub) subscribe(ctx context.Context, wants func(Told) bool, eager bool) (*Subscription, error) {
	s := &Subscription{hub: h, wants: wants, eager: eager, wake: make(chan struct{}, 1)}
	if err := h.join(ctx, s); err != nil {
		return nil, err
	}
	h.poke()
	return s, nil
}

// join adds s. Where nobody made the hub look so far it starts at the newest event.
func (h *Hub) join(ctx context.Context, s *Subscription) error {
	h.reading.Lock()
	defer h.reading.Unlock()
	if !h.started || h.asleep() {
		if err := h.start(ctx); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[s] = struct{}{}
	if s.eager {
		h.eager++
	}
	return nil
}

// asleep reports whether nothing makes the hub look.
func (h *Hub) asleep() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.eager == 0 && !(h.hearing.Load() && len(h.all) > 0)
}

// Subscribers is how many listen now.
func (h *Hub) Subscribers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

// Close tells every subscriber that it is over.
func (h *Hub) Close() { h.once.Do(func() { close(h.done) }) }

func (h *Hub) poke() {
	select {
	case h.look <- struct{}{}:
	default:
	}
}

// Run reads and tells until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	var ear sync.WaitGroup
	defer ear.Wait()
	if database.Postgres(h.db) {
		ear.Go(func() { h.listen(ctx) })
	}
	failed := false
	for h.rest(ctx) {
		err := h.Look(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			h.log.Warn("reading events; trying again", "err", err)
		}
		failed = err != nil
	}
}

// rest waits until it is time to look; false when ctx ended.
func (h *Hub) rest(ctx context.Context) bool {
	var again <-chan time.Time
	if every := h.every(); every > 0 {
		timer := time.NewTimer(every)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-again:
		return true
	case <-h.look:
	}
	select { // what else comes in a burst is read with it
	case <-ctx.Done():
		return false
	case <-time.After(breath):
		return true
	}
}

// every is how long until the next look that nobody asked for; 0 = none.
func (h *Hub) every() time.Duration {
	switch {
	case h.asleep():
		return 0
	case !database.Postgres(h.db):
		return pollEmbedded
	case h.hearing.Load():
		return pollHearing
	}
	return pollDeaf
}

// Look reads what is new and tells it. Run does it; tests may.
func (h *Hub) Look(ctx context.Context) error {
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.asleep() || !h.started {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		rows, err := h.fresh(ctx)
		if err != nil {
			return err
		}
		h.tell(rows)
		if len(rows) < atOnce {
			return h.wentBack(ctx)
		}
	}
}

const toldSQL = `SELECT e.*, coalesce(d.path, '') AS path, coalesce(g.type, '') AS type, coalesce(g.origin, '') AS origin FROM events e
	LEFT JOIN groups g ON g.id = e.group_id LEFT JOIN departments d ON d.id = g.department_id WHERE `

// fresh reads events after high, and those whose numbers were missing.
func (h *Hub) fresh(ctx context.Context) ([]Told, error) {
	h.forget()
	where, args := "e.id > ?", []any{h.high}
	if len(h.missing) > 0 {
		ids := make([]int64, 0, len(h.missing))
		for id := range h.missing {
			ids = append(ids, id)
		}
		where, args = "(e.id > ? OR e.id IN ?)", append(args, ids)
	}
	var rows []Told
	err := h.db.WithContext(ctx).Raw(toldSQL+where+" ORDER BY e.id LIMIT ?", append(args, atOnce)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	for _, r := range rows {
		h.passed(r.ID)
	}
	return rows, nil
}

// passed notes that id was read, and which numbers were passed over for it. Only
// PostgreSQL commits out of order.
func (h *Hub) passed(id int64) {
	delete(h.missing, id)
	if id <= h.high {
		return
	}
	if database.Postgres(h.db) {
		for gap := max(h.high+1, id-maxMissing); gap < id; gap++ {
			h.missing[gap] = h.now()
		}
	}
	h.high = id
}

// forget gives up numbers that will not come any more: their transactions were undone.
func (h *Hub) forget() {
	for id, since := range h.missing {
		if h.now().Sub(since) > missingFor {
			delete(h.missing, id)
		}
	}
	if len(h.missing) <= maxMissing {
		return
	}
	ids := make([]int64, 0, len(h.missing))
	for id := range h.missing {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids[:len(ids)-maxMissing] {
		delete(h.missing, id)
	}
}

// start makes the newest event the last one heard. The caller holds reading.
func (h *Hub) start(ctx context.Context) error {
	var ids []int64
	if err := h.db.WithContext(ctx).Raw("SELECT id FROM events ORDER BY id DESC LIMIT ?", lookBack).Scan(&ids).Error; err != nil {
		return fmt.Errorf("find the newest event: %w", err)
	}
	slices.Reverse(ids)
	h.started, h.high, h.missing = true, 0, map[int64]time.Time{}
	if len(ids) > 0 {
		h.high = ids[0]
	}
	for _, id := range ids {
		h.passed(id)
	}
	return nil
}

// wentBack notices a database that was put back to an earlier state: its
// numbers begin again below ours.
func (h *Hub) wentBack(ctx context.Context) error {
	var newest int64
	if err := h.db.WithContext(ctx).Raw("SELECT coalesce(max(id), 0) FROM events").Scan(&newest).Error; err != nil {
		return fmt.Errorf("find the newest event: %w", err)
	}
	if newest >= h.high || newest == 0 {
		return nil // 0: only the old ones were deleted
	}
	if err := h.start(ctx); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.all {
		s.miss()
	}
	return nil
}

func (h *Hub) tell(rows []Told) {
	if len(rows) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.all {
		for _, r := range rows {
			if s.wants == nil || s.wants(r) {
				s.hear(r)
			}
		}
	}
}

// sinceAtOnce is how many events Since returns at most.
const sinceAtOnce = 200

// Since reads events with a number above after or, where after is 0, facts since
// a moment; more says that there are others: look at everything anew.
func (h *Hub) Since(ctx context.Context, after int64, at time.Time) (rows []Told, more bool, err error) {
	where, arg := "e.id > ?", any(after)
	if after <= 0 {
		where, arg = "e.at > ?", at.UTC()
	}
	err = h.db.WithContext(ctx).Raw(toldSQL+where+" ORDER BY e.id LIMIT ?", arg, sinceAtOnce+1).Scan(&rows).Error
	if err != nil {
		return nil, false, fmt.Errorf("read events: %w", err)
	}
	if len(rows) > sinceAtOnce {
		return nil, true, nil
	}
	return rows, false, nil
}
