package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/database"
	"doorplate/internal/directory"
)

// stormTime is how long the storm blows; DOORPLATE_TEST_STORM lengthens it.
func stormTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("DOORPLATE_TEST_STORM")); err == nil {
		return d
	}
	return 4 * time.Second
}

// upheaval is everything that people in charge do to people, departments and groups at once.
type upheaval struct {
	*site
	mu      sync.Mutex
	answers map[string]int
}

func (u *upheaval) some(sql string, args ...any) (ids []string) {
	if err := u.db.Raw("SELECT id FROM ("+sql+") x ORDER BY random() LIMIT 1", args...).Scan(&ids).Error; err != nil {
		u.t.Error(err)
	}
	if len(ids) == 0 {
		return []string{"0"}
	}
	return ids
}

const (
	anyDepartment = "SELECT CAST(id AS text) AS id FROM departments"
	anyMember     = "SELECT CAST(id AS text) AS id FROM members WHERE NOT super_admin AND id > 6"
	anyGroup      = "SELECT gid AS id FROM groups"
	anyRequest    = "SELECT CAST(id AS text) AS id FROM join_requests WHERE status = 'pending'"
)

func (u *upheaval) department() string { return u.some(anyDepartment)[0] }
func (u *upheaval) member() string     { return u.some(anyMember)[0] }
func (u *upheaval) group() string      { return u.some(anyGroup)[0] }

// people are some members as the fields of a bulk edit.
func (u *upheaval) people(n int) (pairs []string) {
	for range n {
		pairs = append(pairs, "id", u.member())
	}
	return pairs
}

// roster is a list that hires, moves and renames.
func (u *upheaval) roster() string {
	text := "姓名,手机,部门\n"
	for range 12 {
		i := rand.IntN(60)
		text += fmt.Sprintf("人%d-%d,139%08d,%s\n", i, rand.IntN(3), i, []string{"研发中心", "研发中心/新组", "市场部", "市场部/渠道", ""}[rand.IntN(5)])
	}
	return text
}

// deed does one of them. Each is one request but for the import, which a worker carries out.
func (u *upheaval) deed(b *browser) (string, int) {
	post := func(path string, pairs ...string) (string, int) {
		parts := strings.Split(path, "/")
		return parts[1] + " " + parts[len(parts)-1], b.post(path, pairs...).Code
	}
	switch rand.IntN(16) {
	case 0:
		return "import", b.importFile(u.roster()).Code
	case 1:
		return post("/contacts/members/"+u.member()+"/depart", "reason", "走了")
	case 2, 3:
		return post("/contacts/members/"+u.member()+"/reactivate", "reason", "回来了")
	case 4, 5, 6:
		what := []string{"add", "move", "remove", "depart"}[rand.IntN(4)]
		_, code := post("/contacts/bulk", append(u.people(6), "action", what, "department_id", u.department(), "reason", "调整")...)
		return "bulk " + what, code
	case 7, 8:
		return post("/contacts/departments/"+u.department()+"/move", "parent_id", u.department())
	case 9:
		if rand.IntN(2) == 0 {
			return post("/contacts/departments/" + u.department() + "/delete")
		}
		return "department", b.post("/contacts/departments", "name", fmt.Sprint("组", rand.IntN(40)), "parent_id", u.department()).Code
	case 10, 11:
		u.ask()
		return post("/requests/decide", "id", u.some(anyRequest)[0], "id", u.some(anyRequest)[0], "decision", "approve")
	case 12:
		return post("/groups/"+u.group()+"/merge", "into", u.group(), "reason", "合并")
	case 13:
		return post("/groups/"+u.group()+"/owner", "member_id", u.member())
	case 14:
		return post("/groups/bulk", "action", "move", "id", u.group(), "id", u.group(), "department_id", u.department())
	}
	return "group", b.post("/groups", "name", fmt.Sprint("群", rand.IntN(1000)), "type", "internal", "department_id", u.department(), "capacity", "50",
		"purpose", "一起做事", "join_mode", "approval", "entry_kind", "none").Code
}

