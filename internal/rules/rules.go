// Package rules decides about requests to join by what an organisation and its
// groups have laid down. The engine is pure: the same facts and the same rules
// give the same verdict, when somebody asks and in the box that tries rules out.
package rules

import (
	"strings"
	"time"
)

// Verdict is what a rule does with a request that it fits.
type Verdict string

// The verdicts. None is no rule's: no rule fitted, and people decide as they always did.
const (
	None    Verdict = ""
	Approve Verdict = "approve"
	Refuse  Verdict = "refuse"
	Hold    Verdict = "hold" // wait for a person, whatever later rules say
)

// Verdicts lists those that a rule can have, in the order of the form.
var Verdicts = []Verdict{Approve, Refuse, Hold}

// Kind says what a condition looks at.
type Kind string

// The kinds, one of each at most in a rule.
const (
	Person     Kind = "person"     // member or guest
	Department Kind = "department" // of a member: one of these or below
	Domain     Kind = "domain"     // of the e-mail address that was typed
	OnList     Kind = "list"
	Words      Kind = "words" // a hit on the word lists
	Says       Kind = "says"  // one of the rule's own words
	Reply      Kind = "answer"
	Network    Kind = "network" // inside or outside the networks of the code
	Risk       Kind = "score"   // more than so many points
)

// Kinds lists them in the order of the form.
var Kinds = []Kind{Person, Department, Domain, OnList, Words, Says, Reply, Network, Risk}

// Condition is one thing a rule asks of a request.
type Condition struct {
	Kind   Kind     `json:"kind"`
	Not    bool     `json:"not,omitempty"`
	Values []string `json:"values,omitempty"` // domains, words, "member", "inside", …
	IDs    []int64  `json:"ids,omitempty"`    // of departments or lists
	Label  string   `json:"label,omitempty"`  // of Reply: the question
	Op     string   `json:"op,omitempty"`     // of Reply: is, has, least or most
	N      int      `json:"n,omitempty"`      // of Risk
}

// How an answer is compared.
const (
	Is    = "is"
	Has   = "has"
	Least = "least"
	Most  = "most"
)

// Ops lists them in the order of the form.
var Ops = []string{Is, Has, Least, Most}

// Rule is one rule of the organisation (GroupID nil) or of a group.
type Rule struct {
	ID         int64
	GroupID    *int64
	Position   int
	Name       string
	AnyOf      bool // one condition is enough; else all of them
	Conditions []Condition
	Verdict    Verdict
	Reason     string // of Refuse: reaches the applicant
	Enabled    bool
	Version    int
	UpdatedAt  time.Time
	UpdatedBy  *int64
}

// Own reports whether the rule is one of a group, not of the organisation.
func (r Rule) Own() bool { return r.GroupID != nil }

// Fits reports whether the rule's conditions hold. A rule without conditions fits nobody.
func (r Rule) Fits(f Facts) bool {
	if len(r.Conditions) == 0 {
		return false
	}
	for _, c := range r.Conditions {
		if c.holds(f) == r.AnyOf {
			return r.AnyOf
		}
	}
	return !r.AnyOf
}

// Ruling is what the rules say about a request.
type Ruling struct {
	Verdict Verdict
	Rule    *Rule // nil when none fitted
	Score   Score
	Author  bool // the rule would let in the very person who last changed it: it holds instead
}

// Judge goes through the rules in their order; the first that is on and fits
// decides. It reads nothing but its arguments.
func Judge(set []Rule, f Facts) Ruling {
	out := Ruling{Score: Weigh(f)}
	for i := range set {
		r := &set[i]
		if !r.Enabled || !r.Fits(f) {
			continue
		}
		out.Rule, out.Verdict = r, r.Verdict
		if r.Verdict == Approve && f.MemberID != 0 && r.UpdatedBy != nil && *r.UpdatedBy == f.MemberID {
			out.Verdict, out.Author = Hold, true
		}
		return out
	}
	return out
}

// Reaches reports whether some of the rules could let somebody in.
func Reaches(set []Rule, v Verdict) bool {
	for _, r := range set {
		if r.Enabled && r.Verdict == v {
			return true
		}
	}
	return false
}

// domainOf is the part of an address after its @, in small letters.
func domainOf(address string) string {
	_, domain, _ := strings.Cut(strings.ToLower(strings.TrimSpace(address)), "@")
	return domain
}
