// Package scan decides each scan of a printed code, records it durably and
// only then answers; it hands out the one-time ticket to the join page.
package scan

import (
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/secret"
)

// Outcomes of a scan, as they stand in the history.
const (
	Live      = "live"
	Expired   = "expired"
	Revoked   = "revoked"
	Replaced  = "replaced"
	Suspended = "suspended"
	Disbanded = "disbanded"
	Exhausted = "exhausted"
	Limited   = "limited"
	Network   = "network"
	Audience  = "audience"
	Off       = "off"
	Bot       = "bot"
	Unknown   = "unknown"
)

// Causes that are finer than the outcome they are kept under.
const (
	NotYet = "notyet" // kept as Off: not open yet
	Closed = "closed" // kept as Off: outside opening hours
	Daily  = "daily"  // kept as Exhausted: today's cap, open again tomorrow
	Speed  = "speed"  // kept as Limited: too fast
	Copy   = "copy"   // kept as Revoked: this printed copy was withdrawn, others work
)

// Service decides and records scans.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	codes *code.Service
	trail *audit.Trail
	now   func() time.Time

	once    sync.Once // starts the writer
	shut    sync.Once
	queue   chan *call
	closing chan struct{}
	drained chan struct{}
	speed   windows
	batches atomic.Int64
	written atomic.Int64
}

// Load is how busy the writer is, for the metrics.
type Load struct {
	Queue            int   // scans that wait
	Batches, Written int64 // since the start
}

// Load reads it.
func (s *Service) Load() Load {
	return Load{Queue: len(s.queue), Batches: s.batches.Load(), Written: s.written.Load()}
}

// New returns the service. Close it before the database.
func New(db *gorm.DB, keys secret.Keys, codes *code.Service, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, codes: codes, trail: trail, now: now,
		queue: make(chan *call, queueLength), closing: make(chan struct{}), drained: make(chan struct{})}
}
