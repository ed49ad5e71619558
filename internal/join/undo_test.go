package join_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/testkit"
)

// decides presses one button and answers what became of the request.
func (r *room) decides(by access.Actor, d join.Decision, id int64) string {
	res, err := r.joins.Decide(context.Background(), by, d, id)
	if err != nil {
		return err.Error()
	}
	return res[0].Outcome
}

func (r *room) undoes(by access.Actor, id int64) error {
	_, err := r.joins.Undo(context.Background(), by, id, "按错了")
	return err
}

// settled fails the test when the seats, the requests and what was decided do not fit together.
func (r *room) consistent() {
	r.t.Helper()
	for query, what := range map[string]string{
		"SELECT count(*) FROM groups WHERE member_count > capacity OR member_count < 0":                                                                                                                                 "seats",
		"SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')":                                                                      "counts",
		"SELECT count(*) FROM memberships m JOIN join_requests q ON q.id = m.request_id WHERE m.status = 'active' AND q.status <> 'approved'":                                                                           "members without an approval",
		"SELECT count(*) FROM join_requests q WHERE q.status = 'approved' AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.request_id = q.id)":                                                                       "approvals without a membership",
		"SELECT count(*) FROM (SELECT request_id FROM request_decisions WHERE undone_at IS NULL GROUP BY request_id HAVING count(*) > 1) x":                                                                             "requests decided twice",
		"SELECT count(*) FROM join_requests q WHERE q.status = 'pending' AND EXISTS (SELECT 1 FROM request_decisions d WHERE d.request_id = q.id AND d.undone_at IS NULL)":                                              "decisions on what waits",
		"SELECT count(*) FROM join_requests q WHERE q.status IN ('approved', 'rejected') AND NOT EXISTS (SELECT 1 FROM request_decisions d WHERE d.request_id = q.id AND d.undone_at IS NULL AND d.outcome = q.status)": "states nobody decided",
	} {
		if n := r.count(query); n != 0 {
			r.t.Errorf("%s: %d", what, n)
		}
	}
}

func TestUndoPutsEverythingBack(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 1)
		code := r.code(g)
		cookie := r.scanned(code)
		v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookie, Proved: "+8613700000001"}, join.Form{Name: "访客"})
		r.must(err)
		id := v.Request.ID
		r.exec("INSERT INTO waiting_list (group_id, guest_id, name, created_at) SELECT group_id, guest_id, name, created_at FROM join_requests WHERE id = ?", id)
		r.clock.Add(time.Minute)
		if got := r.decides(r.w.Head, join.Decision{Approve: true, Reason: "欢迎", Until: "2030-01-01"}, id); got != "approved" {
			t.Fatal(got)
		}
		if n := r.count("SELECT count(*) FROM waiting_list WHERE ended_at IS NULL"); n != 0 {
			t.Fatal("still on the waiting list")
		}
		r.clock.Add(9 * time.Minute)
		r.must(r.undoes(r.w.Head, id))
		for query, want := range map[string]int{
			"SELECT member_count FROM groups": 0,
			"SELECT count(*) FROM memberships WHERE status = 'ended' AND ended_reason = 'undone' AND ended_by IS NOT NULL":                                        1,
			"SELECT count(*) FROM join_requests WHERE status = 'pending' AND decided_at IS NULL AND decided_by IS NULL AND reason = '' AND granted_until IS NULL": 1,
			"SELECT count(*) FROM waiting_list WHERE ended_at IS NULL AND ended_how = ''":                                                                         1,
			"SELECT stages FROM scans": 1,
			"SELECT CAST(coalesce(sum(joined), 0) AS integer) FROM scan_funnel":                                                                                         0,
			"SELECT CAST(coalesce(sum(requested), 0) AS integer) FROM scan_funnel":                                                                                      1,
			"SELECT count(*) FROM request_decisions WHERE undone_by IS NOT NULL AND undone_why = '按错了' AND reason = '欢迎' AND granted_until IS NOT NULL AND waited = 60": 1,
			"SELECT count(*) FROM audit_entries WHERE action = 'request.undo'":                                                                                          1,
		} {
			if got := r.count(query); got != want {
				t.Errorf("%s = %d, want %d", query, got, want)
			}
		}
		var at time.Time
		r.must(r.db.Raw("SELECT at FROM events WHERE kind = 'request.reopened' AND actor_id = ?", r.w.Head.MemberID).Row().Scan(&at))
		if !at.Equal(r.clock.Now()) {
			t.Errorf("reopened at %v", at)
		}
		var late fault.Conflict
		if err := r.undoes(r.w.Super, id); !errors.As(err, &late) || late.By != r.w.Head.Name {
			t.Errorf("taken back twice: %v", err)
		}
		if v, err := r.joins.At(context.Background(), cookie, nil); err != nil || v.State != join.StatePending {
			t.Errorf("the applicant sees %s, %v", v.State, err)
		}
		for _, approve := range []bool{false, true, false, true} { // again and again
			r.decides(r.w.Head, join.Decision{Approve: approve, Reason: "再想想"}, id)
			r.must(r.undoes(r.w.Head, id))
		}
		if got := r.decides(r.w.Head, join.Decision{Approve: true}, id); got != "approved" {
			t.Errorf("decided again: %s", got)
		}
		r.consistent()
	})
}

