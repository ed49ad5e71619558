package join_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// series makes a group the first of a series.
func (r *room) series(gid, base string, threshold int) {
	r.t.Helper()
	groups := group.New(r.db, audit.New(testkit.Keys(), r.clock.Now), r.clock.Now)
	r.must(groups.StartSeries(context.Background(), r.w.Super, gid, base, fmt.Sprint(threshold)))
}

// target lets a code lead to one more group.
func (r *room) target(codeID, groupID int64, position, weight int, department any) {
	r.t.Helper()
	r.exec("INSERT INTO code_targets (code_id, group_id, position, weight, department_id) VALUES (?, ?, ?, ?, ?)", codeID, groupID, position, weight, department)
}

func (r *room) route(codeID int64, rule string) {
	r.exec("UPDATE codes SET route = ? WHERE id = ?", rule, codeID)
}

// whole fails the test unless the groups of the only series are numbered without
// a gap, none holds more than its seats, and all together hold people.
func (r *room) whole(people int) {
	r.t.Helper()
	for query, want := range map[string]int{
		"SELECT count(*) FROM groups WHERE series_id IS NOT NULL AND member_count > capacity":                                                      0,
		"SELECT coalesce(sum(member_count), 0) FROM groups":                                                                                        people,
		"SELECT count(*) FROM memberships WHERE status = 'active'":                                                                                 people,
		"SELECT max(series_no) - count(*) FROM groups WHERE series_id IS NOT NULL":                                                                 0,
		"SELECT count(*) - count(DISTINCT series_no) FROM groups WHERE series_id IS NOT NULL":                                                      0,
		"SELECT max(s.next_no) - 1 - count(*) FROM groups g JOIN group_series s ON s.id = g.series_id":                                             0,
		"SELECT count(*) - 1 - (SELECT count(*) FROM audit_entries WHERE action = 'group.create') FROM groups WHERE series_id IS NOT NULL":         0,
		`SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')`: 0,
	} {
		if got := r.count(query); got != want {
			r.t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
}

// crowd sends n guests at once through a code of the group, spread over the services.
func (r *room) crowd(codeID int64, n int, over ...*join.Service) map[string]int {
	r.t.Helper()
	cookies := make([]string, n)
	for i := range cookies {
		cookies[i] = r.scanned(codeID)
	}
	return parallel(n, func(i int) string {
		v, err := over[i%len(over)].Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i)}, join.Form{Name: fmt.Sprint("访客", i)})
		if err != nil {
			return err.Error()
		}
		return string(v.State)
	})
}

// Sixty-four people come at once to a series of twenty seats a group.
func TestASeriesRefusesNobody(t *testing.T) {
	for _, threshold := range []int{100, 90} {
		t.Run(fmt.Sprint(threshold), func(t *testing.T) {
			onBoth(t, func(t *testing.T, r *room) {
				g, gid := r.w.Group(t, r.db, "培训群 1", "training", "open", r.w.RD, 20)
				r.series(gid, "培训群", threshold)
				if got := r.crowd(r.code(g), 64, r.joins); got["in"] != 64 {
					t.Errorf("%v, want 64 in", got)
				}
				r.whole(64)
				if n := r.count("SELECT count(*) FROM groups WHERE name = '培训群 4'"); n != 1 {
					t.Error("the fourth group is missing")
				}
			})
		})
	}
}

func TestASeriesRefusesNobodyOverTwoInstances(t *testing.T) {
	url := testkit.PostgresURL(t)
	clock := testkit.NewClock()
	var dbs []*gorm.DB
	var services []*join.Service
	for range 2 {
		db, err := database.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { database.Close(db) })
		marks := join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}
		dbs, services = append(dbs, db), append(services, join.New(db, testkit.Keys(), audit.New(testkit.Keys(), clock.Now), marks, clock.Now))
	}
	r := &room{t: t, db: dbs[0], clock: clock, w: testkit.Org(t, dbs[0], clock), joins: services[0]}
	g, gid := r.w.Group(t, r.db, "培训群 1", "training", "open", r.w.RD, 20)
	r.series(gid, "培训群", 100)
	if got := r.crowd(r.code(g), 64, services...); got["in"] != 64 {
		t.Errorf("%v, want 64 in", got)
	}
	r.whole(64)
}

