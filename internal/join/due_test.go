package join_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/join"
)

// told lists the clock's facts about a request, in order.
func (r *room) told(id int64) (kinds []string) {
	r.t.Helper()
	r.must(r.db.Raw("SELECT kind FROM events WHERE request_id = ? AND kind IN (?, ?, ?) ORDER BY id", id, events.Due, events.Overdue, events.Escalated).Scan(&kinds).Error)
	return kinds
}

// to is whom the last escalation names.
func (r *room) to(id int64) []int64 {
	r.t.Helper()
	var text string
	r.must(r.db.Raw("SELECT data FROM events WHERE request_id = ? AND kind = ? ORDER BY id DESC LIMIT 1", id, events.Escalated).Scan(&text).Error)
	var data struct{ To []int64 }
	r.must(json.Unmarshal([]byte(text), &data))
	return data.To
}

func (r *room) tick() (n int) {
	r.t.Helper()
	n, err := r.joins.Tick(context.Background())
	r.must(err)
	return n
}

// wound is a member's request with its clock running: it was due a moment ago.
func (r *room) wound(groupID int64, who access.Actor) int64 {
	r.t.Helper()
	id, now := r.asks(groupID, who), r.clock.Now().UTC()
	r.exec("UPDATE join_requests SET due_at = ?, clock_step = 1, step_at = ? WHERE id = ?", now, now, id)
	return id
}

func (r *room) lead(department int64, who access.Actor) {
	r.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", department, who.MemberID)
}

func (r *room) actor(id int64) access.Actor {
	r.t.Helper()
	a, err := directory.LoadActor(r.db, id, r.clock.Now())
	r.must(err)
	return a
}

// It is Sunday, nine o'clock: nine hours of work are over on Monday at 18:00.
func TestARequestKeepsWhenItIsDue(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		own, _ := r.w.Group(t, r.db, "急群", "internal", "approval", r.w.RD, 10)
		r.exec("UPDATE groups SET due_hours = 1 WHERE id = ?", own)
		ask := func(group int64) join.Request {
			v := r.submit(join.Visitor{Secret: r.scanned(r.code(group)), Proved: r.w.StaffPhone}, join.Form{Note: "我是小顾"})
			r.show(v, join.StatePending)
			return *v.Request
		}
		first, second := ask(g), ask(own)
		if want := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC); first.DueAt == nil || !first.DueAt.Equal(want) {
			t.Errorf("due %v, want %s", first.DueAt, want)
		}
		if want := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC); second.DueAt == nil || !second.DueAt.Equal(want) {
			t.Errorf("with the group's own hours due %v, want %s", second.DueAt, want)
		}
		r.clock.Add(31 * time.Hour) // Monday, 16:00: two hours before
		r.tick()
		if got := r.told(first.ID); !slices.Equal(got, []string{events.Due}) {
			t.Error(got)
		}
		r.clock.Add(2 * time.Hour)
		r.tick()
		if got := r.told(first.ID); !slices.Equal(got, []string{events.Due, events.Overdue}) {
			t.Error(got)
		}
		for f, want := range map[string]int{"": 2, "late": 2, "soon": 0, "up": 0} {
			if q, err := r.joins.Queue(context.Background(), r.w.Head, join.Filter{Due: f}); err != nil || len(q.Rows) != want {
				t.Errorf("filter %q: %d rows, %v", f, len(q.Rows), err)
			}
		}
		if q, _ := r.joins.Queue(context.Background(), r.w.Head, join.Filter{Due: "late"}); !q.Rows[0].Late(r.clock.Now()) {
			t.Error("a request past its time is not late")
		}
		r.exec("INSERT INTO policies (name, value, updated_at) VALUES ('due_hours', '0', ?)", r.clock.Now())
		third, _ := r.w.Group(t, r.db, "慢群", "internal", "approval", r.w.RD, 10)
		if without := ask(third); without.DueAt != nil || without.StepAt != nil {
			t.Errorf("a clock that is switched off runs: %v", without.DueAt)
		}
	})
}

