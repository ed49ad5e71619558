package join_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/join"
)

// draft keeps what a filter finds.
func (r *room) draft(by access.Actor, f join.Filter, d join.Decision) int64 {
	r.t.Helper()
	id, err := r.joins.DraftRun(context.Background(), by, f, "", d)
	r.must(err)
	return id
}

// guestNumber is what differs between the guests of two groups.
var guestNumber = regexp.MustCompile(`访客\d+`)

// everyCase makes a group with one applicant of each sort and returns the requests in the order of the queue.
func (r *room) everyCase(kind string, n int) (group int64, gid string, ids []int64) {
	r.t.Helper()
	group, gid = r.w.Group(r.t, r.db, fmt.Sprint("群", n), kind, "approval", r.w.RD, 4)
	add := func(id int64) { ids = append(ids, id); r.clock.Add(time.Second) }
	code := r.code(group)
	for i := range 4 {
		id := r.pending(group, n+i)
		cookie := r.scanned(code)
		r.exec("UPDATE join_requests SET code_id = ?, scan_id = (SELECT max(id) FROM scans), rules_version = 2 WHERE id = ?", code, id)
		_ = cookie
		add(id)
	}
	in := r.asks(group, r.w.Staff) // in already: takes no seat
	r.exec("INSERT INTO memberships (group_id, member_id, joined_at) VALUES (?, ?, ?)", group, r.w.Staff.MemberID, r.clock.Now())
	r.exec("UPDATE groups SET member_count = 1 WHERE id = ?", group)
	add(in)
	add(r.asks(group, r.w.Head))
	waits := r.asks(group, r.w.OtherStaff)
	r.exec("INSERT INTO waiting_list (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", group, r.w.OtherStaff.MemberID, r.clock.Now())
	add(waits)
	decided := r.pending(group, n+9)
	add(decided)
	return group, gid, ids
}

// left is what deciding leaves behind in one group, without ids and times.
func (r *room) left(group int64) string {
	r.t.Helper()
	var all []string
	for _, sql := range []string{
		"SELECT coalesce(m.name, gu.name) || ' ' || r.status || ' ' || r.reason || ' ' || coalesce(r.decided_by, 0) FROM join_requests r LEFT JOIN members m ON m.id = r.member_id LEFT JOIN guests gu ON gu.id = r.guest_id WHERE r.group_id = ? ORDER BY r.created_at, r.id",
		"SELECT status || ' ' || source || ' ' || rules_version || ' ' || (code_id IS NOT NULL) || ' ' || (request_id IS NOT NULL) FROM memberships WHERE group_id = ? ORDER BY id",
		"SELECT CAST(member_count AS text) FROM groups WHERE id = ?",
		"SELECT ended_how FROM waiting_list WHERE group_id = ?",
		"SELECT kind || ' ' || count(*) FROM events WHERE group_id = ? GROUP BY kind ORDER BY kind",
		"SELECT e.action || ' ' || count(*) || ' ' || max(e.actor_name) FROM audit_entries e JOIN groups g ON g.id = ? WHERE e.object_kind = 'request' AND e.details LIKE '%' || g.gid || '%' GROUP BY e.action ORDER BY 1",
		"SELECT 'joined ' || coalesce(sum(joined), 0) FROM scan_funnel f JOIN codes c ON c.id = f.code_id WHERE c.group_id = ?",
	} {
		var rows []*string
		r.must(r.db.Raw(sql, group).Scan(&rows).Error)
		for _, row := range rows {
			if row != nil {
				all = append(all, *row)
			}
		}
		all = append(all, "--")
	}
	return strings.Join(all, "\n")
}

