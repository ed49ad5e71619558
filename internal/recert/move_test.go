package recert_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

func TestSwitchingOffAndOnAgain(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		ctx := context.Background()
		_, _, public, _ := w.room(w.Platform, w.Staff)
		w.open()
		w.clock.Add(15 * day)
		if w.state(public) != code.Suspended {
			t.Fatal("not suspended")
		}
		w.must(w.dir.SavePolicies(ctx, w.Super, map[string]string{"recert_days": "0"}))
		if w.state(public) != code.Live {
			t.Error("suspended though rounds are switched off")
		}
		w.tend()
		w.must(w.dir.SavePolicies(ctx, w.Super, map[string]string{"recert_days": "30"}))
		w.tend()
		if w.state(public) != code.Live {
			t.Error("an old round came back")
		}
		w.must(w.dir.SavePolicies(ctx, w.Super, map[string]string{"recert_days": "10", "recert_grace_days": "5"}))
		w.tend()
		if r := w.open(); r.DueAt.Sub(r.OpensAt) != 5*day {
			t.Errorf("the plan does not follow the policy: %v", r.DueAt.Sub(r.OpensAt))
		}
	})
}

func TestASuperAdminStartsAndMoves(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		ctx := context.Background()
		_, gid, public, _ := w.room(w.Platform, w.Staff)
		w.tend()
		w.clock.Add(time.Hour)
		var forbidden fault.Forbidden
		if err := w.rounds.Start(ctx, w.Head); !errors.As(err, &forbidden) {
			t.Errorf("a head starts a round: %v", err)
		}
		w.must(w.rounds.Start(ctx, w.Super))
		w.conflict(w.rounds.Start(ctx, w.Super2))
		p, err := w.rounds.Plan(db)
		w.must(err)
		if p.Round == nil || p.Next != nil {
			t.Fatalf("plan %+v", p)
		}
		was := p.Round.DueAt.In(p.Zone).Format(time.DateOnly)
		for _, bad := range []string{"", "x", "2020-01-01", "2999-01-01"} {
			var invalid fault.Invalid
			if err := w.rounds.Move(ctx, w.Super, p.Round.ID, was, bad); !errors.As(err, &invalid) {
				t.Errorf("moved to %q: %v", bad, err)
			}
		}
		w.clock.Add(15 * day)
		if w.state(public) != code.Suspended {
			t.Fatal("not suspended")
		}
		w.tend()
		later := w.clock.Now().AddDate(0, 0, 3).Format(time.DateOnly)
		w.must(w.rounds.Move(ctx, w.Super, p.Round.ID, was, later))
		if w.state(public) != code.Live {
			t.Error("still suspended after the date was moved")
		}
		if c := w.conflict(w.rounds.Move(ctx, w.Super2, p.Round.ID, was, later)); c.By != w.Super.Name {
			t.Errorf("the second learns of %q", c.By)
		}
		w.clock.Add(5 * day)
		if w.state(public) != code.Suspended {
			t.Error("works after the moved date")
		}
		if _, err := w.everything(w.Head, gid); err != nil {
			t.Error(err)
		}
		r, err := w.rounds.Record(ctx, w.Head, p.Round.ID, true, 0)
		w.must(err)
		if len(r.Entries) != 1 || r.Entries[0].At == nil {
			t.Errorf("the record of who was late: %+v", r.Entries)
		}
		r, err = w.rounds.Record(ctx, w.Head, p.Round.ID, false, 0)
		w.must(err)
		if len(r.Entries) != 1 || r.Entries[0].By != w.Head.Name || r.Entries[0].Members != 1 || r.Entries[0].Codes != 1 {
			t.Errorf("the record of who confirmed: %+v", r.Entries)
		}
		if r, err = w.rounds.Record(ctx, w.OtherHead, p.Round.ID, false, 0); err != nil || len(r.Entries) != 0 {
			t.Errorf("another head reads %+v, %v", r.Entries, err)
		}
		if h, err := w.rounds.History(ctx, w.Head, 0); err != nil || len(h.Rounds) != 1 {
			t.Errorf("%d rounds, %v", len(h.Rounds), err)
		}
	})
}
