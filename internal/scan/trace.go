package scan

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Question is a scan to replay by its reference, or one made up.
type Question struct {
	Ref       string // of a recorded scan; what else is given stands for what it did
	Code      string // public id, typed code, or the address in the print
	Person    string // phone or job number; "" = nobody in particular
	SignedIn  bool   // in the console, so that the scan itself knows the person
	At        time.Time
	Address   string
	UserAgent string
	Hits      int // scans from this address in the last ten seconds, this one counted
}

// Ruling is what a rule said.
type Ruling string

// The rulings.
const (
	Passed    Ruling = "passed"
	Stopped   Ruling = "stopped"
	Unreached Ruling = "unreached"
)

// Step is one rule of a trace, in the order of the decision.
type Step struct {
	Name    string
	Verdict Ruling
}

// Trace is what the engine says about a scan, rule by rule. Nothing was
// recorded or counted.
type Trace struct {
	Question
	Serial   int // of the printed copy; 0 = the code itself
	Copy     bool
	Steps    []Step
	Outcome  string
	Cause    string        // finer than the outcome
	After    time.Duration // when to try again; 0 is unknown
	Facts    *code.Facts   // nil for a code that is not ours
	Policies directory.Policies
	Robot    bool
	Device   string
	App      string
	Member   *directory.Member // the person
	Recorded *Line             // the scan that is replayed
	Since    []audit.Entry     // what was changed about the code and its group after At
	Location *time.Location
}

// sinceShown bounds Since.
const sinceShown = 20

// ruleNames are the catalog suffixes of the rules.
var ruleNames = map[rule]string{ruleRobot: "robot", ruleAddress: "address", ruleVisitor: "visitor", ruleToken: "token", ruleCopy: "copy", ruleNetwork: "network", ruleAudience: "audience",
	ruleCode + rule(code.RuleDisbanded): "disbanded", ruleCode + rule(code.RuleReplaced): "replaced", ruleCode + rule(code.RuleRevoked): "revoked", ruleCode + rule(code.RuleExpired): "expired",
	ruleCode + rule(code.RuleSuspended): "suspended", ruleCode + rule(code.RuleIssuer): "issuer", ruleCode + rule(code.RuleUnconfirmed): "unconfirmed", ruleCode + rule(code.RuleGroupOff): "groupoff", ruleCode + rule(code.RuleOff): "off",
	ruleCode + rule(code.RuleNotYet): "notyet", ruleCode + rule(code.RuleHours): "hours", ruleCode + rule(code.RuleTotal): "total", ruleCode + rule(code.RuleDaily): "daily"}

// Trace asks the engine about a scan that does not happen: the same rules in the
// same order, by the facts as they are now, at the moment the question names.
// What is wrong with the question is fault.Invalid; an unknown reference too. req: A19
func (s *Service) Trace(ctx context.Context, by access.Actor, q Question) (Trace, error) {
	if err := access.Check(by, access.PolicyTrace, access.Object{}); err != nil {
		return Trace{}, err
	}
	tx := s.db.WithContext(ctx)
	t := Trace{Question: q}
	c, err := s.imagine(tx, by, &t)
	if err != nil {
		return t, err
	}
	b := newBatch(tx)
	if err := b.learn(c); err != nil {
		return t, err
	}
	b.now = t.At.UTC().Truncate(time.Microsecond)
	if err := b.countOf(b.now); err != nil {
		return t, err
	}
	t.Policies = b.policies
	if err := t.follow(b, c); err != nil {
		return t, err
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return t, err
	}
	t.Location = org.Location()
	if f := t.Facts; f != nil {
		t.Since, err = since(tx, *f, t.At)
	}
	return t, err
}

// follow walks the rules and notes what each says.
func (t *Trace) follow(b *batch, c *call) error {
	for _, r := range rules {
		t.Steps = append(t.Steps, Step{ruleNames[r], Unreached})
	}
	n := 0
	cause, after, err := b.walk(c, func(_ rule, cause string, _ time.Duration) {
		if t.Steps[n].Verdict = Passed; cause != "" {
			t.Steps[n].Verdict = Stopped
		}
		n++
	})
	_, t.Copy = b.from(c)
	t.Outcome, t.Cause, t.After, t.Facts = outcome(cause), cause, after, b.known(c)
	return err
}

// learn asks the same questions as a batch of scans, but locks nothing.
func (b *batch) learn(c *call) error {
	var err error
	if b.policies, err = directory.LoadPolicies(b.tx); err != nil || c.publicID == "" {
		return err
	}
	f, err := code.LoadFacts(b.tx, c.publicID)
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	b.facts[c.publicID] = &f
	return oneByOne(b.tx, b.askOrigins([]*call{c}))
}

// countOf gives the code the count of the day in question, where the roll-up has it.
func (b *batch) countOf(at time.Time) error {
	for _, f := range b.facts {
		day := f.DayOf(at)
		if f.Day == day {
			continue
		}
		var live []int64
		if err := b.tx.Raw("SELECT live FROM scan_days WHERE code_id = ? AND day = ?", f.ID, day).Scan(&live).Error; err != nil {
			return fmt.Errorf("read the day's count: %w", err)
		}
		if f.Day, f.DayTotal = day, 0; len(live) > 0 {
			f.DayTotal = live[0]
		}
	}
	return nil
}

