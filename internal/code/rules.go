package code

import (
	"time"

	"doorplate/internal/group"
)

// Rule is one question that a code's state is decided by.
type Rule uint8

// The rules.
const (
	RuleDisbanded Rule = iota // its group is over
	RuleReplaced              // it was regenerated
	RuleRevoked
	RuleExpired
	RuleSuspended   // somebody stopped it
	RuleIssuer      // its issuer lost the right
	RuleUnconfirmed // no head confirmed it in time
	RuleGroupOff    // its group takes nobody by codes
	RuleOff         // the organisation takes nobody by codes
	RuleNotYet
	RuleHours
	RuleTotal // the total cap
	RuleDaily // today's cap
	ruleCount
)

// Gates are the rules that stop everybody, in their order; Caps come after who
// is let in at all. Together they are State.
var (
	Gates = []Rule{RuleDisbanded, RuleReplaced, RuleRevoked, RuleExpired, RuleSuspended, RuleIssuer, RuleUnconfirmed, RuleGroupOff, RuleOff, RuleNotYet, RuleHours}
	Caps  = []Rule{RuleTotal, RuleDaily}
)

// Stops is the state that a rule puts the code into at now, "" when it passes.
// stateSQL says the same to the database; a property test compares them.
// req: A09, A10, A11, A13, B15, C06
func (f *Facts) Stops(r Rule, now time.Time) State {
	stop, state := false, Live
	switch r {
	case RuleDisbanded:
		stop, state = f.GroupStatus != group.Active, Disbanded
	case RuleReplaced:
		stop, state = f.ReplacedBy != nil, Replaced
	case RuleRevoked:
		stop, state = f.RevokedAt != nil, Revoked
	case RuleExpired:
		stop, state = f.ValidUntil != nil && !f.ValidUntil.After(now), Expired
	case RuleSuspended:
		stop, state = f.SuspendedAt != nil, Suspended
	case RuleIssuer:
		stop, state = !f.IssuerOK, Suspended
	case RuleUnconfirmed:
		stop, state = f.Unconfirmed(now), Suspended
	case RuleGroupOff:
		stop, state = f.JoinMode == group.Off, Off
	case RuleOff:
		stop, state = f.JoiningOff, Off
	case RuleNotYet:
		stop, state = f.ValidFrom != nil && f.ValidFrom.After(now), NotYet
	case RuleHours:
		stop, state = !f.Hours.OpenAt(now.In(f.Location())), Closed
	case RuleTotal:
		stop, state = f.TotalCap > 0 && f.Total >= int64(f.TotalCap), Exhausted
	case RuleDaily:
		stop, state = f.DailyCap > 0 && f.Today(now) >= int64(f.DailyCap), Limited
	}
	if !stop {
		return ""
	}
	return state
}

// State derives the state at now.
func (f Facts) State(now time.Time) State {
	for r := Rule(0); r < ruleCount; r++ { // Gates, then Caps
		if state := f.Stops(r, now); state != "" {
			return state
		}
	}
	return Live
}
