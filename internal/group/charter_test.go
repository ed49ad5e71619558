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

// Who may make which group under each pair of policies: y at once, a with a
// super admin's word, n not at all. One column per reader: super, head, staff of
// the department, staff of another.
func TestWhoMayMakeGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for _, c := range []struct{ staff, all, kind, want string }{
			{"off", "on", "internal", "y y n n"}, {"off", "on", "external", "y a n n"}, {"off", "on", "training", "y y n n"},
			{"approval", "on", "internal", "y y a n"}, {"approval", "on", "external", "y a n n"},
			{"on", "on", "internal", "y y y n"}, {"on", "on", "external", "y a n n"}, {"on", "on", "training", "y y n n"},
			{"on", "approval", "internal", "y a a n"}, {"on", "approval", "external", "y a n n"}, {"off", "approval", "training", "y a n n"},
			{"on", "off", "internal", "y n n n"}, {"approval", "off", "external", "y n n n"},
		} {
			w.policies(t, "staff_groups", c.staff, "group_creation", c.all)
			got := ""
			for _, who := range []access.Actor{w.Super, w.Head, w.Staff, w.OtherStaff} {
				g, err := w.groups.Create(ctx, w.now(t, who), w.draft(c.kind, w.Platform))
				switch {
				case err == nil:
					got += "y "
					if wantsUser := who.MemberID == w.Staff.MemberID; wantsUser != (g.Origin == group.ByUser) {
						t.Errorf("%v: origin %s of %s", c, g.Origin, who.Name)
					}
				case errors.Is(err, group.ErrNeedsApproval):
					got += "a "
				default:
					got += "n "
				}
			}
			if got != c.want+" " {
				t.Errorf("%+v: %s", c, got)
			}
		}
	})
}

func TestAStartedGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.policies(t, "staff_groups", "on")
		g, err := w.groups.Create(ctx, w.now(t, w.Staff), w.draft(group.Internal, w.Platform))
		if err != nil {
			t.Fatal(err)
		}
		staff := w.now(t, w.Staff)
		if g.OwnerID == nil || *g.OwnerID != staff.MemberID || staff.Duties[g.ID] != access.Owner|access.Review|access.Content|access.Events {
			t.Errorf("owner %v, duties %v", g.OwnerID, staff.Duties)
		}
		if n := w.number(t, "SELECT member_count FROM groups WHERE id = ?", g.ID); n != 1 {
			t.Errorf("%d members", n)
		}
		within := directory.Within(access.GroupCreate)
		within.Own = true
		homes, err := directory.New(w.db, audit.New(testkit.Keys(), w.clock.Now), w.clock.Now).Choose(ctx, staff, within, nil, "")
		if err != nil || len(homes.Few) != 1 || homes.Few[0].ID != w.Platform {
			t.Errorf("homes %v, %v", homes, err)
		}
		rename := func(by access.Actor, name string) error {
			d := w.draft(group.Internal, w.Platform)
			d.Name = name
			return w.groups.Save(ctx, by, g.GID, d)
		}
		if err := rename(staff, "我们的群"); err != nil {
			t.Errorf("the owner renames: %v", err)
		}
		// Moving is no part of starting.
		d := w.draft(group.Training, w.Platform)
		d.Name = "我们的群"
		var forbidden fault.Forbidden
		if err := w.groups.Save(ctx, staff, g.GID, d); !errors.As(err, &forbidden) || forbidden.Right != "group.move" {
			t.Errorf("the owner changes the type: %v", err)
		}
		if err := w.groups.Convert(ctx, staff, g.GID); !errors.As(err, &forbidden) {
			t.Errorf("the owner converts: %v", err)
		}
		if err := w.groups.Convert(ctx, w.OtherHead, g.GID); !errors.Is(err, fault.NotFound) {
			t.Errorf("another head converts: %v", err)
		}
		done, conflicts, other := count(together(8, func(int) error { return w.groups.Convert(ctx, w.Head, g.GID) }))
		if done != 1 || conflicts != 7 || other != nil {
			t.Errorf("%d converted, %d came late, %v", done, conflicts, other)
		}
		if err := rename(w.now(t, w.Staff), "别的名字"); !errors.As(err, &forbidden) || forbidden.Right != "group.rename" {
			t.Errorf("the owner renames a group of the organisation: %v", err)
		}
		// Losing the policy is losing the right, at once.
		w.policies(t, "staff_groups", "off")
		if _, err := w.groups.Create(ctx, w.now(t, w.Staff), w.draft(group.Internal, w.Platform)); !errors.As(err, &forbidden) {
			t.Errorf("started against the policy: %v", err)
		}
	})
}

// A series makes groups: who may not, starts none, but may end one.
func TestASeriesIsCreation(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, gid := w.Group(t, w.db, "客户群 1", group.Internal, group.Approval, w.RD, 100)
		if err := w.groups.StartSeries(ctx, w.now(t, w.Head), gid, "客户群", "90"); err != nil {
			t.Fatal(err)
		}
		w.policies(t, "group_creation", "off")
		head := w.now(t, w.Head)
		if err := w.groups.StartSeries(ctx, head, gid, "客户群", "80"); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("started: %v", err)
		}
		h, err := w.groups.ByID(ctx, head, gid)
		if err != nil || h.Can.Series || !h.Can.Move {
			t.Errorf("%+v, %v", h.Can, err)
		}
		if err := w.groups.StopSeries(ctx, head, gid); err != nil {
			t.Errorf("ended: %v", err)
		}
	})
}

