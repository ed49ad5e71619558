package operations_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/recert"
	"doorplate/internal/testkit"
)

// round opens a round of ten days in which people confirm groups.
func (w *world) round() *recert.Service {
	w.t.Helper()
	w.clock.Add(time.Hour)
	now := w.clock.Now()
	w.exec("INSERT INTO recert_rounds (from_at, opens_at, due_at) VALUES (?, ?, ?)", now, now, now.AddDate(0, 0, 10))
	w.clock.Add(time.Hour)
	return recert.New(w.db, audit.New(testkit.Keys(), w.clock.Now), w.codes, w.clock.Now)
}

func (w *world) confirm(rounds *recert.Service, by access.Actor, gid string) {
	w.t.Helper()
	p, err := rounds.Pass(ctx, by, gid, 0)
	w.must(err)
	got, err := rounds.Confirm(ctx, by, gid, recert.Decisions{Round: p.Plan.Round.ID, Others: true})
	w.must(err)
	if !got.Done {
		w.t.Errorf("%s is not done: %+v", gid, got)
	}
}

// What a head confirmed stays confirmed when the group goes into another one, and nothing else is. req: C52, C53
func TestWhatIsConfirmedStaysSoThroughAMerge(t *testing.T) {
	for _, whole := range []bool{true, false} {
		t.Run(fmt.Sprint("the whole group ", whole), func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				a, gidA := w.group("旧群", group.Internal, group.Approval, w.RD, 50)
				b, gidB := w.group("新群", group.Internal, group.Approval, w.Platform, 50)
				mine, left, there := w.person(1), w.person(2), w.person(3)
				w.seat(a, w.clock.Now(), mine)
				w.seat(b, w.clock.Now(), there)
				until := w.clock.Now().AddDate(0, 1, 0)
				codeA, _ := w.Code(t, w.db, a, "门", &until, w.Super.MemberID)
				codeB, _ := w.Code(t, w.db, b, "窗", &until, w.Super.MemberID)
				open := []string{"人3"}
				if !whole {
					w.seat(a, w.clock.Now(), left)
					open = []string{"人3", "人2"}
				}
				rounds := w.round()
				p, err := rounds.Pass(ctx, w.Head, gidA, 0)
				w.must(err)
				d := recert.Decisions{Round: p.Plan.Round.ID, Others: true}
				if !whole {
					d = recert.Decisions{Round: p.Plan.Round.ID, KeepCodes: []int64{codeA}}
					for _, s := range p.Seats {
						if s.Name == "人1" {
							d.Keep = []int64{s.ID}
						}
					}
				}
				_, err = rounds.Confirm(ctx, w.Head, gidA, d)
				w.must(err)
				name := "旧群"
				w.must(w.ops.Merge(ctx, w.Head, gidA, gidB, "人少", &name))

				p, err = rounds.Pass(ctx, w.Head, gidB, 0)
				w.must(err)
				asked := map[string]bool{}
				for _, s := range p.Seats {
					asked[s.Name] = true
				}
				if len(asked) != len(open) || !asked[open[0]] || !asked[open[len(open)-1]] || len(p.Doors) != 1 || p.Doors[0].ID != codeB {
					t.Errorf("still asked for: %v and %d codes, want %v and the new group's own", asked, len(p.Doors), open)
				}
				w.clock.Add(11 * 24 * time.Hour)
				for member, want := range map[int64]bool{mine: false, there: true} {
					if held, err := group.Held(w.db, b, group.Person{MemberID: &member}, w.clock.Now()); err != nil || held != want {
						t.Errorf("member %d stands still: %t, %v", member, held, err)
					}
				}
			})
		})
	}
}

// A group that nobody confirmed does not become a confirmed one by merging it: what stands still would work again.
func TestAMergeIsNoWayAroundARound(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("旧群", group.Internal, group.Approval, w.RD, 50)
		b, gidB := w.group("新群", group.Internal, group.Approval, w.Platform, 50)
		w.seat(a, w.clock.Now(), w.person(1))
		w.seat(b, w.clock.Now(), w.person(2))
		rounds := w.round()
		w.confirm(rounds, w.Head, gidB)
		late, gidLate := w.group("这一轮里才建的", group.Internal, group.Approval, w.RD, 50)
		w.exec("UPDATE groups SET created_at = ? WHERE id = ?", w.clock.Now(), late)
		name := "旧群"
		for _, into := range []string{gidB, gidLate} {
			m, err := w.ops.PreviewMerge(ctx, w.Head, gidA, into)
			w.must(err)
			if len(m.Against) != 1 || m.Against[0].Key != "operations.merge.error.recert" {
				t.Errorf("nothing stands against it: %+v", m.Against)
			}
			if err := w.ops.Merge(ctx, w.Head, gidA, into, "人少", &name); !errors.As(err, new(fault.Invalid)) {
				t.Errorf("merged all the same: %v", err)
			}
		}
		w.confirm(rounds, w.Head, gidA)
		w.must(w.ops.Merge(ctx, w.Head, gidA, gidB, "人少", &name))
		w.clock.Add(11 * 24 * time.Hour)
		if n := w.count(`SELECT count(*) FROM memberships ms WHERE ms.group_id = ? AND ms.status = 'active'`, b); n != 2 {
			t.Errorf("%d members", n)
		}
		w.sound()
	})
}

// Nobody agrees to rules by being merged: who comes over is asked, and the list says so to whoever keeps it.
func TestWhoComesOverIsAskedToAgree(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("旧群", group.Internal, group.Approval, w.RD, 50)
		b, gidB := w.group("新群", group.Internal, group.Approval, w.Platform, 50)
		w.seat(a, w.clock.Now(), w.Staff.MemberID)
		w.must(w.groups.SaveRules(ctx, w.Head, gidA, "旧规则", 0, false))
		w.must(w.groups.SaveRules(ctx, w.Head, gidB, "互相尊重", 0, false))
		w.exec("UPDATE memberships SET rules_version = 1 WHERE group_id = ?", a)
		name := "旧群"
		w.must(w.ops.Merge(ctx, w.Head, gidA, gidB, "人少", &name))
		unagreed := func(by access.Actor) bool {
			t.Helper()
			list, err := w.groups.Roster(ctx, by, gidB, "", 0)
			w.must(err)
			return len(list.Seats) == 1 && list.Seats[0].Unagreed
		}
		if !unagreed(w.Head) {
			t.Error("the list does not say it")
		}
		staff := w.Staff
		if unagreed(staff) {
			t.Error("other members learn it")
		}
		g, err := group.Load(w.db, gidB)
		w.must(err)
		if _, due, err := group.Agreed(w.db, g, group.Person{MemberID: &staff.MemberID}); err != nil || !due {
			t.Errorf("is not asked: %v", err)
		}
		rules, err := group.RulesOf(w.db, g)
		w.must(err)
		w.must(w.groups.AcceptRules(ctx, staff, gidB, rules.Token()))
		if unagreed(w.Head) {
			t.Error("still to agree after agreeing")
		}
		if n := w.count("SELECT count(*) FROM rule_acceptances WHERE group_id = ?", b); n != 1 {
			t.Errorf("%d acceptances", n)
		}
	})
}
