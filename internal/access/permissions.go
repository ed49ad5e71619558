package access

import (
	"slices"

	"doorplate/internal/fault"
)

// Right names one row of the table of permissions. Its text is the catalog key "right."+Right.
type Right string

// The rights, in the order of the table.
const (
	ContactsSee      Right = "contacts.see"
	MembersEdit      Right = "members.edit"
	DepartmentsEdit  Right = "departments.edit"
	MemberDepart     Right = "member.depart"
	HeadsAppoint     Right = "heads.appoint"
	RolesGrant       Right = "roles.grant"
	GroupCreate      Right = "group.create"
	GroupRename      Right = "group.rename"
	GroupSettings    Right = "group.settings"
	GroupEntry       Right = "group.entry"
	GroupDisband     Right = "group.disband"
	GroupHandOver    Right = "group.handover"
	GroupDuties      Right = "group.duties"
	CodeTemporary    Right = "code.temporary"
	CodePermanent    Right = "code.permanent"
	CodeRevoke       Right = "code.revoke"
	CodeAdopt        Right = "code.adopt"
	CodeDownload     Right = "code.download"
	ScansSee         Right = "scans.see"
	RequestsDecide   Right = "requests.decide"
	MemberAdd        Right = "group.member.add"
	ScansExport      Right = "scans.export"
	FullExport       Right = "export.full"
	AuditRead        Right = "audit.read"
	OrganisationEdit Right = "organisation.edit"
	ApprovalsSee     Right = "approvals.see"
	ApprovalsDecide  Right = "approvals.decide"
	GroupSee         Right = "group.see"
	GroupRoster      Right = "group.roster"
	SupersAppoint    Right = "supers.appoint"
	PolicyTrace      Right = "policy.trace"
	GroupMove        Right = "group.move"
	GroupConvert     Right = "group.convert"
	RecertSee        Right = "recert.see"
	RecertConfirm    Right = "recert.confirm"
	RecertPlan       Right = "recert.plan"
	CasesSee         Right = "cases.see"
)

// Verdict is what the table says about one right on one object.
type Verdict uint8

// The verdicts.
const (
	Denied Verdict = iota
	Allowed
	NeedsApproval
)

// Object is what a right is asked for, as far as the table cares.
// The zero value stands for "no object": a list page or an empty form.
type Object struct {
	Path        string // department path; "" when the object has none
	GroupID     int64
	Joined      bool // the actor is a member of the group
	External    bool
	Training    bool
	UserStarted bool
	MovedIn     bool // the group was created in a department that is not the actor's
	Permanent   bool // the code in question does not expire
	OpenToAll   bool // permanent + open join + no audience
	// ExternalPermanent is the policy that lets external groups have permanent codes.
	ExternalPermanent bool
}

// rule is one row of the table: a function of the object for each tier, nil = no.
type rule struct {
	super, head func(Object) Verdict
	duty        func(Duty, Object) Verdict
	staff       func(Object) Verdict
	keeper      func(Object) Verdict // who looks after the group's chat images
	// role is what a custom role with this right gives in its department and all
	// below it: never more than a head has there, but for the departments
	// themselves. nil = no role may carry it.
	role func(Object) Verdict
}

func yes(Object) Verdict { return Allowed }

func with(need Duty) func(Duty, Object) Verdict {
	return func(d Duty, _ Object) Verdict {
		if d&need != 0 {
			return Allowed
		}
		return Denied
	}
}

func anyDuty(d Duty, _ Object) Verdict { return with(Owner|Review|Content|Events)(d, Object{}) }

func when(ok bool, v Verdict) Verdict {
	if ok {
		return v
	}
	return Denied
}

func createAsHead(o Object) Verdict {
	if o.External {
		return NeedsApproval
	}
	return Allowed
}

func permanentAsHead(o Object) Verdict {
	return when(!o.UserStarted && !o.External && !o.OpenToAll, Allowed)
}

// disbandThere: a group that was made elsewhere and moved in is not the new department's to end. req: D17
func disbandThere(o Object) Verdict { return when(!o.MovedIn, Allowed) }

