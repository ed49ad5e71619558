// Package group keeps the group chats: what they are, who is in them and how a
// joiner gets into the real chat behind them.
package group

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Types of group.
const (
	Internal = "internal"
	External = "external"
	Training = "training"
)

// Join modes.
const (
	Open       = "open"
	Approval   = "approval"
	Restricted = "restricted"
	Off        = "off"
)

// Kinds of entry: how somebody who was let in gets into the real chat.
const (
	EntryNone     = "none"
	EntryLink     = "link"
	EntryUpstream = "upstream"
)

// States of a group.
const (
	Active    = "active"
	Disbanded = "disbanded"
)

// Origins of a group. Only admin-created groups may carry a permanent code.
const (
	ByAdmin = "admin"
	ByUser  = "user"
)

// Group is one group chat. GID is its public, stable name in URLs.
type Group struct {
	ID               int64
	GID              string `gorm:"column:gid"`
	Name             string
	Type             string
	Origin           string
	DepartmentID     int64
	OwnerID          *int64
	Purpose          string
	Capacity         int
	MemberCount      int
	JoinMode         string
	EntryKind        string
	EntryURL         string // the link
	Status           string
	DisbandedAt      *time.Time
	DisbandedBy      *int64
	DisbandReason    string
	CreatedBy        *int64
	CreatedAt        time.Time
	UpdatedAt        time.Time
	UpdatedBy        *int64
	EntryBy          *int64 // who put the present link in
	EntryCustodianID *int64 // who may replace the chat's image, and only that
	SeriesID         *int64 // of a numbered series
	SeriesNo         *int
	Version          int64 `gorm:"default:1"` // counts changes of settings
	DueHours         int   // hours of work until a request is due; 0 = as the organisation
	Charter
	Asks bool // of who wants in; see Asking

	CreatedDepartmentID *int64 // where it was created, once it was moved
	MergedIntoID        *int64 // the group that took it over
	Stage               string // of its life, as somebody chose; see StageAt
	StageBy             *int64
	StageAt             *time.Time

	Way EntryView `gorm:"-"` // how people get into the chat; read with most pages, not stored here

	DepartmentPath string `gorm:"->;-:migration"` // read with Load
	DepartmentName string `gorm:"->;-:migration"`
	CreatedPath    string `gorm:"->;-:migration"` // read with Load; "" = it never moved, or that department is gone
}

// TableName is for gorm.
func (Group) TableName() string { return "groups" }

// Admits reports whether people outside the directory may join.
func (g Group) Admits() bool { return g.Type != Internal }

// Official groups carry the seal: internal and created by an admin.
func (g Group) Official() bool { return g.Type == Internal && g.Origin == ByAdmin }

// Object is g as the table of rights sees it. joined says whether the actor is a member.
func (g Group) Object(joined bool) access.Object {
	return access.Object{Path: g.DepartmentPath, GroupID: g.ID, Joined: joined, External: g.Type == External, Training: g.Type == Training, UserStarted: g.Origin == ByUser}
}

// Service is the use cases on groups.
type Service struct {
	db    *gorm.DB
	trail *audit.Trail
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, trail: trail, now: now}
}

// Load reads a group with its department by gid, whoever asks: the caller
// checks rights. Unknown: fault.NotFound.
func Load(tx *gorm.DB, gid string) (Group, error) {
	if !speakable.MatchString(gid) {
		return Group{}, fault.NotFound // PostgreSQL would choke on some of what an address can hold
	}
	return load(tx, "g.gid = ?", gid)
}

var speakable = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// LoadByID is Load by the row's number.
func LoadByID(tx *gorm.DB, id int64) (Group, error) { return load(tx, "g.id = ?", id) }

func load(tx *gorm.DB, where string, arg any) (Group, error) {
	var g Group
	err := tx.Table("groups g").Select("g.*, d.path AS department_path, d.name AS department_name, coalesce(o.path, '') AS created_path").
		Joins("JOIN departments d ON d.id = g.department_id LEFT JOIN departments o ON o.id = g.created_department_id").Where(where, arg).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return g, fault.NotFound
	} else if err != nil {
		return g, fmt.Errorf("load group: %w", err)
	}
	return g, nil
}
