package join_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/qr"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// stormTime is how long the storm blows; DOORPLATE_TEST_STORM lengthens it.
func stormTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("DOORPLATE_TEST_STORM")); err == nil {
		return d
	}
	return 3 * time.Second
}

// instance is all that one server does to one database.
type instance struct {
	db     *gorm.DB
	people *directory.Service
	groups *group.Service
	codes  *code.Service
	scans  *scan.Service
	joins  *join.Service
}

func newInstance(t *testing.T, db *gorm.DB, now func() time.Time) instance {
	keys, trail := testkit.Keys(), audit.New(testkit.Keys(), now)
	i := instance{db: db, people: directory.New(db, trail, now), groups: group.New(db, trail, now), codes: code.New(db, keys, trail, now, "http://door.example")}
	i.scans = scan.New(db, keys, i.codes, trail, now)
	i.joins = join.New(db, keys, trail, join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}, now)
	i.people.OnDepart(directory.Effect{Key: "requests", End: join.CancelFor}, directory.Effect{Key: "memberships", End: endMemberships},
		directory.Effect{Key: "duties", End: group.EndDuties})
	t.Cleanup(i.scans.Close)
	return i
}

// storm is everything that happens at once.
type storm struct {
	*room
	both    [2]instance
	gids    []string
	codes   []string
	cookies [256]atomic.Value // join cookies that were once good
	next    atomic.Int64
	mu      sync.Mutex
	failed  map[string]int
	done    map[string]int
}

func onTwoInstances(t *testing.T, test func(t *testing.T, s *storm)) {
	run := func(t *testing.T, db, other *gorm.DB) {
		clock := testkit.NewClock()
		r := &room{t: t, db: db, clock: clock, w: testkit.Org(t, db, clock)}
		s := &storm{room: r, failed: map[string]int{}, done: map[string]int{}}
		s.both = [2]instance{newInstance(t, db, clock.Now), newInstance(t, other, clock.Now)}
		test(t, s)
	}
	t.Run("sqlite", func(t *testing.T) { db := testkit.SQLite(t); run(t, db, db) })
	t.Run("postgres", func(t *testing.T) {
		dsn := testkit.PostgresURL(t)
		var both [2]*gorm.DB
		for i := range both {
			db, err := database.Open(dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { database.Close(db) })
			both[i] = db
		}
		run(t, both[0], both[1])
	})
}

func (s *storm) build() {
	ctx := context.Background()
	for i, kind := range []string{"training", "internal", "external"} {
		_, gid := s.w.Group(s.t, s.db, fmt.Sprint("群 ", 10*i+1), kind, []string{"open", "open", "approval"}[i], s.w.RD, 12)
		s.gids = append(s.gids, gid)
		for _, form := range []code.Form{{DailyCap: "200000", Fallback: code.Waiting}, {TotalCap: "30", Fallback: code.Waiting}} {
			form.Password = "sesame"
			id, err := s.both[0].codes.Issue(ctx, s.w.Super, gid, form)
			s.must(err)
			s.exec("UPDATE codes SET password_hash = '' WHERE public_id = ?", id) // as those that hung before
			s.codes = append(s.codes, id)
			_, _, err = s.both[0].codes.AddCopies(ctx, s.w.Super, id, code.CopyForm{Count: "3"})
			s.must(err)
		}
	}
	s.exec("UPDATE groups SET entry_kind = 'upstream' WHERE gid = ?", s.gids[0])
	s.series(s.gids[0], "群", 90)
	s.series(s.gids[2], "客户群", 90)
	for i, rule := range []string{code.RouteLeast, code.RouteWeight, code.RouteOrder} {
		s.must(s.both[0].codes.SetRoute(ctx, s.w.Super, s.codes[2*i], rule, 0))
	}
	for i := range 12 {
		s.hire(i)
	}
}

func (s *storm) hire(i int) {
	now := s.clock.Now()
	_ = s.db.Exec("INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", fmt.Sprint("人", i), memberPhone(i), now, now).Error
}

func memberPhone(i int) string { return fmt.Sprintf("+86138%08d", 1000+i) }

func pick[T any](all []T) T { return all[rand.IntN(len(all))] }

// some is one id of a table, 0 when there is none.
func (s *storm) some(table string) (id int64) {
	s.db.Raw("SELECT id FROM " + table + " ORDER BY random() LIMIT 1").Scan(&id)
	return id
}

// tell counts how a deed ended; what is no answer to a person fails the test.
func (s *storm) tell(deed string, err error) {
	var (
		conflict fault.Conflict
		invalid  fault.Invalid
		gone     fault.Gone
	)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.done[deed]++
	case errors.As(err, &conflict), errors.As(err, &invalid), errors.As(err, &gone), errors.Is(err, fault.NotFound):
		s.done[deed+" refused"]++
	default:
		s.failed[deed+": "+err.Error()]++
	}
}

