package group_test

import (
	"errors"
	"fmt"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

func TestRulesHaveVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		id, gid := w.Group(t, w.db, "平台群", group.Internal, group.Approval, w.Platform, 300)
		save := func(by access.Actor, text string, version int, again bool) error {
			return w.groups.SaveRules(ctx, by, gid, text, version, again)
		}
		if err := save(w.Staff, "规则", 0, false); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("staff write rules: %v", err)
		}
		if err := save(w.OtherHead, "规则", 0, false); !errors.Is(err, fault.NotFound) {
			t.Errorf("another head writes rules: %v", err)
		}
		for i, text := range []string{"互相尊重", " 互相尊重\r\n不发广告 ", "互相尊重\n不发广告"} { // the last is the second without what surrounds it
			if err := save(w.Head, text, min(i, 2), false); err != nil {
				t.Fatal(i, err)
			}
		}
		g, _ := group.Load(w.db, gid)
		rules, err := group.RulesOf(w.db, g)
		if err != nil || rules.Version != 2 || rules.Text != "互相尊重\n不发广告" || rules.Hash != group.Digest(rules.Text) {
			t.Errorf("%+v, %v", rules, err)
		}
		var stale fault.Conflict
		if err := save(w.Super, "别的", 1, false); !errors.As(err, &stale) || stale.By != w.Head.Name || stale.At.IsZero() {
			t.Errorf("written over another's: %v", err)
		}
		errs := together(8, func(i int) error { return save(w.Head, fmt.Sprint("并发", i), 2, false) })
		if done, conflicts, other := count(errs); done != 1 || conflicts != 7 || other != nil {
			t.Errorf("%d saved, %d came late, %v", done, conflicts, other)
		}
		g, _ = group.Load(w.db, gid)
		rules, _ = group.RulesOf(w.db, g)
		if err := w.groups.AcceptRules(ctx, w.Staff, gid, rules.Token()); !errors.As(err, new(fault.Forbidden)) {
			t.Errorf("agreed from outside: %v", err)
		}
		if err := w.groups.AddMember(ctx, w.Head, gid, fmt.Sprint(w.Staff.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		me := group.Person{MemberID: &w.Staff.MemberID}
		if _, due, _ := group.Agreed(w.db, g, me); !due {
			t.Error("who was added is not asked")
		}
		if err := w.groups.AcceptRules(ctx, w.Staff, gid, "1"); !errors.As(err, &stale) {
			t.Errorf("agreed to an old version: %v", err)
		}
		for range 2 { // once, however often
			if err := w.groups.AcceptRules(ctx, w.Staff, gid, rules.Token()); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM rule_acceptances WHERE group_id = ? AND version = 3 AND hash = ? AND member_id = ?", id, rules.Hash, w.Staff.MemberID); n != 1 {
			t.Errorf("%d rows of evidence", n)
		}
		if err := save(w.Head, "第四版", 3, false); err != nil {
			t.Fatal(err)
		}
		g, _ = group.Load(w.db, gid)
		if v, due, _ := group.Agreed(w.db, g, me); v != 3 || due {
			t.Errorf("agreed to %d, asked again without that being wished: %v", v, due)
		}
		if err := save(w.Head, "第五版", 4, true); err != nil {
			t.Fatal(err)
		}
		g, _ = group.Load(w.db, gid)
		if _, due, _ := group.Agreed(w.db, g, me); !due {
			t.Error("not asked again")
		}
		page, err := w.groups.Rules(ctx, w.Head, gid)
		if err != nil || len(page.Versions) != 5 || page.Versions[2].Accepted != 1 || len(page.Evidence) != 1 {
			t.Errorf("%d versions, %d rows, %v", len(page.Versions), len(page.Evidence), err)
		}
		if page, err := w.groups.Rules(ctx, w.Staff, gid); err != nil || len(page.Evidence) != 0 || len(page.Versions) != 0 || page.Aside.Rules == nil || !page.Due {
			t.Errorf("a member's page: %+v, %v", page.Aside, err)
		}
		if err := save(w.Head, "", 5, false); err != nil {
			t.Fatal(err)
		}
		if err := save(w.Head, "又有了", 0, false); err != nil {
			t.Fatal(err)
		}
		if g, _ = group.Load(w.db, gid); g.RulesVersion != 6 {
			t.Errorf("version %d after none", g.RulesVersion)
		}
	})
}
