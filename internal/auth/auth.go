// Package auth finds out who somebody is: first-run set-up, phone codes,
// sign-in links, passwords, session rows and the limits on all of them.
package auth

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/jobs"
	"doorplate/internal/secret"
)

// Service is the use cases of identity.
type Service struct {
	db     *gorm.DB
	keys   secret.Keys
	trail  *audit.Trail
	outbox *jobs.Outbox
	now    func() time.Time
}

// New returns the service.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, outbox *jobs.Outbox, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, trail: trail, outbox: outbox, now: now}
}
