package code

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
)

// ranks are the places in a list and the state of what stands there: what
// somebody must look after first (an orphaned code, one that turns people away),
// then the healthy, then what is over. Two ranks may show one state.
var ranks = []State{0: Suspended, 1: Exhausted, 2: Limited, 3: Expired, 4: Suspended, 5: Live, 6: Off, 7: NotYet, 8: Closed, healthy: Live, 10: Replaced, 11: Revoked, 12: Disbanded}

// healthy is the rank of a code that nobody need look at.
const healthy = 9

const rankSQL = `CASE now_state WHEN 'orphaned' THEN 0 WHEN 'exhausted' THEN 1 WHEN 'limited' THEN 2 WHEN 'expired' THEN 3 WHEN 'suspended' THEN 4
	WHEN 'off' THEN 6 WHEN 'notyet' THEN 7 WHEN 'closed' THEN 8 ELSE CASE WHEN is_full THEN 5 ELSE 9 END END`

// fullSQL is Facts.Full.
const fullSQL = `(g.member_count >= g.capacity AND NOT (c.route <> 'one' OR g.series_id IS NOT NULL))`

// troubledSQL ranks the suspects among the living codes of a scope: narrow rows, each looked at once.
const troubledSQL = `WITH living AS MATERIALIZED (SELECT c.id, ` + fullSQL + ` AS is_full, ` + orphanSQL + ` AS now_state` + factsFrom + ` WHERE c.revoked_at IS NULL AND g.status = 'active' AND `

const troubledRest = `), placed AS MATERIALIZED (SELECT id, ` + rankSQL + ` AS rank FROM living) SELECT id, rank FROM placed WHERE rank IN ? AND (rank > ? OR rank = ? AND id < ?) ORDER BY rank, id DESC LIMIT ?`

// walks are the ranks that are read from the newest code down until the page is
// full. The healthy are told by what they are not: a planner that expected few of
// them would look at all before it sorts.
var walks = map[int]string{
	healthy: `c.revoked_at IS NULL AND g.status = 'active' AND ` + orphanSQL + ` NOT IN ('orphaned', 'exhausted', 'limited', 'expired', 'suspended', 'off', 'notyet', 'closed') AND NOT ` + fullSQL,
	10:      `c.revoked_at IS NOT NULL AND c.replaced_by IS NOT NULL AND g.status = 'active'`,
	11:      `c.revoked_at IS NOT NULL AND c.replaced_by IS NULL AND g.status = 'active'`,
	12:      `g.status <> 'active'`,
}

// place is where a code stands in a list.
type place struct {
	ID   int64
	Rank int
}

// wanted are the ranks that a view shows.
func wanted(view string) (all []int) {
	for rank, state := range ranks {
		states, known := Views[view]
		switch {
		case view == Orphans:
			known = rank == 0
		case known:
			known = slices.Contains(states, state)
		default:
			known = !slices.Contains(States, State(view)) || state == State(view)
		}
		if known {
			all = append(all, rank)
		}
	}
	return all
}

// list reads one page. What it costs is what it shows and, for its first part,
// how many codes may have something amiss.
func (s *Service) list(tx *gorm.DB, where string, args []any, view, after string) (List, error) {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return List{}, err
	}
	now := s.now()
	local := now.In(org.Location())
	p := placer{tx: tx, where: where, args: args, state: stateArgs(now, org.Location()), from: place{1 << 62, 0},
		moment: moment{now: now.UTC(), day: local.Format(time.DateOnly), quarter: quarterOf(local) + 1}}
	if rank, id, ok := parseCursor(after); ok {
		p.from = place{id, int(min(rank, 100))}
	}
	var troubled []int
	for _, rank := range wanted(view) {
		if rank < healthy && rank >= p.from.Rank {
			troubled = append(troubled, rank)
		}
	}
	if err := p.troubled(troubled); err != nil {
		return List{}, err
	}
	for _, rank := range wanted(view) {
		if err := p.walk(rank); err != nil {
			return List{}, err
		}
	}
	return fill(tx, p.found, now)
}

// moment is when a list is read, in the shapes that its queries ask for.
type moment struct {
	now     time.Time
	day     string
	quarter int
}

// placer collects the places of one page.
type placer struct {
	tx    *gorm.DB
	where string
	args  []any
	state []any
	moment
	from  place // the last one of the page before
	found []place
}

func (p *placer) room() int { return PageSize + 1 - len(p.found) }

func (p *placer) troubled(ranks []int) error {
	if len(ranks) == 0 {
		return nil
	}
	which, whichArgs, err := p.suspected(ranks)
	if err != nil {
		return fmt.Errorf("look for suspects: %w", err)
	}
	args := append(append(append(slices.Clone(p.state), p.args...), whichArgs...), ranks, p.from.Rank, p.from.Rank, p.from.ID, p.room())
	if err := p.tx.Raw(troubledSQL+p.where+" AND "+which+troubledRest, args...).Scan(&p.found).Error; err != nil {
		return fmt.Errorf("rank codes: %w", err)
	}
	return nil
}

func (p *placer) walk(rank int) error {
	which := walks[rank]
	if which == "" || rank < p.from.Rank || p.room() <= 0 {
		return nil
	}
	from := factsFrom
	args := slices.Clone(p.args)
	if rank == healthy {
		args = append(args, p.state...)
	} else {
		from = ` FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id`
	}
	below := int64(1 << 62)
	if rank == p.from.Rank {
		below = p.from.ID
	}
	var ids []int64
	err := p.tx.Raw("SELECT c.id"+from+" WHERE "+p.where+" AND "+which+" AND c.id < ? ORDER BY c.id DESC LIMIT ?", append(args, below, p.room())...).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("list codes: %w", err)
	}
	for _, id := range ids {
		p.found = append(p.found, place{id, rank})
	}
	return nil
}

// fill reads the facts of a page in the order of its places.
func fill(tx *gorm.DB, found []place, now time.Time) (l List, err error) {
	if len(found) > PageSize {
		found = found[:PageSize]
		last := found[PageSize-1]
		l.Next = fmt.Sprintf("%d-%d", last.Rank, last.ID)
	}
	ids := make([]int64, len(found))
	at := map[int64]int{}
	for i, p := range found {
		ids[i], at[p.ID] = p.ID, i
	}
	all, err := FactsOf(tx, ids)
	if err != nil {
		return List{}, err
	}
	l.Items = make([]Item, len(all))
	for _, f := range all {
		i := at[f.ID]
		l.Items[i] = Item{Facts: f, Now: f.State(now), Rank: found[i].Rank}
	}
	return l, nil
}
