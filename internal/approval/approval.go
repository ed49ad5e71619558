// Package approval holds back actions that need a second person and carries
// them out in the transaction that approves them.
package approval

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/group"
)

// States of an approval. Expired is derived: pending past its date. Void is one
// that could not be carried out any more when somebody wanted to.
const (
	Pending   = "pending"
	Approved  = "approved"
	Rejected  = "rejected"
	Withdrawn = "withdrawn"
	Expired   = "expired"
	Void      = "void"
)

// Kinds of action that wait for a second person. The text of a kind is the
// catalog key "approvals.kind."+kind.
const (
	GroupExternal = "group.create.external"
	GroupNew      = "group.create" // where creation needs a word, or staff start groups with one
	SuperAppoint  = "super.appoint"
	SuperRemove   = "super.remove"
	ExportKind    = "export"
	CodeIssue     = "code.issue.open"
	CodeTerms     = "code.terms.open"
	GroupOpen     = "group.open"
	RetentionCut  = "retention.shorten"
)

// Approval is one action that waits for, or got, a second person's word.
type Approval struct {
	ID           int64
	Kind         string
	Payload      string // JSON, by kind
	Summary      string // the name of what it is about
	DepartmentID *int64
	Status       string
	RequestedBy  int64
	RequestedAt  time.Time
	ExpiresAt    time.Time
	DecidedBy    *int64
	DecidedAt    *time.Time
	Reason       string
	Result       string     // what came into being, e.g. a group's gid
	Note         string     // why the author asks
	Print        string     // of the payload: one request for the same thing may wait
	Void         string     // JSON: the sentence why it can never be carried out any more
	SeenAt       *time.Time // when the author last looked at the outcome

	AuthorName  string `gorm:"->;-:migration"`
	DeciderName string `gorm:"->;-:migration"`
}

// TableName is for gorm.
func (Approval) TableName() string { return "approvals" }

// State is the status as of now.
func (a Approval) State(now time.Time) string {
	switch {
	case a.Status == Pending && !now.Before(a.ExpiresAt):
		return Expired
	case a.Void != "":
		return Void
	}
	return a.Status
}

// Service is the use cases on approvals.
type Service struct {
	db     *gorm.DB
	trail  *audit.Trail
	groups *group.Service
	codes  *code.Service
	sheets map[string]Sheet
	now    func() time.Time
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, groups *group.Service, codes *code.Service, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, groups: groups, codes: codes, sheets: map[string]Sheet{CSV: csvSheet}, now: now}
}
