package code

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Kinds of what a code asks for, the most urgent first.
const (
	DueOrphaned = "orphaned" // its issuer lost the right: adopt it
	DueExpires  = "expires"  // its last days: refresh it, or let it go
	DueRefresh  = "refresh"  // permanent, and nobody looked at it for long
)

var dueRanks = map[int]string{1: DueOrphaned, 2: DueExpires, 3: DueRefresh}

const (
	soon     = 7 * 24 * time.Hour
	soonWeek = 2 * 24 * time.Hour // for codes that live only a week
)

// Due is one thing to do about one code.
type Due struct {
	Item
	Kind string
	Cure bool // by may do it
}

// At is since when, or with DueExpires until when.
func (d Due) At() time.Time {
	switch {
	case d.Kind == DueExpires && d.ValidUntil != nil:
		return *d.ValidUntil
	case d.RefreshedAt != nil:
		return *d.RefreshedAt
	}
	return d.IssuedAt
}

const dueRank = `CASE WHEN now_state = 'suspended' AND NOT issuer_ok THEN 1
	WHEN valid_until IS NOT NULL AND valid_until > ? AND (validity = '7d' AND valid_until <= ? OR validity <> '7d' AND valid_until <= ?) THEN 2
	WHEN validity = 'permanent' AND now_state <> 'suspended' AND coalesce(refreshed_at, issued_at) <= ? THEN 3 ELSE 9 END`

// dueSQL are the codes worth a look: their dates come by index, and whether
// their issuers may still issue them is asked of those in doubt.
const dueSQL = `SELECT id FROM codes WHERE revoked_at IS NULL AND valid_until IS NOT NULL AND valid_until > ? AND valid_until <= ?
	UNION SELECT id FROM codes WHERE revoked_at IS NULL AND validity = 'permanent' AND coalesce(refreshed_at, issued_at) <= ?
	UNION SELECT c.id FROM code_doubts q JOIN codes c ON c.id = q.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id JOIN members m ON m.id = c.issued_by
		WHERE c.revoked_at IS NULL AND g.status = 'active' AND (c.valid_until IS NULL OR c.valid_until > ?) AND NOT ` + issuerSQL + ` AND `

// dueMoment sorts within a kind.
const dueMoment = `CASE rank WHEN 2 THEN valid_until ELSE coalesce(refreshed_at, issued_at) END`

// Due lists at most limit things that codes in by's scope ask for: orphans, then
// what expires, then what should be refreshed. after is the cursor it returned
// for the page before. req: A11, C52
func (s *Service) Due(ctx context.Context, by access.Actor, after string, limit int) (list []Due, next string, err error) {
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, "", err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, "", err
	}
	items, err := s.dueItems(tx, by, org, policies, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	for _, i := range items {
		d := Due{Item: i, Kind: dueRanks[i.Rank]}
		d.Cure = mayCure(by, d, policies)
		list = append(list, d)
	}
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		next = fmt.Sprintf("%d-%d-%d", last.Rank, last.At().UnixMicro(), last.ID)
	}
	return list, next, nil
}

func (s *Service) dueItems(tx *gorm.DB, by access.Actor, org directory.Organisation, policies directory.Policies, after string, limit int) ([]Item, error) {
	now := s.now().UTC()
	stale := time.Unix(0, 0).UTC() // a policy of 0 days asks nobody
	if policies.RefreshDays > 0 {
		stale = now.AddDate(0, 0, -policies.RefreshDays)
	}
	scope, scopeArgs := visible(by)
	args := append(stateArgs(now, org.Location()), scopeArgs...)
	args = append(append(args, now, now.Add(soon), stale, now), scopeArgs...)
	args = append(args, now, now.Add(soonWeek), now.Add(soon), stale)
	query := "WITH asked AS MATERIALIZED (SELECT " + factsColumns + ", " + stateSQL + " AS now_state" + factsFrom +
		" WHERE c.revoked_at IS NULL AND g.status = 'active' AND " + scope + " AND c.id IN (" + dueSQL + scope + ")), " +
		"sorted AS MATERIALIZED (SELECT y.*, " + dueRank + " AS rank FROM asked y) SELECT * FROM sorted WHERE rank < 9"
	if rank, rest, found := strings.Cut(after, "-"); found {
		n, err := strconv.Atoi(rank)
		if at, id, ok := parseMoment(rest); ok && err == nil {
			query += " AND (rank > ? OR rank = ? AND (" + dueMoment + " > ? OR " + dueMoment + " = ? AND id > ?))"
			args = append(args, n, n, at, at, id)
		}
	}
	var items []Item
	if err := tx.Raw(query+" ORDER BY rank, "+dueMoment+", id LIMIT ?", append(args, limit)...).Scan(&items).Error; err != nil {
		return nil, fmt.Errorf("list what is due: %w", err)
	}
	return items, nil
}

// mayCure asks what Adopt and Refresh will ask, without a query a row.
func mayCure(by access.Actor, d Due, p directory.Policies) bool {
	right := access.CodeRevoke
	if d.Kind == DueOrphaned {
		right = access.CodeAdopt
	}
	if !access.Can(by, right, d.Object(false)) || d.Kind != DueOrphaned && d.ValidityFixed {
		return false
	}
	if d.Validity != Permanent {
		return access.Can(by, access.CodeTemporary, d.Object(false))
	}
	missing, needsSecond := Permanence(by, d.group(), p, d.narrows(d.GroupType))
	return missing == "" && !needsSecond
}

// Adoptable says by id which of the orphaned codes by may adopt.
func (s *Service) Adoptable(ctx context.Context, by access.Actor, items []Item) (map[int64]bool, error) {
	policies, err := directory.LoadPolicies(s.db.WithContext(ctx))
	may := map[int64]bool{}
	for _, i := range items {
		if mayCure(by, Due{Item: i, Kind: DueOrphaned}, policies) {
			may[i.ID] = true
		}
	}
	return may, err
}

// Adoption is what became of one code that somebody wanted to adopt.
type Adoption struct {
	PublicID string
	Label    string
	Err      error // nil: adopted
}

// MaxAdopt is how many codes one press adopts.
const MaxAdopt = PageSize

// AdoptMany adopts codes, each on its own right: one that cannot be adopted
// keeps no other from it.
func (s *Service) AdoptMany(ctx context.Context, by access.Actor, publicIDs []string) []Adoption {
	results := []Adoption{}
	for _, id := range publicIDs[:min(len(publicIDs), MaxAdopt)] {
		a := Adoption{PublicID: id, Err: s.Adopt(ctx, by, id, "")}
		if a.Err != nil {
			if f, err := Reach(s.db.WithContext(ctx), by, access.CodeDownload, id); err == nil {
				a.Label = f.GroupName + " · " + f.Label
			}
		}
		results = append(results, a)
	}
	return results
}
