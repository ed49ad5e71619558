package join_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/rules"
	"doorplate/internal/testkit"
)

func (r *room) rules() *rules.Service {
	return rules.New(r.db, audit.New(testkit.Keys(), r.clock.Now), r.clock.Now)
}

// lays makes a rule of a group, or with "" of the organisation.
func (r *room) lays(gid string, d rules.Draft) int64 {
	r.t.Helper()
	d.Enabled, d.Version = true, -1
	id, err := r.rules().Save(context.Background(), r.w.Super, gid, 0, d)
	r.must(err)
	return id
}

func (r *room) text(sql string, args ...any) (s string) {
	r.t.Helper()
	r.must(r.db.Raw(sql, args...).Scan(&s).Error)
	return s
}

func letMembersIn(d string) rules.Draft {
	return rules.Draft{Name: "研发中心直接进", Verdict: "approve", Departments: d}
}

var noGuests = rules.Draft{Name: "不收访客", Verdict: "refuse", Reason: "只收本单位的人", Person: "guest"}

// A rule decides in the press that asks: the person is in, or reads why not,
// and the record names the rule.
func TestRulesDecideAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "群", "external", "approval", r.w.RD, 9)
		r.lays(gid, letMembersIn("研发中心"))
		r.lays(gid, noGuests)
		c := r.code(g)
		in, out := r.scanned(c), r.scanned(c)
		if v := r.submit(join.Visitor{Secret: in, Proved: r.w.StaffPhone}, join.Form{}); v.State != join.StateIn || !v.Ruled {
			t.Fatalf("staff of a department below: %s", v.State)
		}
		r.show(r.at(in), join.StateIn)
		v := r.submit(join.Visitor{Secret: out, Proved: "+8613900000001"}, join.Form{Name: "访客"})
		r.show(v, join.StateRefused)
		if v = r.at(out); v.Why != join.Turned || v.Request.Reason != "只收本单位的人" || !v.RetryAt.Equal(r.clock.Now().Add(24*time.Hour)) {
			t.Errorf("the page says %+v", v)
		}
		waits := r.submit(join.Visitor{Secret: r.scanned(c), Proved: r.w.OtherStaffPhone}, join.Form{})
		r.show(waits, join.StatePending)
		for sql, want := range map[string]string{
			"SELECT rule_name FROM request_rulings WHERE verdict = 'approve' AND outcome = 'done'":                                                     "研发中心直接进",
			"SELECT rule_name FROM request_rulings WHERE verdict = 'refuse' AND outcome = 'done'":                                                      "不收访客",
			"SELECT actor_name FROM audit_entries WHERE action = 'request.approve' AND actor_kind = 'system'":                                          "研发中心直接进",
			"SELECT actor_name FROM audit_entries WHERE action = 'request.reject' AND actor_kind = 'system'":                                           "不收访客",
			"SELECT count(*) FROM request_rulings WHERE verdict = '' AND rule_id IS NULL":                                                              "1",
			"SELECT count(*) FROM memberships m JOIN join_requests q ON q.id = m.request_id WHERE m.source = 'code' AND q.decided_by IS NULL":          "1",
			"SELECT count(*) FROM events WHERE kind IN ('request.submitted', 'request.approved', 'request.rejected')":                                  "5",
			"SELECT sum(requested) || '/' || sum(joined) FROM scan_funnel":                                                                             "3/1",
			"SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')": "0",
		} {
			if got := r.text(sql); got != want {
				t.Errorf("%s: %q, want %q", sql, got, want)
			}
		}
		r.clock.Add(24 * time.Hour)
		r.show(r.at(out), join.StateForm) // asks again as after a person's refusal
	})
}

// The organisation's rules come first; a group cannot let in whom they hold.
func TestTheOrganisationComesFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "群", "internal", "approval", r.w.RD, 9)
		r.lays(gid, letMembersIn("研发中心"))
		r.must(r.rules().SaveWords(context.Background(), r.w.Super, "", "发票\nspam"))
		r.lays("", rules.Draft{Name: "敏感词留给人", Verdict: "hold", Words: "hit"})
		cookie := r.scanned(r.code(g))
		r.show(r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{Note: "代开 发 票"}), join.StatePending)
		q, err := r.joins.Queue(context.Background(), r.w.Head, join.Filter{})
		r.must(err)
		row := q.Rows[0]
		if row.Ruling.Outcome != join.RuledHeld || row.Ruling.RuleName != "敏感词留给人" || row.Ruling.Score != 40 || len(row.Hits) != 1 || row.Hits[0].Word != "发票" {
			t.Errorf("%+v %v", row.Ruling, row.Hits)
		}
		_, err = r.joins.Withdraw(context.Background(), join.Visitor{Secret: cookie})
		r.must(err)
		r.show(r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{Note: "想进群"}), join.StateIn)
	})
}

