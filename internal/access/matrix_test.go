package access_test

import (
	"errors"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// columns are the actors of the page "Who may do what", each with nothing but
// what its name says, towards a group and a department in their own scope.
var columns = []string{"super", "head", "deputy", "owner", "review", "content", "events", "staff", "joined", "keeper", "guest", "role", "other"}

// person builds the actor of a column. A role carries just the right in
// question, "other" every right but those that would bring it.
func person(column string, r access.Right) access.Actor {
	a := access.Actor{Kind: access.Member, MemberID: 4, Own: []string{"/1/4/"}}
	switch column {
	case "super":
		a.Super = true
	case "head":
		a.Led = []string{"/1/2/"}
	case "deputy":
		a.Acting = []access.Stand{{Path: "/1/2/", For: "许一诺"}}
	case "owner":
		a.Duties = map[int64]access.Duty{groupID: access.Owner}
	case "review":
		a.Duties = map[int64]access.Duty{groupID: access.Review}
	case "content":
		a.Duties = map[int64]access.Duty{groupID: access.Content}
	case "events":
		a.Duties = map[int64]access.Duty{groupID: access.Events}
	case "staff", "joined":
		a.Own = []string{own}
	case "keeper":
		a.Keeps = []int64{groupID}
	case "guest":
		a = access.Actor{Kind: access.Guest, GuestID: 9}
	case "role":
		a.Grants = []access.Grant{{Role: 1, Path: "/1/2/", Rights: []access.Right{r}}}
	case "other":
		a.Grants = []access.Grant{{Role: 1, Path: "/1/2/", Rights: without(r)}}
	}
	return a
}

// without is every right but r and those that have it.
func without(r access.Right) (rest []access.Right) {
	for _, one := range access.GrantableRights() {
		if !strings.Contains(" "+words(access.Complete([]access.Right{one}))+" ", " "+string(r)+" ") {
			rest = append(rest, one)
		}
	}
	return rest
}

func words(rights []access.Right) string {
	texts := make([]string, len(rights))
	for i, r := range rights {
		texts[i] = string(r)
	}
	return strings.Join(texts, " ")
}

// matrix is the whole page: y yes, a with approval, n no, a letter per column in order.
//
//	super head deputy owner review content events staff joined keeper guest role other
var matrix = []struct {
	right access.Right
	on    access.Object
	want  string
}{
	{access.ContactsSee, access.Object{}, "yyyyyyyyyynyy"},
	{access.MembersEdit, access.Object{}, "yyynnnnnnnnyn"},
	{access.DepartmentsEdit, access.Object{}, "ynnnnnnnnnnyn"},
	{access.MemberDepart, access.Object{}, "yyynnnnnnnnyn"},
	{access.HeadsAppoint, access.Object{}, "ynnnnnnnnnnnn"},
	{access.RolesGrant, access.Object{}, "ynnnnnnnnnnnn"},
	{access.SupersAppoint, access.Object{}, "annnnnnnnnnnn"},
	{access.GroupSee, access.Object{}, "yyyyyyyyyynyy"},
	{access.GroupRoster, access.Object{}, "yyyyyyynynnyn"},
	{access.GroupCreate, access.Object{}, "yyynnnnnnnnyn"},
	{access.GroupCreate, access.Object{External: true}, "yaannnnnnnnan"},
	{access.GroupRename, access.Object{}, "yyynnnnnnnnyn"},
	{access.GroupRename, access.Object{UserStarted: true}, "yyyynnnnnnnyn"},
	{access.GroupRename, access.Object{External: true}, "yyynnnnnnnnyn"},
	{access.GroupSettings, access.Object{}, "yyynnynnnnnyn"},
	{access.GroupEntry, access.Object{}, "yyynnynnnynyn"},
	{access.GroupDisband, access.Object{}, "yyynnnnnnnnyn"},
	{access.GroupDisband, access.Object{MovedIn: true}, "ynnnnnnnnnnnn"},
	{access.GroupMove, access.Object{}, "yyynnnnnnnnyn"},
	{access.GroupMove, access.Object{External: true}, "yaannnnnnnnan"},
	{access.GroupConvert, access.Object{UserStarted: true}, "yyynnnnnnnnyn"},
	{access.GroupHandOver, access.Object{}, "yyyynnnnnnnyn"},
	{access.GroupDuties, access.Object{}, "yyyynnnnnnnyn"},
	{access.CodeTemporary, access.Object{}, "yyyynnnnnnnyn"},
	{access.CodeTemporary, access.Object{External: true}, "yyyynnnnnnnyn"},
	{access.CodeTemporary, access.Object{UserStarted: true}, "yyyynnnnnnnyn"},
	{access.CodePermanent, access.Object{}, "yyynnnnnnnnyn"},
	{access.CodePermanent, access.Object{UserStarted: true}, "nnnnnnnnnnnnn"},
	{access.CodePermanent, access.Object{External: true}, "nnnnnnnnnnnnn"},
	{access.CodePermanent, access.Object{External: true, ExternalPermanent: true}, "ynnnnnnnnnnnn"},
	{access.CodePermanent, access.Object{External: true, ExternalPermanent: true, OpenToAll: true}, "annnnnnnnnnnn"},
	{access.CodePermanent, access.Object{External: true, UserStarted: true, ExternalPermanent: true}, "nnnnnnnnnnnnn"},
	{access.CodePermanent, access.Object{ExternalPermanent: true}, "yyynnnnnnnnyn"},
	{access.CodePermanent, access.Object{OpenToAll: true}, "annnnnnnnnnnn"},
	{access.CodeRevoke, access.Object{}, "yyyynnnnnnnyn"},
	{access.CodeRevoke, access.Object{Permanent: true}, "yyynnnnnnnnyn"},
	{access.CodeAdopt, access.Object{}, "yyynnnnnnnnyn"},
	{access.CodeAdopt, access.Object{Permanent: true}, "yyynnnnnnnnyn"},
	{access.CodeDownload, access.Object{}, "yyyyyyynnnnyn"},
	{access.ScansSee, access.Object{}, "yyyyyyynnnnyn"},
	{access.RequestsDecide, access.Object{}, "yyynynnnnnnyn"},
	{access.MemberAdd, access.Object{}, "yyynynnnnnnyn"},
	{access.ScansExport, access.Object{}, "yyyyyyynnnnyn"},
	{access.FullExport, access.Object{}, "annnnnnnnnnnn"},
	{access.AuditRead, access.Object{}, "yyynnnnnnnnyn"},
	{access.ApprovalsSee, access.Object{}, "yyynnnnnnnnyn"},
	{access.ApprovalsDecide, access.Object{}, "ynnnnnnnnnnnn"},
	{access.OrganisationEdit, access.Object{}, "ynnnnnnnnnnnn"},
	{access.PolicyTrace, access.Object{}, "ynnnnnnnnnnnn"},
	{access.RecertSee, access.Object{}, "yyynnnnnnnnnn"},
	{access.RecertConfirm, access.Object{}, "yyynnnnnnnnnn"},
	{access.RecertPlan, access.Object{}, "ynnnnnnnnnnnn"},
	{access.CasesSee, access.Object{}, "yyynnnnnnnnnn"},
}

func TestTheWholeMatrix(t *testing.T) {
	seen := map[access.Right]bool{}
	for _, m := range matrix {
		seen[m.right] = true
		m.on.Path, m.on.GroupID = own, groupID
		if len(m.want) != len(columns) {
			t.Fatalf("%s on %+v has %d cells for %d columns", m.right, m.on, len(m.want), len(columns))
		}
		for i, column := range columns {
			o := m.on
			o.Joined = column == "joined"
			if got := access.Decide(person(column, m.right), m.right, o); got != verdicts[string(m.want[i])] {
				t.Errorf("%s by %s on %+v = %d, want %c", m.right, column, o, got, m.want[i])
			}
		}
	}
	for _, r := range access.Overview() {
		if !seen[r.Right] {
			t.Errorf("%s: each right gets its line in the matrix", r.Right)
		}
	}
}

// creations are the rows about making a group, under each policy.
var creations = []struct {
	policy access.Creation
	on     access.Object
	want   string
}{
	{access.Creation{}, access.Object{UserStarted: true}, "yyynnnnnnnnyn"},
	{access.Creation{Staff: access.NeedsApproval}, access.Object{UserStarted: true}, "yyynnnnaannyn"},
	{access.Creation{Staff: access.Allowed}, access.Object{UserStarted: true}, "yyynnnnyynnyn"},
	{access.Creation{Staff: access.Allowed}, access.Object{}, "yyynnnnnnnnyn"},
	{access.Creation{Staff: access.Allowed}, access.Object{UserStarted: true, Training: true}, "yyynnnnnnnnyn"},
	{access.Creation{Staff: access.Allowed, Limit: access.ByApproval}, access.Object{UserStarted: true}, "yaannnnaannan"},
	{access.Creation{Limit: access.ByApproval}, access.Object{External: true}, "yaannnnnnnnan"},
	{access.Creation{Staff: access.Allowed, Limit: access.Closed}, access.Object{UserStarted: true}, "ynnnnnnnnnnnn"},
	{access.Creation{Limit: access.Closed}, access.Object{Training: true}, "ynnnnnnnnnnnn"},
}

func TestMakingGroupsUnderEveryPolicy(t *testing.T) {
	for _, m := range creations {
		m.on.Path = own
		for i, column := range columns {
			a := person(column, access.GroupCreate)
			a.Creation = m.policy
			if got := access.Decide(a, access.GroupCreate, m.on); got != verdicts[string(m.want[i])] {
				t.Errorf("%+v: by %s on %+v = %d, want %c", m.policy, column, m.on, got, m.want[i])
			}
		}
	}
}

// Above, beside and outside one's scope nothing is granted, and nothing is known.
func TestTheMatrixEndsAtTheScope(t *testing.T) {
	for _, m := range matrix {
		for _, at := range []string{"/1/", "/1/3/", "/1/22/"} {
			m.on.Path, m.on.GroupID = at, 8
			for _, column := range columns {
				a := person(column, m.right)
				if column == "super" || column == "guest" {
					continue
				}
				if v := access.Decide(a, m.right, m.on); v != access.Denied {
					t.Errorf("%s by %s at %s = %d", m.right, column, at, v)
				}
				if err := access.Check(a, m.right, m.on); !errors.Is(err, fault.NotFound) {
					t.Errorf("%s by %s at %s: %v, want not found", m.right, column, at, err)
				}
			}
		}
	}
}

// A role never gives more than a head has there, but for the departments themselves.
func TestARoleNeverExceedsAHead(t *testing.T) {
	for _, m := range matrix {
		m.on.Path, m.on.GroupID = own, groupID
		role, head := access.Decide(person("role", m.right), m.right, m.on), access.Decide(person("head", m.right), m.right, m.on)
		if role != access.Denied && role != head && m.right != access.DepartmentsEdit {
			t.Errorf("%s on %+v: role %d, head %d", m.right, m.on, role, head)
		}
		if !access.Grantable(m.right) && m.right != access.ContactsSee && role != access.Decide(person("keeper-of-nothing", m.right), m.right, m.on) {
			t.Errorf("%s is not grantable, yet a role brings it", m.right)
		}
	}
	if got := words(access.BeyondHeads()); got != string(access.DepartmentsEdit) {
		t.Errorf("beyond heads: %s", got)
	}
}

// Lists and single questions agree: Scope keeps just the departments for which Decide says yes.
func TestScopeIsWhatDecideSays(t *testing.T) {
	paths := []string{"/1/", "/1/2/", "/1/2/5/", "/1/3/", "/1/22/", "/1/4/"}
	for _, m := range matrix {
		for _, column := range []string{"head", "deputy", "role", "other", "owner", "staff"} {
			a := person(column, m.right)
			a.Own, a.Duties = nil, nil
			for _, path := range paths {
				if a.Holds(m.right, path) != access.Can(a, m.right, access.Object{Path: path, ExternalPermanent: true}) && (m.right != access.ContactsSee && m.right != access.GroupSee) {
					t.Errorf("%s by %s at %s: Holds %v", m.right, column, path, a.Holds(m.right, path))
				}
			}
			where, args := access.Scope(a, m.right, "p")
			if (where == "1 = 0") != (len(a.Paths(m.right)) == 0) || len(args) != len(a.Paths(m.right)) {
				t.Errorf("%s by %s: %s %v", m.right, column, where, args)
			}
		}
	}
}

func TestCompleteIsClosedAndGrantable(t *testing.T) {
	for _, r := range access.GrantableRights() {
		all := access.Complete([]access.Right{r})
		if words(access.Complete(all)) != words(all) || !strings.Contains(words(all), string(r)) {
			t.Errorf("%s: %v", r, all)
		}
		for _, one := range all {
			if !access.Grantable(one) {
				t.Errorf("%s brings %s", r, one)
			}
		}
	}
	if got := access.Complete([]access.Right{access.OrganisationEdit, "x"}); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}
