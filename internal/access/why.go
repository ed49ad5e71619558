package access

import "strings"

// Cause is something about the object that stands in a right's way.
type Cause string

// The causes. Their texts are the catalog keys "why.cause."+Cause.
const (
	ByUser  Cause = "origin.user"  // the group was started by a member
	ByAdmin Cause = "origin.admin" // the group was made by an admin
	Outside Cause = "external"     // the group admits people outside the directory
	Policy  Cause = "policy"       // the organisation does not let external groups have permanent codes
	Lasting Cause = "permanent"    // the code does not expire
	Door    Cause = "open"         // whoever scans a permanent code would be in at once
	Moved   Cause = "moved"        // the group was made in another department
	Making  Cause = "creation"     // the organisation's policies about making groups
)

// turns are the ways an object could be otherwise.
var turns = []struct {
	cause Cause
	is    func(Object) bool
	turn  func(*Object)
}{
	{ByUser, func(o Object) bool { return o.UserStarted }, func(o *Object) { o.UserStarted = false }},
	{ByAdmin, func(o Object) bool { return !o.UserStarted }, func(o *Object) { o.UserStarted = true }},
	{Policy, func(o Object) bool { return o.External && !o.ExternalPermanent }, func(o *Object) { o.ExternalPermanent = true }},
	{Outside, func(o Object) bool { return o.External }, func(o *Object) { o.External = false }},
	{Lasting, func(o Object) bool { return o.Permanent }, func(o *Object) { o.Permanent = false }},
	{Moved, func(o Object) bool { return o.MovedIn }, func(o *Object) { o.MovedIn = false }},
	{Door, func(o Object) bool { return o.OpenToAll }, func(o *Object) { o.OpenToAll = false }},
}

// Reason is the answer to "why can I not?".
type Reason struct {
	Verdict Verdict
	Lacks   bool    // the actor lacks the right, whatever the object were like
	Causes  []Cause // what about the object stands in the way of those who have the right
}

// Explain reads the table for the reason behind a verdict: the fewest things
// about the object that would have to be otherwise, for the actor or, where the
// actor lacks the right altogether, for a super admin.
func Explain(a Actor, r Right, o Object) Reason {
	reason := Reason{Verdict: Decide(a, r, o)}
	if reason.Verdict != Denied {
		return reason
	}
	causes, found := fewest(a, r, o)
	if found {
		reason.Causes = causes
		return reason
	}
	if free := a; r == GroupCreate && a.Creation != (Creation{Staff: Allowed}) {
		free.Creation = Creation{Staff: Allowed}
		if o.Path == "" || o.GroupID == 0 {
			o.UserStarted = o.UserStarted || !a.Holds(r, o.Path)
		}
		if Decide(free, r, o) != Denied {
			reason.Causes = []Cause{Making}
			return reason
		}
	}
	reason.Lacks = true
	super := Actor{Kind: Member, Super: true}
	if Decide(super, r, o) == Denied {
		reason.Causes, _ = fewest(super, r, o)
	}
	return reason
}

// fewest finds the smallest set of turns after which a may.
func fewest(a Actor, r Right, o Object) (best []Cause, found bool) {
	for set := 1; set < 1<<len(turns); set++ {
		other, causes, fits := o, []Cause(nil), true
		for i, t := range turns {
			if set&(1<<i) == 0 {
				continue
			}
			fits = fits && t.is(o)
			t.turn(&other)
			causes = append(causes, t.cause)
		}
		if fits && (!found || len(causes) < len(best)) && Decide(a, r, other) != Denied {
			best, found = causes, true
		}
	}
	return best, found
}

// Base finds the row of the table that a right's name belongs to: refusals may
// say more, such as code.permanent.external.
func Base(name string) (Right, bool) {
	if r, special := spoken[name]; special {
		return r, true
	}
	for name != "" {
		if _, known := table[Right(name)]; known {
			return Right(name), true
		}
		i := strings.LastIndexByte(name, '.')
		name = name[:max(i, 0)]
	}
	return "", false
}

// spoken are refusals that name no row: a matter of who asks, not of rights.
var spoken = map[string]Right{
	"requests.own": RequestsDecide, "approvals.own": ApprovalsDecide, "approvals.withdraw": ApprovalsDecide, "absence.set": HeadsAppoint,
}

// Needs reports whether somebody with only this duty on o's group may, by it, do r.
func Needs(d Duty, r Right, o Object) bool {
	row := table[r]
	return row.duty != nil && row.duty(d, o) != Denied
}
