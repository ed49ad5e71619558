package code_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

// settled looks at all prints in doubt and says how many stay in doubt.
func (w *world) settled() int64 {
	w.t.Helper()
	w.ok(w.codes.SettlePrints(ctx))
	return w.number("SELECT count(*) FROM code_copies WHERE doubtful AND printed_as <> '' AND removed_at IS NULL")
}

// stale are the serials that Prints lists, held against each copy's own page,
// which looks closely whatever the marks say.
func (w *world) stale(id string, copies int) (serials []int) {
	w.t.Helper()
	list, err := w.codes.Prints(ctx, w.Super, "")
	w.ok(err)
	for _, l := range list.Lines {
		serials = append(serials, l.Serial)
	}
	slices.Sort(serials)
	var truly []int
	for serial := range copies {
		if w.line(id, serial+1).Why != "" {
			truly = append(truly, serial+1)
		}
	}
	if !slices.Equal(serials, truly) {
		w.t.Errorf("copies %v are listed as stale, %v are", serials, truly)
	}
	return serials
}

// Once nothing is in doubt, each change of what stands on paper brings back the
// prints it concerns, and no others.
func TestWhatBringsAPrintBackIntoDoubt(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		people := directory.New(w.db, audit.New(testkit.Keys(), w.clock.Now), w.clock.Now)
		id := w.issue(code.Form{Validity: "30d"})
		_, _, err := w.codes.AddCopies(ctx, w.Super, id, code.CopyForm{Count: "3"})
		w.ok(err)
		w.print(id, 1, 2, 3)
		for _, c := range []struct {
			what         string
			change, back func()
			copies       []int
		}{
			{"the organisation's name", func() { w.exec("UPDATE organisation SET name = '新名'") }, func() { w.exec("UPDATE organisation SET name = '晨星科技'") }, []int{1, 2, 3}},
			{"the group's name", func() { w.exec("UPDATE groups SET name = '新群'") }, func() { w.exec("UPDATE groups SET name = '平台群'") }, []int{1, 2, 3}},
			{"the name of a department above", func() { w.ok(people.RenameDepartment(ctx, w.Super, w.RD, "新中心")) }, func() { w.ok(people.RenameDepartment(ctx, w.Super, w.RD, "研发中心")) }, []int{1, 2, 3}},
			{"a department that moved", func() { w.ok(people.MoveDepartment(ctx, w.Super, w.Platform, w.Marketing)) }, func() { w.ok(people.MoveDepartment(ctx, w.Super, w.Platform, w.RD)) }, []int{1, 2, 3}},
			{"another department", func() { w.ok(people.RenameDepartment(ctx, w.Super, w.Marketing, "别处")) }, func() { w.ok(people.RenameDepartment(ctx, w.Super, w.Marketing, "市场部")) }, nil},
			{"the group's department", func() { w.exec("UPDATE groups SET department_id = ?", w.RD) }, func() { w.exec("UPDATE groups SET department_id = ?", w.Platform) }, []int{1, 2, 3}},
			{"the end of the code", func() { w.exec("UPDATE codes SET valid_until = ?", w.clock.Now().Add(time.Hour).UTC()) }, func() { w.print(id, 1, 2, 3) }, []int{1, 2, 3}},
			{"one copy", func() { w.ok(w.codes.RevokeCopy(ctx, w.Super, id, 2, "被揭走")) }, func() { w.exec("UPDATE code_copies SET revoked_at = NULL") }, []int{2}},
			{"a copy that hangs again under a new name", func() {
				w.ok(w.codes.RemoveCopy(ctx, w.Super, id, 3, false))
				w.exec("UPDATE groups SET name = '新群'")
				w.settled()
				w.ok(w.codes.RemoveCopy(ctx, w.Super, id, 3, true))
			}, func() { w.exec("UPDATE groups SET name = '平台群'") }, []int{1, 2, 3}},
			{"the group's end", func() { w.exec("UPDATE groups SET status = 'disbanded'") }, func() { w.exec("UPDATE groups SET status = 'active'") }, []int{1, 2, 3}},
			{"the code's end", func() { w.exec("UPDATE codes SET revoked_at = ?", w.clock.Now().UTC()) }, func() { w.exec("UPDATE codes SET revoked_at = NULL") }, []int{1, 2, 3}},
		} {
			if n := w.settled(); n != 0 {
				t.Fatalf("before %s: %d prints stay in doubt though nothing is wrong with them", c.what, n)
			}
			c.change()
			if got := w.stale(id, 3); !slices.Equal(got, c.copies) {
				t.Errorf("%s: copies %v are stale, want %v", c.what, got, c.copies)
			}
			if n := w.settled(); n != int64(len(c.copies)) {
				t.Errorf("%s: %d stay in doubt after a close look, want %d", c.what, n, len(c.copies))
			}
			if got := w.stale(id, 3); !slices.Equal(got, c.copies) {
				t.Errorf("%s: after a close look copies %v are stale, want %v", c.what, got, c.copies)
			}
			c.back()
			if got := w.stale(id, 3); len(got) != 0 {
				t.Errorf("after %s was taken back: copies %v", c.what, got)
			}
		}
		w.settled()
		w.clock.Add(31 * 24 * time.Hour) // time alone sets no mark
		if got := w.stale(id, 3); len(got) != 3 {
			t.Errorf("an expired code's copies: %v", got)
		}
	})
}

// More prints than one look takes, of which some are stale.
func TestAllPrintsAreSettled(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{Validity: "30d"})
		var codeID = w.facts(id).ID
		w.print(id, 0)
		series := "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 4500) "
		w.exec(series+`INSERT INTO code_copies (code_id, serial, typed_code, created_at, created_by) SELECT ?, n, 'T' || n, ?, ? FROM i`, codeID, w.clock.Now().UTC(), w.Super.MemberID)
		w.exec("UPDATE code_copies SET printed_at = ?, printed_as = '{}'", w.clock.Now().UTC())
		w.print(id, 1)
		w.exec("UPDATE code_copies SET doubtful = true, printed_as = (SELECT k.printed_as FROM code_copies k WHERE k.serial = 1) WHERE serial > 1")
		w.exec("UPDATE code_copies SET revoked_at = ? WHERE serial IN (5, 2600, 4500)", w.clock.Now().UTC())
		if n := w.settled(); n != 3 {
			t.Errorf("%d stay in doubt, want 3", n)
		}
		if got := fmt.Sprint(w.number("SELECT sum(serial) FROM code_copies WHERE doubtful")); got != "7105" {
			t.Errorf("the wrong ones: %s", got)
		}
	})
}