// Deciding many by statements for all leaves what deciding them one after the other leaves.
func TestManyIsOneByOne(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		for n, c := range []struct {
			kind string
			d    join.Decision
		}{{"external", join.Decision{Approve: true, Reason: "欢迎"}}, {"external", join.Decision{Reason: "不是项目成员"}}, {"internal", join.Decision{Approve: true}}} {
			one, _, ids := r.everyCase(c.kind, 1000*n+100)
			many, gid, same := r.everyCase(c.kind, 1000*n+200)
			for _, id := range []int64{ids[7], same[7]} {
				_, err := r.joins.Decide(ctx, r.w.Super, join.Decision{Reason: "先到"}, id)
				r.must(err)
			}
			want, err := r.joins.Decide(ctx, r.w.Head, c.d, ids...)
			r.must(err)
			run := r.draft(r.w.Head, join.Filter{Group: gid}, c.d)
			late := r.pending(many, 1000*n+300)
			r.must(r.joins.StartRun(ctx, r.w.Head, run))
			v, err := r.joins.RunByID(ctx, r.w.Head, run)
			r.must(err)
			outcomes := map[string]int{}
			for _, w := range want {
				outcomes[w.Outcome]++
			}
			outcomes[join.Already]-- // decided before the count: not among what matched
			if fmt.Sprint(v.Outcomes) != fmt.Sprint(cleared(outcomes)) || v.State != join.RunDone || v.Done != 7 {
				t.Errorf("%s %v: %v (%s), want %v", c.kind, c.d, v.Outcomes, v.State, outcomes)
			}
			if n := r.count("SELECT count(*) FROM join_requests WHERE id = ? AND status = 'pending'", late); n != 1 {
				t.Error("one who came after the count was decided with the others")
			}
			r.exec("DELETE FROM events WHERE request_id = ?", late)
			r.exec("DELETE FROM join_requests WHERE id = ?", late)
			a, b := guestNumber.ReplaceAllString(r.left(one), "访客"), guestNumber.ReplaceAllString(r.left(many), "访客")
			if a != b {
				t.Errorf("%s %v\none by one:\n%s\nmany:\n%s", c.kind, c.d, a, b)
			}
		}
	})
}

func cleared(m map[string]int) map[string]int {
	for k, n := range m {
		if n == 0 {
			delete(m, k)
		}
	}
	return m
}

// Runs, single decisions and withdrawals at once: each request is decided once, no seat is given twice.
func TestRunsAgainstTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 25)
		var ids []int64
		for i := range 60 {
			ids = append(ids, r.pending(g, i))
		}
		head := r.draft(r.w.Head, join.Filter{Group: gid}, join.Decision{Approve: true})
		super := r.draft(r.w.Super, join.Filter{Group: gid}, join.Decision{Reason: "名额已满"})
		var all sync.WaitGroup
		fail := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		all.Go(func() { fail(r.joins.StartRun(ctx, r.w.Head, head)) })
		all.Go(func() { fail(r.joins.StartRun(ctx, r.w.Super, super)) })
		for k := range 4 {
			all.Go(func() {
				for i := k; i < 60; i += 4 {
					_, err := r.joins.Decide(ctx, r.w.Super, join.Decision{Approve: i%2 == 0, Reason: "x"}, ids[i])
					fail(err)
				}
			})
		}
		all.Wait()
		if n := r.count("SELECT count(*) FROM join_requests WHERE status = 'pending'"); n != 0 {
			t.Errorf("%d were left", n)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action IN ('request.approve', 'request.reject')"); n != 60 {
			t.Errorf("%d entries for 60 requests", n)
		}
		in, seats := r.count("SELECT count(*) FROM memberships WHERE group_id = ? AND status = 'active'", g), r.count("SELECT member_count FROM groups WHERE id = ?", g)
		if approved := r.count("SELECT count(*) FROM join_requests WHERE status = 'approved'"); in > 25 || in != seats || in != approved {
			t.Errorf("%d in, %d counted, %d approved, 25 seats", in, seats, approved)
		}
	})
}

func TestARunIsItsAuthorsAndBeginsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 2)
		far, _ := r.w.Group(t, r.db, "市场群", "external", "approval", r.w.Marketing, 9)
		for i := range 3 {
			r.pending(g, i)
		}
		hidden := r.pending(far, 9)
		if _, err := r.joins.DraftRun(ctx, r.w.Head, join.Filter{Search: "nobody"}, "", join.Decision{Approve: true}); !errors.As(err, new(fault.Invalid)) {
			t.Errorf("nothing matches: %v", err)
		}
		if _, err := r.joins.DraftRun(ctx, r.w.Head, join.Filter{}, "", join.Decision{}); !errors.As(err, new(fault.Invalid)) {
			t.Errorf("a rejection without a reason: %v", err)
		}
		if _, err := r.joins.DraftRun(ctx, r.w.Staff, join.Filter{}, "", join.Decision{Approve: true}); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("staff: %v", err)
		}
		id := r.draft(r.w.Head, join.Filter{}, join.Decision{Approve: true})
		v, err := r.joins.RunByID(ctx, r.w.Head, id)
		r.must(err)
		if v.Waiting != 3 || v.Seatless != 1 || v.Guests != 3 || len(v.Groups) != 1 || v.Groups[0].GID != gid {
			t.Errorf("the preview says %+v", v)
		}
		if _, err := r.joins.RunByID(ctx, r.w.OtherHead, id); !errors.Is(err, fault.NotFound) {
			t.Errorf("somebody else reads it: %v", err)
		}
		if err := r.joins.StartRun(ctx, r.w.Super, id); !errors.Is(err, fault.NotFound) {
			t.Errorf("somebody else starts it: %v", err)
		}
		r.must(r.joins.StartRun(ctx, r.w.Head, id))
		if err := r.joins.StartRun(ctx, r.w.Head, id); !errors.As(err, new(fault.Conflict)) {
			t.Errorf("a second start: %v", err)
		}
		if err := r.joins.CancelRun(ctx, r.w.Head, id); !errors.As(err, new(fault.Conflict)) {
			t.Errorf("cancelled when over: %v", err)
		}
		if n := r.count("SELECT count(*) FROM join_requests WHERE id = ? AND status = 'pending'", hidden); n != 1 {
			t.Error("reached beyond its author's scope")
		}
		// Cut off in the middle, it goes on with what is left; whose right is gone decides nothing more.
		again := r.draft(r.w.Head, join.Filter{}, join.Decision{Reason: "名额已满"})
		r.exec("UPDATE request_runs SET state = 'running', lease_until = ? WHERE id = ?", r.clock.Now().Add(-time.Second), again)
		r.exec("DELETE FROM department_heads WHERE member_id = ?", r.w.Head.MemberID)
		worked, err := r.joins.NextRun(ctx, 0)
		r.must(err)
		if n := r.count("SELECT count(*) FROM join_requests WHERE status = 'rejected'"); !worked || n != 0 {
			t.Errorf("worked %v, %d rejected by somebody without the right", worked, n)
		}
	})
}

// Who shares a browser, a scan or a number with another applicant is said of both.
func TestHints(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 9)
		other, _ := r.w.Group(t, r.db, "另一个群", "external", "approval", r.w.RD, 9)
		code, second := r.code(g), r.code(other)
		r.exec("UPDATE members SET created_at = ?", r.clock.Now().AddDate(-1, 0, 0))
		ask := func(code int64, visitor, phone, address string) int64 {
			cookie := r.scanned(code)
			r.exec("UPDATE scans SET visitor = ? WHERE id = (SELECT max(id) FROM scans)", visitor)
			v := r.submit(join.Visitor{Secret: cookie, Proved: phone, Address: address}, join.Form{Name: "访客"})
			return v.Request.ID
		}
		hints := func(id int64) (names []string) {
			for _, h := range join.Hint(r.count("SELECT hints FROM join_requests WHERE id = ?", id)).Each() {
				names = append(names, h.Name())
			}
			return names
		}
		is := func(what string, id int64, want ...string) {
			t.Helper()
			if got := hints(id); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		a := ask(code, "v1", "+8613900000001", "192.0.2.1")
		is("alone", a)
		b := ask(code, "v2", "+8613900000002", "192.0.2.1")
		is("another device", b)
		c := ask(code, "v1", "+8613900000003", "192.0.2.1")
		is("the same device", c, "device")
		is("the first on it", a, "device")
		is("the uninvolved", b)
		same := ask(second, "v2", "+8613900000002", "192.0.2.1")
		is("the same person in another group", same)
		r.exec("UPDATE codes SET networks = '10.0.0.0/8' WHERE id = ?", code)
		is("outside the network", ask(code, "v4", "+8613900000004", "192.0.2.1"), "network")
		r.exec("UPDATE members SET created_at = ? WHERE id = ?", r.clock.Now(), r.w.Staff.MemberID)
		is("new in the directory", ask(second, "v5", r.w.StaffPhone, "10.0.0.1"), "newcomer")
		q, err := r.joins.Queue(context.Background(), r.w.Head, join.Filter{Hinted: true})
		r.must(err)
		if len(q.Rows) != 4 {
			t.Errorf("%d rows with hints, want 4", len(q.Rows))
		}
	})
}

