package code_test

import (
	"errors"
	"testing"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// A permanent code reaches no open group on one person's word: not by a target
// whose series has one, and not by regenerating one that leads there. req: A07
func TestAPermanentCodeReachesNoOpenGroupByItself(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		id := w.issue(code.Form{Validity: code.Permanent})
		first, gid := w.Group(t, w.db, "报名 1", group.Internal, group.Approval, w.Platform, 50)
		second, _ := w.Group(t, w.db, "报名 2", group.Internal, group.Open, w.Platform, 50)
		w.exec("INSERT INTO group_series (base_name, threshold, next_no, created_at) VALUES ('报名', 90, 3, ?)", w.clock.Now())
		w.exec("UPDATE groups SET series_id = (SELECT id FROM group_series), series_no = CASE id WHEN ? THEN 1 ELSE 2 END WHERE id IN ?", first, []int64{first, second})
		var forbidden fault.Forbidden
		if err := w.codes.AddTarget(ctx, w.Head, id, gid, 0); !errors.As(err, &forbidden) || forbidden.Right != "code.permanent.open" {
			t.Errorf("a head leads it to a series with an open group: %v", err)
		}
		w.invalid(w.codes.AddTarget(ctx, w.Super, id, gid, 0), "group")

		// With a second word it leads there; that word was for this code.
		w.exec("INSERT INTO code_targets (code_id, group_id, position) VALUES (?, ?, 1)", w.facts(id).ID, second)
		if _, err := w.codes.Regenerate(ctx, w.Head, id, "换"); !errors.As(err, &forbidden) || forbidden.Right != "code.permanent.open" {
			t.Errorf("a head regenerates it: %v", err)
		}
		if _, err := w.codes.Regenerate(ctx, w.Super, id, "换"); wrongAt(err, "") == "" {
			t.Errorf("a super admin regenerates it alone: %v", err)
		}
		if n := w.number("SELECT count(*) FROM codes"); n != 1 {
			t.Errorf("%d codes", n)
		}
	})
}
