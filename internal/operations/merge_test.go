package operations_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/scan"
)

// Everything of the one group is in the other afterwards, and nothing twice. req: A20, C53
func TestAMergeTakesEverythingAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("旧群", group.Internal, group.Approval, w.RD, 50)
		b, gidB := w.group("新群", group.Internal, group.Approval, w.Platform, 50)
		third, _ := w.group("第三个", group.Internal, group.Approval, w.RD, 50)
		p := make([]int64, 8)
		for i := range p {
			p[i] = w.person(i)
		}
		long := w.clock.Now().AddDate(0, -5, 0).UTC().Truncate(time.Second)
		w.seat(a, long, p[0], p[1], p[2])
		w.seat(b, w.clock.Now(), p[1], p[3])
		kept := w.asks(a, p[4])
		doubled := w.asks(a, p[3])  // is in the other one
		twice := w.asks(a, p[5])    // has asked there, too
		there := w.asks(b, p[5])    //
		answered := w.asks(b, p[0]) // comes in by the merge
		w.waits(a, p[6])
		w.waits(a, p[7])
		w.waits(b, p[7])
		until := w.clock.Now().AddDate(0, 0, 5)
		codeA, publicA := w.Code(t, w.db, a, "门", &until, w.Super.MemberID)
		codeB, _ := w.Code(t, w.db, b, "窗", &until, w.Super.MemberID)
		codeC, _ := w.Code(t, w.db, third, "活码", nil, w.Super.MemberID)
		w.exec("UPDATE codes SET route = 'order', fallback = 'group', fallback_group_id = ? WHERE id = ?", a, codeC)
		w.exec("UPDATE codes SET fallback = 'group', fallback_group_id = ? WHERE id = ?", a, codeB)
		w.exec("INSERT INTO code_targets (code_id, group_id, position, weight) VALUES (?, ?, 1, 7)", codeC, a)
		w.exec("INSERT INTO code_targets (code_id, group_id, position) VALUES (?, ?, 1)", codeA, b)
		w.exec("INSERT INTO code_copies (code_id, serial, created_at) VALUES (?, 1, ?)", codeA, w.clock.Now())

		m, err := w.ops.PreviewMerge(ctx, w.Head, gidA, gidB)
		w.must(err)
		if m.Coming() != 2 || m.Already != 1 || m.Requests != 3 || m.Doubled != 2 || m.Waiting != 2 || len(m.Codes) != 1 || m.Targets != 1 || m.Fallbacks != 2 || len(m.Against) != 0 {
			t.Errorf("preview: %+v", m)
		}
		name := "旧群"
		w.must(w.ops.Merge(ctx, w.Head, gidA, gidB, "人少", &name))
		w.sound()

		for query, want := range map[string]int{
			fmt.Sprintf("SELECT count(*) FROM memberships WHERE group_id = %d AND status = 'active'", b):                          4,
			fmt.Sprintf("SELECT count(*) FROM memberships WHERE group_id = %d AND source = 'merge'", b):                           2,
			fmt.Sprintf("SELECT count(*) FROM memberships WHERE group_id = %d AND status = 'active'", a):                          3, // as of then
			fmt.Sprintf("SELECT group_id FROM join_requests WHERE id = %d AND status = 'pending'", kept):                          int(b),
			fmt.Sprintf("SELECT count(*) FROM join_requests WHERE id IN (%d, %d) AND status = 'cancelled'", doubled, twice):       2,
			fmt.Sprintf("SELECT count(*) FROM join_requests WHERE id = %d AND status = 'pending'", there):                         1,
			fmt.Sprintf("SELECT count(*) FROM join_requests WHERE id = %d AND status = 'approved'", answered):                     1,
			fmt.Sprintf("SELECT count(*) FROM waiting_list WHERE group_id = %d AND ended_at IS NULL", b):                          2,
			"SELECT count(*) FROM waiting_list WHERE ended_how = 'over'":                                                          1,
			fmt.Sprintf("SELECT group_id FROM codes WHERE id = %d", codeA):                                                        int(b),
			fmt.Sprintf("SELECT count(*) FROM code_targets WHERE code_id = %d AND group_id = %d AND weight = 7", codeC, b):        1,
			fmt.Sprintf("SELECT count(*) FROM code_targets WHERE group_id = %d OR code_id = %d", a, codeA):                        0,
			fmt.Sprintf("SELECT fallback_group_id FROM codes WHERE id = %d", codeC):                                               int(b),
			fmt.Sprintf("SELECT count(*) FROM codes WHERE id = %d AND fallback = 'message' AND fallback_group_id IS NULL", codeB): 1,
			"SELECT count(*) FROM audit_entries WHERE action IN ('group.merge', 'group.absorb')":                                  2,
		} {
			if got := w.count(query); got != want {
				t.Errorf("%s = %d, want %d", query, got, want)
			}
		}
		var joined time.Time
		w.must(w.db.Raw("SELECT joined_at FROM memberships WHERE group_id = ? AND member_id = ?", b, p[0]).Row().Scan(&joined))
		if !joined.Equal(long) {
			t.Errorf("joined at %v, want %v", joined, long)
		}
		if d := w.scan(publicA); d.Cause != scan.Live || d.Facts.GroupGID != gidB {
			t.Errorf("a print of the old group: %q, leads to %q", d.Cause, d.Facts.GroupName)
		}
		w.afterwards(gidA, gidB)
	})
}