// visit scans, and goes as far in as it gets.
func (s *storm) visit(in instance, n int) {
	ctx, public := context.Background(), pick(s.codes)
	req := scan.Request{Token: code.Token(testkit.Keys(), public, rand.IntN(4)), Address: fmt.Sprint("192.0.2.", n%250), UserAgent: "Mozilla/5.0"}
	if rand.IntN(3) == 0 {
		req.MemberID = s.some("members")
	}
	d, err := in.scans.Record(ctx, req)
	s.tell("scan", err)
	if err != nil {
		return
	}
	ticket := d.Ticket
	if ticket == "" {
		on, err := in.scans.Onward(ctx, req, d, false)
		if s.tell("onward", err); on.Ticket == "" {
			return
		}
		ticket = on.Ticket
	}
	cookie, err := in.scans.Redeem(ctx, ticket, "")
	if s.tell("redeem", err); err != nil {
		return
	}
	s.cookies[rand.IntN(len(s.cookies))].Store(cookie)
	who := join.Visitor{Secret: cookie, Proved: memberPhone(rand.IntN(40))}
	if rand.IntN(2) == 0 {
		who.Proved = fmt.Sprintf("+86137%08d", rand.IntN(200))
	}
	_, err = in.joins.Submit(ctx, who, join.Form{Name: "访客", Note: "好"})
	s.tell("submit", err)
}

// linger does one of the things a page that stands open does.
func (s *storm) linger(in instance) {
	cookie, _ := s.cookies[rand.IntN(len(s.cookies))].Load().(string)
	ctx, who := context.Background(), join.Visitor{Secret: cookie}
	switch rand.IntN(5) {
	case 0:
		_, err := in.joins.Wait(ctx, who)
		s.tell("wait", err)
	case 1:
		s.tell("leave", in.joins.Leave(ctx, who))
	case 2:
		_, err := in.joins.Withdraw(ctx, who)
		s.tell("withdraw", err)
	case 3:
		_, err := in.joins.Submit(ctx, who, join.Form{Note: "再来"})
		s.tell("press again", err)
	default:
		_, err := in.joins.At(ctx, cookie, nil)
		s.tell("look", err)
	}
}

// manage does one of the things that people in charge do.
func (s *storm) manage(in instance, n int) {
	ctx, public, gid := context.Background(), pick(s.codes), pick(s.gids)
	switch rand.IntN(12) {
	case 0, 1, 2:
		var ids []int64
		s.db.Raw("SELECT id FROM join_requests WHERE status = 'pending' ORDER BY random() LIMIT 6").Scan(&ids)
		if len(ids) > 0 {
			_, err := in.joins.Decide(ctx, s.w.Super, join.Decision{Approve: rand.IntN(5) > 0, Reason: "因为"}, ids...)
			s.tell("decide", err)
		}
	case 3:
		i := rand.IntN(40)
		s.hire(i)
		var id int64
		s.db.Raw("SELECT id FROM members WHERE phone = ?", memberPhone(i)).Scan(&id)
		if rand.IntN(3) == 0 {
			s.tell("depart", in.people.Depart(ctx, s.w.Super, id, "离开"))
		} else {
			s.tell("add member", in.groups.AddMember(ctx, s.w.Super, gid, fmt.Sprint(id), ""))
		}
	case 4:
		if rand.IntN(4) == 0 {
			s.tell("revoke copy", in.codes.RevokeCopy(ctx, s.w.Super, public, rand.IntN(3)+1, "丢了"))
		} else {
			_, _, err := in.codes.AddCopies(ctx, s.w.Super, public, code.CopyForm{})
			s.tell("add copy", err)
		}
	case 5:
		s.tell("refresh", in.codes.Refresh(ctx, s.w.Super, public, code.Renewal{}))
	case 6:
		form := code.Form{Validity: code.Keep, DailyCap: "100000", Fallback: code.Waiting, PasswordRemove: true}
		if rand.IntN(2) == 0 {
			form.Password, form.PasswordRemove = "芝麻开门", false
		}
		s.tell("terms", in.codes.SaveTerms(ctx, s.w.Super, public, form))
	case 7:
		if rand.IntN(2) == 0 {
			s.tell("add target", in.codes.AddTarget(ctx, s.w.Super, public, gid, 0))
		} else {
			s.tell("remove target", in.codes.RemoveTarget(ctx, s.w.Super, public, gid, 0))
		}
	case 8:
		var w struct {
			ID  int64
			GID string `gorm:"column:gid"`
		}
		s.db.Raw("SELECT w.id, g.gid FROM waiting_list w JOIN groups g ON g.id = w.group_id WHERE w.ended_at IS NULL ORDER BY random() LIMIT 1").Scan(&w)
		if w.ID != 0 {
			s.tell("let in", in.joins.LetIn(ctx, s.w.Super, w.GID, w.ID))
		}
	case 9:
		now := s.clock.Now()
		for range 5 {
			_ = s.db.Exec("INSERT INTO scans (ref, at, outcome) VALUES (?, ?, 'unknown')", fmt.Sprint("old", s.next.Add(1)), now.AddDate(-2, 0, 0)).Error
		}
		_ = s.db.Exec("UPDATE scan_purges SET day = '2020-01-01' WHERE NOT running").Error
		_, err := in.scans.PurgeOverdue(ctx)
		s.tell("purge", err)
	case 10:
		m, err := qr.Encode(fmt.Sprint("https://chat.example/", s.next.Add(1)), qr.M)
		s.must(err)
		picture, err := m.PNG(200)
		s.must(err)
		s.tell("replace image", in.groups.ReplaceImage(ctx, s.w.Super, s.gids[0], group.Upload{Name: "x.png", Content: picture}, false))
	default:
		var gone struct {
			ID  int64
			GID string `gorm:"column:gid"`
		}
		s.db.Raw("SELECT m.id, g.gid FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.status = 'active' ORDER BY random() LIMIT 1").Scan(&gone)
		s.tell("remove member", in.groups.RemoveMember(ctx, s.w.Super, gone.GID, fmt.Sprint(gone.ID)))
	}
	_ = n
}

