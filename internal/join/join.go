// Package join takes people from a redeemed ticket into a group: who they are,
// what they ask, who decides and what came of it.
//
// Locks are taken in one order everywhere: the person's row, the group, the request.
package join

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/rules"
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
	// Where the person came from, kept when the scan itself is deleted.
	Channel    string
	CopySerial int
	// What the group asked for when the request was written.
	RulesVersion int    // of the rules agreed to; 0 = none
	RealName     bool   // a guest was told to give the real name
	Company      string // of a guest
	ProposedBy   *int64 // the member who asked in this one's name
	Waiting
	Clock `gorm:"embedded"`
	// What was decided beside Status and Reason, which is the whole in the decider's language.
	ReasonID     *int64 // of the list, with its words of then
	ReasonZh     string
	ReasonEn     string
	ReasonFree   string     // what was typed beside it
	Rule         string     // what decided by itself; "" = somebody did
	IntoGroupID  *int64     // the other group that they were let into
	GrantedUntil *time.Time // when that stay ends

	Signs `gorm:"embedded"`
}

// TableName is for gorm.
func (Request) TableName() string { return "join_requests" }

// Marks writes what joining finds out about a scan into the scan history,
// inside the transaction that found it out.
type Marks struct {
	Person  func(tx *gorm.DB, scanID int64, memberID, guestID *int64) error
	Outcome func(tx *gorm.DB, scanID int64, outcome string) error
	// Stage counts that the people behind some scans reached a stage. A transaction
	// calls it last, and once: it locks what other scans of the same code need.
	Stage func(tx *gorm.DB, stage string, scanIDs ...int64) error
}

// Service is the use cases around joining.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	trail *audit.Trail
	marks Marks
	words *rules.Reader
	now   func() time.Time
	runs  chan struct{} // a run was started
}

// New returns the service.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, marks Marks, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, trail: trail, marks: marks, words: rules.NewReader(), now: now, runs: make(chan struct{}, 1)}
}

// Limits of what people type, in characters.
const (
	MaxName   = 60
	MaxNote   = 500
	MaxReason = 500
)
