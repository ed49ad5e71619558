package code_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/testkit"
)

// The state that SQL gives the lists, the state that Go gives a scan, and the
// table of rights must never disagree, whatever the rows look like.
func TestTheStateIsDerivedAlikeEverywhere(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := code.New(db, testkit.Keys(), audit.New(testkit.Keys(), clock.Now), clock.Now, "http://door.example")
		group, _ := w.Group(t, db, "任意", "internal", "open", w.Platform, 10)
		id, public := w.Code(t, db, group, "任意", nil, w.Head.MemberID)
		_, other := w.Code(t, db, group, "接替", nil, w.Super.MemberID)
		seen := map[code.State]int{}
		rapid.Check(t, func(r *rapid.T) {
			if rapid.Bool().Draw(r, "settled before") { // what comes after must come into doubt again by itself
				arrange(r, db, w, clock.Now(), group, id, other)
				for range 2 {
					if err := s.SettleDoubts(context.Background()); err != nil {
						r.Fatal(err)
					}
				}
			}
			arrange(r, db, w, clock.Now(), group, id, other)
			seen[compare(r, db, s, w, clock.Now(), public)]++
		})
		if len(seen) < len(code.States) {
			t.Logf("states met: %v", seen)
		}
	})
}

func arrange(r *rapid.T, db *gorm.DB, w testkit.World, now time.Time, group, id int64, successor string) {
	flag := func(name string, oneIn int) bool { return rapid.IntRange(1, oneIn).Draw(r, name) == 1 }
	at := func(name string) *time.Time {
		if !flag("has "+name, 3) {
			return nil
		}
		moment := now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, name)) * time.Microsecond)
		return &moment
	}
	run := func(sql string, args ...any) {
		if err := db.Exec(sql, args...).Error; err != nil {
			r.Fatal(err)
		}
	}
	issuer := rapid.SampledFrom([]int64{w.Super.MemberID, w.Head.MemberID, w.OtherHead.MemberID, w.Staff.MemberID}).Draw(r, "issuer")
	run("UPDATE members SET status = 'active'")
	if flag("departed", 6) {
		run("UPDATE members SET status = 'departed' WHERE id = ?", issuer)
	}
	var owner *int64
	if flag("owned", 2) {
		owner = &issuer
	}
	extra(r, run, w, issuer, now)
	placed(r, run, w, group, now)
	run("UPDATE groups SET status = ?, type = ?, origin = ?, join_mode = ?, owner_id = ? WHERE id = ?",
		pick(r, "disbanded", 8, "disbanded", "active"), rapid.SampledFrom([]string{"internal", "external", "training"}).Draw(r, "type"),
		pick(r, "user", 3, "user", "admin"), pick(r, "off", 6, "off", "approval"), owner, group)
	run("DELETE FROM policies")
	for _, p := range []string{"joining_off", "external_permanent"} {
		run("INSERT INTO policies (name, value, updated_at) VALUES (?, ?, ?)", p, fmt.Sprint(flag(p, 4)), now)
	}
	until, validity := at("until"), "permanent"
	if until != nil || flag("temporary", 2) {
		validity = "until"
		if until == nil {
			far := now.Add(time.Hour)
			until = &far
		}
	}
	var replaced *int64
	if flag("replaced", 8) {
		var row int64
		if err := db.Raw("SELECT id FROM codes WHERE public_id = ?", successor).Scan(&row).Error; err != nil {
			r.Fatal(err)
		}
		replaced = &row
	}
	revoked := rare(r, at, "revoked")
	if replaced != nil && revoked == nil { // what replaces a code ends it, too
		revoked = &now
	}
	run("UPDATE codes SET hours = ?, validity = ?, valid_until = ?, valid_from = ?, total_cap = ?, daily_cap = ?, issued_by = ?, suspended_at = ?, revoked_at = ?, replaced_by = ? WHERE id = ?",
		week(r), validity, until, at("from"), rapid.IntRange(0, 2).Draw(r, "total cap"), rapid.IntRange(0, 2).Draw(r, "daily cap"), issuer,
		rare(r, at, "suspended"), revoked, replaced, id)
	run("UPDATE code_counters SET total = ?, day_total = ?, day = ? WHERE code_id = ?", rapid.IntRange(0, 2).Draw(r, "total"),
		rapid.IntRange(0, 2).Draw(r, "day total"), rapid.SampledFrom([]string{"2026-11-21", "2026-11-22", ""}).Draw(r, "day"), id)
}

