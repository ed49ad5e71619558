package recert_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/fault"
	"doorplate/internal/recert"
	"doorplate/internal/testkit"
)

// A group that moves keeps what was confirmed; what is left is asked of the head it comes under. req: C52
func TestAMovedGroupKeepsWhatWasConfirmed(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w, ctx := newWorld(t, db), context.Background()
		whole, wholeGID, _, _ := w.room(w.Platform, w.Staff)
		part, partGID, _, codeID := w.room(w.Platform, w.Staff, w.OtherStaff)
		w.open()
		if _, err := w.everything(w.Head, wholeGID); err != nil {
			t.Fatal(err)
		}
		p, err := w.rounds.Pass(ctx, w.Head, partGID, 0)
		w.must(err)
		_, err = w.rounds.Confirm(ctx, w.Head, partGID, recert.Decisions{Round: p.Plan.Round.ID, KeepCodes: []int64{codeID}, Keep: []int64{p.Seats[0].ID}})
		w.must(err)
		w.must(db.Exec("UPDATE groups SET department_id = ? WHERE id IN ?", w.Marketing, []int64{whole, part}).Error)

		if p, err := w.rounds.Pass(ctx, w.OtherHead, wholeGID, 0); err != nil || p.Done == nil || p.Done.By != w.Head.Name {
			t.Errorf("asked anew, or not said who did it: %+v, %v", p.Done, err)
		}
		p, err = w.rounds.Pass(ctx, w.OtherHead, partGID, 0)
		w.must(err)
		if len(p.Seats) != 1 || len(p.Doors) != 0 {
			t.Errorf("the new head is asked for %d members and %d codes, want the one that is left", len(p.Seats), len(p.Doors))
		}
		if _, err := w.rounds.Pass(ctx, w.Head, partGID, 0); !errors.Is(err, fault.NotFound) {
			t.Errorf("the head of before still may: %v", err)
		}
		due, err := w.rounds.Due(ctx, w.OtherHead, false, "")
		w.must(err)
		if len(due.Lines) != 1 || due.Lines[0].GID != partGID {
			t.Errorf("%d groups wait for the new head", len(due.Lines))
		}
	})
}

// Removing somebody and taking it back changes nothing: who stood still stands still, who was confirmed is.
func TestTakingARemovalBackIsNoWayAroundARound(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w, ctx := newWorld(t, db), context.Background()
		id, gid, _, _ := w.room(w.Platform, w.Staff, w.OtherStaff)
		since := func() (at []string) {
			w.must(db.Raw("SELECT CAST(joined_at AS text) FROM memberships WHERE group_id = ? AND status = 'active' ORDER BY member_id", id).Scan(&at).Error)
			return at
		}
		before := since()
		r := w.open()
		p, err := w.rounds.Pass(ctx, w.Head, gid, 0)
		w.must(err)
		for _, s := range p.Seats {
			if s.Name == w.Staff.Name {
				_, err = w.rounds.Confirm(ctx, w.Head, gid, recert.Decisions{Round: p.Plan.Round.ID, Keep: []int64{s.ID}})
				w.must(err)
			}
		}
		w.clock.Add(r.DueAt.Sub(w.clock.Now()))
		for _, s := range p.Seats {
			w.must(w.groups.RemoveMember(ctx, w.Head, gid, fmt.Sprint(s.ID)))
			w.must(w.groups.Restore(ctx, w.Head, gid, fmt.Sprint(s.ID)))
		}
		if w.held(id, w.Staff) || !w.held(id, w.OtherStaff) {
			t.Errorf("the confirmed one stands still: %t, the other one: %t", w.held(id, w.Staff), w.held(id, w.OtherStaff))
		}
		if after := since(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("they are in since %v, were since %v", after, before)
		}
	})
}
