package directory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

func TestDepartEndsEverythingAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id, _ := o.w.Group(t, o.db, "平台技术交流群", group.Internal, group.Open, o.w.Platform, 10)
		o.exec("UPDATE groups SET owner_id = ?, member_count = 1 WHERE id = ?", o.w.Staff.MemberID, id)
		o.exec("INSERT INTO memberships (group_id, member_id, joined_at) VALUES (?, ?, ?)", id, o.w.Staff.MemberID, o.clock.Now())
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.Platform, o.w.Staff.MemberID)
		o.w.Code(t, o.db, id, "电梯厅立牌", nil, o.w.Staff.MemberID)

		before, err := o.PreviewDeparture(ctx, o.w.Head, o.w.Staff.MemberID)
		if err != nil {
			t.Fatal(err)
		}
		if o.count("SELECT member_count FROM groups WHERE id = ?", id) != 1 || !o.actor(o.w.Staff.MemberID).Head() {
			t.Fatal("looking at what would end ended it")
		}
		if err := o.Depart(ctx, o.w.Head, o.w.Staff.MemberID, "合同到期"); err != nil {
			t.Fatal(err)
		}
		p, err := o.Profile(ctx, o.w.Head, o.w.Staff.MemberID)
		if err != nil {
			t.Fatal(err)
		}
		want := "[{memberships 1} {heads 1} {roles 0}]"
		if p.Receipt == nil || fmt.Sprint(p.Receipt.Ended) != want || fmt.Sprint(before) != want {
			t.Errorf("foretold %v, receipt %+v, want %s", before, p.Receipt, want)
		}
		if p.DepartedBy != o.w.Head.Name || p.LiveCodes != 1 || len(p.Groups) != 1 || !p.Groups[0].Owner || p.CanEdit {
			t.Errorf("profile %+v", p)
		}
		if _, err := directory.LoadActor(o.db, o.w.Staff.MemberID, o.clock.Now()); !errors.Is(err, fault.NotFound) {
			t.Errorf("they still act: %v", err)
		}
		var c fault.Conflict
		if err := o.Depart(ctx, o.w.Super, o.w.Staff.MemberID, "again"); !errors.As(err, &c) || c.By != o.w.Head.Name || !c.At.Equal(o.clock.Now()) {
			t.Errorf("again: %v", err)
		}
		if _, err := o.CreateMember(ctx, o.w.Head, person("回来的人", "13800000005", o.w.Platform)); err != nil {
			t.Errorf("their phone cannot be used again: %v", err)
		}
	})
}

func TestWhoMayDepartWhom(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		wantNotFound(t, o.Depart(ctx, o.w.Head, o.w.OtherStaff.MemberID, "x"))
		wantForbidden(t, o.Depart(ctx, o.w.Staff, o.w.Staff.MemberID, "x"))
		wantInvalid(t, o.Depart(ctx, o.w.Head, o.w.Head.MemberID, "x"), "", "contacts.depart.self")
		wantInvalid(t, o.Depart(ctx, o.w.Super, o.w.Super.MemberID, "x"), "", "contacts.depart.self")
		wantInvalid(t, o.Depart(ctx, o.w.Head, o.w.Staff.MemberID, " \n "), "reason", "contacts.depart.reason.missing")
		if err := o.Depart(ctx, o.w.Super, o.w.Super2.MemberID, "x"); err != nil {
			t.Fatal(err)
		}
		wantInvalid(t, o.Depart(ctx, o.w.Super2, o.w.Super.MemberID, "x"), "", "contacts.depart.last")
	})
}

func TestTenDepartAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		results := together(10, func(i int) error {
			by := []access.Actor{o.w.Super, o.w.Super2, o.w.Head}[i%3]
			return o.Depart(ctx, by, o.w.Staff.MemberID, "x")
		})
		done := 0
		for _, err := range results {
			var c fault.Conflict
			if err == nil {
				done++
			} else if !errors.As(err, &c) || c.By == "" {
				t.Errorf("the others must learn who was first: %v", err)
			}
		}
		if done != 1 {
			t.Errorf("%d departures done, want 1", done)
		}
		if got := o.count("SELECT count(*) FROM audit_entries WHERE action = 'member.depart'"); got != 1 {
			t.Errorf("%d entries in the trail, want 1", got)
		}
	})
}

// Two super admins departing each other: one must stay.
func TestASuperAdminAlwaysRemains(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		together(2, func(i int) error {
			if i == 0 {
				return o.Depart(ctx, o.w.Super, o.w.Super2.MemberID, "x")
			}
			return o.Depart(ctx, o.w.Super2, o.w.Super.MemberID, "x")
		})
		if got := o.count("SELECT count(*) FROM members WHERE super_admin AND status = 'active'"); got != 1 {
			t.Errorf("%d super admins remain, want 1", got)
		}
	})
}

// together calls do n times at once.
func together(n int, do func(i int) error) []error {
	results := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			results[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	return results
}
