package approval_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// rivals is what can happen while somebody approves.
var rivals = map[string]func(b *board, a act, id int64) func() error{
	"two approve": func(b *board, _ act, id int64) func() error {
		return func() error { return b.Decide(context.Background(), b.third, id, "approve", "") }
	},
	"reject": func(b *board, _ act, id int64) func() error {
		return func() error { return b.Decide(context.Background(), b.third, id, "reject", "不用了") }
	},
	"withdraw": func(b *board, a act, id int64) func() error {
		return func() error { return b.Withdraw(context.Background(), a.author(b), id) }
	},
	"expire": func(b *board, _ act, _ int64) func() error {
		return func() error { b.clock.Add(15 * 24 * time.Hour); return nil }
	},
	"author loses the tier": func(b *board, a act, _ int64) func() error {
		return func() error {
			if author := a.author(b); !author.Super {
				return b.db.Exec("DELETE FROM department_heads WHERE member_id = ?", author.MemberID).Error
			}
			tx := b.db.Begin()
			defer tx.Rollback()
			if _, err := directory.RevokeSuper(tx, b.w.Super.MemberID); err != nil {
				return err
			}
			return tx.Commit().Error
		}
	},
	"group ends": func(b *board, a act, _ int64) func() error {
		return func() error {
			return b.groups.Disband(context.Background(), b.third, a.group(b), "项目结束", nil)
		}
	},
	"department moves": func(b *board, _ act, _ int64) func() error {
		return func() error { return b.directory.MoveDepartment(context.Background(), b.third, b.w.RD, b.w.Marketing) }
	},
}

// Whatever meets an approval, it is carried out once or not at all, and the
// request says which. req: D13, D15
func TestAnApprovalMeetsWhatHappensBesideIt(t *testing.T) {
	for _, a := range acts {
		for name, rival := range rivals {
			if name == "group ends" && a.group == nil || name == "department moves" && a.group == nil && a.name != "external group" {
				continue // nothing to meet
			}
			t.Run(a.name+", "+name, func(t *testing.T) {
				t.Parallel() // each on its own databases, most of whose time is spent on making them
				onBoard(t, func(t *testing.T, b *board) {
					id, err := a.ask(b)
					if err != nil {
						t.Fatal(err)
					}
					before := a.done(b)
					errs := together(func() error { return b.Decide(context.Background(), b.w.Super2, id, "approve", "") }, rival(b, a, id))
					for i, err := range errs {
						if !plain(err) {
							t.Errorf("%d: %v", i, err)
						}
					}
					approved := b.count("SELECT count(*) FROM approvals WHERE id = ? AND status = 'approved'", id)
					if done := a.done(b) - before; done != approved {
						t.Errorf("carried out %d times, approved %d times: %v", done, approved, errs)
					}
					if approved == 1 && errs[0] != nil && name != "two approve" {
						t.Errorf("approved, but answered %v", errs[0])
					}
					b.oneWinner(name, a.name == "remove", errs)
				})
			})
		}
	}
}

// oneWinner wants the loser of two decisions to be told who was first, and when;
// who is removed by the winner may decide nothing any more.
func (b *board) oneWinner(rival string, removed bool, errs []error) {
	b.t.Helper()
	if rival != "two approve" && rival != "reject" && rival != "withdraw" {
		return
	}
	won := 0
	for _, err := range errs {
		var c fault.Conflict
		var forbidden fault.Forbidden
		switch {
		case err == nil:
			won++
		case removed && errors.As(err, &forbidden):
		case !errors.As(err, &c) || c.By == "" || c.At.IsZero():
			b.t.Errorf("the loser is told %v", err)
		}
	}
	if won != 1 {
		b.t.Errorf("%d won: %v", won, errs)
	}
}

// Of two requests to remove each other, one at most is carried out.
func TestTwoCannotRemoveEachOtherAtOnce(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		ctx := context.Background()
		remove := func(by, whom access.Actor) int64 {
			id, err := b.AskForSuper(ctx, by, "super.remove", "", whomPhone(b, whom), "")
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		one, other := remove(b.w.Super, b.w.Super2), remove(b.w.Super2, b.w.Super)
		errs := together(func() error { return b.Decide(ctx, b.third, one, "approve", "") }, func() error { return b.Decide(ctx, b.third, other, "approve", "") })
		if n := b.count("SELECT count(*) FROM members WHERE super_admin"); n != 2 {
			t.Errorf("%d super admins are left: %v", n, errs)
		}
		for _, err := range errs {
			if !plain(err) {
				t.Error(err)
			}
		}
	})
}

func whomPhone(b *board, a access.Actor) (phone string) {
	b.db.Raw("SELECT phone FROM members WHERE id = ?", a.MemberID).Scan(&phone)
	return phone
}

// The same thing asked for by many at once waits once.
func TestTheSameIsAskedForOnce(t *testing.T) {
	for _, a := range acts {
		if a.name == "terms" {
			continue // each asks about a code of its own
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			onBoard(t, func(t *testing.T, b *board) {
				ask := func() error { _, err := a.ask(b); return err }
				errs := together(ask, ask, ask, ask)
				for _, err := range errs {
					if !plain(err) {
						t.Error(err)
					}
				}
				if n := b.count("SELECT count(*) FROM approvals"); n != 1 {
					t.Errorf("%d wait: %v", n, errs)
				}
				b.clock.Add(15 * 24 * time.Hour)
				if _, err := a.ask(b); err != nil {
					t.Errorf("after the first expired: %v", err)
				}
			})
		})
	}
}