// A full group, a series and the author of a rule.
func TestARuleObeysWhatAPersonObeys(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, gid := r.w.Group(t, r.db, "群", "external", "approval", r.w.RD, 9)
		id, err := r.rules().Save(context.Background(), r.w.Head, gid, 0, rules.Draft{Name: "都进", Verdict: "approve", Person: "member", Enabled: true})
		r.must(err)
		r.show(r.submit(join.Visitor{Secret: r.scanned(r.code(g)), Proved: r.w.HeadPhone}, join.Form{}), join.StatePending)
		if got := r.text("SELECT outcome FROM request_rulings WHERE rule_id = ?", id); got != join.RuledAuthor {
			t.Errorf("a rule for its own author: %s", got)
		}
		r.exec("UPDATE groups SET capacity = 1 WHERE id = ?", g)
		last := r.scanned(r.code(g))
		r.submit(join.Visitor{Secret: r.scanned(r.code(g)), Proved: r.w.StaffPhone}, join.Form{})
		r.show(r.submit(join.Visitor{Secret: last, Proved: r.w.OtherStaffPhone}, join.Form{}), join.StateFull)
		s, sid := r.w.Group(t, r.db, "客户群 1", "external", "approval", r.w.RD, 20)
		r.series(sid, "客户群", 100)
		r.lays(sid, rules.Draft{Name: "访客都进", Verdict: "approve", Person: "guest"})
		if got := r.crowd(r.code(s), 64, r.joins); got["in"] != 64 {
			t.Errorf("%v, want 64 in", got)
		}
		if n := r.count("SELECT count(*) FROM groups WHERE series_id IS NOT NULL AND member_count > capacity"); n != 0 || r.count("SELECT count(*) FROM memberships WHERE guest_id IS NOT NULL") != 64 {
			t.Error("the series is oversold or lost somebody")
		}
	})
}

// Whom a rule turned down gets in all the same; whom it let in goes.
func TestAHeadOverturnsARule(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "群", "external", "approval", r.w.RD, 2)
		r.lays(gid, letMembersIn("研发中心"))
		r.lays(gid, noGuests)
		c := r.code(g)
		member, guest := r.scanned(c), r.scanned(c)
		in := r.submit(join.Visitor{Secret: member, Proved: r.w.StaffPhone}, join.Form{}).Request.ID
		out := r.submit(join.Visitor{Secret: guest, Proved: "+8613900000001"}, join.Form{Name: "访客"}).Request.ID
		person := r.pending(g, 7)
		if _, err := r.joins.Overturn(ctx, r.w.OtherHead, out, ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("a foreign head: %v", err)
		}
		if _, err := r.joins.Overturn(ctx, r.w.Head, person, ""); !r.conflict(err) {
			t.Errorf("what no rule decided: %v", err)
		}
		if _, err := r.joins.Overturn(ctx, r.w.Head, in, " "); r.wrong(err, "reason") == "" {
			t.Errorf("no reason for somebody who is to go: %v", err)
		}
		got, err := r.joins.Overturn(ctx, r.w.Head, out, "")
		r.must(err)
		r.show(r.at(guest), join.StateIn)
		if _, err := r.joins.Overturn(ctx, r.w.Super, out, "再来"); got != join.Approved || !r.conflict(err) {
			t.Errorf("%s; once more: %v", got, err)
		}
		got, err = r.joins.Overturn(ctx, r.w.Head, in, "走错了")
		r.must(err)
		if v := r.at(member); got != join.Rejected || v.State != join.StateRefused || v.Request.Reason != "走错了" {
			t.Errorf("%s, %+v", got, v)
		}
		if n := r.count("SELECT member_count FROM groups WHERE id = ?", g); n != 1 {
			t.Errorf("%d seats taken, want 1", n)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action LIKE 'request.overturn.%' AND actor_id = ?", r.w.Head.MemberID); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
	})
}

func (r *room) conflict(err error) bool {
	var c fault.Conflict
	return errors.As(err, &c)
}

