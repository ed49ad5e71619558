package code_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/testkit"
)

// Each way to lose the right to issue a code brings it into doubt again after it
// was looked at, alone, and the list of orphans shows it.
func TestEveryLossBringsACodeIntoDoubt(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		now := w.clock.Now()
		for _, c := range []struct {
			name      string
			by        access.Actor
			permanent bool
			before    []string
			loss      string
			args      []any
		}{
			{"departed", w.Head, false, nil, "UPDATE members SET status = 'departed' WHERE id = ?", []any{w.Head.MemberID}},
			{"no super admin", w.Super, false, nil, "UPDATE members SET super_admin = false WHERE id = ?", []any{w.Super.MemberID}},
			{"no head", w.Head, false, nil, "DELETE FROM department_heads WHERE member_id = ?", []any{w.Head.MemberID}},
			{"head elsewhere", w.Head, false, nil, "UPDATE department_heads SET department_id = ? WHERE member_id = ?", []any{w.Marketing, w.Head.MemberID}},
			{"no deputy", w.Staff, false, []string{"INSERT INTO department_deputies (department_id, member_id) VALUES ({rd}, {staff})"}, "DELETE FROM department_deputies", nil},
			{"no role", w.Staff, false, role, "DELETE FROM role_grants", nil},
			{"a lesser role", w.Staff, false, role, "DELETE FROM role_rights", nil},
			{"the role is gone", w.Staff, false, role, "DELETE FROM roles", nil},
			{"no owner", w.Staff, false, []string{"UPDATE groups SET owner_id = {staff}"}, "UPDATE groups SET owner_id = NULL", nil},
			{"group moved", w.Head, false, nil, "UPDATE groups SET department_id = ?", []any{w.Marketing}},
			{"department moved", w.Head, false, nil, "UPDATE departments SET path = '/1/99/' WHERE id = ?", []any{w.Platform}},
			{"external", w.Head, true, nil, "UPDATE groups SET type = 'external'", nil},
			{"started by a member", w.Super, true, nil, "UPDATE groups SET origin = 'user'", nil},
			{"policy off", w.Super, true, []string{"UPDATE groups SET type = 'external'", "INSERT INTO policies (name, value, updated_at) VALUES ('external_permanent', 'true', {now})"},
				"UPDATE policies SET value = 'false' WHERE name = 'external_permanent'", nil},
			{"policy gone", w.Super, true, []string{"UPDATE groups SET type = 'external'", "INSERT INTO policies (name, value, updated_at) VALUES ('external_permanent', 'true', {now})"},
				"DELETE FROM policies WHERE name = 'external_permanent'", nil},
			{"permanent", w.Staff, false, []string{"UPDATE groups SET owner_id = {staff}"}, "UPDATE codes SET validity = 'permanent', valid_until = NULL", nil},
			{"another issuer", w.Head, false, nil, "UPDATE codes SET issued_by = ?", []any{w.OtherStaff.MemberID}},
		} {
			tx := w.db.Begin()
			until := now.Add(240 * time.Hour)
			id, _ := w.Code(t, tx, w.group, c.name, &until, c.by.MemberID)
			if c.permanent {
				w.ok(tx.Exec("UPDATE codes SET validity = 'permanent', valid_until = NULL WHERE id = ?", id).Error)
			}
			for _, sql := range c.before {
				w.ok(tx.Exec(fill(w, sql), when(sql, now)...).Error)
			}
			s := code.New(tx, testkit.Keys(), audit.New(testkit.Keys(), w.clock.Now), w.clock.Now, "http://door.example")
			w.ok(s.SettleDoubts(ctx))
			w.ok(s.SettleDoubts(ctx))
			orphans := func() int {
				l, err := s.All(ctx, w.Super, code.Orphans, "")
				w.ok(err)
				return len(l.Items)
			}
			var left int
			w.ok(tx.Raw("SELECT count(*) FROM code_doubts").Scan(&left).Error)
			if left != 0 || orphans() != 0 {
				t.Errorf("%s: %d in doubt before anything was lost", c.name, left)
			}
			w.ok(tx.Exec(c.loss, c.args...).Error)
			if orphans() != 1 {
				t.Errorf("%s: the code is not among the orphans", c.name)
			}
			w.ok(tx.Rollback().Error)
		}
	})
}

// role lets the staff member issue codes by a role.
var role = []string{"INSERT INTO roles (id, name, created_at, updated_at) VALUES (1, '发码员', {now}, {now})", "INSERT INTO role_rights (role_id, right_name) VALUES (1, 'code.temporary')",
	"INSERT INTO role_grants (role_id, member_id, department_id, granted_by, granted_at) VALUES (1, {staff}, {rd}, {staff}, {now})"}

// fill puts the people and departments of the world into a statement.
func fill(w *world, sql string) string {
	return strings.NewReplacer("{staff}", fmt.Sprint(w.Staff.MemberID), "{rd}", fmt.Sprint(w.RD), "{now}", "?").Replace(sql)
}

// when are its moments.
func when(sql string, now time.Time) (args []any) {
	for range strings.Count(sql, "{now}") {
		args = append(args, now)
	}
	return args
}
