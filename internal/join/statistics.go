package join

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Periods are the months that Statistics may look back, this one included.
var Periods = []int{1, 3, 12}

// Figures are what decisions came to. Of those that were taken back the wait is
// not counted: their request was decided again, or still waits.
type Figures struct {
	Decided  int
	Approved int
	Rejected int
	Undone   int           // taken back
	Removed  int           // approved, and removed within OverturnDays
	Half     time.Duration // half of the requests waited no longer
	Most     time.Duration // four fifths did
	waits    map[int64]int
}

// Overturned is how many decisions did not last.
func (f Figures) Overturned() int { return f.Undone + f.Removed }

// Share is that in per cent.
func (f Figures) Share() int {
	if f.Decided == 0 {
		return 0
	}
	return (f.Overturned()*100 + f.Decided/2) / f.Decided
}

// MonthFigures are those of one month, "2026-11".
type MonthFigures struct {
	Month string
	Figures
}

// WhoFigures are those of one decider; a rule has no member.
type WhoFigures struct {
	MemberID int64
	Name     string // of the member or the rule
	Figures
}

// Statistics are how decisions in somebody's scope went.
type Statistics struct {
	Months   int
	All      Figures
	ByMonth  []MonthFigures // the newest first
	Deciders []WhoFigures   // most decisions first
	Rules    []WhoFigures
	Rest     Figures // decided by nobody named: people added by hand, imports
	Since    time.Time
}

// whoLimit bounds the deciders that are listed.
const whoLimit = 100

// sum is one line of what is added up.
type sum struct {
	Month     string
	DecidedBy int64
	Rule      string
	Outcome   string
	Waited    int64
	N         int
	Undone    int
	Removed   int
}

// Statistics reads the sums of the months before and counts the last days
// itself: what it reads does not grow with the requests that were ever made.
func (s *Service) Statistics(ctx context.Context, by access.Actor, months int) (out Statistics, err error) {
	if !by.HoldsAny(access.RequestsDecide) {
		return out, fault.Forbidden{Right: string(access.RequestsDecide)}
	}
	if !slices.Contains(Periods, months) {
		months = 3
	}
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return out, err
	}
	now := s.now().In(org.Location())
	first := time.Date(now.Year(), now.Month()-time.Month(months-1), 1, 0, 0, 0, 0, org.Location())
	out = Statistics{Months: months, Since: first}
	for i := range months {
		out.ByMonth = append(out.ByMonth, MonthFigures{Month: time.Date(now.Year(), now.Month()-time.Month(i), 1, 0, 0, 0, 0, org.Location()).Format("2006-01")})
	}
	lines, err := s.sums(tx, by, first, now)
	if err != nil {
		return out, err
	}
	return out, out.gather(tx, lines)
}

// sums reads the lines of a period within by's scope: added up where that is
// done, and by month where it is not.
func (s *Service) sums(tx *gorm.DB, by access.Actor, first, now time.Time) (lines []sum, err error) {
	where, args := access.Scope(by, access.RequestsDecide, "d.path")
	err = tx.Raw(`SELECT x.month, x.decided_by, x.rule, x.outcome, x.waited, sum(x.n) AS n, sum(x.undone) AS undone, sum(x.removed) AS removed
		FROM decision_sums x JOIN departments d ON d.id = x.department_id WHERE x.month >= ? AND `+where+` GROUP BY x.month, x.decided_by, x.rule, x.outcome, x.waited`,
		append([]any{first.Format("2006-01")}, args...)...).Scan(&lines).Error
	if err != nil {
		return nil, fmt.Errorf("read what was decided: %w", err)
	}
	from, err := summed(tx, false)
	if err != nil {
		return nil, err
	}
	for month := first; !month.After(now); month = month.AddDate(0, 1, 0) {
		next := month.AddDate(0, 1, 0)
		if !next.After(from) {
			continue
		}
		begin := month
		if from.After(begin) {
			begin = from
		}
		var some []sum
		err := tx.Raw("SELECT month, decided_by, rule, outcome, waited, sum(n) AS n, sum(undone) AS undone, sum(removed) AS removed FROM ("+tally(tx)+
			" WHERE x.decided_at >= ? AND x.decided_at < ?"+tallied+") x JOIN departments d ON d.id = x.department_id WHERE "+where+" GROUP BY month, decided_by, rule, outcome, waited",
			append([]any{month.Format("2006-01"), begin.UTC(), next.UTC()}, args...)...).Scan(&some).Error
		if err != nil {
			return nil, fmt.Errorf("count what was decided: %w", err)
		}
		lines = append(lines, some...)
	}
	return lines, nil
}

