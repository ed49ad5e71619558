package operations_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/operations"
)

// Each of several groups goes by its own rights, and what became of it is kept.
func TestOnePressChangesManyGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		_, gidB := w.group("乙", group.Internal, group.Open, w.Platform, 50)
		_, gidC := w.group("丙", group.Internal, group.Approval, w.Marketing, 50)
		_, gidD := w.group("丁", group.Internal, group.Approval, w.RD, 50)
		w.Code(t, w.db, a, "永久", nil, w.Super.MemberID)
		w.must(w.groups.Disband(ctx, w.Head, gidD, "x", nil))
		all := []string{gidA, gidB, gidC, gidD, gidA, "nonsense", "a b"}
		id, err := w.ops.Change(ctx, w.Head, all, operations.Change{Kind: operations.KindMode, JoinMode: group.Open})
		w.must(err)
		r, err := w.ops.ByID(ctx, w.Head, id)
		w.must(err)
		got := map[string]string{}
		for _, row := range r.Rows {
			got[row.Name] = row.Outcome + " " + row.Why().Key
		}
		want := map[string]string{"甲": "refused groups.error.joinmode.permanent", "乙": "same ", "丁": "refused groups.error.disbanded"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
		for _, c := range []operations.Change{
			{Kind: operations.KindOwner, Phone: w.StaffPhone}, {Kind: operations.KindDuty, Phone: w.StaffPhone, Duty: "review"},
			{Kind: operations.KindMode, JoinMode: group.Off}, {Kind: operations.KindDisband, Reason: "结束"},
		} {
			id, err := w.ops.Change(ctx, w.Head, []string{gidA, gidB}, c)
			w.must(err)
			if r, err := w.ops.ByID(ctx, w.Head, id); err != nil || r.Count(operations.Done) != 2 {
				t.Errorf("%s: %+v, %v", c.Kind, r.Rows, err)
			}
		}
		if n := w.count("SELECT count(*) FROM groups WHERE status = 'disbanded'"); n != 3 {
			t.Errorf("%d are disbanded", n)
		}
		if n := w.count("SELECT count(*) FROM audit_entries WHERE action = 'group.batch.change'"); n != 5 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestWhatAChangeOfManyRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		_, gid := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		_, foreign := w.group("外", group.Internal, group.Approval, w.Marketing, 50)
		two := "2"
		for want, c := range map[string]operations.Change{
			"join_mode groups.error.joinmode": {Kind: operations.KindMode, JoinMode: "x"}, "owner_phone settings.error.member": {Kind: operations.KindOwner, Phone: "x"},
			"duty groups.error.duty": {Kind: operations.KindDuty, Phone: w.StaffPhone, Duty: "x"}, "department_id groups.error.department": {Kind: operations.KindMove, DepartmentID: fmt.Sprint(w.Marketing)},
			"reason groups.error.reason.empty": {Kind: operations.KindDisband}, "confirm_count operations.change.error.count": {Kind: operations.KindDisband, Reason: "x", Confirm: &two},
			"action operations.change.error.kind": {Kind: "x"},
		} {
			if _, err := w.ops.Change(ctx, w.Head, []string{gid}, c); wrongField(err) != want {
				t.Errorf("%+v: %v, want %s", c, err, want)
			}
		}
		mode := operations.Change{Kind: operations.KindMode, JoinMode: group.Off}
		if _, err := w.ops.Change(ctx, w.Head, []string{foreign}, mode); !errors.Is(err, fault.NotFound) {
			t.Errorf("a foreign group: %v", err)
		}
		if _, err := w.ops.Change(ctx, w.Head, nil, mode); wrongField(err) != "id operations.pick.error.none" {
			t.Errorf("nothing: %v", err)
		}
		many := make([]string, operations.Most+1)
		for i := range many {
			many[i] = fmt.Sprint("G", i)
		}
		if _, err := w.ops.Change(ctx, w.Head, many, mode); wrongField(err) != "id operations.pick.error.many" {
			t.Errorf("too many: %v", err)
		}
		if n := w.count("SELECT count(*) FROM audit_entries") + w.count("SELECT count(*) FROM group_batches"); n != 0 {
			t.Errorf("%d traces", n)
		}
	})
}

// A selection lasts over pages and holds only what one manages.
func TestASelectionOverPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		_, gidA := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		_, gidB := w.group("乙", group.External, group.Approval, w.Platform, 50)
		_, gidC := w.group("丙", group.Internal, group.Approval, w.Marketing, 50)
		names := func() (all string) {
			t.Helper()
			picked, err := w.ops.Picked(ctx, w.Head)
			w.must(err)
			for _, g := range picked {
				all += g.Name
			}
			return all
		}
		w.must(w.ops.Pick(ctx, w.Head, []string{gidA}, []string{gidA, gidC, "x y"}))
		w.must(w.ops.Pick(ctx, w.Head, []string{gidB}, []string{gidB}))
		if got := names(); len(got) != len("甲乙") {
			t.Errorf("picked %s", got)
		}
		w.must(w.ops.Pick(ctx, w.Head, []string{gidA, gidB}, []string{gidB}))
		if got := names(); got != "乙" {
			t.Errorf("picked %s", got)
		}
		w.must(w.ops.PickAll(ctx, w.Head, group.Filter{Type: group.Internal}))
		if got := names(); len(got) != len("甲乙") {
			t.Errorf("picked %s", got)
		}
		w.must(w.ops.Unpick(ctx, w.Head))
		if got := names(); got != "" {
			t.Errorf("picked %s", got)
		}
		for i := range operations.Most {
			w.group(fmt.Sprint("群", i), group.Internal, group.Approval, w.RD, 5)
		}
		if err := w.ops.PickAll(ctx, w.Head, group.Filter{}); wrongField(err) != "id operations.pick.error.many" {
			t.Errorf("all of too many: %v", err)
		}
	})
}

