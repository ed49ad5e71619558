package join_test

import (
	"context"
	"testing"
	"time"

	"doorplate/internal/join"
)

// An open group and a code that behaves oddly: people ask instead of walking in,
// also through a series and from the waiting list, until the time is over.
func TestARaisedCodeAsks(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "公开群 1", "external", "open", r.w.RD, 10)
		code := r.code(g)
		raise := func(until time.Time) { r.exec("UPDATE codes SET fused_until = ? WHERE id = ?", until.UTC(), code) }
		raise(r.clock.Now().Add(time.Hour))
		who := join.Visitor{Secret: r.scanned(code), Proved: r.w.StaffPhone}
		v := r.submit(who, join.Form{Note: "我是小顾"})
		r.show(v, join.StatePending)
		if v.Request.DueAt == nil {
			t.Error("such a request has no clock")
		}
		r.series(gid, "公开群", 90)
		r.show(r.submit(join.Visitor{Secret: r.scanned(code), Proved: r.w.OtherStaffPhone}, join.Form{Note: "我是小卢"}), join.StatePending)
		if n := r.count("SELECT count(*) FROM memberships"); n != 0 {
			t.Errorf("%d walked in", n)
		}
		r.exec("INSERT INTO waiting_list (group_id, code_id, guest_id, name, for_seat, created_at) VALUES (?, ?, ?, '访客', true, ?)", g, code, r.guest(1), r.clock.Now())
		if _, err := r.joins.TurnWaiting(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := r.count("SELECT count(*) FROM memberships"); n != 0 {
			t.Error("the waiting list leads past the fuse")
		}
		r.clock.Add(2 * time.Hour)
		r.show(r.submit(join.Visitor{Secret: r.scanned(code), Proved: r.w.HeadPhone}, join.Form{}), join.StateIn)
	})
}
