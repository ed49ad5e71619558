package join_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/testkit"
)

// line puts n guests on the waiting list of a full group, as they come through the door.
func (r *room) line(codeID int64, n int) (cookies []string) {
	r.t.Helper()
	for i := range n {
		cookie := r.scanned(codeID)
		r.show(r.submit(join.Visitor{Secret: cookie, Proved: fmt.Sprintf("+86137%08d", i)}, join.Form{Name: fmt.Sprint("候补", i)}), join.StateFull)
		v, err := r.joins.Wait(context.Background(), join.Visitor{Secret: cookie})
		r.must(err)
		if v.Wait != nil {
			r.t.Fatalf("waited before: %+v", v.Wait)
		}
		cookies = append(cookies, cookie)
	}
	return cookies
}

// queued is line for many: the rows as Wait writes them.
func (r *room) queued(groupID, codeID int64, n int) (cookies []string) {
	r.t.Helper()
	for i := range n {
		cookie, guest := r.scanned(codeID), r.guest(i)
		r.exec("UPDATE join_sessions SET guest_id = ? WHERE id = (SELECT max(id) FROM join_sessions)", guest)
		r.exec(`INSERT INTO waiting_list (group_id, code_id, scan_id, guest_id, name, created_at, for_seat)
			SELECT ?, code_id, scan_id, guest_id, ?, ?, ? FROM join_sessions WHERE guest_id = ?`, groupID, fmt.Sprint("候补", i), r.clock.Now(), true, guest)
		cookies = append(cookies, cookie)
	}
	return cookies
}

func (r *room) turn() int {
	r.t.Helper()
	n, err := r.joins.TurnWaiting(context.Background())
	r.must(err)
	return n
}

// Fifty seats become free one by one and in parallel while four instances turn:
// the first in line get them, nobody else, nobody twice.
func TestFreedSeatsGoToTheFirstInLine(t *testing.T) {
	for _, mode := range []string{"open", "approval"} {
		t.Run(mode, func(t *testing.T) {
			onBoth(t, func(t *testing.T, r *room) {
				ctx := context.Background()
				g, gid := r.w.Group(t, r.db, "培训群", "training", mode, r.w.RD, 25)
				groups := group.New(r.db, audit.New(testkit.Keys(), r.clock.Now), r.clock.Now)
				var seats []string
				for i := range 25 {
					var id int64
					r.must(r.db.Raw("INSERT INTO memberships (group_id, guest_id, joined_at) VALUES (?, ?, ?) RETURNING id", g, r.guest(9000+i), r.clock.Now()).Scan(&id).Error)
					seats = append(seats, fmt.Sprint(id))
				}
				r.exec("UPDATE groups SET member_count = 25 WHERE id = ?", g)
				cookies := r.queued(g, r.code(g), 60)
				got := parallel(54, func(i int) string {
					var err error
					switch {
					case i < 25:
						err = groups.RemoveMember(ctx, r.w.Super, gid, seats[i])
					case i < 50:
						err = r.db.Exec("UPDATE groups SET capacity = capacity + 1 WHERE id = ?", g).Error
					default:
						_, err = r.joins.TurnWaiting(ctx)
					}
					return fmt.Sprint(err)
				})
				if got["<nil>"] != 54 {
					t.Errorf("%v", got)
				}
				r.turn()
				r.inOrder(g, mode, cookies)
				if n := r.turn(); n != 0 {
					t.Errorf("%d more turned without a seat", n)
				}
			})
		})
	}
}

