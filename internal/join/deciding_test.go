package join_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/join"
)

// An approval leads into another group of the series or behind the code, takes
// the seat there and tells the person; any other group is refused.
func TestApprovedIntoAnotherGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 5)
		other, gid := r.w.Group(t, r.db, "客户群乙", "external", "approval", r.w.Platform, 1)
		foreign, foreignGID := r.w.Group(t, r.db, "市场群", "external", "approval", r.w.Marketing, 5)
		_, stray := r.w.Group(t, r.db, "别的群", "external", "approval", r.w.RD, 5)
		code := r.code(g)
		r.target(code, other, 1, 1, nil)
		r.target(code, foreign, 2, 1, nil)
		asks := func(n int) (string, int64) {
			cookie := r.scanned(code)
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookie, Proved: fmt.Sprintf("+8613700%06d", n)}, join.Form{Name: fmt.Sprint("访客", n)})
			r.must(err)
			return cookie, v.Request.ID
		}
		cookie, id := asks(1)
		for _, into := range []string{foreignGID, stray, "nonsense"} {
			var wrong fault.Invalid
			if _, err := r.joins.Decide(context.Background(), r.w.Head, join.Decision{Approve: true, Into: into}, id); !errors.As(err, &wrong) || wrong["into"].Key == "" {
				t.Errorf("into %s: %v", into, err)
			}
		}
		if d, err := r.joins.Open(context.Background(), r.w.Head, id); err != nil || len(d.Doors) != 1 || d.Doors[0].GID != gid {
			t.Errorf("offered %v, %v", d.Doors, err)
		}
		into := join.Decision{Approve: true, Into: gid}
		if got := r.decides(r.w.Head, into, id); got != "approved" {
			t.Fatal(got)
		}
		v, err := r.joins.At(context.Background(), cookie, nil)
		if err != nil || v.State != join.StateIn || v.Group.ID != other || v.Instead != "客户群" {
			t.Errorf("the applicant sees %s of %s instead of %q, %v", v.State, v.Group.Name, v.Instead, err)
		}
		_, second := asks(2)
		if got := r.decides(r.w.Head, into, second); got != "full" {
			t.Errorf("into a full group: %s", got)
		}
		r.must(r.undoes(r.w.Head, id))
		if n := r.count("SELECT member_count FROM groups WHERE id = ?", other); n != 0 {
			t.Error("the seat is not free again")
		}
		if got := r.decides(r.w.Head, into, second); got != "approved" {
			t.Errorf("the next: %s", got)
		}
		r.consistent()
	})
}

// Twenty people let twenty applicants into the one seat of another group.
func TestTheOtherGroupHasOneSeat(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群 1", "external", "approval", r.w.RD, 100)
		r.series(gid, "客户群", 100)
		other, into := r.w.Group(t, r.db, "客户群 2", "external", "approval", r.w.RD, 1)
		r.exec("UPDATE groups SET series_id = (SELECT id FROM group_series), series_no = 2 WHERE id = ?", other)
		r.exec("UPDATE group_series SET next_no = 3, stopped_at = ?", r.clock.Now())
		ids := make([]int64, 20)
		for i := range ids {
			ids[i] = r.pending(g, i)
		}
		got := parallel(len(ids), func(i int) string { return r.decides(r.w.Head, join.Decision{Approve: true, Into: into}, ids[i]) })
		if got["approved"] != 1 || got["full"] != 19 {
			t.Errorf("%v", got)
		}
		r.consistent()
	})
}

// A stay ends once, however many instances look, and not when somebody gave it more time.
func TestStaysEndOnce(t *testing.T) {
	onTwoInstances(t, func(t *testing.T, s *storm) {
		g, gid := s.w.Group(t, s.db, "外包群", "external", "approval", s.w.RD, 300)
		until := s.clock.Now().Add(time.Hour)
		for n := range 250 {
			s.exec("INSERT INTO memberships (group_id, guest_id, source, joined_at, until) VALUES (?, ?, 'code', ?, ?)", g, s.guest(n), s.clock.Now(), until)
		}
		s.exec("UPDATE groups SET member_count = 250")
		kept := fmt.Sprint(s.count("SELECT min(id) FROM memberships"))
		s.clock.Add(2 * time.Hour)
		ended := make([]int, 4)
		parallel(5, func(i int) string {
			if i == 4 {
				return calm(s.both[0].joins.SetUntil(context.Background(), s.w.Head, gid, kept, "2030-01-01"))
			}
			n, err := s.both[i%2].joins.EndDue(context.Background())
			ended[i] = n
			return calm(err)
		})
		in := s.count("SELECT count(*) FROM memberships WHERE status = 'active'")
		if n := s.count("SELECT count(*) FROM events WHERE kind = 'stay.ended'"); n != 250-in || in > 1 {
			t.Errorf("%d facts, %d still in", n, in)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'group.member.until'"); n != 250-in {
			t.Errorf("%d entries", n)
		}
		s.consistent()
	})
}