// From the head of the group's department to the one above, then to the super
// admins; each of them may really decide, the applicant is never asked.
func TestARequestNobodyDecidesGoesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "平台群", "internal", "approval", r.w.Platform, 10)
		r.lead(r.w.Platform, r.w.OtherStaff)
		id := r.wound(g, r.w.Staff)
		steps := func(n int, at time.Duration) {
			r.clock.Add(at)
			if got := r.tick(); got != n {
				t.Errorf("%d steps, want %d", got, n)
			}
		}
		steps(1, 0)
		steps(0, time.Hour)
		steps(1, 72*time.Hour)
		if to := r.to(id); !slices.Equal(to, []int64{r.w.Head.MemberID}) {
			t.Errorf("it went to %v", to)
		}
		q, err := r.joins.Queue(context.Background(), r.w.Head, join.Filter{Due: "up"})
		if err != nil || len(q.Rows) != 1 || q.Rows[0].Above != "研发中心" || q.Rows[0].EscalatedAt == nil {
			t.Fatalf("%v %+v", err, q.Rows)
		}
		for _, who := range r.to(id) {
			r.must(r.joins.MayDecide(context.Background(), r.actor(who), id))
		}
		steps(1, 72*time.Hour)
		if to := r.to(id); !slices.Equal(to, []int64{r.w.Super.MemberID, r.w.Super2.MemberID}) {
			t.Errorf("it went to %v", to)
		}
		steps(0, 1000*time.Hour)
		if got := r.told(id); !slices.Equal(got, []string{events.Overdue, events.Escalated, events.Escalated}) {
			t.Error(got)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action = 'request.escalate'"); n != 2 {
			t.Errorf("%d escalations in the trail", n)
		}
	})
}

// A head who is away is passed over; while all are, the deputies are asked. What
// the applicant leads themselves does not count either.
func TestEscalationRespectsWhoIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "平台群", "internal", "approval", r.w.Platform, 10)
		r.lead(r.w.Platform, r.w.OtherStaff)
		r.lead(r.w.Root, r.w.OtherHead)
		now := r.clock.Now()
		r.exec("INSERT INTO absences (member_id, starts_at, ends_at, set_by, set_at) VALUES (?, ?, ?, ?, ?)", r.w.Head.MemberID, now.Add(-time.Hour), now.AddDate(0, 1, 0), r.w.Super.MemberID, now)
		up := func(who access.Actor) (int64, []int64) {
			id := r.wound(g, who)
			r.tick()
			r.clock.Add(72 * time.Hour)
			r.tick()
			return id, r.to(id)
		}
		if _, to := up(r.w.Staff); !slices.Equal(to, []int64{r.w.OtherHead.MemberID}) {
			t.Errorf("the head is away: it went to %v", to)
		}
		r.exec("INSERT INTO department_deputies (department_id, member_id) VALUES (?, ?)", r.w.RD, r.w.Super2.MemberID)
		r.exec("UPDATE join_requests SET status = 'withdrawn'")
		id, to := up(r.w.Staff)
		if !slices.Equal(to, []int64{r.w.Super2.MemberID}) {
			t.Errorf("the deputy stands in: it went to %v", to)
		}
		r.must(r.joins.MayDecide(context.Background(), r.actor(to[0]), id))
		if _, to := up(r.w.OtherStaff); !slices.Equal(to, []int64{r.w.OtherHead.MemberID}) {
			t.Errorf("the applicant leads the group's department: it went to %v", to)
		}
	})
}

// Of many instances that tick at once one takes each step, whoever decides meanwhile.
func TestEachStepIsTakenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "大群", "external", "approval", r.w.Platform, 500)
		now := r.clock.Now().UTC()
		for i := range 60 {
			id := r.pending(g, i)
			r.exec("UPDATE join_requests SET due_at = ?, clock_step = 1, step_at = ? WHERE id = ?", now, now, id)
		}
		r.exec("UPDATE join_requests SET status = 'withdrawn', decided_at = ? WHERE id % 10 = 0", now)
		waiting := r.count("SELECT count(*) FROM join_requests WHERE status = 'pending'")
		for round := range 3 {
			var taken atomic.Int64
			parallel(6, func(int) string {
				n, err := r.joins.Tick(context.Background())
				if err != nil {
					return err.Error()
				}
				taken.Add(int64(n))
				return ""
			})
			if n := r.tick() + int(taken.Load()); round < 2 && n != waiting || round == 2 && n != 0 {
				t.Errorf("round %d: %d steps for %d requests", round, n, waiting)
			}
			r.clock.Add(72 * time.Hour)
		}
		if n := r.count("SELECT count(*) FROM events WHERE kind IN ('request.overdue', 'request.escalated')"); n != 2*waiting {
			t.Errorf("%d facts, want %d", n, 2*waiting)
		}
		if n := r.count("SELECT count(*) FROM (SELECT request_id, kind FROM events WHERE kind LIKE 'request.%' GROUP BY request_id, kind HAVING count(*) > 1) x"); n != 0 {
			t.Errorf("%d facts are told twice", n)
		}
	})
}

// What waits for a group that has ended is let be, and blocks nothing.
func TestTheClockLetsEndedGroupsBe(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "旧群", "internal", "approval", r.w.RD, 10)
		id := r.wound(g, r.w.Staff)
		r.exec("UPDATE groups SET status = 'disbanded' WHERE id = ?", g)
		if n := r.tick(); n != 0 || len(r.told(id)) != 0 {
			t.Errorf("%d steps, %v", n, r.told(id))
		}
		if n := r.count("SELECT count(*) FROM join_requests WHERE step_at IS NOT NULL"); n != 0 {
			t.Error("it stays in the way")
		}
	})
}
