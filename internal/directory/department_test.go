package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

// office is the directory on one database, with the small organisation in it.
type office struct {
	*directory.Service
	t     *testing.T
	db    *gorm.DB
	w     testkit.World
	clock *testkit.Clock
}

var ctx = context.Background()

func onBoth(t *testing.T, test func(t *testing.T, o office)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := directory.New(db, audit.New(testkit.Keys(), clock.Now), clock.Now)
		s.OnDepart(directory.Effect{Key: "memberships", End: endMemberships})
		test(t, office{s, t, db, w, clock})
	})
}

var endMemberships = func(tx *gorm.DB, _ access.Actor, id int64, at time.Time) (int64, error) {
	return group.EndFor(tx, id, at, "departed")
}

func (o office) exec(query string, args ...any) {
	o.t.Helper()
	if err := o.db.Exec(query, args...).Error; err != nil {
		o.t.Fatal(err)
	}
}

func (o office) count(query string, args ...any) (n int) {
	o.t.Helper()
	if err := o.db.Raw(query, args...).Scan(&n).Error; err != nil {
		o.t.Fatal(err)
	}
	return n
}

// head is the head of 研发中心 as LoadActor reads them now.
func (o office) actor(id int64) access.Actor {
	o.t.Helper()
	a, err := directory.LoadActor(o.db, id, o.clock.Now())
	if err != nil {
		o.t.Fatal(err)
	}
	return a
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// wantInvalid fails unless err complains about field with the key.
func wantInvalid(t *testing.T, err error, field, key string) {
	t.Helper()
	var wrong fault.Invalid
	if !errors.As(err, &wrong) || wrong[field].Key != key {
		t.Errorf("err = %v, want %s on %q", err, key, field)
	}
}

func wantForbidden(t *testing.T, err error) {
	t.Helper()
	var no fault.Forbidden
	if !errors.As(err, &no) {
		t.Errorf("err = %v, want forbidden", err)
	}
}

func wantNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fault.NotFound) {
		t.Errorf("err = %v, want not found", err)
	}
}

func TestCreateDepartment(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id, err := o.CreateDepartment(ctx, o.w.Super, " 质量组 ", o.w.RD)
		if err != nil {
			t.Fatal(err)
		}
		var d directory.Department
		o.db.Take(&d, id)
		if want := fmt.Sprintf("%s%d/", o.w.RDPath, id); d.Path != want || d.Depth != 2 || d.Name != "质量组" {
			t.Errorf("created %+v, want path %s", d, want)
		}
		if id, err = o.CreateDepartment(ctx, o.w.Super, "财务部", 0); err != nil {
			t.Fatal(err)
		}
		if parent := o.count("SELECT parent_id FROM departments WHERE id = ?", id); int64(parent) != o.w.Root {
			t.Errorf("without a parent it hangs below %d, want the organisation", parent)
		}
		for name, key := range map[string]string{"": "missing", "质量组": "taken", strings.Repeat("长", 61): "long", "a/b": "slash"} {
			_, err := o.CreateDepartment(ctx, o.w.Super, name, o.w.RD)
			wantInvalid(t, err, "name", "contacts.department.name."+key)
		}
		_, err = o.CreateDepartment(ctx, o.w.Super, "平台组", o.w.Marketing)
		if err != nil {
			t.Errorf("the same name elsewhere: %v", err)
		}
		_, err = o.CreateDepartment(ctx, o.w.Head, "x", o.w.RD)
		wantForbidden(t, err)
		_, err = o.CreateDepartment(ctx, o.w.Head, "x", o.w.Marketing)
		wantNotFound(t, err)
		_, err = o.CreateDepartment(ctx, o.w.Super, "x", 9999)
		wantNotFound(t, err)
	})
}

func TestDepartmentsEndAtFifteenLevels(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		parent, top := o.w.Marketing, int64(0)
		for level := 3; level <= 15; level++ {
			id, err := o.CreateDepartment(ctx, o.w.Super, fmt.Sprint("level ", level), parent)
			if err != nil {
				t.Fatalf("level %d: %v", level, err)
			}
			if top == 0 {
				top = id
			}
			parent = id
		}
		_, err := o.CreateDepartment(ctx, o.w.Super, "level 16", parent)
		wantInvalid(t, err, "parent_id", "contacts.department.deep")
		wantInvalid(t, o.MoveDepartment(ctx, o.w.Super, top, o.w.Platform), "parent_id", "contacts.department.deep")
		if err := o.MoveDepartment(ctx, o.w.Super, top, o.w.RD); err != nil {
			t.Errorf("moving to the same depth: %v", err)
		}
	})
}

