package directory

import (
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Retention is a change of how many days single scans are kept; 0 = for ever.
type Retention struct{ Was, Days int }

// shorter reports whether scans would be deleted that are kept now.
func (r Retention) shorter() bool { return r.Days > 0 && (r.Was == 0 || r.Days < r.Was) }

// CheckRetention holds the policies and asks whether the change still is the one
// that was asked for: fault.Conflict when scans are kept for another time now.
func CheckRetention(tx *gorm.DB, author access.Actor, r Retention) error {
	if err := access.Check(author, access.OrganisationEdit, access.Object{}); err != nil {
		return err
	}
	if err := HoldOrganisation(tx); err != nil {
		return err
	}
	p, err := LoadPolicies(tx)
	if err != nil {
		return err
	}
	if p.ScanDays != r.Was {
		return fault.Conflict{Message: fault.Msg("second.error.retention", "Was", r.Was, "Now", p.ScanDays)}
	}
	return nil
}

// ShortenRetention does it on behalf of author, with a second super admin's
// word. The caller records the event.
func ShortenRetention(tx *gorm.DB, author access.Actor, r Retention, at time.Time) (audit.Event, error) {
	if err := CheckRetention(tx, author, r); err != nil {
		return audit.Event{}, err
	}
	days := strconv.Itoa(r.Days)
	err := storePolicy(tx, "scan_days", days, at.UTC())
	return audit.Event{Action: "policies.save", Object: audit.Object{Kind: "organisation", ID: "1"},
		Details: map[string]any{"scan_days": days, "scan_days_was": strconv.Itoa(r.Was)}}, err
}

// HoldOrganisation makes changes that depend on who is a super admin, or on the
// policies, go one after the other until the transaction ends.
func HoldOrganisation(tx *gorm.DB) error {
	_, err := lockOrganisation(tx)
	return err
}
