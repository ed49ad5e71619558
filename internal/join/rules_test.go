package join_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/testkit"
)

func (r *room) groups() *group.Service {
	return group.New(r.db, audit.New(testkit.Keys(), r.clock.Now), r.clock.Now)
}

// rule puts a version of the rules in force and returns what a ticked box says.
func (r *room) rule(gid, text string, again bool) string {
	r.t.Helper()
	r.must(r.groups().SaveRules(context.Background(), r.w.Super, gid, text, -1, again))
	g, err := group.Load(r.db, gid)
	r.must(err)
	rules, err := group.RulesOf(r.db, g)
	r.must(err)
	return rules.Token()
}

func (r *room) wrong(err error, field string) string {
	var bad fault.Invalid
	if !errors.As(err, &bad) {
		r.t.Helper()
		r.t.Errorf("err = %v, want one about %s", err, field)
	}
	return bad[field].Key
}

// Nobody asks or gets in without having agreed to what is in force at that
// moment, and what they did until then is kept.
func TestRulesAreAgreedToFirst(t *testing.T) {
	for _, mode := range []string{"approval", "open"} {
		t.Run(mode, func(t *testing.T) {
			onBoth(t, func(t *testing.T, r *room) {
				ctx := context.Background()
				id, gid := r.w.Group(t, r.db, "平台群", "internal", mode, r.w.Platform, 10)
				one := r.rule(gid, "互相尊重", false)
				cookie := r.scanned(r.code(id))
				if why := r.wrong(r.joins.CheckRules(ctx, cookie, join.Form{}), "rules"); why != "charter.join.rules.missing" {
					t.Errorf("before the code is used up: %s", why)
				}
				v := r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{Note: "我在平台组"})
				r.show(v, join.StateForm)
				if v.Lacks["rules"].Key == "" || v.Rules == nil || v.Rules.Version != 1 {
					t.Errorf("lacks %v, rules %v", v.Lacks, v.Rules)
				}
				if v := r.at(cookie); v.Step != join.StepAsk || v.Person == nil {
					t.Error("the number has to be proved again")
				}
				// While the page is open the rules change.
				two := r.rule(gid, "互相尊重，不发广告", false)
				_, err := r.joins.Submit(ctx, join.Visitor{Secret: cookie}, join.Form{Note: "我在平台组", Rules: one})
				if why := r.wrong(err, "rules"); why != "charter.join.rules.changed" {
					t.Errorf("with old rules: %s", why)
				}
				if v := r.at(cookie); v.Rules.Text != "互相尊重，不发广告" || r.count("SELECT count(*) FROM join_requests")+r.count("SELECT count(*) FROM memberships") != 0 {
					t.Errorf("the page shows %q", v.Rules.Text)
				}
				v = r.submit(join.Visitor{Secret: cookie, Address: "192.0.2.9"}, join.Form{Note: "我在平台组", Rules: two})
				if r.count("SELECT count(*) FROM rule_acceptances WHERE version = 2 AND hash = ? AND member_id = ? AND address = '192.0.2.9'",
					group.Digest("互相尊重，不发广告"), r.w.Staff.MemberID) != 1 {
					t.Error("no evidence of the agreement")
				}
				if mode == "approval" {
					r.show(v, join.StatePending)
					if r.count("SELECT rules_version FROM join_requests WHERE note = '我在平台组'") != 2 {
						t.Error("the request does not say which version")
					}
					three := r.rule(gid, "第三版", false)
					if d, err := r.joins.Open(ctx, r.w.Head, v.Request.ID); err != nil || d.RulesVersion != 2 || d.RulesNow != 3 || three == two {
						t.Errorf("who decides reads %d of %d, %v", d.RulesVersion, d.RulesNow, err)
					}
					_, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Approve: true}, v.Request.ID)
					r.must(err)
				}
				if n := r.count("SELECT rules_version FROM memberships WHERE status = 'active'"); n != 2 {
					t.Errorf("the stay says version %d", n)
				}
				r.show(r.at(cookie), join.StateIn)
				if v := r.at(cookie); v.Rules != nil {
					t.Error("asked again without that being wished")
				}
				last := r.rule(gid, "最后一版", true)
				if v := r.at(cookie); v.State != join.StateIn || v.Rules == nil {
					t.Errorf("not asked again: %v", v.Rules)
				}
				r.submit(join.Visitor{Secret: cookie}, join.Form{Rules: last})
				if v := r.at(cookie); v.Rules != nil {
					t.Error("asked once more")
				}
			})
		})
	}
}

