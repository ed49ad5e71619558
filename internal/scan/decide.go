package scan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// row is one line of the table scans, on its way there.
type row struct {
	Ref         string `json:"ref"`
	At          string `json:"at"`
	CodeID      *int64 `json:"code_id"`
	CopySerial  int    `json:"copy_serial"`
	Outcome     string `json:"outcome"`
	Address     string `json:"address"`
	Visitor     string `json:"visitor"`
	Device      string `json:"device"`
	App         string `json:"app"`
	UTMSource   string `json:"utm_source"`
	UTMMedium   string `json:"utm_medium"`
	UTMCampaign string `json:"utm_campaign"`
	MemberID    *int64 `json:"member_id"`
}

// counter is the new content of one line of code_counters.
type counter struct {
	CodeID   int64  `json:"code_id"`
	Total    int64  `json:"total"`
	Day      string `json:"day"`
	DayTotal int64  `json:"day_total"`
}

// batch is what the calls of one transaction are decided on. The counters are
// locked, so the tally kept in facts is exact across instances.
type batch struct {
	tx       *gorm.DB
	now      time.Time
	policies directory.Policies
	facts    map[string]*code.Facts
	counted  map[string]bool
	audience map[[2]int64]bool // code and member → the answer
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
		rows[i].At, rows[i].Outcome = b.now.Format(timeFormat), d.Outcome
		if d.Facts != nil {
			rows[i].CodeID = &d.Facts.ID
		}
		if d.Outcome == Live {
			d.Ticket = s.Ticket(d.Ref, b.now.Add(b.policies.Ticket()))
		}
		decisions[i] = d
	}
	return decisions, b.write(rows)
}

func (s *Service) read(tx *gorm.DB, calls []*call) (*batch, error) {
	b := &batch{tx: tx, now: s.now().UTC().Truncate(time.Microsecond), facts: map[string]*code.Facts{}, counted: map[string]bool{}, audience: map[[2]int64]bool{}}
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
	return b, nil
}

// decide takes one decision. Only a live scan is counted.
func (b *batch) decide(c *call) (Decision, error) {
	d := Decision{Ref: c.row.Ref, At: b.now}
	if f := b.facts[c.publicID]; f != nil {
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
	case Live:
		b.count(c.publicID)
	}
	return d, err
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
	f := b.facts[c.publicID]
	if f == nil {
		return Unknown, 0, nil
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
		return NotYet, f.OpensIn(now)
	case code.Closed:
		return Closed, f.OpensIn(now)
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
	if c.row.MemberID == nil || !f.Narrow() {
		return true, nil
	}
	key := [2]int64{f.ID, *c.row.MemberID}
	in, known := b.audience[key]
	if known {
		return in, nil
	}
	in, err := f.InAudience(b.tx, c.row.MemberID)
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

// timeFormat is how the embedded database keeps times; PostgreSQL reads it too.
const timeFormat = "2006-01-02 15:04:05.999999-07:00"

const scanColumns = "ref, at, code_id, copy_serial, outcome, address, visitor, device, app, utm_source, utm_medium, utm_campaign, member_id"

// One parameter per table, whatever the size of the batch.
const (
	writePostgres = `WITH counted AS (
			UPDATE code_counters n SET total = x.total, day = x.day, day_total = x.day_total
			FROM json_to_recordset(CAST(? AS json)) AS x(code_id bigint, total bigint, day text, day_total bigint) WHERE n.code_id = x.code_id)
		INSERT INTO scans (` + scanColumns + `) SELECT ` + scanColumns + ` FROM json_to_recordset(CAST(? AS json)) AS r(
			ref text, at timestamptz, code_id bigint, copy_serial integer, outcome text, address text, visitor text, device text, app text,
			utm_source text, utm_medium text, utm_campaign text, member_id bigint)`
	countSQLite = `UPDATE code_counters SET total = x.value->>'total', day = x.value->>'day', day_total = x.value->>'day_total'
		FROM json_each(?) x WHERE code_counters.code_id = x.value->>'code_id'`
	writeSQLite = `INSERT INTO scans (` + scanColumns + `) SELECT value->>'ref', value->>'at', value->>'code_id', value->>'copy_serial', value->>'outcome',
		value->>'address', value->>'visitor', value->>'device', value->>'app', value->>'utm_source', value->>'utm_medium', value->>'utm_campaign',
		value->>'member_id' FROM json_each(?)`
)

func (b *batch) write(rows []row) error {
	counters := []counter{}
	for id := range b.counted {
		f := b.facts[id]
		counters = append(counters, counter{f.ID, f.Total, f.Day, f.DayTotal})
	}
	counts, err := json.Marshal(counters)
	if err != nil {
		return err
	}
	lines, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	if database.Postgres(b.tx) {
		err = b.tx.Exec(writePostgres, string(counts), string(lines)).Error
	} else if err = b.tx.Exec(countSQLite, string(counts)).Error; err == nil {
		err = b.tx.Exec(writeSQLite, string(lines)).Error
	}
	if err != nil {
		return fmt.Errorf("write scans: %w", err)
	}
	return nil
}