// afterwards: the merged group says where it went, and is merged or disbanded once.
func (w *world) afterwards(gidA, gidB string) {
	w.t.Helper()
	h, err := w.groups.ByID(ctx, w.Head, gidA)
	w.must(err)
	s, err := w.ops.Successor(ctx, w.Head, h.Group)
	if err != nil || s == nil || s.GID != gidB || !s.Seen || len(s.Codes) != 1 || !s.Codes[0].Seen {
		w.t.Errorf("successor: %+v, %v", s, err)
	}
	var over fault.Conflict
	if err := w.ops.Merge(ctx, w.Head, gidA, gidB, "x", nil); !errors.As(err, &over) || over.By == "" {
		w.t.Errorf("merged twice: %v", err)
	}
	if err := w.ops.Merge(ctx, w.Head, gidB, gidA, "x", nil); !errors.As(err, &over) {
		w.t.Errorf("merged into what has ended: %v", err)
	}
}

func TestWhatAMergeRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		_, small := w.group("小", group.Internal, group.Approval, w.RD, 2)
		a, gid := w.group("大", group.External, group.Approval, w.RD, 50)
		_, wide := w.group("宽", group.External, group.Open, w.RD, 50)
		_, foreign := w.group("外", group.External, group.Approval, w.Marketing, 50)
		w.seat(a, w.clock.Now(), w.person(1), w.person(2), w.person(3))
		w.Code(t, w.db, a, "永久", nil, w.Super.MemberID)
		field := func(want, into, reason string, confirm *string) {
			t.Helper()
			var bad fault.Invalid
			if err := w.ops.Merge(ctx, w.Head, gid, into, reason, confirm); !errors.As(err, &bad) || bad["into"].Key+bad["reason"].Key+bad["confirm_name"].Key != want {
				t.Errorf("into %s: %v, want %s", into, err, want)
			}
		}
		wrong := "别的名字"
		field("operations.merge.error.room", small, "x", nil)
		field("operations.merge.error.open", wide, "x", nil)
		field("operations.merge.error.into", gid, "x", nil)
		field("operations.merge.error.into", "", "x", nil)
		w.exec("UPDATE groups SET capacity = 50 WHERE gid = ?", small)
		field("groups.error.reason.empty", small, " ", nil)
		field("groups.error.confirm", small, "x", &wrong)
		w.exec("INSERT INTO guests (id, name, phone, created_at) VALUES (900, '客', '+8613500000009', ?)", w.clock.Now())
		w.exec("INSERT INTO join_requests (group_id, guest_id, name, created_at) VALUES (?, 900, '客', ?)", a, w.clock.Now())
		field("operations.merge.error.guests", small, "x", nil)
		for _, c := range []struct {
			by         access.Actor
			from, into string
		}{{w.Head, gid, foreign}, {w.Head, foreign, small}, {w.OtherHead, gid, small}, {w.Head, gid, "nonsense"}, {w.Head, "a b", small}} {
			if err := w.ops.Merge(ctx, c.by, c.from, c.into, "x", nil); !errors.Is(err, fault.NotFound) {
				t.Errorf("%s into %s by %s: %v", c.from, c.into, c.by.Name, err)
			}
		}
		w.exec("UPDATE groups SET owner_id = ? WHERE gid = ?", w.Staff.MemberID, gid)
		owner := w.Staff
		owner.Duties = map[int64]access.Duty{a: access.Owner}
		var missing fault.Forbidden
		if err := w.ops.Merge(ctx, owner, gid, small, "x", nil); !errors.As(err, &missing) {
			t.Errorf("by the owner: %v", err)
		}
		if n := w.count("SELECT count(*) FROM audit_entries"); n != 0 {
			t.Errorf("%d entries for nothing", n)
		}
	})
}

