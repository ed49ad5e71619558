package demo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/demo"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func count(t *testing.T, db *gorm.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.Raw(query, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFill(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		if err := demo.Fill(context.Background(), db, testkit.Keys(), "Asia/Shanghai", now); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{
			"SELECT count(*) FROM code_copies WHERE printed_as <> ''": 12,
			"SELECT count(*) FROM code_channels":                      2,
			"SELECT count(*) FROM code_copies k WHERE scans = 0 AND removed_at IS NULL OR scans <> (SELECT CAST(coalesce(sum(f.live), 0) AS bigint) FROM scan_funnel f WHERE f.code_id = k.code_id AND f.copy_serial = k.serial)": 0,
			"SELECT count(*) FROM code_copies k JOIN codes c ON c.id = k.code_id WHERE k.removed_at IS NULL AND (c.revoked_at IS NOT NULL OR k.revoked_at IS NOT NULL)":                                                           1,
			"SELECT count(*) FROM code_channels h WHERE NOT EXISTS (SELECT 1 FROM scan_funnel f WHERE f.code_id = h.code_id AND f.channel = h.name AND f.live > 0)":                                                               0,
			"SELECT count(*) FROM departments":                        12,
			"SELECT max(depth) FROM departments":                      2,
			"SELECT count(*) FROM members WHERE status = 'active'":    300,
			"SELECT count(*) FROM groups":                             40,
			"SELECT count(DISTINCT type) FROM groups":                 3,
			"SELECT count(*) FROM groups WHERE series_id IS NOT NULL": 3,
			"SELECT count(*) FROM codes c WHERE route = 'least' AND (SELECT count(*) FROM code_targets t WHERE t.code_id = c.id) = 2":                           1,
			"SELECT count(*) FROM groups g WHERE (SELECT count(*) FROM entry_images i WHERE i.group_id = g.id) = 3":                                             1,
			"SELECT count(*) FROM codes WHERE password_hash <> ''":                                                                                              1,
			"SELECT count(*) FROM codes WHERE hours <> ''":                                                                                                      1,
			"SELECT count(*) FROM waiting_list w JOIN groups g ON g.id = w.group_id WHERE ended_at IS NULL AND g.member_count = g.capacity":                     3,
			"SELECT count(*) FROM approvals WHERE status = 'pending' AND kind IN ('group.create.external', 'code.issue.open')":                                  2,
			"SELECT count(*) FROM role_grants x JOIN members m ON m.id = x.member_id WHERE m.phone NOT LIKE '+861380000%'":                                      1,
			"SELECT count(*) FROM department_deputies x JOIN members m ON m.id = x.member_id WHERE m.phone NOT LIKE '+861380000%'":                              1,
			"SELECT count(*) FROM recert_rounds WHERE NOT closed AND opens_at < '2026-11-22 09:00' AND due_at > '2026-11-29 09:00'":                             1,
			"SELECT count(*) FROM groups WHERE confirmed_round > 0":                                                                                             1,
			"SELECT count(*) FROM groups WHERE asks":                                                                                                            1,
			"SELECT count(*) FROM groups WHERE rules_version = 1":                                                                                               1,
			"SELECT count(*) FROM groups WHERE stage <> ''":                                                                                                     3,
			"SELECT count(*) FROM codes c JOIN groups g ON g.id = c.group_id WHERE g.origin = 'user' AND c.validity = 'permanent' AND c.revoked_at IS NULL":     0,
			"SELECT count(*) FROM groups WHERE origin = 'user'":                                                                                                 1,
			"SELECT count(*) FROM departures d JOIN departure_items i ON i.departure_id = d.id WHERE i.kind = 'owner'":                                          1,
			"SELECT count(*) FROM codes WHERE revoked_at IS NULL AND issued_by = 301 AND id NOT IN (SELECT object_id FROM departure_items WHERE kind = 'code')": 0,
			"SELECT count(*) FROM scans":                                                                                                               20000,
			"SELECT count(*) FROM join_requests WHERE status = 'pending'":                                                                              150,
			"SELECT count(*) FROM members WHERE phone = '+8613800000001' AND super_admin":                                                              1,
			"SELECT count(*) FROM groups WHERE member_count > capacity":                                                                                0,
			"SELECT count(*) FROM memberships m JOIN codes c ON c.id = m.code_id WHERE c.group_id <> m.group_id OR c.issued_at > m.joined_at":          0,
			"SELECT count(DISTINCT c.group_id) FROM codes c WHERE c.route = 'least' AND EXISTS (SELECT 1 FROM memberships m WHERE m.code_id = c.id)":   1,
			`SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')`: 0,
			`SELECT count(*) FROM code_counters k WHERE total <> (SELECT count(*) FROM scans s WHERE s.code_id = k.code_id AND s.outcome = 'live')`:    0,
		} {
			if got := count(t, db, query); got != want {
				t.Errorf("%s = %d, want %d", query, got, want)
			}
		}
		for _, id := range []int{3, 4} {
			n := count(t, db, `SELECT count(*) FROM (SELECT g.id FROM groups g JOIN departments d ON d.id = g.department_id
				JOIN join_requests r ON r.group_id = g.id AND r.status = 'pending'
				WHERE d.path LIKE (SELECT l.path || '%' FROM department_heads h JOIN departments l ON l.id = h.department_id JOIN members m ON m.id = h.member_id WHERE m.phone = ?)
				GROUP BY g.id HAVING count(*) >= 5) x`, "+861380000000"+string(rune('0'+id)))
			if n < 3 {
				t.Errorf("head %d has %d groups with five requests, want 3", id, n)
			}
		}
		for phone, name := range map[string]string{"+8613800000005": "研发中心", "+8613800000006": "市场部"} {
			if n := count(t, db, `SELECT count(*) FROM member_departments x JOIN members m ON m.id = x.member_id
				JOIN departments d ON d.id = x.department_id WHERE m.phone = ? AND d.name = ?`, phone, name); n != 1 {
				t.Errorf("%s is not in %s itself", phone, name)
			}
			if n := count(t, db, "SELECT count(*) FROM memberships x JOIN members m ON m.id = x.member_id WHERE m.phone = ? AND x.status = 'active'", phone); n < 1 {
				t.Errorf("%s belongs to no group", phone)
			}
		}
		if err := demo.Fill(context.Background(), db, testkit.Keys(), "Asia/Shanghai", now); !errors.Is(err, demo.ErrNotEmpty) {
			t.Errorf("second fill: %v", err)
		}
		r, err := audit.New(testkit.Keys(), time.Now).Verify(context.Background(), db, audit.Head{})
		if err != nil || r.Broken != nil || r.Unsealed == 0 {
			t.Errorf("audit: %+v %v", r, err)
		}
		if _, err := directory.LoadActor(db, 1, now); err != nil {
			t.Error(err)
		}
	})
}