// week is no opening hours, or a week of them at random.
func week(r *rapid.T) string {
	if rapid.IntRange(1, 2).Draw(r, "has hours") == 1 {
		return ""
	}
	pattern := rapid.SampledFrom([]string{"0", "1", "01", "0000111", "11110000"}).Draw(r, "pattern")
	return strings.Repeat(pattern, code.Quarters/len(pattern)+1)[:code.Quarters]
}

func pick(r *rapid.T, name string, oneIn int, rareValue, common string) string {
	if rapid.IntRange(1, oneIn).Draw(r, name) == 1 {
		return rareValue
	}
	return common
}

func rare(r *rapid.T, at func(string) *time.Time, name string) *time.Time {
	if rapid.IntRange(1, 3).Draw(r, "perhaps "+name) > 1 {
		return nil
	}
	return at(name)
}

func compare(r *rapid.T, db *gorm.DB, s *code.Service, w testkit.World, now time.Time, public string) code.State {
	f, err := code.LoadFacts(db, public)
	if err != nil {
		r.Fatal(err)
	}
	list, err := s.All(context.Background(), w.Super, "", "")
	if err != nil {
		r.Fatal(err)
	}
	for _, item := range list.Items {
		if item.PublicID == public && item.Now != f.State(now) {
			r.Fatalf("SQL says %s, Go says %s of %+v", item.Now, f.State(now), f)
		}
	}
	// Each list looks at few codes only: it must still show exactly those that belong there.
	for view, belongs := range map[string]bool{"": true, "attention": slices.Contains(code.Views["attention"], f.State(now)),
		code.Orphans: f.Orphaned(now), string(f.State(now)): true} {
		if n := times(r, s, w.Super, view, public); n > 1 || (n == 1) != belongs {
			r.Fatalf("the list %q has it %d times, of %+v in state %s", view, n, f, f.State(now))
		}
	}
	if want := qualifies(r, db, f, now); want != f.IssuerOK {
		r.Fatalf("SQL says the issuer qualifies: %v, the table of rights: %v, of %+v", f.IssuerOK, want, f)
	}
	return f.State(now)
}

// times counts how often a list shows a code.
func times(r *rapid.T, s *code.Service, by access.Actor, view, public string) (n int) {
	list, err := s.All(context.Background(), by, view, "")
	if err != nil {
		r.Fatal(err)
	}
	for _, item := range list.Items {
		if item.PublicID == public {
			n++
		}
	}
	return n
}

func qualifies(r *rapid.T, db *gorm.DB, f code.Facts, now time.Time) bool {
	a, err := directory.LoadActor(db, f.IssuedBy, now)
	if err != nil {
		return false
	}
	p, err := directory.LoadPolicies(db)
	if err != nil {
		r.Fatal(err)
	}
	// Duties of a disbanded group are not loaded; its codes are disbanded before anybody asks.
	if f.GroupStatus != "active" && f.GroupOwnerID != nil && *f.GroupOwnerID == f.IssuedBy {
		a.Duties[f.GroupID] |= access.Owner
	}
	a.Acting = standing(r, db, f.IssuedBy)
	o := f.Object(false)
	o.ExternalPermanent = p.ExternalPermanent
	right := access.CodeTemporary
	if f.Validity == code.Permanent {
		right = access.CodePermanent
	}
	return access.Can(a, right, o)
}

