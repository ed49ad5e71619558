package audit

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

// Log reads the trail for people.
type Log struct{ db *gorm.DB }

// NewLog returns the reader.
func NewLog(db *gorm.DB) *Log { return &Log{db: db} }

// Filter narrows a list. Zero fields do not narrow.
type Filter struct {
	Actor      string // part of a name
	Action     string // an action, or an area followed by a dot
	ObjectKind string
	ObjectID   string
	From, To   time.Time // To is exclusive
	Before     int64     // keyset: entries older than this id
}

// Line is one entry as a list shows it. Seq is 0 while it is not sealed.
type Line struct {
	Entry
	Seq int64
}

// List returns the newest entries first, at most limit: everything for a super
// admin, what concerns their departments for a head or who holds the right by a role.
func (l *Log) List(ctx context.Context, by access.Actor, f Filter, limit int) ([]Line, error) {
	if err := access.Check(by, access.AuditRead, access.Object{}); err != nil {
		return nil, err
	}
	scope, args := access.Scope(by, access.AuditRead, "e.department_path")
	q := l.db.WithContext(ctx).Table("audit_entries e").Select("e.*, coalesce(s.seq, 0) AS seq").
		Joins("LEFT JOIN audit_seals s ON s.entry_id = e.id").Where(scope, args...)
	if f.Actor != "" {
		q = q.Where("e.actor_name LIKE ? ESCAPE '\\'", "%"+database.EscapeLike(f.Actor)+"%")
	}
	if f.Action != "" {
		q = q.Where("e.action LIKE ? ESCAPE '\\'", database.EscapeLike(f.Action)+"%")
	}
	if f.ObjectKind != "" {
		q = q.Where("e.object_kind = ?", f.ObjectKind)
	}
	if f.ObjectID != "" {
		q = q.Where("e.object_id = ?", f.ObjectID)
	}
	if !f.From.IsZero() {
		q = q.Where("e.at >= ?", f.From)
	}
	if !f.To.IsZero() {
		q = q.Where("e.at < ?", f.To)
	}
	if f.Before > 0 {
		q = q.Where("e.id < ?", f.Before)
	}
	var lines []Line
	if err := q.Order("e.id DESC").Limit(limit).Scan(&lines).Error; err != nil {
		return nil, fmt.Errorf("list the audit trail: %w", err)
	}
	return lines, nil
}

// State is the chain at a glance.
type State struct {
	Sealed  int64 // how many entries are sealed
	Waiting bool  // some are not yet
	Head    string
	At      time.Time // of the newest sealed entry
}

// State reads the head of the chain.
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
	return s, db.Raw("SELECT EXISTS (SELECT 1 FROM audit_unsealed)").Scan(&s.Waiting).Error
}