// Everything at once, on two instances: nobody gets an error that is no answer,
// no group is oversold, and what is counted equals the history.
func TestAStorm(t *testing.T) {
	onTwoInstances(t, func(t *testing.T, s *storm) {
		s.build()
		stop := make(chan struct{})
		time.AfterFunc(stormTime(), func() { close(stop) })
		var wg sync.WaitGroup
		for i := range 16 {
			in := s.both[i%2]
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					switch {
					case i < 6:
						s.visit(in, i+n)
					case i < 10:
						s.linger(in)
					default:
						s.manage(in, n)
					}
				}
			})
		}
		wg.Wait()
		for what, n := range s.failed {
			t.Errorf("%d × %s", n, what)
		}
		if t.Failed() || os.Getenv("DOORPLATE_TEST_STORM") != "" {
			t.Log(s.done)
		}
		s.sound()
	})
}

// sound compares seats with members, counters and roll-ups with the history.
func (s *storm) sound() {
	for what, drift := range map[string]string{
		"seats":      "SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM memberships m WHERE m.group_id = g.id AND m.status = 'active')",
		"oversold":   "SELECT count(*) FROM groups WHERE member_count > capacity",
		"gone":       "SELECT count(*) FROM memberships x JOIN members m ON m.id = x.member_id WHERE x.status = 'active' AND m.status <> 'active'",
		"guests":     "SELECT count(*) FROM memberships x JOIN groups g ON g.id = x.group_id WHERE x.guest_id IS NOT NULL AND g.type = 'internal'",
		"numbers":    "SELECT count(*) FROM group_series s WHERE next_no - 1 <> (SELECT max(series_no) FROM groups g WHERE g.series_id = s.id)",
		"generation": "SELECT count(*) FROM code_generations e JOIN codes c ON c.id = e.code_id WHERE c.total_cap > 0 AND e.scans > c.total_cap",
		"counters": `SELECT count(*) FROM code_counters k WHERE total + coalesce((SELECT sum(scans) FROM code_generations e WHERE e.code_id = k.code_id), 0)
			<> (SELECT count(*) FROM scans s WHERE s.code_id = k.code_id AND s.outcome IN ('live', 'audience') AND (s.outcome = 'live' OR EXISTS (SELECT 1 FROM join_sessions j WHERE j.scan_id = s.id)))`,
		"copies": `SELECT count(*) FROM code_copies p WHERE scans <> (SELECT count(*) FROM scans s WHERE s.code_id = p.code_id AND s.copy_serial = p.serial
			AND s.outcome IN ('live', 'audience') AND (s.outcome = 'live' OR EXISTS (SELECT 1 FROM join_sessions j WHERE j.scan_id = s.id)))`,
	} {
		if n := s.count(drift); n != 0 {
			s.t.Errorf("%s: %d differ", what, n)
		}
	}
	before := s.rollUps(s.db)
	err := s.db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM scan_days").Error; err != nil {
			return err
		}
		return scan.Recount(tx)
	})
	s.must(err)
	if after := s.rollUps(s.db); before != after {
		s.t.Errorf("roll-ups:\n%s\nhistory:\n%s", before, after)
	}
}

func (s *storm) rollUps(tx *gorm.DB) string {
	var lines []string
	for _, sql := range []string{"SELECT code_id || ' ' || day || ' ' || live || ' ' || refused || ' ' || bots || ' ' || h09 FROM scan_days ORDER BY code_id, day",
		"SELECT code_id || ' ' || day || ' ' || channel || ' ' || copy_serial || ': ' || live || ' ' || identified || ' ' || requested || ' ' || joined FROM scan_funnel ORDER BY code_id, day, channel, copy_serial"} {
		var some []string
		s.must(tx.Raw(sql).Scan(&some).Error)
		lines = append(lines, some...)
	}
	return strings.Join(lines, "\n")
}