// Sixty-four requests for one group of twenty seats are approved, alone and in bulk.
func TestApprovalsGoOnIntoTheNextGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "客户群 1", "external", "approval", r.w.RD, 20)
		r.series(gid, "客户群", 100)
		code := r.code(g)
		if got := r.crowd(code, 64, r.joins); got["pending"] != 64 {
			t.Fatalf("%v, want 64 requests", got)
		}
		var ids []int64
		r.must(r.db.Raw("SELECT id FROM join_requests ORDER BY id").Scan(&ids).Error)
		got := parallel(25, func(i int) string {
			mine := ids[i : i+1]
			if i == 24 {
				mine = ids[24:]
			}
			res, err := r.joins.Decide(context.Background(), r.w.Head, join.Decision{Approve: true}, mine...)
			for _, one := range res {
				if !one.Decided() {
					return one.Outcome
				}
			}
			return fmt.Sprint(err)
		})
		if got["<nil>"] != 25 {
			t.Errorf("%v", got)
		}
		r.whole(64)
		var last struct{ Name, Phone string }
		r.must(r.db.Raw(`SELECT g.name, u.phone FROM memberships m JOIN groups g ON g.id = m.group_id JOIN guests u ON u.id = m.guest_id
			WHERE g.series_no = 4 LIMIT 1`).Scan(&last).Error)
		cookie := r.scanned(code)
		v := r.submit(join.Visitor{Secret: cookie, Proved: last.Phone}, join.Form{})
		if r.show(v, join.StateIn); v.Group.Name != "客户群 4" || last.Name != v.Group.Name {
			t.Errorf("the page shows %s to somebody in %s", v.Group.Name, last.Name)
		}
	})
}

// People come, and people leave the organisation, at the same time.
func TestArrivalsAndDeparturesDoNotStopEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		trail := audit.New(testkit.Keys(), r.clock.Now)
		groups, people := group.New(r.db, trail, r.clock.Now), directory.New(r.db, trail, r.clock.Now)
		people.OnDepart(directory.Effect{Key: "requests", End: join.CancelFor}, directory.Effect{Key: "memberships", End: endMemberships})
		one, first := r.w.Group(t, r.db, "群 1", "training", "open", r.w.RD, 6)
		two, second := r.w.Group(t, r.db, "另一群", "training", "open", r.w.RD, 40)
		r.series(first, "群", 100)
		c := r.code(one)
		r.route(c, code.RouteLeast)
		r.target(c, two, 1, 1, nil)
		ids := make([]int64, 12)
		for i := range ids {
			r.must(r.db.Raw("INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING id", fmt.Sprint("人", i),
				fmt.Sprintf("+86138%08d", 100+i), r.clock.Now(), r.clock.Now()).Scan(&ids[i]).Error)
			r.must(groups.AddMember(context.Background(), r.w.Super, second, fmt.Sprint(ids[i]), ""))
			if i < 4 {
				r.must(groups.AddMember(context.Background(), r.w.Super, first, fmt.Sprint(ids[i]), ""))
			}
		}
		cookies := make([]string, 24)
		for i := range cookies {
			cookies[i] = r.scanned(c)
		}
		got := parallel(36, func(i int) string {
			if i >= 24 {
				err := people.Depart(context.Background(), r.w.Super, ids[i-24], "离开")
				return fmt.Sprint("left ", err)
			}
			v, err := r.joins.Submit(context.Background(), join.Visitor{Secret: cookies[i], Proved: fmt.Sprintf("+86137%08d", i)}, join.Form{Name: fmt.Sprint("访客", i)})
			if err != nil {
				return err.Error()
			}
			return string(v.State)
		})
		if got["in"] != 24 || got["left <nil>"] != 12 {
			t.Errorf("%v, want 24 in and 12 left", got)
		}
		if n := r.count(`SELECT count(*) FROM groups g WHERE member_count > capacity
			OR member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')`); n != 0 {
			t.Errorf("%d groups miscount", n)
		}
	})
}

func endMemberships(tx *gorm.DB, _ access.Actor, memberID int64, at time.Time) (int64, error) {
	return group.EndFor(tx, memberID, at, "departed")
}

// Forty people come at once to one print with three groups of ten seats behind it.
func TestALiveCodeFillsItsGroupsInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		a, _ := r.w.Group(t, r.db, "一班", "training", "open", r.w.RD, 10)
		b, _ := r.w.Group(t, r.db, "二班", "training", "open", r.w.Marketing, 10)
		c, _ := r.w.Group(t, r.db, "三班", "training", "open", r.w.RD, 10)
		print := r.code(a)
		r.route(print, code.RouteOrder)
		r.target(print, b, 1, 1, nil)
		r.target(print, c, 2, 1, nil)
		if got := r.crowd(print, 40, r.joins); got["in"] != 30 || got["full"] != 10 {
			t.Errorf("%v, want 30 in and 10 full", got)
		}
		if n := r.count("SELECT count(*) FROM groups WHERE member_count <> 10"); n != 0 {
			t.Errorf("%d groups are not full", n)
		}
	})
}