func TestMoveDepartmentTakesTheSubtreeAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		below, err := o.CreateDepartment(ctx, o.w.Super, "内核", o.w.Platform)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.MoveDepartment(ctx, o.w.Super, o.w.RD, o.w.Marketing); err != nil {
			t.Fatal(err)
		}
		var d directory.Department
		o.db.Take(&d, below)
		want := fmt.Sprintf("%s%d/%d/%d/", o.w.MarketingPath, o.w.RD, o.w.Platform, below)
		if d.Path != want || d.Depth != 4 || *d.ParentID != o.w.Platform {
			t.Errorf("below the moved one: %+v, want path %s, depth 4", d, want)
		}
		if a := o.actor(o.w.OtherHead.MemberID); !a.Leads(d.Path) {
			t.Error("the new head above does not lead it")
		}
		wantInvalid(t, o.MoveDepartment(ctx, o.w.Super, o.w.Marketing, below), "parent_id", "contacts.department.ring")
		wantInvalid(t, o.MoveDepartment(ctx, o.w.Super, o.w.RD, o.w.RD), "parent_id", "contacts.department.ring")
		wantInvalid(t, o.MoveDepartment(ctx, o.w.Super, o.w.Root, o.w.RD), "parent_id", "contacts.department.root.move")
		wantNotFound(t, o.MoveDepartment(ctx, o.w.Head, o.w.Marketing, o.w.Root))
	})
}

// Two moves at once, each harmless alone, must not make a ring.
func TestMovingIntoEachOtherAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for round := range 5 {
			a, err := o.CreateDepartment(ctx, o.w.Super, fmt.Sprint("a", round), 0)
			if err != nil {
				t.Fatal(err)
			}
			b, err := o.CreateDepartment(ctx, o.w.Super, fmt.Sprint("b", round), 0)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 2)
			go func() { done <- o.MoveDepartment(ctx, o.w.Super, a, b) }()
			go func() { done <- o.MoveDepartment(ctx, o.w.Super, b, a) }()
			first, second := <-done, <-done
			if (first == nil) == (second == nil) {
				t.Fatalf("both ended alike: %v, %v", first, second)
			}
		}
	})
}

func TestRenameDepartment(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.RenameDepartment(ctx, o.w.Super, o.w.RD, "研究院"); err != nil {
			t.Fatal(err)
		}
		wantInvalid(t, o.RenameDepartment(ctx, o.w.Super, o.w.RD, "市场部"), "name", "contacts.department.name.taken")
		wantInvalid(t, o.RenameDepartment(ctx, o.w.Super, o.w.Root, "别的"), "name", "contacts.department.root")
		wantForbidden(t, o.RenameDepartment(ctx, o.w.Head, o.w.RD, "我的"))
		wantNotFound(t, o.RenameDepartment(ctx, o.w.Head, o.w.Marketing, "我的"))
		if got := o.count("SELECT count(*) FROM audit_entries WHERE action = 'department.rename'"); got != 1 {
			t.Errorf("%d entries in the trail, want 1", got)
		}
	})
}

func TestDeleteDepartmentOnlyWhenEmpty(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		wantConflict := func(id int64, key string) {
			t.Helper()
			_, err := o.DeleteDepartment(ctx, o.w.Super, id)
			var c fault.Conflict
			if !errors.As(err, &c) || c.Key != "contacts.department."+key {
				t.Errorf("err = %v, want %s", err, key)
			}
		}
		wantConflict(o.w.Root, "root.delete")
		wantConflict(o.w.RD, "notempty.departments")
		wantConflict(o.w.Platform, "notempty.members")
		if err := o.Depart(ctx, o.w.Super, o.w.Staff.MemberID, "离开"); err != nil {
			t.Fatal(err)
		}
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.Platform, o.w.Head.MemberID)
		wantConflict(o.w.Platform, "notempty.heads")
		o.exec("DELETE FROM department_heads WHERE department_id = ?", o.w.Platform)
		id, _ := o.w.Group(t, o.db, "群", group.Internal, group.Open, o.w.Platform, 10)
		wantConflict(o.w.Platform, "notempty.groups")
		o.exec("DELETE FROM groups WHERE id = ?", id)
		parent, err := o.DeleteDepartment(ctx, o.w.Super, o.w.Platform)
		if err != nil || parent != o.w.RD {
			t.Errorf("deleted: parent %d, %v", parent, err)
		}
		_, err = o.DeleteDepartment(ctx, o.w.Super, o.w.Platform)
		wantNotFound(t, err)
	})
}

func TestHeads(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for range 2 {
			if err := o.AddHead(ctx, o.w.Super, o.w.Platform, itoa(o.w.Staff.MemberID), ""); err != nil {
				t.Fatal(err)
			}
		}
		if !o.actor(o.w.Staff.MemberID).Leads(o.w.PlatformPath) {
			t.Error("the new head does not lead")
		}
		if got := o.count("SELECT count(*) FROM audit_entries WHERE action = 'department.head.add'"); got != 1 {
			t.Errorf("%d entries for one appointment pressed twice", got)
		}
		if err := o.RemoveHead(ctx, o.w.Super, o.w.Platform, "", o.w.StaffPhone); err != nil {
			t.Fatal(err)
		}
		if o.actor(o.w.Staff.MemberID).Head() {
			t.Error("still a head")
		}
		wantForbidden(t, o.AddHead(ctx, o.w.Head, o.w.Platform, itoa(o.w.Staff.MemberID), ""))
		wantNotFound(t, o.AddHead(ctx, o.w.Head, o.w.Marketing, itoa(o.w.Staff.MemberID), ""))
		wantInvalid(t, o.AddHead(ctx, o.w.Super, o.w.RD, "9999", ""), "member_id", "settings.error.member")
		wantInvalid(t, o.AddHead(ctx, o.w.Super, o.w.RD, "", "13999999999"), "phone", "settings.error.member")
	})
}
