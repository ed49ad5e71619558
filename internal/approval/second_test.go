package approval_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// While there is one super admin, nothing that needs two can even be asked for,
// and nothing is saved beside it.
func TestOneSuperAdminAloneIsToldToAppointAnother(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		b.exec("UPDATE members SET super_admin = ? WHERE id <> ?", false, b.w.Super.MemberID)
		for _, a := range acts {
			if a.name == "external group" || a.name == "remove" {
				continue
			}
			var c fault.Conflict
			if _, err := a.ask(b); !errors.As(err, &c) || c.Key != directory.NeedsSecond.Key {
				t.Errorf("%s: %v", a.name, err)
			}
		}
		if n := b.count("SELECT (SELECT count(*) FROM approvals) + (SELECT count(*) FROM policies)"); n != 0 {
			t.Errorf("%d rows were written", n)
		}
	})
}

// Approval after the world changed: a sentence, and the request stays, or is
// closed when nothing can come of it any more.
func TestAnApprovalIsCheckedAgainstTheWorldAsItIs(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, act, key string
		change         func(b *board)
		over           bool
	}{
		{"the group is over", "issue", "codes.conflict.disbanded", func(b *board) { must(b, b.groups.Disband(ctx, b.third, b.gid, "结束", nil)) }, true},
		{"the group is over", "open", "groups.error.disbanded", func(b *board) { must(b, b.groups.Disband(ctx, b.third, b.closed, "结束", nil)) }, true},
		{"it is open already", "open", "second.error.open.already", func(b *board) { b.exec("UPDATE groups SET join_mode = 'open' WHERE id = ?", b.closedID) }, true},
		{"the code is revoked", "terms", "codes.conflict.revoked", func(b *board) { must(b, b.codes.Revoke(ctx, b.third, b.newest(), "照片外传")) }, true},
		{"the terms are others", "terms", "terms.conflict.stale", func(b *board) {
			must(b, b.codes.SaveTerms(ctx, b.third, b.newest(), code.Form{Label: "别的", Validity: code.Keep}))
		}, true},
		{"the group is an external one", "issue", "second.error.lost", func(b *board) { b.exec("UPDATE groups SET type = 'external' WHERE id = ?", b.group) }, false},
		{"the author is none any more", "issue", "second.error.lost", func(b *board) { b.exec("UPDATE members SET super_admin = ? WHERE id = ?", false, b.w.Super.MemberID) }, false},
		{"the author has left", "open", "approvals.error.author_left", func(b *board) { b.exec("UPDATE members SET status = 'departed' WHERE id = ?", b.w.Super.MemberID) }, false},
		{"scans are kept for another time", "retention", "second.error.retention", func(b *board) {
			must2(b.SavePolicies(ctx, b.w.Super2, b.directory, map[string]string{"scan_days": "0", "scan_target": "1"}, ""))(b)
			b.exec("INSERT INTO policies (name, value, updated_at) VALUES ('scan_days', '90', ?)", b.clock.Now())
		}, false},
		{"the department is gone", "external group", "second.error.department", func(b *board) {
			b.exec("UPDATE approvals SET payload = replace(payload, ?, ?)", fmt.Sprintf(`"DepartmentID":%d`, b.w.RD), `"DepartmentID":99999`)
		}, true},
		{"the author leads it no more", "external group", "approvals.error.author_lost", func(b *board) { b.exec("DELETE FROM department_heads WHERE member_id = ?", b.w.Head.MemberID) }, false},
	} {
		t.Run(c.act+", "+c.name, func(t *testing.T) {
			onBoard(t, func(t *testing.T, b *board) {
				a := b.act(c.act)
				id, err := a.ask(b)
				must(b, err)
				c.change(b)
				before := a.done(b)
				d, err := b.ByID(ctx, b.w.Super2, id)
				if err != nil || d.Hindrance == nil || d.Hindrance.Key != c.key {
					t.Errorf("the page says %+v, %v", d.Hindrance, err)
				}
				var conflict fault.Conflict
				if err := b.Decide(ctx, b.w.Super2, id, "approve", ""); !errors.As(err, &conflict) || conflict.Key != c.key {
					t.Errorf("approving: %v", err)
				}
				if a.done(b) != before {
					t.Error("it was carried out")
				}
				want := map[bool]string{true: approval.Void, false: approval.Pending}[c.over]
				if d, err := b.ByID(ctx, b.w.Super2, id); err != nil || d.State != want || c.over && (d.Why == nil || d.Why.Key != c.key) {
					t.Errorf("it is %s (%v), want %s: %v", d.State, d.Why, want, err)
				}
				if n := b.count("SELECT count(*) FROM audit_entries WHERE action = 'approval.void'"); (n == 1) != c.over {
					t.Errorf("%d entries say it was closed", n)
				}
			})
		})
	}
}