// ask makes somebody ask to be let in somewhere; as at the door, the person is held against a departure meanwhile.
func (u *upheaval) ask() {
	gid, member := u.group(), u.member()
	err := u.db.Transaction(func(tx *gorm.DB) error {
		var held []int64
		if err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ?", member).Pluck("id", &held).Error; err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO join_requests (group_id, member_id, name, created_at) SELECT g.id, m.id, m.name, ? FROM groups g, members m
			WHERE g.gid = ? AND m.id = ? AND g.status = 'active' AND m.status = 'active' ON CONFLICT DO NOTHING`, u.clock.Now(), gid, member).Error
	})
	if err != nil && !database.Collided(err) {
		u.t.Error(err)
	}
}

// blow lets everybody act until the time is over, and the importer work beside them.
func (u *upheaval) blow() {
	stop, importer := make(chan struct{}), directory.NewImporter(u.deps.Directory, slog.New(slog.DiscardHandler))
	time.AfterFunc(stormTime(), func() { close(stop) })
	over := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	var all sync.WaitGroup
	for i := range 10 {
		b := u.as(u.w.Super)
		if i%3 == 2 {
			b = u.as(u.w.Head)
		}
		all.Go(func() {
			for !over() {
				deed, code := u.deed(b)
				u.mu.Lock()
				u.answers[fmt.Sprint(deed, " ", code)]++
				if code >= 500 {
					u.t.Errorf("%s answered %d", deed, code)
				}
				u.mu.Unlock()
			}
		})
	}
	all.Go(func() {
		for !over() {
			if _, err := importer.Next(context.Background()); err != nil {
				u.t.Error("import:", err)
			}
		}
	})
	all.Wait()
}

// Imports, departures, bulk edits, moved departments, approvals, merges and new
// groups at once: nobody waits in a ring for anybody, everybody gets an answer,
// and what is counted equals a recount.
//
// req: D01
func TestGovernanceStorm(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		u := &upheaval{site: s, answers: map[string]int{}}
		want(t, s.as(s.w.Super).importFile(u.roster()+u.roster()[len("姓名,手机,部门\n"):]), http.StatusSeeOther)
		s.importWork()
		for i := range 8 {
			s.w.Group(t, s.db, fmt.Sprint("群", i), "internal", "approval", []int64{s.w.RD, s.w.Platform, s.w.Marketing, s.w.Root}[i%4], 500)
		}
		u.blow()
		if t.Failed() || os.Getenv("DOORPLATE_TEST_STORM") != "" {
			t.Log(u.answers)
		}
		for what, drift := range map[string]string{
			"members of departments": `SELECT count(*) FROM departments d WHERE members <> (SELECT count(*) FROM member_departments md JOIN members m ON m.id = md.member_id
				JOIN departments p ON p.id = md.department_id WHERE m.status = 'active' AND p.path LIKE d.path || '%')`,
			"paths":              `SELECT count(*) FROM departments d JOIN departments p ON p.id = d.parent_id WHERE d.path <> p.path || d.id || '/' OR d.depth <> p.depth + 1`,
			"seats":              "SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')",
			"gone":               "SELECT count(*) FROM memberships x JOIN members m ON m.id = x.member_id WHERE x.status = 'active' AND m.status <> 'active'",
			"owners that left":   `SELECT count(*) FROM groups g JOIN members m ON m.id = g.owner_id WHERE g.status = 'active' AND m.status <> 'active'`,
			"nowhere":            "SELECT count(*) FROM members m WHERE NOT EXISTS (SELECT 1 FROM member_departments md WHERE md.member_id = m.id)",
			"requests of nobody": `SELECT count(*) FROM join_requests r JOIN members m ON m.id = r.member_id WHERE r.status = 'pending' AND m.status <> 'active'`,
		} {
			if n := s.count64(drift); n != 0 {
				t.Errorf("%s: %d differ", what, n)
			}
		}
		if database.Postgres(s.db) {
			if n := s.count64("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
				t.Errorf("%d deadlocks", n)
			}
		}
	})
}
