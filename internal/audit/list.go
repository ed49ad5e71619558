package audit

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Log reads the trail for people.
type Log struct {
	db    *gorm.DB
	trail *Trail
}

// NewLog returns the reader of what trail writes.
func NewLog(db *gorm.DB, trail *Trail) *Log { return &Log{db: db, trail: trail} }

// Filter narrows a list. Zero fields do not narrow.
type Filter struct {
	Actors     []int64 // members; not nil and empty finds nothing
	System     bool    // what the program did by itself
	Action     string  // an action, or an area followed by a dot
	ObjectKind string
	ObjectID   string
	ObjectName string // how the name of an object begins, or its id
	Outcome    string
	From, To   time.Time // To is exclusive
	Before     int64     // keyset: entries older than this id
}

// Line is one entry as a list shows it. Seq is 0 while it is not sealed.
type Line struct {
	Entry
	Seq int64
}

// Page is one page of the trail, the newest first.
type Page struct {
	Lines []Line
	// Next is the Before of the following page, 0 at the end. A page may have
	// fewer lines than asked for, or none, and still a next one: the search
	// stops after so many entries that do not fit.
	Next int64
	// Until is how far back such a search came.
	Until time.Time
}

// List returns the newest entries first, at most limit: everything for a super
// admin, what concerns their departments for a head or who holds the right by a role.
func (l *Log) List(ctx context.Context, by access.Actor, f Filter, limit int) ([]Line, error) {
	p, err := l.Page(ctx, by, f, limit)
	return p.Lines, err
}

// Page is List with where the next page begins.
func (l *Log) Page(ctx context.Context, by access.Actor, f Filter, limit int) (Page, error) {
	if err := access.Check(by, access.AuditRead, access.Object{}); err != nil {
		return Page{}, err
	}
	db := l.db.WithContext(ctx)
	q, err := newQuery(db, by, f)
	if err != nil || q.nothing {
		return Page{}, err
	}
	ids, next, err := q.page(limit)
	if err != nil {
		return Page{}, fmt.Errorf("list the audit trail: %w", err)
	}
	p := Page{Next: next}
	if len(ids) > 0 {
		err = db.Raw("SELECT e.*, coalesce(s.seq, 0) AS seq FROM audit_entries e LEFT JOIN audit_seals s ON s.entry_id = e.id WHERE e.id IN ? ORDER BY e.id DESC", ids).
			Scan(&p.Lines).Error
	}
	if err == nil && next > 0 && len(ids) < limit {
		err = db.Raw("SELECT at FROM audit_entries WHERE id = ?", next).Scan(&p.Until).Error
	}
	if err != nil {
		return Page{}, fmt.Errorf("read the audit trail: %w", err)
	}
	return p, nil
}

// Actions lists every action that ever happened, in order.
func (l *Log) Actions(ctx context.Context, by access.Actor) ([]string, error) {
	if err := access.Check(by, access.AuditRead, access.Object{}); err != nil {
		return nil, err
	}
	return knownActions(l.db.WithContext(ctx))
}

// Whole is one entry with all that can be said about it.
type Whole struct {
	Line
	Previous     string // the hash before
	Hash         string // of its own seal
	Fits         bool   // the MAC and the seal are the ones it must have
	Newer, Older int64  // ids of the neighbours that the reader may see, 0 without
	Verified     Verified
}

// Entry reads one entry and checks its MAC and its seal on the spot.
// fault.NotFound for one that is not about the reader's departments.
func (l *Log) Entry(ctx context.Context, by access.Actor, id int64) (Whole, error) {
	if err := access.Check(by, access.AuditRead, access.Object{}); err != nil {
		return Whole{}, err
	}
	db := l.db.WithContext(ctx)
	scope, args := access.Scope(by, access.AuditRead, "e.department_path")
	var found []struct {
		Line
		Previous, Hash string
	}
	err := db.Raw(`SELECT e.*, coalesce(s.seq, 0) AS seq, coalesce(s.previous, '') AS previous, coalesce(s.hash, '') AS hash
		FROM audit_entries e LEFT JOIN audit_seals s ON s.entry_id = e.id WHERE e.id = ? AND `+scope, append([]any{id}, args...)...).Scan(&found).Error
	if err != nil {
		return Whole{}, fmt.Errorf("read an entry: %w", err)
	}
	if len(found) == 0 {
		return Whole{}, fault.NotFound
	}
	w := Whole{Line: found[0].Line, Previous: found[0].Previous, Hash: found[0].Hash}
	h := newHasher(&l.trail.keys)
	w.Fits = h.fits(&w.Entry)
	if w.Seq > 0 && w.Fits {
		w.Fits = string(h.link(w.Seq, w.Previous, w.MAC)) == w.Hash
	}
	state, err := l.trail.readWatched(db)
	if err != nil {
		return Whole{}, err
	}
	w.Verified = state.Verified
	return w, l.neighbours(db, by, &w)
}

// neighbours looks for the entries beside w that the reader may see.
func (l *Log) neighbours(db *gorm.DB, by access.Actor, w *Whole) error {
	older, err := newQuery(db, by, Filter{Before: w.ID})
	if err != nil {
		return err
	}
	ids, _, err := older.page(1)
	if err != nil {
		return fmt.Errorf("read the entry before: %w", err)
	}
	if len(ids) > 0 {
		w.Older = ids[0]
	}
	newer := query{db: db}
	newer.and(access.Scope(by, access.AuditRead, "e.department_path"))
	if ids, err = newer.after(w.ID); err != nil {
		return fmt.Errorf("read the entry after: %w", err)
	}
	if len(ids) > 0 {
		w.Newer = ids[0]
	}
	return nil
}

// State is the chain at a glance.
type State struct {
	Sealed   int64 // how many entries are sealed
	Waiting  bool  // some are not yet
	Head     string
	At       time.Time // of the newest sealed entry
	Verified Verified
	Run      *Run // the newest verification that somebody asked for
}

// State reads the head of the chain and how far it is verified.
func (l *Log) State(ctx context.Context, by access.Actor) (State, error) {
	if err := access.Check(by, access.AuditRead, access.Object{}); err != nil {
		return State{}, err
	}
	var s State
	db := l.db.WithContext(ctx)
	head, err := lastSeal(db)
	if err != nil {
		return s, fmt.Errorf("read the head of the chain: %w", err)
	}
	s.Sealed, s.Head = head.Seq, head.Hash
	if head.Seq > 0 {
		var e Entry
		if err := db.Select("at").Where("id = ?", head.EntryID).Limit(1).Find(&e).Error; err != nil {
			return s, err
		}
		s.At = e.At
	}
	w, err := l.trail.readWatched(db)
	if err != nil {
		return s, err
	}
	s.Verified = w.Verified
	if s.Run, err = l.trail.lastRun(db); err != nil {
		return s, err
	}
	return s, db.Raw("SELECT EXISTS (SELECT 1 FROM audit_unsealed)").Scan(&s.Waiting).Error
}
