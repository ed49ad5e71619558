package scan

import (
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// batch is what the calls of one transaction are decided on. The counters are
// locked, so the tally kept in facts is exact across instances.
type batch struct {
	tx       *gorm.DB
	now      time.Time
	policies directory.Policies
	facts    map[string]*code.Facts
	counted  map[string]bool
	audience map[[2]int64]bool // code and member → the answer
	origins  map[printed][]origin
}

// decide takes the decisions in order of arrival, on what was read, and returns
// the rows that record them.
func (s *Service) decide(b *batch, calls []*call) ([]Decision, []row, error) {
	decisions := make([]Decision, len(calls))
	rows := make([]row, len(calls))
	expires := b.now.Add(b.policies.Ticket())
	for i, c := range calls {
		d, err := b.decide(c)
		if err != nil {
			return nil, nil, err
		}
		rows[i] = c.row
		rows[i].Outcome = d.Outcome
		if d.Facts != nil {
			rows[i].CodeID, rows[i].Channel = d.Facts.ID, b.channel(c)
		}
		if d.Outcome == Live {
			d.Ticket = s.Ticket(d.Ref, expires)
		}
		decisions[i] = d
	}
	return decisions, rows, nil
}

func newBatch(tx *gorm.DB) *batch {
	return &batch{tx: tx, policies: directory.DefaultPolicies(), facts: map[string]*code.Facts{},
		counted: map[string]bool{}, audience: map[[2]int64]bool{}, origins: map[printed][]origin{}}
}

// at sets the moment of the decisions, once the counters are locked. Where the
// clock of another instance is a little ahead and has begun the next day, it is
// that day here too: a day whose count was begun anew would let too many in.
func (b *batch) at(now time.Time) {
	b.now = now.UTC().Truncate(time.Microsecond)
	for _, f := range b.facts {
		if f.Day <= f.DayOf(b.now) {
			continue
		}
		if left := nextDay(b.now, f.Location()); left < clockSkew && f.Day == f.DayOf(b.now.Add(left)) {
			b.now = b.now.Add(left)
		}
	}
}

// clockSkew is how far the clocks of two instances may be apart.
const clockSkew = 5 * time.Minute

// questions are what the decisions of some calls depend on. All of it is read in
// the transaction that records them: a cache could let a scan through that a
// revocation has just forbidden.
func (b *batch) questions(calls []*call) []statement {
	all := []statement{{sql: policiesSQL, each: func(scan func(...any) error) error {
		var name, value string
		if err := scan(&name, &value); err != nil {
			return err
		}
		return b.policies.Set(name, value)
	}}}
	wanted, seen := []string{}, map[string]bool{}
	for _, c := range calls {
		if c.publicID != "" && !seen[c.publicID] {
			seen[c.publicID] = true
			wanted = append(wanted, c.publicID)
		}
	}
	if len(wanted) == 0 {
		return all
	}
	all = append(all, statement{sql: lockStatement(b.tx), args: []any{list(wanted)}, each: func(scan func(...any) error) error {
		f, err := code.ScanFacts(scan)
		b.facts[f.PublicID] = f
		return err
	}})
	return append(all, b.askOrigins(calls)...)
}

func lockStatement(tx *gorm.DB) string {
	if database.Postgres(tx) {
		return lockPostgres
	}
	return lockSQL
}

const policiesSQL = "SELECT name, value FROM policies"

// decide takes one decision. Only a live scan is counted.
func (b *batch) decide(c *call) (Decision, error) {
	d := Decision{Ref: c.row.Ref, At: b.now}
	var err error
	d.Cause, d.After, err = b.cause(c)
	d.Outcome = outcome(d.Cause)
	d.Facts = b.known(c)
	if d.Cause == Live && err == nil {
		b.count(c.publicID)
	}
	return d, err
}

// outcome is what a cause is kept under.
func outcome(cause string) string {
	switch cause {
	case NotYet, Closed:
		return Off
	case Daily:
		return Exhausted
	case Speed:
		return Limited
	case Copy:
		return Revoked
	}
	return cause
}

// known are the facts of the code that a call names; nil also for a copy that
// was never made.
func (b *batch) known(c *call) *code.Facts {
	if _, made := b.from(c); !made {
		return nil
	}
	return b.facts[c.publicID]
}

func (b *batch) cause(c *call) (string, time.Duration, error) { return b.walk(c, nil) }

func nextDay(now time.Time, loc *time.Location) time.Duration {
	local := now.In(loc)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, loc).Sub(now)
}

// inAudience is only asked of somebody we already know; a stranger is asked
// after identification. req: A05
func (b *batch) inAudience(c *call, f *code.Facts) (bool, error) {
	if c.row.MemberID == 0 || !f.Narrow() {
		return true, nil
	}
	key := [2]int64{f.ID, c.row.MemberID}
	in, known := b.audience[key]
	if known {
		return in, nil
	}
	in, err := f.InAudience(b.tx, &c.row.MemberID)
	b.audience[key] = in
	return in, err
}

func (b *batch) count(publicID string) {
	f := b.facts[publicID]
	f.Total++
	f.DayTotal = f.Today(b.now) + 1
	f.Day = f.DayOf(b.now)
	b.counted[publicID] = true
}