// Moving says beforehand whose hands change, and which codes stop. req: D17
func TestMovingGroupsToAnotherDepartment(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		_, gidB := w.group("乙", group.Internal, group.Approval, w.Marketing, 50)
		_, public := w.Code(t, w.db, a, "主管的", nil, w.Head.MemberID)
		w.must(w.ops.Pick(ctx, w.Super, nil, []string{gidA, gidB}))
		picked, err := w.ops.Picked(ctx, w.Super)
		w.must(err)
		m, err := w.ops.PreviewMove(ctx, w.Super, picked, fmt.Sprint(w.Marketing))
		w.must(err)
		if len(m.Lost) != 1 || m.Lost[0].PublicID != public || fmt.Sprint(m.Heads) != "[程远]" || len(m.Groups) != 2 {
			t.Errorf("%+v", m)
		}
		for _, g := range m.Groups {
			if g.GID == gidA && fmt.Sprint(g.Heads) != "[许一诺]" || g.GID == gidB && !g.Stays {
				t.Errorf("%+v", g)
			}
		}
		_, err = w.ops.Change(ctx, w.Super, []string{gidA, gidB}, operations.Change{Kind: operations.KindMove, DepartmentID: fmt.Sprint(w.Marketing)})
		w.must(err)
		f, err := code.LoadFacts(w.db, public)
		if err != nil || f.State(w.clock.Now()) != code.Suspended {
			t.Errorf("the code is %s, %v", f.State(w.clock.Now()), err)
		}
		var missing fault.Forbidden
		if err := w.groups.Disband(ctx, w.OtherHead, gidA, "x", nil); !errors.As(err, &missing) || missing.Right != "group.disband.created" {
			t.Errorf("the new head disbands it: %v", err)
		}
		h, err := w.groups.ByID(ctx, w.OtherHead, gidA)
		if err != nil || h.Can.Disband || !h.Can.Settings {
			t.Errorf("%+v, %v", h.Can, err)
		}
		w.must(w.groups.Disband(ctx, w.OtherHead, gidB, "x", nil))
		w.must(w.groups.Disband(ctx, w.Super, gidA, "x", nil))
	})
}

// Age and our own traces suggest a stage; a person may name another. req: C51, C53
func TestTheStageOfAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id, gid := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		until := w.clock.Now().AddDate(1, 0, 0)
		codeID, _ := w.Code(t, w.db, id, "门", &until, w.Super.MemberID)
		expect := func(stage string, quiet bool) {
			t.Helper()
			l, err := w.groups.Lifecycle(ctx, w.Head, gid)
			if err != nil || l.Now != stage || l.Quiet != quiet {
				t.Errorf("%d days: %s, quiet %v, %v; want %s, %v", l.Days, l.Now, l.Quiet, err, stage, quiet)
			}
			for _, s := range append([]string{"quiet"}, group.Stages...) {
				p, err := w.groups.List(ctx, w.Head, group.Filter{Stage: s})
				if err != nil || (len(p.Lines) == 1) != (s == stage || s == "quiet" && quiet) {
					t.Errorf("the list of %s has %d groups, %v", s, len(p.Lines), err)
				}
			}
		}
		day := 24 * time.Hour
		expect(group.StageNew, false)
		w.clock.Add(8 * day)
		expect(group.StageGrowing, false)
		w.clock.Add(7 * day)
		expect(group.StageGrowing, true)
		w.clock.Add(85 * day)
		expect(group.StageWinding, true)
		w.exec("INSERT INTO scan_days (code_id, day, live) VALUES (?, ?, 3)", codeID, w.clock.Now().Format(time.DateOnly))
		expect(group.StageMature, false)
		w.exec("UPDATE scan_days SET live = 2")
		expect(group.StageWinding, true)
		w.seat(id, w.clock.Now(), w.Staff.MemberID)
		expect(group.StageMature, false)
		w.clock.Add(500 * day)
		w.exec("UPDATE memberships SET joined_at = ?", w.clock.Now())
		expect(group.StageWinding, false)
		w.must(w.groups.SetStage(ctx, w.Head, gid, group.StageGrowing))
		expect(group.StageGrowing, false)
		w.must(w.groups.Tick(ctx, w.Head, gid, "growing.event", true))
		w.must(w.groups.Tick(ctx, w.Super, gid, "growing.event", true)) // the first stays its name
		l, err := w.groups.Lifecycle(ctx, w.Head, gid)
		w.must(err)
		for _, c := range l.Checks[group.StageGrowing] {
			if c.Done() != (c.Item == "growing.event") || c.Done() && c.By != w.Head.Name {
				t.Errorf("%+v", c)
			}
		}
		w.must(w.groups.Tick(ctx, w.Head, gid, "growing.event", false))
		for _, err := range []error{w.groups.SetStage(ctx, w.Head, gid, "x"), w.groups.Tick(ctx, w.Head, gid, "x", true)} {
			var bad fault.Invalid
			if !errors.As(err, &bad) {
				t.Error(err)
			}
		}
		if n := w.count("SELECT count(*) FROM audit_entries"); n != 3 {
			t.Errorf("%d entries", n)
		}
		if err := w.groups.SetStage(ctx, w.OtherHead, gid, group.StageNew); !errors.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}
