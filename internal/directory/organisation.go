package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
)

// Organisation is the one row this installation serves. SetUpAt is nil until
// the first-run page was submitted.
type Organisation struct {
	ID             int64
	Name           string
	Timezone       string
	Language       string
	KeyFingerprint string
	SetupTokenHash string
	SetUpAt        *time.Time
	LogoFileID     *int64 // a PNG of at most 512 pixels
	CreatedAt      time.Time
}

// TableName is for gorm.
func (Organisation) TableName() string { return "organisation" }

// Location is the organisation's time zone: days, caps and charts follow it.
func (o Organisation) Location() *time.Location {
	if known, ok := zones.Load(o.Timezone); ok {
		return known.(*time.Location)
	}
	loc, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return time.UTC
	}
	zones.Store(o.Timezone, loc)
	return loc
}

// zones keeps the time zones that were loaded: each load reads a file.
var zones sync.Map

// LoadOrganisation reads the organisation; the zero value when there is none yet.
func LoadOrganisation(tx *gorm.DB) (Organisation, error) {
	var o Organisation
	err := tx.Where("id = 1").Take(&o).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return o, fmt.Errorf("load organisation: %w", err)
	}
	return o, nil
}

// Organisation is LoadOrganisation for readers outside a transaction.
func (s *Service) Organisation(ctx context.Context) (Organisation, error) {
	return LoadOrganisation(s.db.WithContext(ctx))
}
