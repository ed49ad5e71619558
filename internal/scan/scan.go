// Package scan decides each scan of a printed code, records it durably and
// only then answers; it hands out the one-time ticket to the join page.
package scan

import (
	"time"

	"gorm.io/gorm"

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

// Service decides and records scans.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	codes *code.Service
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, keys secret.Keys, codes *code.Service, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, codes: codes, now: now}
}
