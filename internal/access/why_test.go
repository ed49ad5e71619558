package access_test

import (
	"slices"
	"testing"

	"doorplate/internal/access"
)

func TestExplain(t *testing.T) {
	at := func(o access.Object) access.Object {
		o.Path, o.GroupID = own, groupID
		return o
	}
	for _, c := range []struct {
		who    string
		right  access.Right
		on     access.Object
		want   access.Verdict
		lacks  bool
		causes []access.Cause
	}{
		{"head", access.GroupDisband, access.Object{}, access.Allowed, false, nil},
		{"head", access.GroupCreate, access.Object{External: true}, access.NeedsApproval, false, nil},
		{"staff", access.GroupDisband, access.Object{}, access.Denied, true, nil},
		{"head", access.CodePermanent, access.Object{UserStarted: true}, access.Denied, false, []access.Cause{access.ByUser}},
		{"head", access.CodePermanent, access.Object{External: true}, access.Denied, false, []access.Cause{access.Outside}},
		{"head", access.CodePermanent, access.Object{External: true, OpenToAll: true}, access.Denied, false, []access.Cause{access.Outside, access.Door}},
		{"head", access.CodePermanent, access.Object{OpenToAll: true}, access.Denied, false, []access.Cause{access.Door}},
		{"super", access.CodePermanent, access.Object{External: true}, access.Denied, false, []access.Cause{access.Policy}},
		{"super", access.CodePermanent, access.Object{UserStarted: true, External: true}, access.Denied, false, []access.Cause{access.ByUser, access.Policy}},
		{"super", access.CodePermanent, access.Object{OpenToAll: true}, access.NeedsApproval, false, nil},
		{"staff", access.CodePermanent, access.Object{UserStarted: true}, access.Denied, true, []access.Cause{access.ByUser}},
		{"owner", access.GroupRename, access.Object{}, access.Denied, false, []access.Cause{access.ByAdmin}},
		{"owner", access.CodeRevoke, access.Object{Permanent: true}, access.Denied, false, []access.Cause{access.Lasting}},
		{"head", access.ApprovalsDecide, access.Object{}, access.Denied, true, nil},
	} {
		got := access.Explain(tiers[c.who], c.right, at(c.on))
		if got.Verdict != c.want || got.Lacks != c.lacks || !slices.Equal(got.Causes, c.causes) {
			t.Errorf("%s of %s on %+v: %+v", c.right, c.who, c.on, got)
		}
	}
}

func TestExplainNamesThePolicyAboutMakingGroups(t *testing.T) {
	head, staff := tiers["head"], tiers["staff"]
	head.Creation.Limit = access.Closed
	for name, a := range map[string]access.Actor{"head": head, "staff": staff} {
		got := access.Explain(a, access.GroupCreate, access.Object{Path: own})
		if got.Lacks || !slices.Equal(got.Causes, []access.Cause{access.Making}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := access.Explain(tiers["head"], access.GroupDisband, access.Object{Path: own, GroupID: groupID, MovedIn: true}); !slices.Equal(got.Causes, []access.Cause{access.Moved}) {
		t.Errorf("moved in: %+v", got)
	}
}

// An explanation never says anything else than the table, and a refusal always has a reason.
func TestExplainFollowsTheTable(t *testing.T) {
	for _, c := range cells {
		c.on.Path, c.on.GroupID = own, groupID
		for name, a := range tiers {
			got := access.Explain(a, c.right, c.on)
			if got.Verdict != access.Decide(a, c.right, c.on) || (got.Verdict == access.Denied) != (got.Lacks || len(got.Causes) > 0) {
				if name != "guest" {
					t.Errorf("%s of %s on %+v: %+v", c.right, name, c.on, got)
				}
			}
		}
	}
}

func TestBase(t *testing.T) {
	for name, want := range map[string]access.Right{
		"code.permanent": access.CodePermanent, "code.permanent.external": access.CodePermanent, "requests.own": access.RequestsDecide,
		"approvals.withdraw": access.ApprovalsDecide, "": "", "x": "", "code": "", "code.": "", ".": "",
	} {
		if got, known := access.Base(name); got != want || known != (want != "") {
			t.Errorf("%q: %q", name, got)
		}
	}
}
