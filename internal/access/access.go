// Package access decides who may do what: one table of rights (permissions.go)
// read by pure functions. It knows no database and no HTTP.
package access

// Kind says what sort of somebody acts.
type Kind string

// The kinds of actor.
const (
	Member Kind = "member"
	Guest  Kind = "guest"
	System Kind = "system"
)

// Duty is a set of duties that a member has on one group.
type Duty uint8

// The duties. Owner includes none of the others by itself; the table says what it may do.
const (
	Owner Duty = 1 << iota
	Review
	Content
	Events
)

// Actor is on whose behalf a domain method runs. It is read anew for every request.
type Actor struct {
	Kind     Kind
	MemberID int64
	GuestID  int64
	Name     string
	Super    bool
	Led      []string       // paths of the departments led in one's own name; scope = every path below one of them
	Acting   []Stand        // departments led as a deputy, while their heads are away
	Grants   []Grant        // custom roles held
	Own      []string       // paths of the departments belonged to
	Duties   map[int64]Duty // group id → duties on it
	Keeps    []int64        // groups whose chat images a looks after, and nothing else
	Creation Creation       // the policies about making groups
	Address  string         // where the request came from, for the audit trail
	Device   string         // what it came from, for the audit trail
}

// Background is the actor of work that nobody pressed a button for.
func Background(reason string) Actor { return Actor{Kind: System, Name: reason} }

// Head reports whether a leads at least one department, be it as a deputy.
func (a Actor) Head() bool { return len(a.Led) > 0 || len(a.Acting) > 0 }

// Leads reports whether the department at path is in a's scope as head or
// deputy. Who asks for one right asks Holds: a role may bring it too.
func (a Actor) Leads(path string) bool { return under(a.led(), path) }

// Reviews reports whether a has the review duty on any group.
func (a Actor) Reviews() bool {
	for _, d := range a.Duties {
		if d&Review != 0 {
			return true
		}
	}
	return false
}
