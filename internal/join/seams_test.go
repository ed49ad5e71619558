package join_test

import (
	"context"
	"testing"

	"doorplate/internal/group"
	"doorplate/internal/join"
)

// The next group of a series takes no guest once it is internal.
func TestASeriesLeadsNoGuestIntoAnInternalGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群 1", group.External, group.Approval, r.w.RD, 1)
		r.series(gid, "客户群", 100)
		first, second := r.pending(g, 1), r.pending(g, 2)
		decide := func(id int64) string {
			res, err := r.joins.Decide(context.Background(), r.w.Super, join.Decision{Approve: true}, id)
			r.must(err)
			return res[0].Outcome
		}
		if got := decide(first); got != join.Approved {
			t.Fatal(got)
		}
		r.exec("UPDATE groups SET type = 'internal' WHERE series_no = 2")
		if got := decide(second); got != join.Full {
			t.Errorf("a guest's request for the next, internal group: %s", got)
		}
		r.exec("UPDATE groups SET type = 'internal', capacity = 9 WHERE series_no = 1")
		if got := decide(second); got != join.Full {
			t.Errorf("a guest's request for a group that became internal: %s", got)
		}
		if n := r.count("SELECT count(*) FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.guest_id IS NOT NULL AND g.series_no = 2"); n != 0 {
			t.Error("a guest is in an internal group")
		}
	})
}

// Letting in somebody who waits fills a group as everything else does: its
// series grows at the threshold.
func TestLettingInGrowsTheSeries(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群 1", group.External, group.Approval, r.w.RD, 2)
		r.series(gid, "客户群", 50)
		r.exec("INSERT INTO waiting_list (group_id, guest_id, name, created_at) VALUES (?, ?, '访客', ?)", g, r.guest(1), r.clock.Now())
		r.must(r.joins.LetIn(context.Background(), r.w.Super, gid, int64(r.count("SELECT id FROM waiting_list"))))
		if n := r.count("SELECT count(*) FROM groups WHERE series_no = 2"); n != 1 {
			t.Error("the series did not grow")
		}
		r.whole(1)
	})
}