func must(b *board, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func must2(_ int64, err error) func(*board) { return func(b *board) { must(b, err) } }

func (b *board) act(name string) act {
	for _, a := range acts {
		if a.name == name {
			return a
		}
	}
	b.t.Fatal(name)
	return act{}
}

// newest is the public id of the code that was issued last.
func (b *board) newest() (id string) {
	b.db.Raw("SELECT public_id FROM codes ORDER BY id DESC LIMIT 1").Scan(&id)
	return id
}

// The code is its author's, the trail names both, and a password waits sealed. req: A07
func TestAPermanentOpenCodeIsItsAuthors(t *testing.T) {
	ctx := context.Background()
	onBoard(t, func(t *testing.T, b *board) {
		form := permanent("大堂")
		form.Password = "芝麻开门"
		_, err := b.codes.Issue(ctx, b.w.Super, b.gid, form)
		id, err := b.AskForCode(ctx, b.w.Super, b.plan(err), "长期挂着")
		must(b, err)
		var payload string
		b.db.Raw("SELECT payload FROM approvals WHERE id = ?", id).Scan(&payload)
		if strings.Contains(payload, "芝麻") || strings.Contains(payload, "argon2") || strings.Contains(payload, "$") {
			t.Errorf("the payload tells the password: %s", payload)
		}
		var forbidden fault.Forbidden
		for _, by := range []access.Actor{b.w.Super, b.w.Head} {
			if err := b.Decide(ctx, by, id, "approve", ""); err == nil || errors.As(err, &forbidden) == (by.MemberID == b.w.Head.MemberID) && forbidden.Right == "" {
				t.Errorf("%s approves: %v", by.Name, err)
			}
		}
		must(b, b.Decide(ctx, b.w.Super2, id, "approve", ""))
		f, err := code.LoadFacts(b.db, b.newest())
		must(b, err)
		if f.IssuedBy != b.w.Super.MemberID || f.Label != "大堂" || f.PasswordHash == "" || f.State(b.clock.Now()) != code.Live || f.TypedCode == nil {
			t.Errorf("%+v", f)
		}
		if n := b.count("SELECT count(*) FROM audit_entries WHERE action = 'code.issue' AND actor_id = ? AND details LIKE ?", b.w.Super2.MemberID, "%asked_by%"+b.w.Super.Name+"%"); n != 1 {
			t.Error("the trail does not name both")
		}
		// What hangs with a second person's word may be relabelled, but not loosened.
		must(b, b.codes.SaveTerms(ctx, b.w.Super, f.PublicID, code.Form{Label: "侧门", Validity: code.Keep}))
		var second code.NeedsSecond
		if err := b.codes.SaveTerms(ctx, b.w.Super, f.PublicID, code.Form{Label: "侧门", Validity: code.Keep, PasswordRemove: true}); !errors.As(err, &second) {
			t.Errorf("the password is taken away: %v", err)
		}
	})
}

// Shortening waits; all else in the form does not, and lengthening needs nobody.
func TestOnlyAShorterRetentionWaits(t *testing.T) {
	ctx := context.Background()
	onBoard(t, func(t *testing.T, b *board) {
		save := func(days string) int64 {
			t.Helper()
			id, err := b.SavePolicies(ctx, b.w.Super, b.directory, map[string]string{"scan_days": days, "refresh_days": "6" + days[:1]}, "")
			must(b, err)
			return id
		}
		for range 3 {
			b.exec("INSERT INTO scans (ref, at, outcome) VALUES (?, ?, 'live')", fmt.Sprint("R", b.count("SELECT count(*) FROM scans")), b.clock.Now().AddDate(0, 0, -40))
		}
		id := save("30") // from for ever
		if id == 0 || b.count("SELECT count(*) FROM policies WHERE name = 'scan_days'") != 0 || b.count("SELECT count(*) FROM policies WHERE name = 'refresh_days' AND value = '63'") != 1 {
			t.Error("the form is not split")
		}
		d, err := b.ByID(ctx, b.w.Super2, id)
		must(b, err)
		if got := d.Effect.Facts[2].Is[0].Word; got.Key != "second.scans" || fmt.Sprint(got.Args) != "[Count 3]" {
			t.Errorf("would delete %+v", got)
		}
		must(b, b.Decide(ctx, b.w.Super2, id, "approve", ""))
		if save("60") != 0 || save("0") != 0 {
			t.Error("keeping longer needs somebody")
		}
		if save("90") == 0 {
			t.Error("from for ever to 90 days needs nobody")
		}
		if err := b.directory.SavePolicies(ctx, b.w.Super, map[string]string{"scan_days": "10"}); !errors.Is(err, directory.ErrSecondPerson) {
			t.Errorf("by the other door: %v", err)
		}
	})
}

// The author is told once that something was decided.
func TestTheAuthorIsToldOfTheOutcome(t *testing.T) {
	ctx := context.Background()
	onBoard(t, func(t *testing.T, b *board) {
		news := func(by access.Actor) int {
			n, err := b.News(ctx, by)
			must(b, err)
			return n
		}
		id, err := b.act("external group").ask(b)
		must(b, err)
		if news(b.w.Head) != 0 {
			t.Error("news before anything happened")
		}
		must(b, b.Explain(ctx, b.w.Head, id, "年底要用"))
		must(b, b.Decide(ctx, b.w.Super2, id, "reject", "先用内部群"))
		if news(b.w.Head) != 1 || news(b.w.Super2) != 0 {
			t.Errorf("%d news for the author, %d for who decided", news(b.w.Head), news(b.w.Super2))
		}
		must(b, b.Seen(ctx, b.w.OtherHead, id))
		if news(b.w.Head) != 1 {
			t.Error("somebody else's look counts")
		}
		must(b, b.Seen(ctx, b.w.Head, id))
		if news(b.w.Head) != 0 {
			t.Error("it stays new")
		}
		var c fault.Conflict
		if err := b.Explain(ctx, b.w.Head, id, "还是要"); !errors.As(err, &c) {
			t.Errorf("explained afterwards: %v", err)
		}
	})
}