// imagine makes the call that nobody makes.
func (s *Service) imagine(tx *gorm.DB, by access.Actor, t *Trace) (*call, error) {
	c := &call{addressHits: max(t.Hits, 1), visitorHits: 1, addressLeft: span, visitorLeft: span}
	wrong := fault.Invalid{}
	if t.Ref != "" {
		if err := s.recall(tx, t, c, wrong); err != nil {
			return c, err
		}
	} else if err := s.read(tx, by, t, c, wrong); err != nil {
		return c, err
	}
	if err := wrong.Or(); err != nil {
		return c, err
	}
	if t.At.IsZero() {
		t.At = s.now()
	}
	if t.Member != nil && t.SignedIn {
		c.row.MemberID = t.Member.ID
	}
	c.req.Address, c.row.Address, c.robot = t.Address, t.Address, t.Robot
	return c, nil
}

// recall reads a recorded scan.
func (s *Service) recall(tx *gorm.DB, t *Trace, c *call, wrong fault.Invalid) error {
	var rows []struct {
		Line
		PublicID string
		MemberID int64
	}
	ref := clip(strings.TrimSpace(t.Ref)) // as stored; or typed from a refusal in small letters
	err := tx.Raw(`SELECT s.id, s.ref, s.at, s.outcome, s.copy_serial, s.channel, s.device, s.app, s.address, coalesce(s.member_id, 0) AS member_id,
		coalesce(m.name, '') AS member, coalesce(g.name, '') AS guest, coalesce(c.label, '') AS label, coalesce(c.public_id, '') AS public_id
		FROM scans s LEFT JOIN codes c ON c.id = s.code_id LEFT JOIN members m ON m.id = s.member_id LEFT JOIN guests g ON g.id = s.guest_id WHERE s.ref IN (?, ?)
		ORDER BY CASE WHEN s.ref = ? THEN 0 ELSE 1 END LIMIT 1`, ref, strings.ToUpper(ref), ref).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("read the scan: %w", err)
	}
	if len(rows) == 0 {
		wrong["ref"] = fault.Msg("trace.error.ref")
		return nil
	}
	r := rows[0]
	r.Line.Code = r.PublicID
	t.Ref, t.Recorded, t.Code, t.Serial = r.Ref, &r.Line, r.PublicID, r.CopySerial
	t.At, t.Address, t.Device, t.App, t.Robot = r.At, r.Address, r.Device, r.App, r.Outcome == Bot
	c.publicID, c.serial = r.PublicID, r.CopySerial
	if r.MemberID == 0 {
		return nil
	}
	t.SignedIn = true // or identified right after: the answer is the same
	return t.person(tx, "id = ?", r.MemberID)
}

// read checks a made-up question.
func (s *Service) read(tx *gorm.DB, by access.Actor, t *Trace, c *call, wrong fault.Invalid) error {
	agent := agentOf(clip(t.UserAgent))
	t.Device, t.App, t.Robot = agent.device, agent.app, agent.robot
	if t.Address = strings.TrimSpace(t.Address); t.Address != "" {
		a, err := netip.ParseAddr(t.Address)
		if err != nil || a.Zone() != "" {
			wrong["address"] = fault.Msg("trace.error.address")
		} else {
			t.Address = a.Unmap().String()
		}
	}
	if err := s.readCode(tx, by, t, c, wrong); err != nil {
		return err
	}
	text := strings.TrimSpace(t.Person)
	if text == "" {
		t.SignedIn = false
		return nil
	}
	where, value := "lower(job_number) = ?", strings.ToLower(clip(text))
	if phone, ok := directory.ParsePhone(text); ok {
		where, value = "phone = ?", phone
	}
	if err := t.person(tx, where+" AND status = 'active'", value); err != nil {
		return err
	}
	if t.Member == nil {
		wrong["person"] = fault.Msg("trace.error.person")
	}
	return nil
}

func (t *Trace) person(tx *gorm.DB, where string, value any) error {
	var found []directory.Member
	if err := tx.Select("id", "name", "phone", "status").Where(where, value).Limit(1).Find(&found).Error; err != nil {
		return fmt.Errorf("find the person: %w", err)
	}
	if len(found) > 0 {
		t.Member = &found[0]
	}
	return nil
}

// readCode takes a public id, or whatever Inspect understands.
func (s *Service) readCode(tx *gorm.DB, by access.Actor, t *Trace, c *call, wrong fault.Invalid) error {
	text := strings.TrimSpace(t.Code)
	if text == "" {
		wrong["code"] = fault.Msg("trace.error.code")
		return nil
	}
	var known []string
	if err := tx.Table("codes").Where("public_id = ?", clip(text)).Pluck("public_id", &known).Error; err != nil {
		return fmt.Errorf("find the code: %w", err)
	}
	if len(known) > 0 {
		c.publicID = known[0]
		return nil
	}
	i, err := s.codes.Inspect(tx.Statement.Context, by, text)
	if err != nil {
		return err
	}
	if c.publicID, c.serial = i.ID, i.Serial; i.Token != "" && !i.Signed {
		c.publicID, c.serial = "", 0 // forged, which is an answer
	} else if i.ID == "" {
		wrong["code"] = fault.Msg("trace.error.code")
	}
	t.Serial = c.serial
	return nil
}

// since are the latest changes of the code and its group after a moment.
func since(tx *gorm.DB, f code.Facts, at time.Time) ([]audit.Entry, error) {
	var all []audit.Entry
	err := tx.Raw(`SELECT * FROM audit_entries WHERE at > ? AND (object_kind = 'code' AND object_id = ? OR object_kind = 'group' AND object_id = ?)
		AND (action LIKE 'code.%' OR action LIKE 'group.%') AND action NOT LIKE 'code.download%' ORDER BY id DESC LIMIT ?`, at.UTC(), f.PublicID, f.GroupGID, sinceShown).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read what changed since: %w", err)
	}
	return all, nil
}
