// Package join takes people from a redeemed ticket into a group: who they are,
// what they ask, who decides and what came of it.
package join

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/secret"
)

// States of a request.
const (
	Pending   = "pending"
	Approved  = "approved"
	Rejected  = "rejected"
	Withdrawn = "withdrawn"
	Expired   = "expired"
	Cancelled = "cancelled"
)

// Request is one person's wish to enter one group. Exactly one of MemberID and
// GuestID is set. Name and Phone are as they were when asking.
type Request struct {
	ID        int64
	GroupID   int64
	CodeID    *int64
	ScanID    *int64
	MemberID  *int64
	GuestID   *int64
	Name      string
	Phone     string
	Note      string
	Status    string
	CreatedAt time.Time
	DecidedAt *time.Time
	DecidedBy *int64
	Reason    string
}

// TableName is for gorm.
func (Request) TableName() string { return "join_requests" }

// Service is the use cases around joining.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	trail *audit.Trail
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, trail: trail, now: now}
}