func TestFindingAndFiltering(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.Platform, 9)
		far, _ := r.w.Group(t, r.db, "市场群", "external", "approval", r.w.Marketing, 9)
		a := r.asks(g, r.w.Staff)
		r.clock.Add(49 * time.Hour)
		b := r.pending(g, 1234567)
		c := r.pending(far, 7)
		r.exec("UPDATE join_requests SET note = '项目转入' WHERE id = ?", b)
		var codeID string
		r.must(r.db.Raw("SELECT public_id FROM codes WHERE id = ?", r.code(g)).Scan(&codeID).Error)
		r.exec("UPDATE join_requests SET code_id = (SELECT id FROM codes WHERE public_id = ?) WHERE id = ?", codeID, b)
		r.exec("UPDATE guests SET name = '王小明'")
		r.exec("UPDATE join_requests SET name = '王小明' WHERE guest_id IS NOT NULL")
		for _, indexed := range []bool{false, true} {
			if indexed {
				r.must(r.joins.Reindex(ctx))
				if n := r.count("SELECT count(*) FROM join_requests WHERE sought = ''"); n != 0 {
					t.Fatalf("%d are not indexed", n)
				}
			}
			for _, look := range []struct {
				f    join.Filter
				want []int64
			}{
				{join.Filter{}, []int64{a, b, c}}, {join.Filter{Search: "小明"}, []int64{b, c}}, {join.Filter{Search: r.w.Staff.Name}, []int64{a}}, {join.Filter{Search: "DP0005"}, []int64{a}}, {join.Filter{Search: "4567"}, []int64{b}}, {join.Filter{Search: "0007 小明"}, []int64{c}},
				{join.Filter{Search: "%"}, nil}, {join.Filter{Search: "王大"}, nil}, {join.Filter{Department: r.w.Platform}, []int64{a, b}}, {join.Filter{Department: r.w.RD}, []int64{a, b}}, {join.Filter{Department: 1 << 40}, nil}, {join.Filter{Group: gid, Kind: "guest"}, []int64{b}},
				{join.Filter{Code: codeID}, []int64{b}}, {join.Filter{Code: "x"}, nil}, {join.Filter{Age: 2}, []int64{a}}, {join.Filter{Age: 3}, nil}, {join.Filter{Answered: "yes"}, []int64{b}}, {join.Filter{Answered: "no"}, []int64{a, c}}, {join.Filter{Hinted: true}, nil}, {join.Filter{Kind: "member"}, []int64{a}},
			} {
				f, want := look.f, look.want
				q, err := r.joins.Queue(ctx, r.w.Super, f)
				r.must(err)
				var got []int64
				for _, row := range q.Rows {
					got = append(got, row.ID)
				}
				if f.Search == "0007 小明" && !indexed {
					continue
				}
				if !slices.Equal(got, want) {
					t.Errorf("indexed %v, %+v: %v, want %v", indexed, f, got, want)
				}
			}
		}
		if q, err := r.joins.Queue(ctx, r.w.Super, join.Filter{Search: "wxm"}); err != nil || len(q.Rows) != 2 {
			t.Errorf("initials: %d, %v", len(q.Rows), err)
		}
	})
}

func TestOwnViews(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		for i := range join.MaxViews {
			r.must(r.joins.SaveView(ctx, r.w.Head, join.SavedView{Name: fmt.Sprint("视图", i), Query: "kind=guest", IsDefault: true}))
		}
		if err := r.joins.SaveView(ctx, r.w.Head, join.SavedView{Name: "多了"}); !errors.As(err, new(fault.Invalid)) {
			t.Errorf("one too many: %v", err)
		}
		r.must(r.joins.SaveView(ctx, r.w.Head, join.SavedView{Name: "视图3", Query: "kind=member"}))
		all, err := r.joins.Views(ctx, r.w.Head)
		r.must(err)
		firsts := 0
		for _, v := range all {
			if v.IsDefault {
				firsts++
			}
		}
		if len(all) != join.MaxViews || firsts != 1 {
			t.Errorf("%d views, %d of them first", len(all), firsts)
		}
		if err := r.joins.ChangeView(ctx, r.w.Super, all[0].ID, "delete"); !errors.Is(err, fault.NotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		r.must(r.joins.ChangeView(ctx, r.w.Head, all[0].ID, "default"))
		r.must(r.joins.ChangeView(ctx, r.w.Head, all[1].ID, "delete"))
		if n := r.count("SELECT count(*) FROM request_views WHERE is_default"); n != 1 {
			t.Errorf("%d first views", n)
		}
	})
}