func TestWhoMayUndo(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		r.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", r.w.Platform, r.w.Staff.MemberID)
		low := r.w.Staff
		low.Led = []string{r.w.PlatformPath}
		g, _ := r.w.Group(t, r.db, "平台群", "external", "approval", r.w.Platform, 9)
		reviewer := r.w.OtherStaff
		reviewer.Duties = map[int64]access.Duty{g: access.Review}
		rejected := func(n int, by access.Actor) int64 {
			id := r.pending(g, n)
			if got := r.decides(by, join.Decision{Reason: "不行"}, id); got != "rejected" {
				t.Fatal(got)
			}
			return id
		}
		for n, c := range []struct {
			decider, undoer access.Actor
			want            string
		}{
			{low, low, ""}, {low, r.w.Head, ""}, {low, r.w.Super, ""}, {r.w.Head, low, "requests.undo"}, {r.w.Super, r.w.Head, "requests.undo"}, {r.w.Super, r.w.Super2, ""},
			{reviewer, reviewer, ""}, {low, reviewer, "requests.undo"}, {reviewer, low, ""}, {low, r.w.OtherHead, "404"},
		} {
			id := rejected(n, c.decider)
			err := r.undoes(c.undoer, id)
			var forbidden fault.Forbidden
			switch {
			case c.want == "404" && !errors.Is(err, fault.NotFound), c.want == "" && err != nil,
				c.want == "requests.undo" && (!errors.As(err, &forbidden) || string(forbidden.Right) != c.want):
				t.Errorf("%d: %s undoes %s: %v", n, c.undoer.Name, c.decider.Name, err)
			}
		}
		id := rejected(50, r.w.Head)
		r.clock.Add(10 * time.Minute)
		if err := r.undoes(r.w.Head, id); !errors.As(err, new(fault.Conflict)) {
			t.Errorf("after ten minutes: %v", err)
		}
		r.exec("INSERT INTO policies (name, value, updated_at) VALUES ('undo_minutes', '60', ?)", r.clock.Now())
		r.must(r.undoes(r.w.Head, id))
		own := r.asks(g, r.w.Head)
		r.decides(r.w.Super, join.Decision{Reason: "不行"}, own)
		if err := r.undoes(r.w.Head, own); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("one's own: %v", err)
		}
		r.consistent()
	})
}

// What has gone on since is left alone, and said.
func TestUndoComesTooLateForWhatWentOn(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 9)
		approved := func(n int) int64 {
			id := r.pending(g, n)
			r.decides(r.w.Head, join.Decision{Approve: true}, id)
			return id
		}
		refused := func(what string, id int64) {
			t.Helper()
			if err := r.undoes(r.w.Head, id); !errors.As(err, new(fault.Conflict)) {
				t.Errorf("%s: %v", what, err)
			}
		}
		left := approved(1)
		groups := group.New(r.db, audit.New(testkit.Keys(), r.clock.Now), r.clock.Now)
		r.must(groups.RemoveMember(context.Background(), r.w.Head, gid, fmt.Sprint(r.count("SELECT id FROM memberships WHERE request_id = ?", left))))
		refused("removed", left)
		again := r.pending(g, 2)
		r.decides(r.w.Head, join.Decision{Reason: "不行"}, again)
		r.exec("INSERT INTO join_requests (group_id, guest_id, name, created_at) SELECT group_id, guest_id, name, created_at FROM join_requests WHERE id = ?", again)
		refused("asked again", again)
		refused("waits", r.pending(g, 3))
		over := approved(4)
		r.must(groups.Disband(context.Background(), r.w.Super, gid, "结束", nil))
		refused("disbanded", over)
	})
}