// The issuer's right is asked where the codes hang now: one that a head issued
// stops in a department that is not theirs, until it is adopted.
func TestCodesThatFollowDependOnTheirIssuer(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("甲", group.Internal, group.Approval, w.RD, 50)
		_, gidB := w.group("乙", group.Internal, group.Approval, w.Marketing, 50)
		_, theirs := w.Code(t, w.db, a, "主管的", nil, w.Head.MemberID)
		_, super := w.Code(t, w.db, a, "管理员的", nil, w.Super.MemberID)
		_, back := w.Code(t, w.db, a, "回来的", nil, w.OtherHead.MemberID)
		m, err := w.ops.PreviewMerge(ctx, w.Super, gidA, gidB)
		w.must(err)
		if lost := m.Lost(); len(lost) != 1 || lost[0].PublicID != theirs || m.Won() != 1 {
			t.Errorf("lost %+v, won %d", lost, m.Won())
		}
		w.must(w.ops.Merge(ctx, w.Super, gidA, gidB, "合并", nil))
		for id, want := range map[string]code.State{theirs: code.Suspended, super: code.Live, back: code.Live} {
			f, err := code.LoadFacts(w.db, id)
			w.must(err)
			if got := f.State(w.clock.Now()); got != want {
				t.Errorf("%s is %s, want %s", f.Label, got, want)
			}
		}
		w.must(w.codes.Adopt(ctx, w.OtherHead, theirs, ""))
	})
}

// A series goes on without the merged group, and stops when it was the last.
func TestASeriesLosesAGroupToAMerge(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, gidA := w.group("班 1", group.Training, group.Open, w.RD, 2)
		_, gidB := w.group("大班", group.Training, group.Approval, w.RD, 50)
		third, _ := w.group("门厅", group.Training, group.Approval, w.RD, 50)
		w.must(w.groups.StartSeries(ctx, w.Head, gidA, "班", "90"))
		until := w.clock.Now().AddDate(0, 0, 5)
		w.seat(a, w.clock.Now(), w.person(1))
		w.must(w.groups.AddMember(ctx, w.Head, gidA, fmt.Sprint(w.Staff.MemberID), "")) // full: the next one is made
		codeC, _ := w.Code(t, w.db, third, "活码", &until, w.Super.MemberID)
		w.exec("INSERT INTO code_targets (code_id, group_id, position) VALUES (?, ?, 1)", codeC, a)
		w.must(w.ops.Merge(ctx, w.Head, gidA, gidB, "合并", nil))
		if n := w.count("SELECT count(*) FROM code_targets t JOIN groups g ON g.id = t.group_id WHERE t.code_id = ? AND g.name IN ('班 2', '大班')", codeC); n != 2 {
			t.Errorf("%d groups behind the code, want the series and the successor", n)
		}
		if n := w.count("SELECT count(*) FROM group_series WHERE stopped_at IS NULL"); n != 1 {
			t.Error("the series stopped while it had a group")
		}
		var second string
		w.must(w.db.Raw("SELECT gid FROM groups WHERE name = '班 2'").Scan(&second).Error)
		m, err := w.ops.PreviewMerge(ctx, w.Head, second, gidB)
		if err != nil || !m.EndSeries {
			t.Errorf("%+v, %v", m, err)
		}
		w.must(w.ops.Merge(ctx, w.Head, second, gidB, "合并", nil))
		if n := w.count("SELECT count(*) FROM group_series WHERE stopped_at IS NULL"); n != 0 {
			t.Error("a series without groups goes on")
		}
	})
}

