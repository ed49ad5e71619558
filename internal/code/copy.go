package code

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// MaxSerial is the largest serial a token has room for.
const MaxSerial = 1<<(6*serialLength) - 1

// Copy is one numbered print of a code: its serial stands in its own token, so
// that it can be told apart, found and revoked alone. req: B25, C34
type Copy struct {
	ID           int64
	CodeID       int64
	Serial       int
	ChannelID    *int64
	Place        string
	Custodian    string // as typed, or the member's name when CustodianID is set
	CustodianID  *int64
	PhotoFileID  *int64
	TypedCode    *string
	PrintedAt    *time.Time
	PrintedAs    string // JSON: what stood on the paper; see MarkPrinted
	RevokedAt    *time.Time
	RevokedBy    *int64
	RevokeReason string
	RemovedAt    *time.Time // taken down
	RemovedBy    *int64
	Scans        int64
	LastScanAt   *time.Time
	CreatedBy    *int64
	CreatedAt    time.Time
	ReprintOf    *int64 // the copy of an earlier code that this one replaces
}

// TableName is for gorm.
func (Copy) TableName() string { return "code_copies" }

// CopyLine is a copy with the names that stand beside it.
type CopyLine struct {
	Copy           `gorm:"embedded"`
	PublicID       string
	Label          string
	GroupGID       string `gorm:"column:group_gid"`
	GroupName      string
	DepartmentName string
	DepartmentPath string
	GroupID        int64
	GroupType      string
	GroupOrigin    string
	Validity       string
	Channel        string
	JobNumber      string // of a custodian who is a member
	CustodianGone  bool   // that member has left
	Successor      string // public id of the code that replaced this one's
	Why            string // why the print is stale, "" when it is not: one of Whys
}

// Whys lists the reasons for which a print that hangs is stale.
var Whys = []string{"copy", "disbanded", "replaced", "revoked", "expired", "organisation", "group", "department", "validity"}

// Object is the copy's code as the table of rights sees it.
func (l CopyLine) Object() access.Object {
	return Facts{Code: Code{GroupID: l.GroupID, Validity: l.Validity}, DepartmentPath: l.DepartmentPath, GroupType: l.GroupType, GroupOrigin: l.GroupOrigin}.Object(false)
}

// Wrong reports whether the paper misleads only in words: the code works.
func (l CopyLine) Wrong() bool {
	switch l.Why {
	case "organisation", "group", "department", "validity":
		return true
	}
	return false
}

// State is what to say of the copy in one word.
func (l CopyLine) State() string {
	switch {
	case l.RemovedAt != nil:
		return "removed"
	case l.RevokedAt != nil:
		return "revoked"
	case l.Why != "":
		return "stale"
	case l.PrintedAt == nil:
		return "made"
	}
	return "hanging"
}

// touch is change for what concerns paper, not the code: it is also done when
// the code is over.
func (s *Service) touch(tx *gorm.DB, by access.Actor, publicID string) (Facts, error) {
	if err := lockCode(tx, publicID); err != nil {
		return Facts{}, err
	}
	return Reach(tx, by, access.CodeRevoke, publicID)
}

// lineageWords names the department d by its path in words, without the
// organisation: looked up for the rows that need it, never for the whole tree.
func lineageWords(tx *gorm.DB) string {
	if database.Postgres(tx) {
		return `coalesce((SELECT string_agg(a.name, ' / ' ORDER BY a.depth) FROM departments a
			WHERE a.depth > 0 AND a.id = ANY (CAST(string_to_array(trim(both '/' from d.path), '/') AS bigint[]))), '')`
	}
	return `coalesce((SELECT group_concat(w.name, ' / ') FROM (SELECT a.name FROM json_each('[' || replace(trim(d.path, '/'), '/', ',') || ']') j
		JOIN departments a ON a.id = j.value WHERE a.depth > 0 ORDER BY a.depth) w), '')`
}

const copyFrom = ` FROM code_copies k JOIN codes c ON c.id = k.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
	JOIN organisation o ON o.id = 1 LEFT JOIN code_channels h ON h.id = k.channel_id
	LEFT JOIN members u ON u.id = k.custodian_id LEFT JOIN codes x ON x.id = c.replaced_by`

const copyColumns = `k.*, c.public_id, c.label, g.gid AS group_gid, g.name AS group_name, d.name AS department_name, d.path AS department_path,
	g.id AS group_id, g.type AS group_type, g.origin AS group_origin, c.validity,
	coalesce(h.name, '') AS channel, coalesce(u.job_number, '') AS job_number, coalesce(u.status, 'active') <> 'active' AS custodian_gone,
	coalesce(x.public_id, '') AS successor, `

// whySQL says why a print that hangs is stale; its argument is the moment.
func whySQL(tx *gorm.DB) string {
	said := func(field string) string { return `(nullif(k.printed_as, '')->>'` + field + `')` }
	moved := "c.valid_until IS NOT " + said("until")
	if database.Postgres(tx) {
		said = func(field string) string { return `(CAST(nullif(k.printed_as, '') AS json)->>'` + field + `')` }
		moved = "c.valid_until IS DISTINCT FROM CAST(nullif(" + said("until") + ", '') AS timestamptz)"
	}
	return `CASE WHEN k.removed_at IS NOT NULL THEN '' WHEN g.status <> 'active' THEN 'disbanded' WHEN c.replaced_by IS NOT NULL THEN 'replaced'
		WHEN c.revoked_at IS NOT NULL THEN 'revoked' WHEN k.revoked_at IS NOT NULL THEN 'copy' WHEN c.valid_until IS NOT NULL AND c.valid_until <= ? THEN 'expired'
		WHEN ` + said("organisation") + ` <> o.name THEN 'organisation' WHEN ` + said("group") + ` <> g.name THEN 'group'
		WHEN ` + said("department") + ` <> ` + lineageWords(tx) + ` THEN 'department' WHEN k.printed_as <> '' AND ` + moved + ` THEN 'validity' ELSE '' END AS why`
}

// oneCopy is the only line; a serial that the code has not is fault.NotFound.
func oneCopy(lines []CopyLine, err error) (CopyLine, error) {
	if err != nil {
		return CopyLine{}, err
	}
	if len(lines) == 0 {
		return CopyLine{}, fault.NotFound
	}
	return lines[0], nil
}
