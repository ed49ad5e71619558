// Package demo fills an empty database with the demo organisation 晨星科技:
// the same people, groups and codes each time, with times relative to today.
package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/scan"
	"doorplate/internal/secret"
)

// ErrNotEmpty is the answer for a database that somebody already uses.
var ErrNotEmpty = errors.New("the database is not empty: the demo organisation only goes into a new one")

// builder carries what later steps need of earlier ones.
type builder struct {
	tx    *gorm.DB
	rng   *rand.Rand
	keys  secret.Keys
	trail *audit.Trail
	now   time.Time
	loc   *time.Location

	departments []*directory.Department
	byName      map[string]*directory.Department
	members     []*directory.Member // active ones
	departed    *directory.Member
	home        map[int64]*directory.Department // member id → department
	groups      []*group.Group
	images      map[*group.Group][]*group.Image
	inGroup     map[int64]map[int64]bool // group id → member id
	codes       []*code.Code
	kinds       map[int64]string // code id → the state it was made for
	requests    []*join.Request
	clock       time.Time // what the trail takes for now
}

// Fill writes the demo organisation, living in the given time zone, in one transaction. A database that is set
// up or has members answers ErrNotEmpty.
func Fill(ctx context.Context, db *gorm.DB, keys secret.Keys, zone string, now time.Time) error {
	now = now.UTC().Truncate(time.Second)
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return fmt.Errorf("time zone of the demo: %w", err)
	}
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		b := &builder{tx: tx, rng: rand.New(rand.NewPCG(20261122, 7)), keys: keys, now: now, loc: loc, byName: map[string]*directory.Department{},
			home: map[int64]*directory.Department{}, inGroup: map[int64]map[int64]bool{}, kinds: map[int64]string{},
			images: map[*group.Group][]*group.Image{}}
		b.trail = audit.New(keys, func() time.Time { return b.clock })
		for _, step := range []func() error{
			b.claim, b.addDepartments, b.addMembers, b.addHeads, b.addGroups, b.addMemberships, b.addSeries, b.addCodes, b.addLive, b.addScans, b.addCopies, b.addEntries,
			b.addRequests, b.addWaiting, b.addDeparture, b.addAudit,
			func() error { return scan.Recount(b.tx) }, b.addClock, b.addCase, b.addNotices,
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// claim takes the organisation's row; of two that try, the second sees it taken.
func (b *builder) claim() error {
	var used bool
	if err := b.tx.Raw("SELECT EXISTS (SELECT 1 FROM members) OR EXISTS (SELECT 1 FROM organisation WHERE set_up_at IS NOT NULL)").Scan(&used).Error; err != nil {
		return fmt.Errorf("look for an earlier organisation: %w", err)
	}
	if used {
		return ErrNotEmpty
	}
	done := b.tx.Exec(`INSERT INTO organisation (id, name, timezone, language, key_fingerprint, setup_token_hash, set_up_at, created_at)
		VALUES (1, ?, ?, 'zh-CN', ?, '', ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, timezone = excluded.timezone, set_up_at = excluded.set_up_at, setup_token_hash = '', key_fingerprint = excluded.key_fingerprint
		WHERE organisation.set_up_at IS NULL`, organisation, b.loc.String(), b.keys.Fingerprint(), b.now, b.now)
	if done.Error == nil && done.RowsAffected == 0 {
		return ErrNotEmpty
	}
	return done.Error
}

// ago is a moment some days before now, at a given hour of the organisation's day.
func (b *builder) ago(days, hour, minute int) time.Time {
	d := b.now.In(b.loc).AddDate(0, 0, -days)
	at := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, b.rng.IntN(60), 0, b.loc).UTC()
	if at.After(b.now) {
		return b.now.Add(-time.Duration(1+b.rng.IntN(600)) * time.Second)
	}
	return at
}

// text draws n characters that may stand in a URL.
func (b *builder) text(n int, letters string) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[b.rng.IntN(len(letters))]
	}
	return string(out)
}

func pick[T any](b *builder, from []T) T { return from[b.rng.IntN(len(from))] }
