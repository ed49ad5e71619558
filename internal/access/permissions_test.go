package access_test

import (
	"errors"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const (
	own     = "/1/2/5/" // a department below the head's
	foreign = "/1/3/"
	groupID = 7
)

var tiers = map[string]access.Actor{
	"super":  {Kind: access.Member, MemberID: 1, Super: true},
	"head":   {Kind: access.Member, MemberID: 2, Led: []string{"/1/2/"}, Own: []string{"/1/2/"}},
	"owner":  duty(access.Owner),
	"review": duty(access.Review),
	"desk":   duty(access.Content),
	"staff":  {Kind: access.Member, MemberID: 3, Own: []string{own}},
	"guest":  {Kind: access.Guest, GuestID: 9},
	"keeper": {Kind: access.Member, MemberID: 5, Own: []string{"/1/4/"}, Keeps: []int64{groupID}},
}

func duty(d access.Duty) access.Actor {
	return access.Actor{Kind: access.Member, MemberID: 4, Own: []string{"/1/4/"}, Duties: map[int64]access.Duty{groupID: d}}
}

var order = []string{"super", "head", "owner", "review", "desk", "staff", "guest"}

// cells is the page "Who may do what" for one object in scope:
// y yes, a with approval, n no. One column per tier in order.
var cells = []struct {
	right access.Right
	on    access.Object
	want  string
}{
	{access.ContactsSee, access.Object{}, "y y y y y y n"},
	{access.MembersEdit, access.Object{}, "y y n n n n n"},
	{access.DepartmentsEdit, access.Object{}, "y n n n n n n"},
	{access.MemberDepart, access.Object{}, "y y n n n n n"},
	{access.HeadsAppoint, access.Object{}, "y n n n n n n"},
	{access.GroupCreate, access.Object{}, "y y n n n n n"},
	{access.GroupCreate, access.Object{External: true}, "y a n n n n n"},
	{access.GroupCreate, access.Object{UserStarted: true}, "y y n n n n n"},
	{access.GroupMove, access.Object{}, "y y n n n n n"},
	{access.GroupMove, access.Object{External: true}, "y a n n n n n"},
	{access.GroupConvert, access.Object{UserStarted: true}, "y y n n n n n"},
	{access.GroupRename, access.Object{}, "y y n n n n n"},
	{access.GroupRename, access.Object{UserStarted: true}, "y y y n n n n"},
	{access.GroupSettings, access.Object{}, "y y n n y n n"},
	{access.GroupEntry, access.Object{}, "y y n n y n n"},
	{access.GroupDisband, access.Object{}, "y y n n n n n"},
	{access.GroupDisband, access.Object{MovedIn: true}, "y n n n n n n"}, // req: D17
	{access.GroupHandOver, access.Object{}, "y y y n n n n"},
	{access.GroupDuties, access.Object{}, "y y y n n n n"},
	{access.GroupRoster, access.Object{}, "y y y y y n n"},
	{access.CodeTemporary, access.Object{}, "y y y n n n n"},
	{access.CodePermanent, access.Object{}, "y y n n n n n"},
	{access.CodePermanent, access.Object{UserStarted: true}, "n n n n n n n"},
	{access.CodePermanent, access.Object{External: true}, "n n n n n n n"},
	{access.CodePermanent, access.Object{External: true, ExternalPermanent: true}, "y n n n n n n"},
	{access.CodePermanent, access.Object{OpenToAll: true}, "a n n n n n n"},
	{access.CodeRevoke, access.Object{}, "y y y n n n n"},
	{access.CodeRevoke, access.Object{Permanent: true}, "y y n n n n n"},
	{access.CodeAdopt, access.Object{}, "y y n n n n n"},
	{access.CodeDownload, access.Object{}, "y y y y y n n"},
	{access.ScansSee, access.Object{}, "y y y y y n n"},
	{access.RequestsDecide, access.Object{}, "y y n y n n n"},
	{access.MemberAdd, access.Object{}, "y y n y n n n"},
	{access.ScansExport, access.Object{}, "y y y y y n n"},
	{access.FullExport, access.Object{}, "a n n n n n n"},
	{access.AuditRead, access.Object{}, "y y n n n n n"},
	{access.OrganisationEdit, access.Object{}, "y n n n n n n"},
	{access.ApprovalsDecide, access.Object{}, "y n n n n n n"},
	{access.SupersAppoint, access.Object{}, "a n n n n n n"},
	{access.RecertSee, access.Object{}, "y y n n n n n"},
	{access.RecertConfirm, access.Object{}, "y y n n n n n"},
	{access.RecertPlan, access.Object{}, "y n n n n n n"},
	{access.CasesSee, access.Object{}, "y y n n n n n"},
}

var verdicts = map[string]access.Verdict{"y": access.Allowed, "a": access.NeedsApproval, "n": access.Denied}

func TestEveryCell(t *testing.T) {
	for _, c := range cells {
		c.on.Path, c.on.GroupID = own, groupID
		for i, want := range strings.Fields(c.want) {
			if got := access.Decide(tiers[order[i]], c.right, c.on); got != verdicts[want] {
				t.Errorf("%s by %s on %+v = %d, want %s", c.right, order[i], c.on, got, want)
			}
		}
	}
}

// Who looks after a group's chat images may do that, and know that it exists.
func TestAKeeperKeepsOnlyImages(t *testing.T) {
	for _, c := range cells {
		c.on.Path, c.on.GroupID = own, groupID
		want := verdicts["n"]
		if c.right == access.GroupEntry || c.right == access.ContactsSee {
			want = access.Allowed
		}
		if got := access.Decide(tiers["keeper"], c.right, c.on); got != want {
			t.Errorf("%s = %d", c.right, got)
		}
	}
	if !access.Can(tiers["keeper"], access.GroupSee, access.Object{Path: own, GroupID: groupID}) {
		t.Error("the group is hidden from who keeps its images")
	}
	if err := access.Check(tiers["keeper"], access.GroupEntry, access.Object{Path: own, GroupID: 8}); !errors.Is(err, fault.NotFound) {
		t.Error("another group:", err)
	}
}

// Nobody but a super admin may do anything to a foreign object, nor learn of it.
func TestForeignObjectsDoNotExist(t *testing.T) {
	for _, c := range cells {
		c.on.Path, c.on.GroupID = foreign, 8
		for _, tier := range []string{"head", "owner", "review", "desk", "staff"} {
			if err := access.Check(tiers[tier], c.right, c.on); !errors.Is(err, fault.NotFound) {
				t.Errorf("%s by %s on a foreign object: %v", c.right, tier, err)
			}
		}
	}
}

// Inside one's own scope the answer names the missing right.
func TestOwnScopeIsToldWhatIsMissing(t *testing.T) {
	var f fault.Forbidden
	err := access.Check(tiers["staff"], access.GroupDisband, access.Object{Path: own, GroupID: groupID})
	if !errors.As(err, &f) || f.Right != string(access.GroupDisband) {
		t.Errorf("err = %v", err)
	}
	err = access.Check(tiers["staff"], access.GroupDisband, access.Object{Path: foreign, GroupID: 8, Joined: true})
	if !errors.As(err, &f) {
		t.Errorf("a member of the group: %v", err)
	}
}

func TestScope(t *testing.T) {
	where, args := access.Scope(tiers["head"], access.MembersEdit, "d.path")
	if where != "(d.path LIKE ?)" || len(args) != 1 || args[0] != "/1/2/%" {
		t.Errorf("%s %v", where, args)
	}
	if where, _ := access.Scope(tiers["staff"], access.MembersEdit, "d.path"); where != "1 = 0" {
		t.Error(where)
	}
	if where, args := access.Sight(tiers["staff"], "d.path"); where != "(1 = 0 OR d.path IN ?)" || len(args) != 1 {
		t.Error(where, args)
	}
}