// table is the page "Who may do what", row by row.
var table = map[Right]rule{
	ContactsSee:     {super: yes, role: yes, head: yes, staff: yes},
	MembersEdit:     {super: yes, role: yes, head: yes},
	DepartmentsEdit: {super: yes, role: yes},
	MemberDepart:    {super: yes, role: yes, head: yes},
	HeadsAppoint:    {super: yes},
	RolesGrant:      {super: yes},
	GroupSee:        {super: yes, role: yes, head: yes, duty: anyDuty, staff: yes, keeper: yes},
	GroupCreate:     {super: yes, head: createAsHead, role: createAsHead},
	GroupRename: {super: yes, head: yes, role: yes, duty: func(d Duty, o Object) Verdict {
		return when(d&Owner != 0 && o.UserStarted, Allowed)
	}},
	// Whoever moves a group or changes its type could have made it there and here.
	GroupMove:     {super: yes, head: createAsHead, role: createAsHead},
	GroupConvert:  {super: yes, role: yes, head: yes},
	GroupSettings: {super: yes, role: yes, head: yes, duty: with(Content)},
	GroupEntry:    {super: yes, role: yes, head: yes, duty: with(Content), keeper: yes},
	GroupDisband:  {super: yes, role: disbandThere, head: disbandThere},
	GroupHandOver: {super: yes, role: yes, head: yes, duty: with(Owner)},
	GroupDuties:   {super: yes, role: yes, head: yes, duty: with(Owner)},
	// Who is in a group is for those in it: staff of the department see that it exists.
	GroupRoster:   {super: yes, role: yes, head: yes, duty: anyDuty, staff: func(o Object) Verdict { return when(o.Joined, Allowed) }},
	CodeTemporary: {super: yes, role: yes, head: yes, duty: with(Owner)},
	CodePermanent: {
		super: func(o Object) Verdict {
			switch {
			case o.UserStarted, o.External && !o.ExternalPermanent:
				return Denied
			case o.OpenToAll:
				return NeedsApproval
			}
			return Allowed
		},
		head: permanentAsHead,
		role: permanentAsHead,
	},
	CodeRevoke: {super: yes, head: yes, role: yes, duty: func(d Duty, o Object) Verdict {
		return when(d&Owner != 0 && !o.Permanent, Allowed)
	}},
	CodeAdopt:        {super: yes, role: yes, head: yes},
	CodeDownload:     {super: yes, role: yes, head: yes, duty: anyDuty},
	ScansSee:         {super: yes, role: yes, head: yes, duty: anyDuty},
	RequestsDecide:   {super: yes, role: yes, head: yes, duty: with(Review)},
	MemberAdd:        {super: yes, role: yes, head: yes, duty: with(Review)},
	ScansExport:      {super: yes, role: yes, head: yes, duty: anyDuty},
	FullExport:       {super: func(Object) Verdict { return NeedsApproval }},
	AuditRead:        {super: yes, role: yes, head: yes},
	OrganisationEdit: {super: yes},
	ApprovalsSee:     {super: yes, role: yes, head: yes},
	ApprovalsDecide:  {super: yes},
	SupersAppoint:    {super: func(Object) Verdict { return NeedsApproval }},
	PolicyTrace:      {super: yes},
	RecertSee:        {super: yes, head: yes},
	// A round is the heads' own word for what is below them: nobody gives it for them where there is one.
	RecertConfirm: {super: yes, head: yes},
	RecertPlan:    {super: yes},
	// Reports are looked into by who may end the code.
	CasesSee: {super: yes, head: yes},
}

// Decide reads the table: the best verdict of the tiers a has towards o.
// Asked without an object (Path and GroupID zero) it answers for the page or
// form: a head counts as being in scope; a duty on any group and a role
// anywhere count.
func Decide(a Actor, r Right, o Object) Verdict {
	return a.Creation.govern(a, r, o, decide(a, r, o))
}

func decide(a Actor, r Right, o Object) Verdict {
	row, known := table[r]
	switch {
	case !known || a.Kind == Guest:
		return Denied
	case a.Kind == System:
		return Allowed
	case a.Super:
		return ask(row.super, o)
	}
	noObject := o.Path == "" && o.GroupID == 0
	best := Denied
	if a.Leads(o.Path) || noObject && a.Head() {
		best = better(best, ask(row.head, o))
	}
	for _, g := range a.Grants {
		if g.covers(r, o.Path) || noObject && slices.Contains(g.Rights, r) {
			best = better(best, ask(row.role, o))
		}
	}
	if row.duty != nil {
		for id, d := range a.Duties {
			if noObject || id == o.GroupID {
				best = better(best, row.duty(d, o))
			}
		}
	}
	if len(a.Keeps) > 0 && (noObject || slices.Contains(a.Keeps, o.GroupID)) {
		best = better(best, ask(row.keeper, o))
	}
	if noObject || a.sees(o) {
		best = better(best, ask(row.staff, o))
	}
	return best
}

func ask(cell func(Object) Verdict, o Object) Verdict {
	if cell == nil {
		return Denied
	}
	return cell(o)
}

func better(a, b Verdict) Verdict {
	if a == Allowed || b == Denied {
		return a
	}
	return b
}

// sees reports whether o is in a's own scope: what a may know exists.
func (a Actor) sees(o Object) bool {
	return a.Super || a.Leads(o.Path) || a.granted(o.Path) || o.Joined || a.Duties[o.GroupID] != 0 || slices.Contains(a.Own, o.Path) || o.GroupID != 0 && slices.Contains(a.Keeps, o.GroupID)
}

// Check turns a verdict into an error: nil when allowed (or allowed with
// approval), fault.Forbidden inside a's own scope, fault.NotFound outside it.
func Check(a Actor, r Right, o Object) error {
	if Decide(a, r, o) != Denied {
		return nil
	}
	if (o.Path != "" || o.GroupID != 0) && !a.sees(o) {
		return fault.NotFound
	}
	return fault.Forbidden{Right: string(r)}
}

// Can is Decide for views and coarse gates: allowed, be it with approval.
func Can(a Actor, r Right, o Object) bool { return Decide(a, r, o) != Denied }