// Visitors press while somebody writes new rules: each stay has evidence of the
// very version it names, and everybody else was told.
func TestRulesChangeUnderManyHands(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		id, gid := r.w.Group(t, r.db, "开放群", "external", "open", r.w.RD, 100)
		token := r.rule(gid, "第一版", false)
		code := r.code(id)
		cookies := make([]string, 24)
		for i := range cookies {
			cookies[i] = r.scanned(code)
		}
		got := parallel(len(cookies)+1, func(i int) string {
			if i == len(cookies)/2 {
				return fmt.Sprint(r.groups().SaveRules(ctx, r.w.Super, gid, "第二版", 1, false))
			}
			n := i
			if i > len(cookies)/2 {
				n--
			}
			v, err := r.joins.Submit(ctx, join.Visitor{Secret: cookies[n], Proved: fmt.Sprintf("+86135%08d", n)}, join.Form{Name: fmt.Sprint("访客", n), Rules: token})
			if err != nil {
				return err.Error()
			}
			return string(v.State) + v.Lacks["rules"].Key
		})
		in, told := got[string(join.StateIn)], got["formcharter.join.rules.changed"]
		if got["<nil>"] != 1 || in+told != len(cookies) {
			t.Errorf("answers %v", got)
		}
		if n := r.count(`SELECT count(*) FROM memberships m JOIN rule_acceptances a ON a.guest_id = m.guest_id AND a.version = m.rules_version
			JOIN group_rules g ON g.id = a.rules_id AND g.hash = a.hash WHERE m.rules_version = 1`); n != in {
			t.Errorf("%d of %d stays have their evidence", n, in)
		}
	})
}

func TestGuestsSayWhoTheyAre(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		id, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 10)
		r.exec("UPDATE groups SET real_name = ?, ask_company = ? WHERE id = ?", true, true, id)
		code := r.code(id)
		cookie := r.scanned(code)
		v := r.submit(join.Visitor{Secret: cookie, Proved: "+8613900000077"}, join.Form{Name: "大熊2000"})
		if v.State != join.StateForm || v.Step != join.StepName || v.Lacks["name"].Key == "" || v.Lacks["company"].Key == "" {
			t.Errorf("state %s, step %s, lacks %v", v.State, v.Step, v.Lacks)
		}
		for _, name := range []string{"", "匿名", "李"} {
			_, err := r.joins.Submit(ctx, join.Visitor{Secret: cookie}, join.Form{Name: name, Company: "远山科技"})
			if why := r.wrong(err, "name"); why == "" {
				t.Errorf("%q passes", name)
			}
		}
		_, err := r.joins.Submit(ctx, join.Visitor{Secret: cookie}, join.Form{Name: "熊大力"})
		if why := r.wrong(err, "company"); why == "" {
			t.Error("without a company")
		}
		v = r.submit(join.Visitor{Secret: cookie}, join.Form{Name: "熊大力", Company: "远山科技"})
		r.show(v, join.StatePending)
		if r.count("SELECT count(*) FROM join_requests WHERE name = '熊大力' AND real_name AND company = '远山科技'") != 1 {
			t.Error("the request does not say who asks")
		}
		// Members are known by the directory.
		cookie = r.scanned(code)
		r.show(r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{}), join.StatePending)
		if r.count("SELECT count(*) FROM join_requests WHERE member_id = ? AND NOT real_name", r.w.Staff.MemberID) != 1 {
			t.Error("a member's name is not the directory's")
		}
	})
}

func TestMembersProposeWhereTheyMay(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		id, gid := r.w.Group(t, r.db, "平台群", "internal", "approval", r.w.Platform, 10)
		propose := func() error { return r.joins.Propose(ctx, r.w.Staff, gid, "", r.w.OtherStaffPhone) }
		refused := func(what string) {
			t.Helper()
			var forbidden fault.Forbidden
			if err := propose(); !errors.As(err, &forbidden) || forbidden.Right != "group.propose" {
				t.Errorf("%s: %v", what, err)
			}
		}
		r.exec("UPDATE groups SET members_invite = ? WHERE id = ?", true, id)
		refused("from outside")
		r.exec("INSERT INTO memberships (group_id, member_id, source, joined_at) VALUES (?, ?, 'added', ?)", id, r.w.Staff.MemberID, r.clock.Now())
		r.exec("UPDATE groups SET type = 'external' WHERE id = ?", id)
		refused("in an external group")
		r.exec("UPDATE groups SET type = 'internal', members_invite = ? WHERE id = ?", false, id)
		refused("where it is off")
		r.exec("UPDATE groups SET members_invite = ? WHERE id = ?", true, id)
		if err := r.joins.Propose(ctx, r.w.OtherStaff, gid, "", r.w.StaffPhone); !errors.Is(err, fault.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
		got := parallel(6, func(int) string {
			var c fault.Conflict
			switch err := propose(); {
			case err == nil:
				return "done"
			case errors.As(err, &c):
				return c.Key
			default:
				return err.Error()
			}
		})
		if got["done"] != 1 || got["charter.propose.asked"] != 5 {
			t.Errorf("answers %v", got)
		}
		request := r.count("SELECT id FROM join_requests WHERE proposed_by = ? AND member_id = ?", r.w.Staff.MemberID, r.w.OtherStaff.MemberID)
		if d, err := r.joins.Open(ctx, r.w.Head, int64(request)); err != nil || d.Proposer != r.w.Staff.Name {
			t.Errorf("proposed by %q, %v", d.Proposer, err)
		}
	})
}