// What the box says about a request is what the request really got, as long as
// the rules are the same; and it says it in a fixed number of statements.
func TestTheBoxSaysWhatHappens(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		g, gid := r.w.Group(t, r.db, "群", "external", "approval", r.w.RD, 50)
		list, err := r.rules().MakeList(ctx, r.w.Head, gid, "名单", "手机\n139 0000 0003，DP0006")
		r.must(err)
		r.must(r.rules().SaveWords(ctx, r.w.Head, gid, "spam"))
		refuse := r.lays(gid, rules.Draft{Name: "词", Verdict: "refuse", Reason: "不行", Words: "hit"})
		r.lays(gid, letMembersIn("研发中心"))
		r.lays(gid, rules.Draft{Name: "名单", Verdict: "approve", Lists: []string{fmt.Sprint(list)}})
		r.lays(gid, rules.Draft{Name: "可疑", Verdict: "hold", Score: "10"})
		c := r.code(g)
		for i := range 12 {
			r.submit(join.Visitor{Secret: r.scanned(c), Proved: fmt.Sprintf("+86139%08d", i)}, join.Form{Name: fmt.Sprint("访客", i), Note: []string{"好", "S P A M", "你好"}[i%3]})
		}
		for _, phone := range []string{r.w.StaffPhone, r.w.OtherStaffPhone, r.w.HeadPhone} {
			r.submit(join.Visitor{Secret: r.scanned(c), Proved: phone}, join.Form{})
		}
		trial, err := r.joins.Try(ctx, r.w.Head, gid, nil)
		r.must(err)
		if len(trial.Rows) != 15 || trial.Differ != 0 || trial.Skipped != 0 {
			t.Fatalf("%d rows, %d differ", len(trial.Rows), trial.Differ)
		}
		for _, row := range trial.Rows {
			if row.Said.Verdict != row.Real.Verdict || row.Said.Rule != nil && row.Said.Rule.ID != *row.Real.RuleID || row.Said.Score.Total != row.Real.Score {
				t.Errorf("%s: %+v in the box, %+v really", row.Name, row.Said, row.Real)
			}
		}
		if trial.Count[rules.Refuse] != 4 || trial.Count[rules.Approve] != 4 {
			t.Errorf("%v", trial.Count)
		}
		edited, err := r.rules().Read(ctx, r.w.Head, gid, refuse, rules.Draft{Name: "词", Verdict: "hold", Words: "hit", Enabled: true})
		r.must(err)
		again, err := r.joins.Try(ctx, r.w.Head, gid, &edited)
		r.must(err)
		if again.Differ != 4 || again.Count[rules.Refuse] != 0 || r.count("SELECT count(*) FROM decision_rules WHERE verdict = 'refuse'") != 1 {
			t.Errorf("edited: %d differ, %v", again.Differ, again.Count)
		}
		few := r.statements(func() { _, err = r.joins.Try(ctx, r.w.Super, "", nil) })
		r.must(err)
		for i := range 150 {
			r.pending(g, 100+i)
		}
		if many := r.statements(func() { _, err = r.joins.Try(ctx, r.w.Super, "", nil) }); many > few+2 || many > 20 {
			t.Errorf("%d statements for 165 requests, %d for 15", many, few)
		}
		r.must(err)
	})
}

// statements counts what work sends to the database.
func (r *room) statements(work func()) int {
	var n atomic.Int64
	name := "count statements"
	r.must(r.db.Callback().Query().After("gorm:query").Register(name, func(*gorm.DB) { n.Add(1) }))
	r.must(r.db.Callback().Row().After("gorm:row").Register(name, func(*gorm.DB) { n.Add(1) }))
	work()
	r.must(r.db.Callback().Query().Remove(name))
	r.must(r.db.Callback().Row().Remove(name))
	return int(n.Load())
}

