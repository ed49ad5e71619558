// Package directory keeps the organisation, its departments, members and
// heads: who exists, where they belong and who leads what.
package directory

import (
	"sync"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
)

// Department is a node of the tree. Path is "/1/4/9/": the ids from the root
// down to the department itself, so that a subtree is one prefix.
type Department struct {
	ID        int64
	ParentID  *int64
	Name      string
	Path      string
	Depth     int // 0 for the root, which is the organisation
	Members   int `gorm:"->"` // active ones, with all below; the database keeps it
	CreatedAt time.Time
}

// TableName is for gorm.
func (Department) TableName() string { return "departments" }

// Member states.
const (
	Active   = "active"
	Departed = "departed"
)

// Member is somebody the organisation provisioned. Phone is E.164.
type Member struct {
	ID             int64
	JobNumber      *string
	Name           string
	Phone          string
	Email          string
	Status         string
	SuperAdmin     bool
	PasswordHash   string
	DepartedAt     *time.Time
	DepartedBy     *int64
	DepartedReason string
	Sought, Grams  string // what the member is found by: Index
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// TableName is for gorm.
func (Member) TableName() string { return "members" }

// Service is the directory's use cases.
type Service struct {
	db      *gorm.DB
	trail   *audit.Trail
	now     func() time.Time
	effects []Effect
	imports chan struct{} // wakes the Importer
	indexes chan struct{} // wakes RunIndex
	writing sync.Map      // import id → context.CancelFunc of a transaction of all or nothing
	orphans func(tx *gorm.DB, path string) ([]CodeRef, error)
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, now: now, imports: make(chan struct{}, 1), indexes: make(chan struct{}, 1)}
}

// Effect ends what a departing member holds in another package, inside the
// departure's transaction, and says how many things it ended.
type Effect struct {
	Key string // catalog key "depart.effect."+Key
	End func(tx *gorm.DB, by access.Actor, memberID int64, at time.Time) (int64, error)
}

// OnDepart adds effects. Called once, while the program is wired. A departure
// must end console sessions with unused codes and links ("sessions"), pending
// requests with join sessions ("requests"), memberships ("memberships") and
// duties on groups ("duties"). Headships ("heads") are the directory's own.
// Issued codes need nothing: whether their issuer still qualifies is derived
// when they are resolved.
func (s *Service) OnDepart(effects ...Effect) { s.effects = append(s.effects, effects...) }
