package join_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/scan"
)

func (r *room) at(cookie string) join.View {
	r.t.Helper()
	v, err := r.joins.At(context.Background(), cookie, nil)
	r.must(err)
	return v
}

func (r *room) submit(who join.Visitor, f join.Form) join.View {
	r.t.Helper()
	v, err := r.joins.Submit(context.Background(), who, f)
	r.must(err)
	return v
}

func (r *room) show(v join.View, state join.State) {
	r.t.Helper()
	if v.State != state {
		r.t.Fatalf("state %q (step %q, barred %q, why %q), want %q", v.State, v.Step, v.Barred, v.Why, state)
	}
}

// Thirty parallel presses of one person, from thirty scans, make one request.
func TestOneRequestPerPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		code := r.code(g)
		cookies := make([]string, 30)
		for i := range cookies {
			cookies[i] = r.scanned(code)
		}
		got := parallel(30, func(i int) string {
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: r.w.StaffPhone}, join.Form{Note: fmt.Sprint("我是", i)})
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(v.State, v.Request.ID)
		})
		if len(got) != 1 {
			t.Errorf("answers differ: %v", got)
		}
		if n := r.count("SELECT count(*) FROM join_requests"); n != 1 {
			t.Errorf("%d requests", n)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action = 'request.submit'"); n != 1 {
			t.Errorf("%d requests in the trail", n)
		}
		if n := r.count("SELECT count(*) FROM scans WHERE member_id = ?", r.w.Staff.MemberID); n != 30 {
			t.Errorf("%d scans name the person, want 30", n)
		}
	})
}

// Thirty guests press at once in front of one free seat.
func TestAnOpenGroupNeverOverflows(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "培训群", "training", "open", r.w.RD, 1)
		code := r.code(g)
		cookies := make([]string, 30)
		for i := range cookies {
			cookies[i] = r.scanned(code)
		}
		got := parallel(30, func(i int) string {
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i)}, join.Form{Name: fmt.Sprint("访客", i)})
			if err != nil {
				return err.Error()
			}
			return string(v.State)
		})
		if got["in"] != 1 || got["full"] != 29 {
			t.Errorf("states %v, want one in and 29 full", got)
		}
		if n := r.count("SELECT count(*) FROM memberships WHERE status = 'active'"); n != 1 {
			t.Errorf("%d members in one seat", n)
		}
	})
}

func TestTheWayOfARequest(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		var gone fault.Gone
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.Platform, 10)
		code := r.code(g)
		cookie := r.scanned(code)
		v := r.at(cookie)
		r.show(v, join.StateForm)
		if v.Step != join.StepPhone || len(v.Deciders) > 0 || v.Department != "研发中心 / 平台组" {
			t.Errorf("before identification: %+v", v)
		}
		who := join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}
		v = r.submit(who, join.Form{})
		r.show(v, join.StatePending)
		if len(v.Deciders) != 1 || v.Deciders[0] != r.w.Head.Name {
			t.Errorf("deciders %v", v.Deciders)
		}
		who.Proved = ""
		r.submit(who, join.Form{Note: "新来的"})
		if v = r.at(cookie); v.Request.Note != "新来的" {
			t.Errorf("the note came too late: %q", v.Request.Note)
		}
		r.exec("UPDATE codes SET revoked_at = ?, revoked_by = ? WHERE id = ?", r.clock.Now(), r.w.Super.MemberID, code)
		r.show(r.at(cookie), join.StatePending)
		fresh := r.scanned(code)
		if v = r.at(fresh); v.Barred != scan.Revoked {
			t.Errorf("a revoked code bars with %q", v.Barred)
		}
		r.clock.Add(48 * time.Hour)
		r.show(r.at(cookie), join.StatePending)
		if _, err := r.joins.At(ctx, fresh, nil); !errors.As(err, &gone) {
			t.Errorf("an overdue cookie: %v", err)
		}
		r.exec("UPDATE codes SET revoked_at = NULL, revoked_by = NULL WHERE id = ?", code)

		reject, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Reason: "请先找导师"}, v0(r.at(cookie)))
		r.must(err)
		if reject[0].Outcome != join.Rejected {
			t.Fatalf("%+v", reject)
		}
		v = r.at(cookie)
		r.show(v, join.StateRefused)
		if v.Request.Reason != "请先找导师" || v.Why != join.Turned {
			t.Errorf("refused with %q, %q", v.Request.Reason, v.Why)
		}
		r.show(r.submit(join.Visitor{Secret: cookie}, join.Form{}), join.StateRefused)
		r.clock.Add(24 * time.Hour)
		r.show(r.at(cookie), join.StateForm)
		r.show(r.submit(join.Visitor{Secret: cookie}, join.Form{}), join.StatePending)

		if done, err := r.joins.Withdraw(ctx, join.Visitor{Secret: cookie}); err != nil || !done {
			t.Errorf("withdraw: %v %v", done, err)
		}
		r.show(r.at(cookie), join.StateForm)
		v = r.submit(join.Visitor{Secret: cookie}, join.Form{})
		_, err = r.joins.Decide(ctx, r.w.Super, join.Decision{Approve: true}, v.Request.ID)
		r.must(err)
		r.show(r.at(cookie), join.StateIn)
	})
}

