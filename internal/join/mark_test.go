package join_test

import (
	"context"
	"fmt"
	"testing"

	"doorplate/internal/join"
)

// steps are the organisation's whole funnel.
func (r *room) steps() (text string) {
	r.t.Helper()
	return fmt.Sprintf("%d identified, %d requested, %d joined", r.count("SELECT coalesce(sum(identified), 0) FROM scan_funnel"),
		r.count("SELECT coalesce(sum(requested), 0) FROM scan_funnel"), r.count("SELECT coalesce(sum(joined), 0) FROM scan_funnel"))
}

// Whoever presses how often, and whoever approves first: a scan takes each step once.
func TestAScanTakesEachStepOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		cookie := r.scanned(r.code(g))
		r.exec("UPDATE scans SET channel = '电梯', copy_serial = 3")
		staff := join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}
		parallel(16, func(int) string { return string(r.submit(staff, join.Form{}).State) })
		if got := r.steps(); got != "1 identified, 1 requested, 0 joined" {
			t.Error(got)
		}
		if n := r.count("SELECT count(*) FROM join_requests WHERE channel = '电梯' AND copy_serial = 3"); n != 1 {
			t.Error("the request does not know where the person came from")
		}
		id := int64(r.count("SELECT id FROM join_requests"))
		parallel(8, func(int) string {
			_, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Approve: true}, id)
			return fmt.Sprint(err)
		})
		if got := r.steps(); got != "1 identified, 1 requested, 1 joined" {
			t.Error(got)
		}
		if n := r.count("SELECT count(*) FROM scan_funnel WHERE channel = '电梯' AND copy_serial = 3 AND joined = 1 AND day = '2026-11-22'"); n != 1 {
			t.Error("not counted in the cohort of the scan")
		}
	})
}

// In an open group joining is the only step; a deleted scan is no error.
func TestStepsWithoutARequest(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		open, _ := r.w.Group(t, r.db, "活动群", "internal", "open", r.w.RD, 10)
		first, again := r.scanned(r.code(open)), r.scanned(r.code(open))
		for _, cookie := range []string{first, again} {
			r.show(r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{}), join.StateIn)
		}
		if got := r.steps(); got != "2 identified, 0 requested, 1 joined" {
			t.Error(got)
		}
		id := r.asks(open, r.w.OtherStaff) // its scan is gone
		if _, err := r.joins.Decide(context.Background(), r.w.Head, join.Decision{Approve: true}, id); err != nil {
			t.Error(err)
		}
	})
}

// Many people of one code identify themselves while their requests are approved:
// both need the group and the same cohort.
func TestIdentifyingAndApprovingDoNotDeadlock(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, _ := r.w.Group(t, r.db, "培训群", "training", "approval", r.w.RD, 100)
		code := r.code(g)
		cookies := make([]string, 40)
		for i := range cookies {
			cookies[i] = r.scanned(code)
		}
		answers := parallel(len(cookies), func(i int) string {
			v, err := r.joins.Submit(ctx, join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i)}, join.Form{Name: fmt.Sprint("访客", i)})
			if err != nil {
				return err.Error()
			}
			_, err = r.joins.Decide(ctx, r.w.Head, join.Decision{Approve: true}, v.Request.ID)
			return fmt.Sprint(err)
		})
		if len(answers) != 1 || answers["<nil>"] != len(cookies) {
			t.Errorf("answers: %v", answers)
		}
		if got := r.steps(); got != "40 identified, 40 requested, 40 joined" {
			t.Error(got)
		}
	})
}
