package access

import (
	"slices"
	"strings"
)

// Grant is a custom role that an actor holds for a department and all below it.
type Grant struct {
	Role   int64
	Path   string
	Rights []Right
}

// covers reports whether the grant brings r for the department at path.
func (g Grant) covers(r Right, path string) bool {
	return path != "" && strings.HasPrefix(path, g.Path) && slices.Contains(g.Rights, r)
}

// Stand is a department whose heads are all away, so that the actor, its
// deputy, has a head's rights there. For names on whose behalf.
type Stand struct {
	Path string
	For  string
}

// implied lists what a right is of no use without: whoever may issue codes
// sees them. A role that has the one has the others.
var implied = map[Right][]Right{
	MembersEdit:    {ContactsSee},
	MemberDepart:   {ContactsSee},
	GroupCreate:    {GroupSee, ApprovalsSee},
	GroupRename:    {GroupSee},
	GroupMove:      {GroupSee, GroupSettings},
	GroupConvert:   {GroupSee},
	GroupSettings:  {GroupSee, GroupEntry},
	GroupEntry:     {GroupSee},
	GroupDisband:   {GroupSee},
	GroupHandOver:  {GroupSee, GroupRoster},
	GroupDuties:    {GroupSee, GroupRoster},
	GroupRoster:    {GroupSee},
	CodeTemporary:  {CodeDownload},
	CodePermanent:  {CodeTemporary, CodeDownload},
	CodeRevoke:     {CodeDownload},
	CodeAdopt:      {CodeTemporary, CodeDownload},
	CodeDownload:   {GroupSee, ScansSee}, // the pages of a code are one: its file and its scans
	ScansSee:       {GroupSee, CodeDownload},
	ScansExport:    {ScansSee},
	RequestsDecide: {GroupSee},
	MemberAdd:      {GroupSee, GroupRoster},
}

// Grantable reports whether a custom role may carry r.
func Grantable(r Right) bool { return table[r].role != nil }

// GrantableRights lists what a custom role may carry, in the order of the
// table; what only comes along with others is left out.
func GrantableRights() []Right {
	return slices.DeleteFunc(slices.Clone(order), func(r Right) bool {
		return !Grantable(r) || r == GroupSee || r == ApprovalsSee
	})
}

// Complete adds to rights what they imply, in the order of the table, without
// any that a role may not carry.
func Complete(rights []Right) []Right {
	has := map[Right]bool{}
	var add func(Right)
	add = func(r Right) {
		if has[r] {
			return
		}
		has[r] = true
		for _, more := range implied[r] {
			add(more)
		}
	}
	for _, r := range rights {
		add(r)
	}
	return slices.DeleteFunc(slices.Clone(order), func(r Right) bool { return !has[r] || !Grantable(r) })
}

// Beyond reports whether a role with these rights gives more than heads have.
func Beyond(rights []Right) bool {
	return slices.ContainsFunc(rights, func(r Right) bool { return table[r].head == nil })
}

// BeyondHeads lists the rights a role may carry that no head has.
func BeyondHeads() []Right {
	return slices.DeleteFunc(slices.Clone(order), func(r Right) bool { return !Grantable(r) || table[r].head != nil })
}

// LeadsOwn reports whether a is a head of the department at path, or of one
// above it, in their own name and not as a deputy.
func (a Actor) LeadsOwn(path string) bool { return under(a.Led, path) }

// Outranks reports whether a may act on the account of them: somebody who leads,
// stands in or holds a role beyond a's own headships is only a super admin's
// business, for whoever changes an account can sign in with it.
func (a Actor) Outranks(them Actor) bool {
	if a.Super || a.MemberID == them.MemberID {
		return true
	}
	above := func(path string) bool { return !a.LeadsOwn(path) }
	return !them.Super && !slices.ContainsFunc(them.Led, above) &&
		!slices.ContainsFunc(them.Acting, func(s Stand) bool { return above(s.Path) }) &&
		!slices.ContainsFunc(them.Grants, func(g Grant) bool { return above(g.Path) || Beyond(g.Rights) })
}

// OnBehalf names for whom a acts in the department at path: "" unless a is there
// only as a deputy.
func (a Actor) OnBehalf(path string) string {
	if path == "" || a.Super || a.LeadsOwn(path) {
		return ""
	}
	for _, s := range a.Acting {
		if strings.HasPrefix(path, s.Path) {
			return s.For
		}
	}
	return ""
}

// Gains reports whether a would hold more for a department at path from if it
// hung at path to: who may move departments must not move them to themselves.
func (a Actor) Gains(from, to string) bool {
	if a.Super || a.Kind == System {
		return false
	}
	return slices.ContainsFunc(order, func(r Right) bool { return a.Holds(r, to) && !a.Holds(r, from) })
}