// inOrder: the first fifty of the line got the fifty seats.
func (r *room) inOrder(g int64, mode string, cookies []string) {
	r.t.Helper()
	want := join.StateIn
	if mode == "approval" {
		want = join.StatePending
	}
	for i, c := range cookies {
		v := r.at(c)
		if i < 50 && v.State != want || i >= 50 && v.State == want {
			r.t.Errorf("number %d: %s", i+1, v.State)
		}
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM waiting_list WHERE ended_at IS NULL":                                                                                                  10,
		"SELECT count(*) FROM groups g WHERE member_count > capacity":                                                                                               0,
		"SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')":                  0,
		"SELECT count(*) FROM audit_entries WHERE action = 'waiting.turn'":                                                                                          50,
		"SELECT count(*) FROM events WHERE kind = 'waiting.turned'":                                                                                                 50,
		"SELECT (SELECT count(*) FROM join_requests WHERE status = 'pending') + (SELECT count(*) FROM memberships WHERE status = 'active' AND code_id IS NOT NULL)": 50,
	} {
		if got := r.count(query); got != want {
			r.t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
}

// In a group with approval a seat stands for one request: the next of the line
// asks when the one before was refused.
func TestOneSeatIsOneRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 1)
		r.exec("UPDATE groups SET member_count = 1 WHERE id = ?", g)
		cookies := r.line(r.code(g), 3)
		if n := r.turn(); n != 0 {
			t.Errorf("%d turned in a full group", n)
		}
		r.clock.Add(time.Hour)
		r.exec("UPDATE groups SET capacity = 2 WHERE id = ?", g)
		if n := r.turn(); n != 1 {
			t.Errorf("%d turned for one seat", n)
		}
		v := r.at(cookies[0])
		if r.show(v, join.StatePending); v.Request.WaitedSince == nil || !v.Request.CreatedAt.Equal(r.clock.Now()) {
			t.Errorf("the request says nothing of the wait: %+v", v.Request)
		}
		_, err := r.joins.Decide(context.Background(), r.w.Super, join.Decision{Reason: "不合适"}, v.Request.ID)
		r.must(err)
		if n := r.turn(); n != 1 {
			t.Errorf("%d turned after the refusal", n)
		}
		r.show(r.at(cookies[1]), join.StatePending)
		r.must(r.joins.Leave(context.Background(), join.Visitor{Secret: cookies[2]}))
		r.exec("UPDATE groups SET capacity = 9 WHERE id = ?", g)
		if n := r.turn(); n != 0 {
			t.Errorf("%d turned who had left", n)
		}
	})
}

// Nobody comes in by a code that is over, an audience that is another, or past rules.
func TestWhoIsNotTurned(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		for name, change := range map[string]string{
			"revoked":  "UPDATE codes SET revoked_at = now()",
			"audience": "UPDATE codes SET audience = '999'",
			"off":      "UPDATE groups SET join_mode = 'off'",
			"ended":    "UPDATE groups SET status = 'disbanded'",
		} {
			g, _ := r.w.Group(t, r.db, name, "training", "open", r.w.RD, 1)
			r.exec("UPDATE groups SET member_count = 1 WHERE id = ?", g)
			c := r.code(g)
			r.line(c, 1)
			where := fmt.Sprint(" WHERE id = ", map[bool]int64{true: c, false: g}[strings.Contains(change, "codes")])
			if strings.Contains(change, "now()") {
				r.exec(strings.Replace(change, "now()", "?", 1)+", revoked_by = ?"+where, r.clock.Now(), r.w.Super.MemberID)
			} else {
				r.exec(change + where)
			}
			r.exec("UPDATE groups SET capacity = 5 WHERE id = ?", g)
			if n := r.turn(); n != 0 {
				t.Errorf("%s: %d turned", name, n)
			}
			r.exec("UPDATE waiting_list SET ended_at = ? WHERE group_id = ?", r.clock.Now(), g)
		}
	})
}

// An open group that asks for more than it was told makes a request: somebody decides.
func TestWhatWasNotAskedIsDecided(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "open", r.w.RD, 1)
		r.exec("UPDATE groups SET member_count = 1 WHERE id = ?", g)
		cookies := r.line(r.code(g), 1)
		r.exec("UPDATE groups SET capacity = 5, ask_company = ? WHERE id = ?", true, g)
		r.turn()
		r.show(r.at(cookies[0]), join.StatePending)
	})
}

