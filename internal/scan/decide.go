package scan

import (
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
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

// decide reads what the decisions depend on, takes them in order of arrival,
// and writes rows and counters.
func (s *Service) decide(tx *gorm.DB, calls []*call) ([]Decision, error) {
	b, err := s.read(tx, calls)
	if err != nil {
		return nil, err
	}
	decisions := make([]Decision, len(calls))
	rows := make([]row, len(calls))
	for i, c := range calls {
		d, err := b.decide(c)
		if err != nil {
			return nil, err
		}
		rows[i] = c.row
		rows[i].Outcome = d.Outcome
		if d.Facts != nil {
			rows[i].CodeID, rows[i].Channel = d.Facts.ID, b.channel(c)
		}
		if d.Outcome == Live {
			d.Ticket = s.Ticket(d.Ref, b.now.Add(b.policies.Ticket()))
		}
		decisions[i] = d
	}
	return decisions, b.write(rows)
}

func (s *Service) read(tx *gorm.DB, calls []*call) (*batch, error) {
	b := &batch{tx: tx, now: s.now().UTC().Truncate(time.Microsecond), facts: map[string]*code.Facts{}, counted: map[string]bool{}, audience: map[[2]int64]bool{},
		origins: map[printed][]origin{}}
	var err error
	if b.policies, err = directory.LoadPolicies(tx); err != nil {
		return nil, err
	}
	for _, c := range calls {
		if c.publicID != "" {
			b.facts[c.publicID] = nil
		}
	}
	if len(b.facts) == 0 {
		return b, nil
	}
	all, err := code.LockFacts(tx, slices.Collect(maps.Keys(b.facts)))
	if err != nil {
		return nil, err
	}
	for i := range all {
		b.facts[all[i].PublicID] = &all[i]
	}
	return b, b.readOrigins(calls)
}

// decide takes one decision. Only a live scan is counted.
func (b *batch) decide(c *call) (Decision, error) {
	d := Decision{Ref: c.row.Ref, At: b.now}
	if f := b.known(c); f != nil {
		snapshot := *f
		d.Facts = &snapshot
	}
	var err error
	d.Cause, d.After, err = b.cause(c)
	d.Outcome = d.Cause
	switch d.Cause {
	case NotYet, Closed:
		d.Outcome = Off
	case Daily:
		d.Outcome = Exhausted
	case Speed:
		d.Outcome = Limited
	case Copy:
		d.Outcome = Revoked
	case Live:
		b.count(c.publicID)
	}
	return d, err
}

// known are the facts of the code that a call names; nil also for a copy that
// was never made.
func (b *batch) known(c *call) *code.Facts {
	if _, made := b.from(c); !made {
		return nil
	}
	return b.facts[c.publicID]
}

func (b *batch) cause(c *call) (string, time.Duration, error) {
	if c.req.Preview || robot(c.req.UserAgent) {
		return Bot, 0, nil
	}
	if limit := b.policies.AddressPer10s; limit > 0 && c.addressHits > limit {
		return Speed, c.addressLeft, nil
	}
	if limit := b.policies.VisitorPer10s; limit > 0 && c.visitorHits > limit {
		return Speed, c.visitorLeft, nil
	}
	f := b.known(c)
	if f == nil {
		return Unknown, 0, nil
	}
	if copied, _ := b.from(c); copied.revoked {
		return Copy, 0, nil
	}
	state := f.State(b.now)
	if cause, after := refusal(*f, state, b.now); cause != "" {
		return cause, after, nil
	}
	if !f.AllowsNetwork(c.req.Address) {
		return Network, 0, nil
	}
	if in, err := b.inAudience(c, f); err != nil || !in {
		return Audience, 0, err
	}
	switch state {
	case code.Exhausted:
		return Exhausted, 0, nil
	case code.Limited:
		return Daily, nextDay(b.now, f.Location()), nil
	}
	return Live, 0, nil
}

// refusal names what stops everybody, whoever and wherever they are. The caps
// come later: who is not let in anyway learns that, not how busy the code is.
func refusal(f code.Facts, state code.State, now time.Time) (string, time.Duration) {
	switch state {
	case code.Live, code.Exhausted, code.Limited:
		return "", 0
	case code.NotYet:
		return NotYet, f.ValidFrom.Sub(now)
	case code.Closed:
		opens, _ := f.Hours.NextOpening(now.In(f.Location()))
		return Closed, max(0, opens.Sub(now))
	}
	return string(state), 0
}

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
