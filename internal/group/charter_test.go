package group_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

var ctx = context.Background()

// policies are saved as a super admin would.
func (w world) policies(t *testing.T, pairs ...string) {
	t.Helper()
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	if err := directory.New(w.db, audit.New(testkit.Keys(), w.clock.Now), w.clock.Now).SavePolicies(ctx, w.Super, values); err != nil {
		t.Fatal(err)
	}
}

// now is the actor as the next request would see them.
func (w world) now(t *testing.T, a access.Actor) access.Actor {
	t.Helper()
	fresh, err := directory.LoadActor(w.db, a.MemberID, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func (w world) draft(kind string, department int64) group.Draft {
	return group.Draft{Name: "新群", Type: kind, DepartmentID: fmt.Sprint(department), Capacity: "300", Purpose: "一起做事"}
}

func field(err error, name string) string {
	var bad fault.Invalid
	if errors.As(err, &bad) {
		return bad[name].Key
	}
	return fmt.Sprint(err)
}

// The forms, checks and texts of a type are one table.
func TestWhatATypeForces(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for _, c := range []struct {
			kind                  string
			guests, archive, asks bool
			invite                string
		}{
			{group.Internal, false, false, false, ""}, {group.External, true, true, false, "charter.error.invite"}, {group.Training, true, false, true, ""},
		} {
			n := group.NatureOf(c.kind)
			g, err := w.groups.Create(ctx, w.Super, w.draft(c.kind, w.RD))
			if err != nil || g.Archive != c.archive || g.MembersInvite || g.Admits() != c.guests || n.Guests != c.guests || n.CodePassword != c.asks || n.CodeEnd != c.asks {
				t.Errorf("%s: %+v, %v", c.kind, g.Charter, err)
			}
			d := w.draft(c.kind, w.RD)
			d.MembersInvite = true
			if _, err := w.groups.Create(ctx, w.Super, d); field(err, "members_invite") != c.invite && (err != nil || c.invite != "") {
				t.Errorf("%s with members who invite: %v", c.kind, err)
			}
			d = w.draft(c.kind, w.RD)
			d.DepartmentID = ""
			if _, err := w.groups.Create(ctx, w.Super, d); field(err, "department_id") == "" {
				t.Errorf("%s without a department: %v", c.kind, err)
			}
		}
		// A type that is changed forces the same.
		_, gid := w.Group(t, w.db, "项目群", group.Internal, group.Approval, w.RD, 100)
		d := w.draft(group.External, w.RD)
		if err := w.groups.Save(ctx, w.Super, gid, d); err != nil {
			t.Fatal(err)
		}
		if g, _ := group.Load(w.db, gid); !g.Archive {
			t.Error("an external group's chat is not archived")
		}
		d.Archive, d.MembersInvite = false, true
		if err := w.groups.Save(ctx, w.Super, gid, d); field(err, "members_invite") != "charter.error.invite" {
			t.Errorf("members of an external group invite: %v", err)
		}
	})
}

func TestRealNames(t *testing.T) {
	for name, want := range map[string]bool{"李雷": true, "欧阳 娜娜": true, "阿卜杜拉·买买提": true, "Anne-Marie O’Neil": true, "J. R. Smith": true, "José": true,
		"": false, "李": false, "哈哈": false, "aaaa": false, "user": false, "匿名": false, "李雷1": false, "李_雷": false, "138000": false, "😀😀": false, "<b>李雷</b>": false} {
		if group.RealName(name) != want {
			t.Errorf("RealName(%q) = %v", name, !want)
		}
	}
}

func TestARemovalCanBeTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "平台群", group.Internal, group.Approval, w.Platform, 2)
		add := func(who access.Actor) string {
			t.Helper()
			if err := w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(who.MemberID), ""); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(w.number(t, "SELECT max(id) FROM memberships WHERE group_id = ?", id))
		}
		first := add(w.Staff)
		h, who, err := w.groups.Removing(ctx, w.Head, gid, first)
		if err != nil || who.Name != w.Staff.Name {
			t.Fatalf("%+v, %v", who, err)
		}
		if err := w.groups.RemoveMember(ctx, w.Head, gid, first); err != nil {
			t.Fatal(err)
		}
		if offered, err := w.groups.Undoable(ctx, w.Head, h); err != nil || len(offered) != 1 {
			t.Errorf("%d offered, %v", len(offered), err)
		}
		if offered, _ := w.groups.Undoable(ctx, w.Super, h); len(offered) != 0 {
			t.Error("offered to somebody else")
		}
		if err := w.groups.Restore(ctx, w.Super, gid, first); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("somebody else takes it back: %v", err)
		}
		done, conflicts, other := count(together(6, func(int) error { return w.groups.Restore(ctx, w.Head, gid, first) }))
		if done != 1 || conflicts != 5 || other != nil {
			t.Errorf("%d restored, %d came late, %v", done, conflicts, other)
		}
		if n := w.number(t, "SELECT member_count FROM groups WHERE id = ?", id); n != 1 {
			t.Errorf("%d seats taken", n)
		}
		second := fmt.Sprint(w.number(t, "SELECT max(id) FROM memberships WHERE group_id = ?", id))
		if err := w.groups.RemoveMember(ctx, w.Head, gid, second); err != nil {
			t.Fatal(err)
		}
		add(w.OtherStaff)
		add(w.Super2)
		if err := w.groups.Restore(ctx, w.Head, gid, second); !errors.As(err, new(fault.Conflict)) {
			t.Errorf("into a full group: %v", err)
		}
		w.clock.Add(group.UndoFor + time.Second)
		if err := w.groups.Restore(ctx, w.Head, gid, second); !errors.As(err, new(fault.Conflict)) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestAHandOverSaysWhatStops(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "平台群", group.Internal, group.Approval, w.Platform, 300)
		if err := w.db.Exec("UPDATE groups SET owner_id = ? WHERE id = ?", w.Staff.MemberID, id).Error; err != nil {
			t.Fatal(err)
		}
		until := w.clock.Now().AddDate(0, 0, 7)
		w.Code(t, w.db, id, "门口", &until, w.Staff.MemberID)
		w.Code(t, w.db, id, "前台", &until, w.Head.MemberID)
		v, err := w.groups.HandingOver(ctx, w.now(t, w.Staff), gid, "卢嘉", fmt.Sprint(w.OtherStaff.MemberID))
		if err != nil || v.Stopping != 1 || !v.OwnerIsOwn || v.To == nil || v.To.Name != w.OtherStaff.Name || len(v.Found) != 1 || v.Found[0].Department != "市场部" {
			t.Errorf("%+v, %v", v, err)
		}
		if err := w.db.Exec("UPDATE groups SET owner_id = ? WHERE id = ?", w.Head.MemberID, id).Error; err != nil {
			t.Fatal(err)
		}
		if v, err := w.groups.HandingOver(ctx, w.Head, gid, "", ""); err != nil || v.Stopping != 0 {
			t.Errorf("a head keeps the right to issue: %+v, %v", v, err)
		}
		if _, err := w.groups.HandingOver(ctx, w.OtherStaff, gid, "", ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
	})
}

func TestHints(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		said := func(gid string) (names string) {
			h, err := w.groups.ByID(ctx, w.Super, gid)
			if err != nil {
				t.Fatal(err)
			}
			a, err := w.groups.Aside(ctx, w.Super, h)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range a.Hints {
				names += fmt.Sprintf("%s %d ", x.Name, x.Count)
			}
			return names
		}
		until := w.clock.Now().AddDate(0, 0, 7)
		training, gid := w.Group(t, w.db, "训练营", group.Training, group.Approval, w.RD, 300)
		w.Code(t, w.db, training, "一", &until, w.Super.MemberID)
		w.Code(t, w.db, training, "二", nil, w.Super.MemberID)
		if got := said(gid); got != "password 2 endless 1 " {
			t.Errorf("training: %q", got)
		}
		external, gid := w.Group(t, w.db, "客户群", group.External, group.Approval, w.RD, 300)
		w.Code(t, w.db, external, "三", nil, w.Super.MemberID)
		if got := said(gid); got != "policy 1 " {
			t.Errorf("external: %q", got)
		}
		w.policies(t, "external_permanent", "on")
		if got := said(gid); got != "" {
			t.Errorf("external, allowed: %q", got)
		}
		internal, gid := w.Group(t, w.db, "大群", group.Internal, group.Approval, w.RD, 300)
		for _, c := range []struct {
			members int
			want    string
		}{{200, ""}, {201, "holders 1 "}} {
			w.db.Exec("UPDATE groups SET member_count = ? WHERE id = ?", c.members, internal)
			w.db.Exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'review'), (?, ?, 'content') ON CONFLICT DO NOTHING",
				internal, w.Staff.MemberID, internal, w.Staff.MemberID)
			if got := said(gid); got != c.want {
				t.Errorf("%d members: %q", c.members, got)
			}
		}
		for who, want := range map[*access.Actor]int{&w.Super: 1, &w.Head: 1, &w.OtherHead: 0, &w.Staff: 0} {
			if thin, err := w.groups.Understaffed(ctx, *who); err != nil || len(thin) != want {
				t.Errorf("%s is reminded of %d, %v", who.Name, len(thin), err)
			}
		}
		for _, who := range []access.Actor{w.Head, w.Super2} {
			if err := w.groups.ChangeDuty(ctx, w.Super, gid, fmt.Sprint(who.MemberID), "", "events", true); err != nil {
				t.Fatal(err)
			}
		}
		if got := said(gid); got != "" {
			t.Errorf("three share the duties: %q", got)
		}
		w.policies(t, "joining_off", "on")
		h, _ := w.groups.ByID(ctx, w.Super, gid)
		if a, _ := w.groups.Aside(ctx, w.Super, h); !a.JoiningOff {
			t.Error("the page does not know that all doors are closed")
		}
	})
}