// Undo beside the approval of the next, the applicant's departure, the group's
// end and another undo: each ends in one of the states that one after the other gives.
func TestUndoBesideEverythingElse(t *testing.T) {
	onTwoInstances(t, func(t *testing.T, s *storm) {
		for round := range 6 {
			g, gid := s.w.Group(t, s.db, fmt.Sprint("竞争群", round), "internal", "approval", s.w.RD, 1)
			id := s.asks(g, s.w.Staff)
			_, err := s.both[0].joins.Decide(context.Background(), s.w.Head, join.Decision{Approve: true}, id)
			s.must(err)
			next := s.asks(g, s.w.OtherStaff)
			ctx := context.Background()
			moves := []func(i instance) error{
				func(i instance) error { _, err := i.joins.Undo(ctx, s.w.Head, id, ""); return err },
				func(i instance) error { _, err := i.joins.Undo(ctx, s.w.Super, id, ""); return err },
				func(i instance) error {
					_, err := i.joins.Decide(ctx, s.w.Head, join.Decision{Approve: true}, next)
					return err
				},
				func(i instance) error {
					_, err := i.joins.Decide(ctx, s.w.Head, join.Decision{Approve: true}, id, next)
					return err
				},
			}
			if round%2 == 0 {
				moves = append(moves, func(i instance) error { return i.groups.Disband(ctx, s.w.Super, gid, "结束", nil) })
			}
			if round == 5 {
				moves = append(moves, func(i instance) error {
					return i.people.Depart(ctx, s.w.Super, s.w.Staff.MemberID, "离职")
				})
			}
			for what, n := range parallel(2*len(moves), func(i int) string { return calm(moves[i%len(moves)](s.both[i%2])) }) {
				if what != "" && what != "conflict" {
					t.Errorf("round %d: %s (%d)", round, what, n)
				}
			}
		}
		s.consistent()
	})
}

// calm is what a press may end in.
func calm(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.As(err, new(fault.Conflict)), errors.Is(err, fault.NotFound):
		return "conflict"
	}
	return err.Error()
}

// Fifty people decide many requests for few seats and take decisions back, over
// two instances: a group never has more members than seats, and at the end each
// request is decided once or waits.
func TestFiftyApproversAndUndo(t *testing.T) {
	onTwoInstances(t, func(t *testing.T, s *storm) {
		groups, ids := make([]int64, 4), []int64{}
		for i := range groups {
			groups[i], _ = s.w.Group(t, s.db, fmt.Sprint("客户群", i), "external", "approval", s.w.RD, 7)
		}
		for n := range 120 {
			ids = append(ids, s.pending(groups[n%4], n))
		}
		var over atomic.Int64
		stop := make(chan struct{})
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for {
				var n int64
				if s.both[0].db.Raw("SELECT count(*) FROM groups g WHERE (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active') > g.capacity").Scan(&n); n > 0 {
					over.Add(n)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		for what, n := range parallel(50, func(i int) string {
			for k := range 8 {
				at := (i*37 + k*53) % len(ids)
				joins := s.both[(i+k)%2].joins
				if (i+k)%3 == 0 {
					if what := calm(func() error { _, err := joins.Undo(context.Background(), s.w.Super, ids[at], ""); return err }()); what != "" && what != "conflict" {
						return what
					}
					continue
				}
				some := []int64{ids[at], ids[(at+11)%len(ids)], ids[(at+41)%len(ids)]}
				d := join.Decision{Approve: (i+k)%5 != 0, Reason: "满了"}
				if _, err := joins.Decide(context.Background(), s.w.Head, d, some...); err != nil {
					return err.Error()
				}
			}
			return ""
		}) {
			if what != "" {
				t.Errorf("%s (%d)", what, n)
			}
		}
		close(stop)
		<-watched
		if over.Load() > 0 {
			t.Error("more members than seats in between")
		}
		if n := s.count("SELECT count(*) FROM request_decisions WHERE undone_at IS NOT NULL"); n == 0 {
			t.Error("nothing was taken back: the storm shows nothing")
		}
		s.consistent()
	})
}