// Presses, people's decisions, changes of rules and overturned ones, all at
// once: no group is oversold, each request is decided once, nothing deadlocks.
func TestAStormOfRules(t *testing.T) {
	onTwoInstances(t, func(t *testing.T, s *storm) {
		ctx := context.Background()
		g, gid := s.w.Group(t, s.db, "群", "external", "approval", s.w.RD, 30)
		n, nid := s.w.Group(t, s.db, "客户群 1", "external", "approval", s.w.RD, 10)
		s.series(nid, "客户群", 90)
		ids := []int64{s.lays(gid, rules.Draft{Name: "进", Verdict: "approve", Says: "进", Person: "guest"}), s.lays("", rules.Draft{Name: "不", Verdict: "refuse", Reason: "不", Says: "不"}), s.lays(nid, rules.Draft{Name: "进", Verdict: "approve", Says: "进", Person: "guest"})}
		gids := []string{gid, "", nid}
		cookies := make([]string, 96)
		codes := []int64{s.code(g), s.code(n)}
		for i := range cookies {
			cookies[i] = s.scanned(codes[i%2])
		}
		var wg sync.WaitGroup
		var left atomic.Int64
		left.Store(8)
		for i := range 8 {
			wg.Go(func() {
				for k := i; k < len(cookies); k += 8 {
					who := join.Visitor{Secret: cookies[k], Proved: fmt.Sprintf("+86137%08d", k)}
					_, err := s.both[k%2].joins.Submit(ctx, who, join.Form{Name: "访客", Note: []string{"进", "不", "想", "进"}[k/2%4]})
					s.tell("submit", err)
				}
				left.Add(-1)
			})
		}
		for i := range 4 {
			wg.Go(func() {
				for k := 0; left.Load() > 0 || k < 10; k++ {
					var some []int64
					in := s.both[(i+k)%2]
					switch i {
					case 0:
						s.db.Raw("SELECT id FROM join_requests WHERE status = 'pending' ORDER BY random() LIMIT 5").Scan(&some)
						if len(some) > 0 {
							_, err := in.joins.Decide(ctx, s.w.Super, join.Decision{Approve: k%2 == 0, Reason: "人"}, some...)
							s.tell("decide", err)
						}
					case 1:
						service := rules.New(in.db, audit.New(testkit.Keys(), s.clock.Now), s.clock.Now)
						s.tell("arrange", service.Arrange(ctx, s.w.Super, gids[k%3], ids[k%3], []string{rules.On, rules.Off, rules.On}[k/3%3]))
					default:
						s.db.Raw("SELECT request_id FROM request_rulings WHERE outcome = 'done' AND overturned_at IS NULL ORDER BY random() LIMIT 1").Scan(&some)
						if len(some) > 0 && k%3 == 0 {
							_, err := in.joins.Overturn(ctx, s.w.Super, some[0], "推翻")
							s.tell("overturn", err)
						}
					}
				}
			})
		}
		wg.Wait()
		for what, n := range s.failed {
			t.Errorf("%d × %s", n, what)
		}
		for what, sql := range map[string]string{
			"oversold":  "SELECT count(*) FROM groups WHERE member_count > capacity",
			"seats":     "SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')",
			"unruled":   "SELECT count(*) FROM join_requests r WHERE NOT EXISTS (SELECT 1 FROM request_rulings x WHERE x.request_id = r.id)",
			"unseated":  "SELECT count(*) FROM join_requests r WHERE status = 'approved' AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.guest_id = r.guest_id AND m.status = 'active')",
			"undecided": "SELECT count(*) FROM request_rulings x JOIN join_requests r ON r.id = x.request_id WHERE x.outcome = 'done' AND r.status = 'pending'",
			"twice":     "SELECT count(*) FROM (SELECT guest_id, group_id FROM memberships WHERE status = 'active' GROUP BY 1, 2 HAVING count(*) > 1) x",
		} {
			if n := s.count(sql); n != 0 {
				t.Errorf("%s: %d", what, n)
			}
		}
		if s.done["overturn"] == 0 || s.count("SELECT count(*) FROM request_rulings WHERE outcome = 'done'") < 10 {
			t.Errorf("the storm was a breeze: %v", s.done)
		}
	})
}

// Who may lay down rules: as permissions.md says of settings and content duty.
func TestWhoLaysDownRules(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		_, gid := r.w.Group(t, r.db, "群", "internal", "approval", r.w.Platform, 9)
		keeper := r.w.Staff
		keeper.Duties = map[int64]access.Duty{int64(r.count("SELECT id FROM groups WHERE gid = ?", gid)): access.Content}
		var forbidden fault.Forbidden
		for who, want := range map[*access.Actor]string{&r.w.Super: "ok", &r.w.Head: "ok", &keeper: "ok", &r.w.Staff: "no", &r.w.OtherHead: "not found"} {
			_, err := r.rules().Save(ctx, *who, gid, 0, letMembersIn("研发中心"))
			got := "ok"
			switch {
			case errors.As(err, &forbidden):
				got = "no"
			case errors.Is(err, fault.NotFound):
				got = "not found"
			case err != nil:
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s: %s, want %s", who.Name, got, want)
			}
			if _, err := r.rules().Page(ctx, *who, ""); (err == nil) != who.Super {
				t.Errorf("%s at the organisation's rules: %v", who.Name, err)
			}
		}
		// Whoever looks after the content tries rules out without learning who asked.
		r.asks(int64(r.count("SELECT id FROM groups WHERE gid = ?", gid)), r.w.OtherStaff)
		trial, err := r.joins.Try(ctx, keeper, gid, nil)
		r.must(err)
		if trial.Rows[0].Shown {
			t.Error("a name is shown to somebody who does not decide")
		}
	})
}
