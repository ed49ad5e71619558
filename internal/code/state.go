package code

import (
	"time"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// State is what a code is worth right now. It is never stored.
type State string

// The states. Exhausted is the total cap, Limited today's, Closed outside opening hours.
const (
	Live      State = "live"
	NotYet    State = "notyet"
	Closed    State = "closed"
	Expired   State = "expired"
	Exhausted State = "exhausted"
	Limited   State = "limited"
	Revoked   State = "revoked"
	Replaced  State = "replaced"
	Suspended State = "suspended"
	Disbanded State = "disbanded"
	Off       State = "off"
)

// States lists every state, unhealthy ones first.
var States = []State{Suspended, Exhausted, Limited, Expired, Off, NotYet, Closed, Live, Replaced, Revoked, Disbanded}

// Permanent is the validity of a code that does not expire.
const Permanent = "permanent"

// Facts is everything a code's state follows from, read at one moment, and the
// names that stand beside it on a page.
type Facts struct {
	Code           `gorm:"embedded"`
	GroupGID       string `gorm:"column:group_gid"`
	GroupName      string
	GroupType      string
	GroupOrigin    string
	GroupStatus    string
	GroupOwnerID   *int64
	JoinMode       string // by this code: see Code.ModeIn
	MemberCount    int
	Capacity       int
	DisbandedAt    *time.Time
	DepartmentPath string
	DepartmentName string
	IssuerName     string
	IssuerActive   bool
	IssuerOK       bool `gorm:"column:issuer_ok"` // the issuer may still issue such a code for this group
	JoiningOff     bool // the organisation's switch
	LeadsOn        bool // to further groups when its own is full
	Timezone       string
	Total          int64
	Day            string
	DayTotal       int64
	RecertDue      *time.Time // from when on the code stands still because no head confirmed it; nil: confirmed
}

// Dead reports whether a state is answered 410: there is nothing to distribute.
func (s State) Dead() bool {
	return s == Expired || s == Revoked || s == Replaced || s == Disbanded || s == Suspended
}

// Over reports whether a code can never come back.
func (f Facts) Over() bool { return f.RevokedAt != nil || f.GroupStatus != group.Active }

// Orphaned reports whether the code stands still only because its issuer lost the right.
func (f Facts) Orphaned(now time.Time) bool { return !f.IssuerOK && f.State(now) == Suspended }

// Full reports whether the group behind the code has no seat left and there is no other.
func (f Facts) Full() bool { return !f.LeadsOn && f.MemberCount >= f.Capacity }

// Official reports whether the plate carries the seal.
func (f Facts) Official() bool {
	return f.GroupType == group.Internal && f.GroupOrigin == group.ByAdmin
}

// Today is how many scans were counted on the organisation's day that now lies in.
func (f Facts) Today(now time.Time) int64 {
	if f.Day != f.DayOf(now) {
		return 0
	}
	return f.DayTotal
}

// Location is the organisation's time zone.
func (f Facts) Location() *time.Location {
	return directory.Organisation{Timezone: f.Timezone}.Location()
}

// DayOf is the organisation's date at a moment, as the counters keep it.
func (f Facts) DayOf(at time.Time) string { return at.In(f.Location()).Format(time.DateOnly) }

// Object is the code as the table of rights sees it.
func (f Facts) Object(joined bool) access.Object {
	return access.Object{Path: f.DepartmentPath, GroupID: f.GroupID, Joined: joined, External: f.GroupType == group.External,
		UserStarted: f.GroupOrigin == group.ByUser, Permanent: f.Validity == Permanent}
}

// issuerSQL holds for an issuer m who could issue the code c for the group g in
// department d today. It follows the rows code.temporary and code.permanent of
// the table of rights. A code that a deputy issued lives while they are listed
// as one: whether the heads are away today must not switch doors on and off.
const issuerSQL = `(m.status = 'active' AND (
	(m.super_admin AND (c.validity <> 'permanent' OR g.origin = 'admin' AND (g.type <> 'external' OR ` + externalSQL + `)))
	OR ((c.validity <> 'permanent' OR g.origin = 'admin' AND g.type <> 'external') AND EXISTS (
		SELECT 1 FROM department_heads h JOIN departments hd ON hd.id = h.department_id
		WHERE h.member_id = m.id AND d.path LIKE hd.path || '%'
		UNION ALL
		SELECT 1 FROM department_deputies dp JOIN departments pd ON pd.id = dp.department_id
		WHERE dp.member_id = m.id AND d.path LIKE pd.path || '%'
		UNION ALL
		SELECT 1 FROM role_grants rg JOIN departments rd ON rd.id = rg.department_id JOIN role_rights rr ON rr.role_id = rg.role_id
		WHERE rg.member_id = m.id AND d.path LIKE rd.path || '%'
			AND rr.right_name = CASE WHEN c.validity = 'permanent' THEN 'code.permanent' ELSE 'code.temporary' END))
	OR (c.validity <> 'permanent' AND g.owner_id IS NOT NULL AND g.owner_id = m.id)))`

const (
	externalSQL   = `EXISTS (SELECT 1 FROM policies WHERE name = 'external_permanent' AND value = 'true')`
	joiningOffSQL = `EXISTS (SELECT 1 FROM policies WHERE name = 'joining_off' AND value = 'true')`
)

// stateSQL is Facts.State over factsFrom; its arguments are stateArgs.
const stateSQL = stateHead + `WHEN c.suspended_at IS NOT NULL OR NOT ` + issuerSQL + ` OR coalesce(` + recertDueSQL + ` <= ?, false) THEN 'suspended'` + stateTail

// orphanSQL is stateSQL which tells what is suspended for want of an issuer apart.
const orphanSQL = stateHead + `WHEN NOT ` + issuerSQL + ` THEN 'orphaned'
	WHEN c.suspended_at IS NOT NULL OR coalesce(` + recertDueSQL + ` <= ?, false) THEN 'suspended'` + stateTail

const stateHead = `CASE
	WHEN g.status <> 'active' THEN 'disbanded'
	WHEN c.replaced_by IS NOT NULL THEN 'replaced'
	WHEN c.revoked_at IS NOT NULL THEN 'revoked'
	WHEN c.valid_until IS NOT NULL AND c.valid_until <= ? THEN 'expired'
	`

const stateTail = `
	WHEN ` + modeSQL + ` = 'off' OR ` + joiningOffSQL + ` THEN 'off'
	WHEN c.valid_from IS NOT NULL AND c.valid_from > ? THEN 'notyet'
	WHEN c.hours <> '' AND substr(c.hours, ?, 1) = '0' THEN 'closed'
	WHEN c.total_cap > 0 AND n.total >= c.total_cap THEN 'exhausted'
	WHEN c.daily_cap > 0 AND n.day = ? AND n.day_total >= c.daily_cap THEN 'limited'
	ELSE 'live' END`

func stateArgs(now time.Time, loc *time.Location) []any {
	local := now.In(loc)
	return []any{now.UTC(), now.UTC(), now.UTC(), quarterOf(local) + 1, local.Format(time.DateOnly)}
}