// The session keeps its group; a person who is in, or waits, sees that one.
func TestAVisitKeepsItsGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		a, _ := r.w.Group(t, r.db, "一班", "training", "approval", r.w.RD, 10)
		b, _ := r.w.Group(t, r.db, "二班", "training", "approval", r.w.RD, 10)
		print := r.code(a)
		r.route(print, code.RouteLeast)
		r.target(print, b, 1, 1, nil)
		r.exec("UPDATE groups SET member_count = 5 WHERE id = ?", a)
		cookie := r.scanned(print)
		if v := r.at(cookie); v.Group.ID != b {
			t.Errorf("the least full is not chosen: %s", v.Group.Name)
		}
		r.exec("UPDATE groups SET member_count = 9 WHERE id = ?", b)
		if v := r.at(cookie); v.Group.ID != b {
			t.Errorf("the choice moved to %s", v.Group.Name)
		}
		r.exec("UPDATE groups SET member_count = 10 WHERE id = ?", b)
		if v := r.at(cookie); v.Group.ID != a {
			t.Errorf("the full group is still shown: %s", v.Group.Name)
		}
		v := r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{})
		if r.show(v, join.StatePending); v.Group.ID != a {
			t.Errorf("asked for %s", v.Group.Name)
		}
		r.exec("UPDATE groups SET member_count = 0 WHERE id = ?", b)
		fresh := r.scanned(print)
		v = r.submit(join.Visitor{Secret: fresh, Proved: r.w.StaffPhone}, join.Form{})
		if r.show(v, join.StatePending); v.Group.ID != a || r.count("SELECT count(*) FROM join_requests") != 1 {
			t.Errorf("a second scan asked again, for %s", v.Group.Name)
		}
		// A refusal holds for every door of the code.
		r.exec("UPDATE join_requests SET status = 'rejected', decided_at = ?, decided_by = ?", r.clock.Now(), r.w.Head.MemberID)
		again := r.scanned(print)
		r.show(r.submit(join.Visitor{Secret: again, Proved: r.w.StaffPhone}, join.Form{}), join.StateRefused)
	})
}

// Departments choose after identification; guests never get into an internal group.
func TestDepartmentsAndGuests(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		own, _ := r.w.Group(t, r.db, "客户群", "external", "open", r.w.Root, 10)
		rd, _ := r.w.Group(t, r.db, "研发群", "internal", "open", r.w.RD, 10)
		platform, _ := r.w.Group(t, r.db, "平台群", "internal", "open", r.w.Platform, 10)
		print := r.code(own)
		r.route(print, code.RouteDepartment)
		r.target(print, rd, 1, 1, r.w.RD)
		r.target(print, platform, 2, 1, r.w.Platform)
		for phone, want := range map[string]int64{r.w.StaffPhone: platform, r.w.HeadPhone: rd, r.w.OtherStaffPhone: own, "+8613911112222": own} {
			cookie := r.scanned(print)
			if v := r.at(cookie); v.Group.ID != own || !v.Guests {
				t.Errorf("before identification: %s", v.Group.Name)
			}
			v := r.submit(join.Visitor{Secret: cookie, Proved: phone}, join.Form{Name: "某人"})
			if r.show(v, join.StateIn); v.Group.ID != want {
				t.Errorf("%s came into %s", phone, v.Group.Name)
			}
		}
		// An internal group's code with an external target: guests get that one only.
		mixed := r.code(rd)
		r.route(mixed, code.RouteOrder)
		r.target(mixed, own, 1, 1, nil)
		cookie := r.scanned(mixed)
		v := r.submit(join.Visitor{Secret: cookie, Proved: "+8613911113333"}, join.Form{Name: "客人"})
		if r.show(v, join.StateIn); v.Group.ID != own {
			t.Errorf("a guest came into %s", v.Group.Name)
		}
		r.exec("UPDATE groups SET member_count = capacity WHERE id = ?", own)
		late := r.scanned(mixed)
		r.show(r.submit(join.Visitor{Secret: late, Proved: "+8613911114444"}, join.Form{Name: "晚到"}), join.StateFull)
		if n := r.count("SELECT count(*) FROM memberships m JOIN groups g ON g.id = m.group_id WHERE g.type = 'internal' AND m.guest_id IS NOT NULL"); n != 0 {
			t.Errorf("%d guests are in internal groups", n)
		}
	})
}

// Disbanded, off and restricted groups get nobody.
func TestClosedDoorsAreLeftOut(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		own, _ := r.w.Group(t, r.db, "一班", "training", "open", r.w.RD, 10)
		r.exec("UPDATE groups SET member_count = 10 WHERE id = ?", own)
		print := r.code(own)
		r.route(print, code.RouteOrder)
		var last int64
		for i, change := range []string{"status = 'disbanded'", "join_mode = 'off'", "join_mode = 'restricted'", "purpose = 'open'"} {
			last, _ = r.w.Group(t, r.db, change, "training", "open", r.w.RD, 10)
			r.exec("UPDATE groups SET "+change+" WHERE id = ?", last)
			r.target(print, last, i+1, 1, nil)
		}
		if v := r.at(r.scanned(print)); v.Group.ID != last {
			t.Errorf("led to %s", v.Group.Name)
		}
	})
}
