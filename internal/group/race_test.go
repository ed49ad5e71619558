package group_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

type world struct {
	testkit.World
	db     *gorm.DB
	groups *group.Service
	clock  *testkit.Clock
}

func onBoth(t *testing.T, test func(t *testing.T, w world)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := world{World: testkit.Org(t, db, clock), db: db, clock: clock}
		w.groups = group.New(db, audit.New(testkit.Keys(), clock.Now), clock.Now)
		test(t, w)
	})
}

// together runs f n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var begin, end sync.WaitGroup
	begin.Add(1)
	for i := range n {
		end.Add(1)
		go func() {
			defer end.Done()
			begin.Wait()
			errs[i] = f(i)
		}()
	}
	begin.Done()
	end.Wait()
	return errs
}

func count(errs []error) (done, conflicts int, other error) {
	for _, err := range errs {
		var c fault.Conflict
		switch {
		case err == nil:
			done++
		case errors.As(err, &c):
			conflicts++
		default:
			other = err
		}
	}
	return done, conflicts, other
}

func (w world) number(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := w.db.Raw(query, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneOfManyDisbandsAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, gid := w.Group(t, w.db, "旧群", group.Internal, group.Approval, w.RD, 10)
		actors := []access.Actor{w.Super, w.Super2, w.Head}
		done, conflicts, err := count(together(12, func(i int) error {
			return w.groups.Disband(context.Background(), actors[i%3], gid, "结束", nil)
		}))
		if done != 1 || conflicts != 11 || err != nil {
			t.Errorf("%d did it, %d were told that somebody was first, %v", done, conflicts, err)
		}
		if n := w.number(t, "SELECT count(*) FROM audit_entries WHERE action = 'group.disband'"); n != 1 {
			t.Errorf("%d entries in the trail", n)
		}
	})
}

func TestSeatsAreNeverOversold(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "小群", group.Internal, group.Approval, w.RD, 5)
		members := make([]string, 20)
		for i := range members {
			members[i] = fmt.Sprint(w.number(t, `INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING id`,
				fmt.Sprint("人", i), fmt.Sprintf("+86139%08d", i), w.clock.Now(), w.clock.Now()))
		}
		done, conflicts, err := count(together(len(members), func(i int) error {
			return w.groups.AddMember(context.Background(), w.Head, gid, members[i], "")
		}))
		if done != 5 || conflicts != 15 || err != nil {
			t.Errorf("%d got in, %d were told it is full, %v", done, conflicts, err)
		}
		seats, taken := w.number(t, "SELECT member_count FROM groups WHERE id = ?", id), w.number(t, "SELECT count(*) FROM memberships WHERE group_id = ? AND status = 'active'", id)
		if seats != 5 || taken != 5 {
			t.Errorf("member_count = %d, memberships = %d", seats, taken)
		}
	})
}

func TestTheCapacityIsNotLoweredBelowThoseWhoCameInMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "群", group.Internal, group.Approval, w.RD, 3)
		ctx := context.Background()
		h, err := w.groups.ByID(ctx, w.Head, gid)
		if err != nil {
			t.Fatal(err)
		}
		d := group.DraftOf(h.Group, w.clock.Now().Location())
		d.Capacity = "1"
		together(3, func(i int) error {
			switch i {
			case 0:
				return w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(w.Staff.MemberID), "")
			case 1:
				return w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(w.Super.MemberID), "")
			}
			return w.groups.Save(ctx, w.Head, gid, d)
		})
		if n := w.number(t, "SELECT count(*) FROM groups WHERE id = ? AND member_count > capacity", id); n != 0 {
			t.Error("more people are in than the capacity allows")
		}
	})
}

func TestOneOfTwoFormsFromTheSameStateIsSaved(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, gid := w.Group(t, w.db, "群", group.Internal, group.Approval, w.RD, 3)
		ctx := context.Background()
		h, err := w.groups.ByID(ctx, w.Head, gid)
		if err != nil {
			t.Fatal(err)
		}
		done, conflicts, err := count(together(8, func(i int) error {
			d := group.DraftOf(h.Group, w.clock.Now().Location())
			d.Name = fmt.Sprint("新名 ", i)
			return w.groups.Save(ctx, w.Head, gid, d)
		}))
		if done != 1 || conflicts != 7 || err != nil {
			t.Errorf("%d saved, %d were told, %v", done, conflicts, err)
		}
	})
}

func TestADepartingMemberLosesDutiesAndOwnership(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, gid := w.Group(t, w.db, "群", group.Internal, group.Approval, w.RD, 3)
		ctx, staff := context.Background(), fmt.Sprint(w.Staff.MemberID)
		for _, err := range []error{
			w.groups.HandOver(ctx, w.Head, gid, staff, ""),
			w.groups.ChangeDuty(ctx, w.Head, gid, staff, "", "review", true),
			w.groups.ChangeDuty(ctx, w.Head, gid, staff, "", "content", true),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		owner, err := directory.LoadActor(w.db, w.Staff.MemberID, w.clock.Now())
		if err != nil || len(owner.Duties) != 1 {
			t.Fatalf("duties = %v, %v", owner.Duties, err)
		}
		if err := w.groups.ChangeDuty(ctx, owner, gid, fmt.Sprint(w.OtherStaff.MemberID), "", "events", true); err != nil {
			t.Errorf("an owner gives a duty: %v", err)
		}
		n, err := group.EndDuties(w.db, w.Super, w.Staff.MemberID, w.clock.Now())
		if err != nil || n != 3 {
			t.Errorf("ended %d, %v", n, err)
		}
		if after, err := directory.LoadActor(w.db, w.Staff.MemberID, w.clock.Now()); err != nil || len(after.Duties) != 0 {
			t.Errorf("duties = %v, %v", after.Duties, err)
		}
	})
}