func TestNoCreationFromAPhone(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		phone, desk := w.Super, w.Super
		phone.Device = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0"
		desk.Device = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126 Safari/537.36"
		if _, err := w.groups.Create(ctx, phone, w.draft(group.Internal, w.RD)); err != nil {
			t.Errorf("without the policy: %v", err)
		}
		w.policies(t, "no_mobile_creation", "on")
		var forbidden fault.Forbidden
		if _, err := w.groups.Create(ctx, phone, w.draft(group.Internal, w.RD)); !errors.As(err, &forbidden) || forbidden.Right != "create.phone" {
			t.Errorf("from a phone: %v", err)
		}
		if _, err := w.groups.Create(ctx, desk, w.draft(group.Internal, w.RD)); err != nil {
			t.Errorf("from a desk: %v", err)
		}
	})
}

func TestRulesHaveVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "平台群", group.Internal, group.Approval, w.Platform, 300)
		save := func(by access.Actor, text string, version int, again bool) error {
			return w.groups.SaveRules(ctx, by, gid, text, version, again)
		}
		if err := save(w.Staff, "规则", 0, false); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("staff write rules: %v", err)
		}
		if err := save(w.OtherHead, "规则", 0, false); !errors.Is(err, fault.NotFound) {
			t.Errorf("another head writes rules: %v", err)
		}
		for i, text := range []string{"互相尊重", " 互相尊重\r\n不发广告 ", "互相尊重\n不发广告"} { // the last is the second without what surrounds it
			if err := save(w.Head, text, min(i, 2), false); err != nil {
				t.Fatal(i, err)
			}
		}
		g, _ := group.Load(w.db, gid)
		rules, err := group.RulesOf(w.db, g)
		if err != nil || rules.Version != 2 || rules.Text != "互相尊重\n不发广告" || rules.Hash != group.Digest(rules.Text) {
			t.Errorf("%+v, %v", rules, err)
		}
		var stale fault.Conflict
		if err := save(w.Super, "别的", 1, false); !errors.As(err, &stale) || stale.By != w.Head.Name || stale.At.IsZero() {
			t.Errorf("written over another's: %v", err)
		}
		errs := together(8, func(i int) error { return save(w.Head, fmt.Sprint("并发", i), 2, false) })
		if done, conflicts, other := count(errs); done != 1 || conflicts != 7 || other != nil {
			t.Errorf("%d saved, %d came late, %v", done, conflicts, other)
		}
		g, _ = group.Load(w.db, gid)
		rules, _ = group.RulesOf(w.db, g)
		if err := w.groups.AcceptRules(ctx, w.Staff, gid, rules.Token()); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("agreed from outside: %v", err)
		}
		if err := w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(w.Staff.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		me := group.Person{MemberID: &w.Staff.MemberID}
		if _, due, _ := group.Agreed(w.db, g, me); !due {
			t.Error("who was added is not asked")
		}
		if err := w.groups.AcceptRules(ctx, w.Staff, gid, "1"); !errors.As(err, &stale) {
			t.Errorf("agreed to an old version: %v", err)
		}
		for range 2 { // once, however often
			if err := w.groups.AcceptRules(ctx, w.Staff, gid, rules.Token()); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM rule_acceptances WHERE group_id = ? AND version = 3 AND hash = ? AND member_id = ?", id, rules.Hash, w.Staff.MemberID); n != 1 {
			t.Errorf("%d rows of evidence", n)
		}
		if err := save(w.Head, "第四版", 3, false); err != nil {
			t.Fatal(err)
		}
		g, _ = group.Load(w.db, gid)
		if v, due, _ := group.Agreed(w.db, g, me); v != 3 || due {
			t.Errorf("agreed to %d, asked again without that being wished: %v", v, due)
		}
		if err := save(w.Head, "第五版", 4, true); err != nil {
			t.Fatal(err)
		}
		g, _ = group.Load(w.db, gid)
		if _, due, _ := group.Agreed(w.db, g, me); !due {
			t.Error("not asked again")
		}
		page, err := w.groups.Rules(ctx, w.Head, gid)
		if err != nil || len(page.Versions) != 5 || page.Versions[2].Accepted != 1 || len(page.Evidence) != 1 {
			t.Errorf("%d versions, %d rows, %v", len(page.Versions), len(page.Evidence), err)
		}
		if page, err := w.groups.Rules(ctx, w.Staff, gid); err != nil || len(page.Evidence) != 0 || len(page.Versions) != 0 || page.Aside.Rules == nil || !page.Due {
			t.Errorf("a member's page: %+v, %v", page.Aside, err)
		}
		if err := save(w.Head, "", 5, false); err != nil {
			t.Fatal(err)
		}
		if err := save(w.Head, "又有了", 0, false); err != nil {
			t.Fatal(err)
		}
		if g, _ = group.Load(w.db, gid); g.RulesVersion != 6 {
			t.Errorf("version %d after none", g.RulesVersion)
		}
	})
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