func v0(v join.View) int64 { return v.Request.ID }

func TestWhoMayPass(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		closed, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		if _, err := r.joins.Submit(ctx, join.Visitor{Secret: r.scanned(r.code(closed)), Proved: "+8613711112222"}, join.Form{Name: "外人"}); err == nil {
			t.Error("a stranger passed into an internal group")
		}
		plan, err := r.joins.PlanCode(ctx, r.scanned(r.code(closed)), "+8613711112222")
		r.must(err)
		if plan.Deliver {
			t.Error("a stranger gets a message at an internal group")
		}
		outside, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 10)
		for phone, deliver := range map[string]bool{"+8613711112222": true, "+14155550100": false, r.w.OtherStaffPhone: true} {
			if plan, err = r.joins.PlanCode(ctx, r.scanned(r.code(outside)), phone); err != nil || plan.Deliver != deliver {
				t.Errorf("%s: deliver %v %v", phone, plan.Deliver, err)
			}
		}
		cookie := r.scanned(r.code(outside))
		v := r.submit(join.Visitor{Secret: cookie, Proved: "+8613711112222"}, join.Form{})
		r.show(v, join.StateForm)
		if v.Step != join.StepName {
			t.Errorf("step %q, want the name", v.Step)
		}
		var wrong fault.Invalid
		if _, err = r.joins.Submit(ctx, join.Visitor{Secret: cookie}, join.Form{}); !errors.As(err, &wrong) || wrong["name"].Key == "" {
			t.Errorf("without a name: %v", err)
		}
		if _, err = r.joins.Submit(ctx, join.Visitor{Secret: cookie}, join.Form{Name: strings.Repeat("长", 61)}); !errors.As(err, &wrong) {
			t.Errorf("with a long name: %v", err)
		}
		r.show(r.submit(join.Visitor{Secret: cookie}, join.Form{Name: "段知行"}), join.StatePending)

		audience := r.code(outside)
		r.exec("UPDATE codes SET audience = ? WHERE id = ?", fmt.Sprint(r.w.RD), audience)
		cookie = r.scanned(audience)
		if v = r.submit(join.Visitor{Secret: cookie, Proved: r.w.OtherStaffPhone}, join.Form{}); v.Barred != join.Audience {
			t.Errorf("another department's member: %+v", v)
		}
		if n := r.count("SELECT count(*) FROM scans WHERE outcome = 'audience'"); n != 1 {
			t.Errorf("%d scans with the outcome audience", n)
		}
		r.show(r.submit(join.Visitor{Secret: r.scanned(audience), Proved: r.w.StaffPhone}, join.Form{}), join.StatePending)

		strict, _ := r.w.Group(t, r.db, "财务群", "internal", "restricted", r.w.RD, 10)
		v = r.submit(join.Visitor{Secret: r.scanned(r.code(strict)), Proved: r.w.StaffPhone}, join.Form{})
		r.show(v, join.StateRefused)
		if v.Why != join.ByAdmin {
			t.Errorf("why %q", v.Why)
		}
		r.exec("UPDATE groups SET join_mode = 'off' WHERE id = ?", strict)
		r.show(r.at(r.scanned(r.code(strict))), join.StateOff)
		full, _ := r.w.Group(t, r.db, "满群", "internal", "approval", r.w.RD, 1)
		r.exec("UPDATE groups SET member_count = 1 WHERE id = ?", full)
		r.show(r.submit(join.Visitor{Secret: r.scanned(r.code(full)), Proved: r.w.StaffPhone}, join.Form{}), join.StateFull)
	})
}

func TestWhatEndsARequest(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		var gone fault.Gone
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		cookie := r.scanned(r.code(g))
		r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{})
		other := r.asks(g, r.w.OtherStaff)
		n, err := join.CancelFor(r.db, r.w.Super, r.w.Staff.MemberID, r.clock.Now())
		if err != nil || n != 1 {
			t.Fatalf("cancelled %d, %v", n, err)
		}
		r.exec("UPDATE members SET status = ? WHERE id = ?", directory.Departed, r.w.Staff.MemberID)
		if _, err := r.joins.At(ctx, cookie, nil); !errors.As(err, &gone) {
			t.Errorf("a departed person's door: %v", err)
		}
		r.clock.Add(31 * 24 * time.Hour)
		if n, err := r.joins.ExpireOverdue(ctx); err != nil || n != 1 {
			t.Errorf("expired %d, %v", n, err)
		}
		res, err := r.joins.Decide(ctx, r.w.Super, join.Decision{Approve: true}, other)
		r.must(err)
		if res[0].Outcome != join.Already || res[0].Status != join.Expired {
			t.Errorf("deciding an expired request: %+v", res[0])
		}
	})
}