func TestAskingAgainAfterARefusal(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		r.exec("INSERT INTO policies (name, value, updated_at) VALUES ('ask_again_hours', '48', ?), ('ask_again_times', '2', ?)", r.clock.Now(), r.clock.Now())
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 10)
		cookie := r.scanned(r.code(g))
		who := join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}
		for left := 2; left >= 0; left-- {
			v := r.submit(who, join.Form{})
			r.show(v, join.StatePending)
			_, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Reason: "不合适"}, v.Request.ID)
			r.must(err)
			v = r.at(cookie)
			if r.show(v, join.StateRefused); v.AgainLeft != left || v.RetryAt.IsZero() != (left == 0) {
				t.Errorf("left %d, want %d; at %s", v.AgainLeft, left, v.RetryAt)
			}
			r.show(r.submit(join.Visitor{Secret: cookie}, join.Form{}), join.StateRefused)
			r.clock.Add(47 * time.Hour)
			cookie = r.scanned(r.code(g))
			who.Secret = cookie
			r.show(r.submit(who, join.Form{}), join.StateRefused)
			r.clock.Add(time.Hour)
		}
		r.show(r.at(cookie), join.StateRefused)
		r.exec("UPDATE policies SET value = '0' WHERE name = 'ask_again_times'")
		r.show(r.at(cookie), join.StateForm)
	})
}

func TestAWordMore(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		var wrong fault.Invalid
		var often fault.TooMany
		add := func(cookie, word string) (bool, error) {
			return r.joins.AddWord(ctx, join.Visitor{Secret: cookie}, word)
		}
		for i := range 6 {
			g, _ := r.w.Group(t, r.db, fmt.Sprint("群", i), "internal", "approval", r.w.RD, 10)
			cookie := r.scanned(r.code(g))
			r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{Note: "先前的"})
			if _, err := add(cookie, " \n "); !errors.As(err, &wrong) {
				t.Errorf("nothing: %v", err)
			}
			if _, err := add(cookie, strings.Repeat("长", 501)); !errors.As(err, &wrong) {
				t.Errorf("too much: %v", err)
			}
			if i == 5 {
				if _, err := add(cookie, "第六句"); !errors.As(err, &often) {
					t.Errorf("six in an hour: %v", err)
				}
				continue
			}
			got := parallel(8, func(n int) string { ok, err := add(cookie, fmt.Sprint("补充", n)); return fmt.Sprint(ok, err) })
			if got["true <nil>"] != 1 || got["false <nil>"] != 7 {
				t.Errorf("eight presses: %v", got)
			}
		}
		if n := r.count("SELECT count(*) FROM events WHERE kind = 'request.added'"); n != 5 {
			t.Errorf("%d events", n)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action = 'request.add'"); n != 5 {
			t.Errorf("%d entries in the trail", n)
		}
		r.exec("UPDATE join_requests SET status = 'approved'")
	})
}

// The wait that is named is measured: of the group, else of the organisation, else not at all.
func TestHowLongOthersWaited(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.RD, 100)
		other, _ := r.w.Group(t, r.db, "别的群", "external", "approval", r.w.RD, 100)
		cookie := r.scanned(r.code(g))
		r.submit(join.Visitor{Secret: cookie, Proved: r.w.StaffPhone}, join.Form{})
		decided := 0
		decide := func(groupID int64, took time.Duration, by any) {
			decided++
			id := r.pending(groupID, decided)
			r.exec("UPDATE join_requests SET status = 'approved', created_at = ?, decided_at = ?, decided_by = ? WHERE id = ?", r.clock.Now().Add(-took), r.clock.Now(), by, id)
		}
		for i := range 9 {
			decide(other, time.Duration(i+1)*time.Hour, r.w.Head.MemberID)
		}
		decide(g, time.Hour, nil) // a rule's
		if v := r.at(cookie); v.Expect != nil {
			t.Errorf("nine decisions say %+v", v.Expect)
		}
		decide(other, 10*time.Hour, r.w.Head.MemberID)
		if v := r.at(cookie); v.Expect == nil || *v.Expect != (join.Expect{Half: 5 * time.Hour, Most: 8 * time.Hour, Of: 10}) {
			t.Errorf("of the organisation: %+v", v.Expect)
		}
		for i := range 5 {
			decide(g, time.Duration(i+1)*time.Minute, r.w.Head.MemberID)
		}
		if v := r.at(cookie); v.Expect == nil || *v.Expect != (join.Expect{Half: 3 * time.Minute, Most: 4 * time.Minute, Of: 5, Group: true}) {
			t.Errorf("of the group: %+v", v.Expect)
		}
	})
}
