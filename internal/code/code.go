// Package code keeps the QR codes: issue, resolve, revoke and regenerate them.
// Whether a code lives is derived when asked, from the code, its group and its
// issuer; nothing is kept in step.
package code

import (
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/secret"
)

// Code is one issued code. PublicID (11 base64url characters) stands in URLs
// and in the token.
type Code struct {
	ID         int64
	PublicID   string
	GroupID    int64
	Label      string
	Validity   string // 7d, 30d, until, permanent
	ValidFrom  *time.Time
	ValidUntil *time.Time // nil = permanent
	DailyCap   int        // 0 = none
	TotalCap   int        // 0 = none
	Networks   string     // CIDRs separated by spaces; empty = everywhere
	Hours      Hours      // when it is open; empty = always
	// The audience: fitting one of the three is enough; all empty = everybody.
	Audience        string // department ids separated by spaces
	AudienceRoles   string // of Roles, separated by spaces
	AudiencePeople  string // member ids separated by spaces
	PasswordHash    string // asked on the join page; empty = none
	Benefit         string // one line on the poster and the join page
	ValidityFixed   bool   // its end may not be moved
	Fallback        string `gorm:"default:message"` // what happens to those its limits turn away
	FallbackURL     string
	FallbackGroupID *int64
	Route           string `gorm:"default:one"` // which of its groups a visitor gets; one = GroupID only
	Generation      int    `gorm:"default:1"`   // counts refreshes: the print stays, validity and counters start anew
	RefreshedAt     *time.Time
	Version         int64  `gorm:"default:1"` // counts changes of the terms
	TermsBy         *int64 // who changed them last, and when
	TermsAt         *time.Time
	IssuedBy        int64
	IssuedAt        time.Time
	SuspendedAt     *time.Time
	SuspendedBy     *int64
	RevokedAt       *time.Time
	RevokedBy       *int64
	RevokeReason    string
	ReplacedBy      *int64
	TypedCode       *string    // given when the code is issued
	OwnMode         string     // a join mode of its own; "" = as the group
	FusedUntil      *time.Time // behaves oddly: needs approval until then, though its group is open
	OwnAsks         string     // how its challenges differ from the group's; see group.OwnAsks
}

// TableName is for gorm.
func (Code) TableName() string { return "codes" }

// Service is the use cases on codes.
type Service struct {
	db      *gorm.DB
	keys    secret.Keys
	trail   *audit.Trail
	now     func() time.Time
	baseURL string
	settled atomic.Int64 // up to which row SettleDoubts may look the next time
}

// New returns the service. baseURL stands in front of every token.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, now func() time.Time, baseURL string) *Service {
	return &Service{db: db, keys: keys, trail: trail, now: now, baseURL: baseURL}
}
