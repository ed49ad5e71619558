package code_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

type door struct {
	t     *testing.T
	w     testkit.World
	db    *gorm.DB
	codes *code.Service
	clock *testkit.Clock
}

func onDoors(t *testing.T, test func(t *testing.T, d door)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		codes := code.New(db, testkit.Keys(), audit.New(testkit.Keys(), clock.Now), clock.Now, "http://door.example")
		test(t, door{t, testkit.Org(t, db, clock), db, codes, clock})
	})
}

// order is the page's list of groups by name.
func (d door) order(publicID string) (text string) {
	d.t.Helper()
	p, err := d.codes.Targets(context.Background(), d.w.Super, publicID, "")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, target := range p.Targets {
		text += target.Name
	}
	return text
}

func kind(err error) string {
	var c fault.Conflict
	var i fault.Invalid
	var f fault.Forbidden
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &c):
		return "conflict"
	case errors.As(err, &i):
		return "invalid"
	case errors.As(err, &f):
		return "forbidden"
	case errors.Is(err, fault.NotFound):
		return "not found"
	}
	return err.Error()
}

func TestTargetsChangeWhileThePrintStays(t *testing.T) {
	onDoors(t, func(t *testing.T, d door) {
		ctx, head := context.Background(), d.w.Head
		own, ownGID := d.w.Group(t, d.db, "甲", "internal", "approval", d.w.RD, 10)
		_, b := d.w.Group(t, d.db, "乙", "internal", "approval", d.w.Platform, 10)
		_, c := d.w.Group(t, d.db, "丙", "internal", "open", d.w.RD, 10)
		_, foreign := d.w.Group(t, d.db, "外", "internal", "approval", d.w.Marketing, 10)
		external, externalGID := d.w.Group(t, d.db, "客", "external", "approval", d.w.RD, 10)
		ended, endedGID := d.w.Group(t, d.db, "散", "internal", "approval", d.w.RD, 10)
		d.db.Exec("UPDATE groups SET status = 'disbanded', disbanded_at = ?, disbanded_by = ? WHERE id = ?", d.clock.Now(), d.w.Super.MemberID, ended)
		until := d.clock.Now().AddDate(0, 0, 7)
		_, id := d.w.Code(t, d.db, own, "门口", &until, d.w.Super.MemberID)
		_, forever := d.w.Code(t, d.db, own, "大厅", nil, d.w.Super.MemberID)
		_, guests := d.w.Code(t, d.db, external, "展会", &until, d.w.Super.MemberID)
		for _, s := range []struct{ want, got string }{
			{"done", kind(d.codes.AddTarget(ctx, head, id, b, 0))},
			{"done", kind(d.codes.AddTarget(ctx, head, id, c, 2))},
			{"invalid", kind(d.codes.AddTarget(ctx, head, id, c, 0))},
			{"invalid", kind(d.codes.AddTarget(ctx, head, id, ownGID, 0))},
			{"invalid", kind(d.codes.AddTarget(ctx, head, id, "", 0))},
			{"not found", kind(d.codes.AddTarget(ctx, head, id, foreign, 0))},
			{"not found", kind(d.codes.AddTarget(ctx, head, id, "nonsense", 0))},
			{"conflict", kind(d.codes.AddTarget(ctx, head, id, endedGID, 0))},
			{"conflict", kind(d.codes.SetRoute(ctx, head, id, code.RouteOrder, 1))},
			{"invalid", kind(d.codes.SetRoute(ctx, head, id, "luck", 0))},
			{"done", kind(d.codes.SetRoute(ctx, head, id, code.RouteOrder, 3))},
			{"done", kind(d.codes.MoveTarget(ctx, head, id, c, true, 4))},
			{"done", kind(d.codes.MoveTarget(ctx, head, id, c, true, 0))},
			{"done", kind(d.codes.MoveTarget(ctx, head, id, ownGID, false, 0))},
			{"done", kind(d.codes.TuneTarget(ctx, head, id, ownGID, "7", fmt.Sprint(d.w.RD), 0))},
			{"invalid", kind(d.codes.TuneTarget(ctx, head, id, b, "0", "", 0))},
			{"invalid", kind(d.codes.TuneTarget(ctx, head, id, b, "1e9", "987654", 0))},
			{"invalid", kind(d.codes.RemoveTarget(ctx, head, id, ownGID, 0))},
			{"not found", kind(d.codes.RemoveTarget(ctx, head, id, foreign, 0))},
			{"not found", kind(d.codes.AddTarget(ctx, d.w.OtherHead, id, foreign, 0))},
			{"not found", kind(d.codes.SetRoute(ctx, d.w.Staff, forever, code.RouteOrder, 0))},
			// A code that does not expire leads where it could have been issued only.
			{"forbidden", kind(d.codes.AddTarget(ctx, d.w.Super, forever, externalGID, 0))},
			{"invalid", kind(d.codes.AddTarget(ctx, d.w.Super, forever, c, 0))},
			{"done", kind(d.codes.AddTarget(ctx, head, forever, b, 0))},
			{"done", kind(d.codes.AddTarget(ctx, head, guests, ownGID, 0))},
		} {
			if s.got != s.want {
				t.Errorf("%s, want %s", s.got, s.want)
			}
		}
		if got := d.order(id); got != "甲丙乙" {
			t.Errorf("order %s", got)
		}
		fresh, err := d.codes.Regenerate(ctx, head, id, "换新")
		if err != nil || d.order(fresh) != "甲丙乙" {
			t.Errorf("the new code leads to %s, %v", d.order(fresh), err)
		}
		var n int
		if d.db.Raw("SELECT count(*) FROM audit_entries WHERE action = 'code.targets'").Scan(&n); n != 7 {
			t.Errorf("%d changes in the trail", n)
		}
	})
}

// Of many who change one page, one is first; each of the others is told.
func TestOneOfManyPagesIsSaved(t *testing.T) {
	onDoors(t, func(t *testing.T, d door) {
		own, _ := d.w.Group(t, d.db, "甲", "internal", "approval", d.w.RD, 10)
		until := d.clock.Now().AddDate(0, 0, 7)
		_, id := d.w.Code(t, d.db, own, "门口", &until, d.w.Super.MemberID)
		gids := make([]string, 12)
		for i := range gids {
			_, gids[i] = d.w.Group(t, d.db, fmt.Sprint("群", i), "internal", "approval", d.w.RD, 10)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		actors := []access.Actor{d.w.Super, d.w.Super2, d.w.Head}
		for i, gid := range gids {
			wg.Go(func() {
				k := kind(d.codes.AddTarget(context.Background(), actors[i%3], id, gid, 1))
				mu.Lock()
				got[k]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if got["done"] != 1 || got["conflict"] != 11 {
			t.Errorf("%v", got)
		}
	})
}