// What the page of statistics says is what the rows say, whether they are added
// up or not, and whoever adds up.
func TestStatisticsSayWhatWasDecided(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 100)
		far, _ := r.w.Group(t, r.db, "市场群", "external", "approval", r.w.Marketing, 100)
		for n := range 10 {
			id := r.pending(g, n)
			r.exec("UPDATE join_requests SET created_at = ? WHERE id = ?", r.clock.Now().Add(-time.Duration(n+1)*time.Hour), id)
			r.decides(r.w.Head, join.Decision{Approve: n%2 == 0, Reason: "x"}, id)
			if n == 9 {
				r.must(r.undoes(r.w.Super, id))
			}
		}
		r.decides(r.w.OtherHead, join.Decision{Approve: true}, r.pending(far, 50))
		r.exec("UPDATE memberships SET status = 'ended', ended_reason = 'removed', ended_at = ? WHERE id = (SELECT min(id) FROM memberships)", r.clock.Now().Add(time.Hour))
		r.exec("UPDATE join_requests SET status = 'approved', rule = '邮箱规则', decided_at = ? WHERE status = 'pending'", r.clock.Now())
		look := func(when string) {
			t.Helper()
			s, err := r.joins.Statistics(context.Background(), r.w.Head, 3)
			r.must(err)
			f := s.All
			if f.Decided != 11 || f.Approved != 6 || f.Rejected != 5 || f.Undone != 1 || f.Removed != 1 || f.Half != 5*time.Hour || f.Most != 29_000*time.Second { // eight hours, to two figures
				t.Errorf("%s: %+v", when, f)
			}
			if len(s.Deciders) != 1 || s.Deciders[0].Name != r.w.Head.Name || s.Deciders[0].Decided != 10 || len(s.Rules) != 1 || s.Rules[0].Name != "邮箱规则" {
				t.Errorf("%s: by decider %+v, by rule %+v", when, s.Deciders, s.Rules)
			}
			if all, err := r.joins.Statistics(context.Background(), r.w.Super, 12); err != nil || all.All.Decided != 12 || len(all.ByMonth) != 12 {
				t.Errorf("%s: a super admin sees %+v, %v", when, all.All, err)
			}
		}
		look("counted")
		r.clock.Add(40 * 24 * time.Hour)
		for what := range parallel(4, func(int) string { return calm(r.joins.SumDecisions(context.Background())) }) {
			if what != "" {
				t.Error(what)
			}
		}
		if n := r.count("SELECT sum(n) FROM decision_sums"); n != 12 {
			t.Errorf("%d added up", n)
		}
		look("added up")
		if _, err := r.joins.Statistics(context.Background(), r.w.Staff, 3); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("staff: %v", err)
		}
	})
}

// The list keeps its order and its words, whoever changes it at once.
func TestTheListOfReasons(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		parallel(10, func(i int) string {
			return calm(r.joins.AddReason(ctx, r.w.Super, join.ReasonDraft{Decision: join.Approving, TextZh: fmt.Sprint("欢迎", i), TextEn: fmt.Sprint("Welcome ", i)}))
		})
		if n := r.count("SELECT count(DISTINCT position) FROM decision_reasons WHERE decision = 'approve'"); n != 10 {
			t.Errorf("%d places for ten", n)
		}
		before, err := r.joins.Reasons(ctx)
		r.must(err)
		last := before[9]
		for range 20 {
			r.must(r.joins.MoveReason(ctx, r.w.Super, last.ID, true))
		}
		if after, _ := r.joins.Reasons(ctx); after[0].ID != last.ID || after[1].ID != before[0].ID {
			t.Error("it did not move to the top")
		}
		for who, want := range map[string]access.Actor{"head": r.w.Head, "staff": r.w.Staff} {
			if err := r.joins.RetireReason(ctx, want, last.ID); !errors.As(err, new(fault.Forbidden)) {
				t.Errorf("%s: %v", who, err)
			}
		}
		if err := r.joins.RetireReason(ctx, r.w.Super, 999); !errors.Is(err, fault.NotFound) {
			t.Error(err)
		}
		got := parallel(5, func(int) string { return calm(r.joins.RetireReason(ctx, r.w.Super, last.ID)) })
		if got[""] != 1 || got["conflict"] != 4 {
			t.Errorf("%v", got)
		}
	})
}
