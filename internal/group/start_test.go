package group_test

import (
	"errors"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

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