// placed appoints heads, moves the group's department and lets a round pass, or not.
func placed(r *rapid.T, run func(string, ...any), w testkit.World, group int64, now time.Time) {
	run("DELETE FROM department_heads WHERE member_id = ?", w.Head.MemberID)
	if rapid.IntRange(1, 3).Draw(r, "head") > 1 {
		run("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", w.RD, w.Head.MemberID)
	}
	path := fmt.Sprintf("%s%d/", w.RDPath, w.Platform)
	if rapid.IntRange(1, 4).Draw(r, "moved") == 1 {
		path = fmt.Sprintf("%s%d/", w.RootPath, w.Platform)
	}
	run("UPDATE departments SET path = ? WHERE id = ? AND path <> ?", path, w.Platform, path)
	run("UPDATE members SET super_admin = ? WHERE id = ?", rapid.IntRange(1, 4).Draw(r, "super") > 1, w.Super.MemberID)
	run("UPDATE groups SET capacity = ?, member_count = 1, confirmed_round = 0 WHERE id = ?", rapid.IntRange(1, 2).Draw(r, "seats"), group)
	run("DELETE FROM recert_marks")
	run("DELETE FROM recert_rounds")
	for id := range rapid.IntRange(0, 2).Draw(r, "rounds") {
		run("INSERT INTO recert_rounds (id, from_at, opens_at, due_at, closed) VALUES (?, ?, ?, ?, ?)", id+1, now, now.Add(time.Duration(id-3)*time.Minute),
			now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, "due"))*time.Microsecond), rapid.IntRange(1, 4).Draw(r, "closed") == 1)
		if rapid.IntRange(1, 3).Draw(r, "confirmed") == 1 {
			run("INSERT INTO recert_marks (round_id, group_id, kind, marked_by, marked_at) VALUES (?, ?, 'group', ?, ?)", id+1, group, w.Head.MemberID, now)
		}
	}
	run("UPDATE groups SET created_at = ? WHERE id = ?", now.Add(-time.Duration(rapid.IntRange(0, 2).Draw(r, "age"))*time.Hour), group)
}

// extra makes the issuer a deputy and the holder of a role, or neither.
func extra(r *rapid.T, run func(string, ...any), w testkit.World, issuer int64, now time.Time) {
	for _, table := range []string{"role_grants", "role_rights", "roles", "department_deputies"} {
		run("DELETE FROM " + table)
	}
	place := func(name string) int64 {
		return rapid.SampledFrom([]int64{w.Root, w.RD, w.Platform, w.Marketing}).Draw(r, name)
	}
	if rapid.IntRange(1, 4).Draw(r, "deputy") == 1 {
		run("INSERT INTO department_deputies (department_id, member_id) VALUES (?, ?)", place("deputy of"), issuer)
	}
	if rapid.IntRange(1, 2).Draw(r, "role") == 1 {
		return
	}
	run("INSERT INTO roles (id, name, created_at, updated_at) VALUES (1, '发码员', ?, ?)", now, now)
	for _, right := range []access.Right{access.CodeTemporary, access.CodePermanent, access.AuditRead} {
		if rapid.Bool().Draw(r, string(right)) {
			run("INSERT INTO role_rights (role_id, right_name) VALUES (1, ?)", right)
		}
	}
	run("INSERT INTO role_grants (role_id, member_id, department_id, granted_by, granted_at) VALUES (1, ?, ?, ?, ?)",
		issuer, place("role for"), w.Super.MemberID, now)
}

// standing reads where a member is a deputy, whether the heads are away or not.
func standing(r *rapid.T, db *gorm.DB, id int64) (stands []access.Stand) {
	err := db.Raw("SELECT d.path FROM department_deputies dp JOIN departments d ON d.id = dp.department_id WHERE dp.member_id = ?", id).Scan(&stands).Error
	if err != nil {
		r.Fatal(err)
	}
	return stands
}