func (out *Statistics) gather(tx *gorm.DB, lines []sum) error {
	months, members, rules := map[string]*Figures{}, map[int64]*Figures{}, map[string]*Figures{}
	for _, l := range lines {
		out.All.add(l)
		at(months, l.Month).add(l)
		switch {
		case l.Rule != "":
			at(rules, l.Rule).add(l)
		case l.DecidedBy != 0:
			at(members, l.DecidedBy).add(l)
		default:
			out.Rest.add(l)
		}
	}
	out.All.finish()
	out.Rest.finish()
	for i, m := range out.ByMonth {
		if f := months[m.Month]; f != nil {
			f.finish()
			out.ByMonth[i].Figures = *f
		}
	}
	for name, f := range rules {
		f.finish()
		out.Rules = append(out.Rules, WhoFigures{Name: name, Figures: *f})
	}
	return out.name(tx, members)
}

// name reads who the deciders are.
func (out *Statistics) name(tx *gorm.DB, members map[int64]*Figures) error {
	for id, f := range members {
		f.finish()
		out.Deciders = append(out.Deciders, WhoFigures{MemberID: id, Figures: *f})
	}
	for _, list := range [][]WhoFigures{out.Deciders, out.Rules} {
		slices.SortFunc(list, func(a, b WhoFigures) int {
			return cmp.Or(b.Decided-a.Decided, cmp.Compare(a.MemberID, b.MemberID), cmp.Compare(a.Name, b.Name))
		})
	}
	out.Deciders, out.Rules = out.Deciders[:min(len(out.Deciders), whoLimit)], out.Rules[:min(len(out.Rules), whoLimit)]
	ids := []int64{0}
	for _, d := range out.Deciders {
		ids = append(ids, d.MemberID)
	}
	var named []struct {
		ID   int64
		Name string
	}
	if err := tx.Raw("SELECT id, name FROM members WHERE id IN ?", ids).Scan(&named).Error; err != nil {
		return fmt.Errorf("read who decided: %w", err)
	}
	names := map[int64]string{}
	for _, n := range named {
		names[n.ID] = n.Name
	}
	for i := range out.Deciders {
		out.Deciders[i].Name = names[out.Deciders[i].MemberID]
	}
	return nil
}

func at[K comparable](all map[K]*Figures, key K) *Figures {
	if all[key] == nil {
		all[key] = &Figures{}
	}
	return all[key]
}

func (f *Figures) add(l sum) {
	if f.waits == nil {
		f.waits = map[int64]int{}
	}
	f.Decided, f.Undone, f.Removed = f.Decided+l.N, f.Undone+l.Undone, f.Removed+l.Removed
	if l.Outcome == Approved {
		f.Approved += l.N
	} else {
		f.Rejected += l.N
	}
	f.waits[l.Waited] += l.N - l.Undone
}

// finish finds the waits that half and four fifths of the requests did not exceed.
func (f *Figures) finish() {
	total := 0
	waits := make([]int64, 0, len(f.waits))
	for w, n := range f.waits {
		waits, total = append(waits, w), total+n
	}
	slices.Sort(waits)
	seen, half, most := 0, false, false
	for _, w := range waits {
		seen += f.waits[w]
		if !half && seen*2 >= total && seen > 0 {
			f.Half, half = time.Duration(w)*time.Second, true
		}
		if !most && seen*5 >= total*4 && seen > 0 {
			f.Most, most = time.Duration(w)*time.Second, true
		}
	}
	f.waits = nil
}
