// Package jobs is the durable outbox: work that must happen after a commit is
// a row written by that very transaction, done at least once by a worker.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/secret"
)

// lease is how long a worker may take for one job before another one tries it.
const lease = time.Minute

// Outbox queues jobs and runs them. Payloads are sealed: they may hold phone codes.
type Outbox struct {
	db       *gorm.DB
	keys     secret.Keys
	now      func() time.Time
	log      *slog.Logger
	handlers map[string]func(context.Context, []byte) error
	wake     chan struct{}
}

// New returns an outbox without handlers.
func New(db *gorm.DB, keys secret.Keys, now func() time.Time, log *slog.Logger) *Outbox {
	return &Outbox{db: db, keys: keys, now: now, log: log, handlers: map[string]func(context.Context, []byte) error{}, wake: make(chan struct{}, 1)}
}

// Handle registers what does jobs of a kind. Call it before Run. do may see a
// job twice and must tell by something in the payload.
func (o *Outbox) Handle(kind string, do func(ctx context.Context, payload []byte) error) {
	o.handlers[kind] = do
}

type job struct {
	ID          int64
	Kind        string
	Payload     []byte
	RunAt       time.Time
	LockedUntil *time.Time
	Attempts    int
	LastError   string
	DoneAt      *time.Time
	CreatedAt   time.Time
}

func (job) TableName() string { return "jobs" }

// Enqueue adds a job inside the caller's transaction. payload is stored as JSON.
// Call Wake after the commit so that it runs at once.
func (o *Outbox) Enqueue(tx *gorm.DB, kind string, payload any) error {
	plain, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("job %s: %w", kind, err)
	}
	now := o.now().UTC()
	j := job{Kind: kind, Payload: o.keys.Seal("job", plain), RunAt: now, CreatedAt: now}
	if err := tx.Create(&j).Error; err != nil {
		return fmt.Errorf("enqueue %s: %w", kind, err)
	}
	return nil
}

// Wake makes the worker look now instead of at its next tick.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends.
func (o *Outbox) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-o.wake:
		}
		for ctx.Err() == nil {
			worked, err := o.Next(ctx)
			if err != nil && ctx.Err() == nil {
				o.log.Error("taking a job", "err", err)
			}
			if !worked || err != nil {
				break
			}
		}
	}
}

// Next does one due job and reports whether there was one.
func (o *Outbox) Next(ctx context.Context) (bool, error) {
	j, err := o.take(ctx)
	if err != nil || j == nil {
		return false, err
	}
	err = o.do(ctx, *j)
	now := o.now().UTC()
	set := map[string]any{"done_at": now, "payload": []byte{}, "locked_until": nil, "last_error": ""}
	row := o.db.WithContext(context.WithoutCancel(ctx)).Model(&job{}).Where("id = ?", j.ID)
	if err != nil {
		row = row.Where("attempts = ?", j.Attempts) // after the lease another worker may be at it
		o.log.Warn("job failed", "kind", j.Kind, "id", j.ID, "attempt", j.Attempts, "err", err)
		set = map[string]any{"locked_until": nil, "last_error": storable(err), "run_at": now.Add(backOff(j.Attempts))}
		if j.Attempts >= maxAttempts {
			set["done_at"], set["payload"] = now, []byte{}
		}
	}
	return true, row.Updates(set).Error
}

// storable is what went wrong as text that either database takes.
func storable(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "")
	runes := []rune(text)
	return string(runes[:min(len(runes), 500)])
}

const maxAttempts = 8

// backOff doubles from 2 s and ends at 10 min.
func backOff(attempt int) time.Duration {
	return min(time.Second<<attempt, 10*time.Minute)
}

func (o *Outbox) do(ctx context.Context, j job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	handle, known := o.handlers[j.Kind]
	if !known {
		return fmt.Errorf("no handler for %q", j.Kind)
	}
	plain, err := o.keys.Open("job", j.Payload)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lease-5*time.Second)
	defer cancel()
	return handle(ctx, plain)
}

// take leases the oldest due job with one statement.
func (o *Outbox) take(ctx context.Context) (*job, error) {
	now := o.now().UTC()
	skip := ""
	if database.Postgres(o.db) {
		skip = "FOR UPDATE SKIP LOCKED"
	}
	var taken []job
	err := o.db.WithContext(ctx).Raw(`UPDATE jobs SET locked_until = ?, attempts = attempts + 1
		WHERE id = (SELECT id FROM jobs WHERE done_at IS NULL AND run_at <= ? AND (locked_until IS NULL OR locked_until < ?)
			ORDER BY run_at, id LIMIT 1 `+skip+`)
		RETURNING *`, now.Add(lease), now, now).Scan(&taken).Error
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return &taken[0], nil
}