// While people are let in, ask and scan, two groups become one: nobody is lost,
// nobody is in twice, no seat too many is taken. req: A20
func TestAMergeInTheMiddleOfEverything(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const people = 24
		for round := range 6 {
			a, gidA := w.group(fmt.Sprint("甲", round), group.Internal, group.Approval, w.RD, 40)
			b, gidB := w.group(fmt.Sprint("乙", round), group.Internal, group.Approval, w.RD, people+4)
			until := w.clock.Now().AddDate(0, 0, 5)
			codeID, public := w.Code(t, w.db, a, "门", &until, w.Super.MemberID)
			var requests []int64
			var cookies, phones []string
			for i := range people {
				id := w.person(1000*round + i)
				if i%2 == 0 {
					requests = append(requests, w.asks(a, id))
				} else {
					cookies, phones = append(cookies, w.scanned(codeID)), append(phones, fmt.Sprintf("+86139%08d", 1000*round+i))
				}
			}
			w.seat(b, w.clock.Now(), w.person(1000*round+900))
			var mu sync.Mutex
			odd := func(what string, err error) {
				var c fault.Conflict
				if err != nil && !errors.As(err, &c) {
					mu.Lock()
					t.Errorf("%s: %v", what, err)
					mu.Unlock()
				}
			}
			work := []func(){func() { odd("merge", w.ops.Merge(ctx, w.Head, gidA, gidB, "合并", nil)) }}
			for _, id := range requests {
				work = append(work, func() {
					_, err := w.joins.Decide(ctx, w.Head, join.Decision{Approve: true}, id)
					odd("approve", err)
				})
			}
			for i := range cookies {
				work = append(work, func() {
					_, err := w.joins.Submit(ctx, join.Visitor{Secret: cookies[i], Proved: phones[i]}, join.Form{})
					odd("submit", err)
				}, func() {
					if d := w.scan(public); d.Cause != scan.Live {
						t.Errorf("a scan in between: %s", d.Cause)
					}
				})
			}
			together(work...)
			w.sound()
			if n := w.count("SELECT count(*) FROM memberships WHERE group_id = ? AND status = 'active'", b); n != 1+len(requests) {
				t.Errorf("%d are in, want %d", n, 1+len(requests))
			}
			if n := w.count("SELECT count(*) FROM join_requests WHERE group_id = ? AND status = 'pending'", b); n != len(cookies) {
				t.Errorf("%d ask, want %d", n, len(cookies))
			}
		}
	})
}

// Two heads merge the same two groups into one another: one of them does it.
func TestTwoMergesAgainstEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for round := range 8 {
			a, gidA := w.group("甲", group.Internal, group.Approval, w.RD, 40)
			b, gidB := w.group("乙", group.Internal, group.Approval, w.RD, 40)
			until := w.clock.Now().AddDate(0, 0, 5)
			w.Code(t, w.db, a, "甲门", &until, w.Super.MemberID)
			w.Code(t, w.db, b, "乙门", &until, w.Super.MemberID)
			w.seat(a, w.clock.Now(), w.person(100*round), w.person(100*round+1))
			w.seat(b, w.clock.Now(), w.person(100*round+2))
			var errs [3]error
			together(
				func() { errs[0] = w.ops.Merge(ctx, w.Head, gidA, gidB, "x", nil) },
				func() { errs[1] = w.ops.Merge(ctx, w.Super, gidB, gidA, "x", nil) },
				func() { errs[2] = w.groups.Disband(ctx, w.Super2, gidA, "x", nil) },
			)
			done := 0
			for _, err := range errs {
				var c fault.Conflict
				if err == nil {
					done++
				} else if !errors.As(err, &c) {
					t.Error(err)
				}
			}
			// B into A, then A disbanded, is the one case in which two are right.
			if done != 1 && !(done == 2 && errs[1] == nil && errs[2] == nil) {
				t.Errorf("%d of three went through: %v", done, errs)
			}
			w.exec("UPDATE join_requests SET status = 'expired' WHERE status = 'pending'")
		}
	})
}
