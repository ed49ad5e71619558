package access

import "slices"

// Creation is what the organisation's policies say about making groups. The
// zero value is the standard: heads may, staff may not. req: D13, D18
type Creation struct {
	Staff Verdict // on internal groups in the departments they belong to
	Limit Limit   // on everybody below super admin
}

// Limit is how far the organisation lets its people make groups at all.
type Limit uint8

// The limits.
const (
	Unlimited Limit = iota
	ByApproval
	Closed
)

// Values of the two policies.
const (
	CreationOn       = "on"
	CreationApproval = "approval"
	CreationOff      = "off"
)

// Set reads a stored policy: staff_groups or group_creation; others are passed over.
func (c *Creation) Set(policy, value string) {
	switch policy {
	case "staff_groups":
		c.Staff = map[string]Verdict{CreationOn: Allowed, CreationApproval: NeedsApproval}[value]
	case "group_creation":
		c.Limit = map[string]Limit{CreationApproval: ByApproval, CreationOff: Closed}[value]
	}
}

// govern lays the policies over the table's verdict about making a group.
func (c Creation) govern(a Actor, r Right, o Object, v Verdict) Verdict {
	if r != GroupCreate || a.Super || a.Kind != Member {
		return v
	}
	if v != Allowed && a.starts(o) {
		v = better(c.Staff, v)
	}
	switch {
	case c.Limit == Closed:
		return Denied
	case c.Limit == ByApproval && v == Allowed:
		return NeedsApproval
	}
	return v
}

// starts reports whether a group like o would be one that a starts as a member
// of its department: user-started, for staff only.
func (a Actor) starts(o Object) bool {
	if o.Path == "" && o.GroupID == 0 {
		return len(a.Own) > 0 && !o.External && !o.Training
	}
	return o.GroupID == 0 && o.UserStarted && !o.External && !o.Training && slices.Contains(a.Own, o.Path)
}
