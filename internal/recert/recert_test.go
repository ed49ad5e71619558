package recert_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/recert"
	"doorplate/internal/testkit"
)

const day = 24 * time.Hour

// world is a small organisation and its rounds.
type world struct {
	testkit.World
	t      *testing.T
	db     *gorm.DB
	clock  *testkit.Clock
	rounds *recert.Service
	codes  *code.Service
	groups *group.Service
	dir    *directory.Service
}

func newWorld(t *testing.T, db *gorm.DB) *world {
	w := &world{t: t, db: db, clock: testkit.NewClock()}
	w.World = testkit.Org(t, db, w.clock)
	trail := audit.New(testkit.Keys(), w.clock.Now)
	w.codes = code.New(db, testkit.Keys(), trail, w.clock.Now, "http://door.example")
	w.groups = group.New(db, trail, w.clock.Now)
	w.dir = directory.New(db, trail, w.clock.Now)
	w.rounds = recert.New(db, trail, w.codes, w.clock.Now)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tend() { w.t.Helper(); w.must(w.rounds.Tend(context.Background())) }

// room is a group with a code and members.
func (w *world) room(department int64, members ...access.Actor) (id int64, gid, public string, codeID int64) {
	w.t.Helper()
	id, gid = w.Group(w.t, w.db, "群", "external", "open", department, 5000)
	codeID, public = w.Code(w.t, w.db, id, "门", nil, w.Super.MemberID)
	w.must(w.db.Exec("UPDATE codes SET validity = '7d', valid_until = ? WHERE id = ?", w.clock.Now().AddDate(3, 0, 0), codeID).Error)
	w.must(w.db.Exec("UPDATE groups SET created_at = ? WHERE id = ?", w.clock.Now(), id).Error)
	for _, m := range members {
		w.seat(id, m.MemberID)
	}
	return id, gid, public, codeID
}

func (w *world) seat(groupID, memberID int64) {
	w.t.Helper()
	in, err := group.Admit(w.db, &group.Membership{GroupID: groupID, MemberID: &memberID, Source: "added"}, w.clock.Now())
	if err != nil || in != group.Admitted {
		w.t.Fatal(in, err)
	}
}

func (w *world) state(public string) code.State {
	w.t.Helper()
	f, err := code.LoadFacts(w.db, public)
	w.must(err)
	list, err := w.codes.All(context.Background(), w.Super, "", "")
	w.must(err)
	i := slices.IndexFunc(list.Items, func(i code.Item) bool { return i.PublicID == public })
	if i < 0 || list.Items[i].Now != f.State(w.clock.Now()) {
		w.t.Errorf("the list and the facts differ about %s", public)
	}
	return f.State(w.clock.Now())
}

func (w *world) held(groupID int64, who access.Actor) bool {
	w.t.Helper()
	held, err := group.Held(w.db, groupID, group.Person{MemberID: &who.MemberID}, w.clock.Now())
	w.must(err)
	return held
}

// everything confirms all that is open in a group.
func (w *world) everything(by access.Actor, gid string) (recert.Result, error) {
	p, err := w.rounds.Pass(context.Background(), by, gid, 0)
	if err != nil {
		return recert.Result{}, err
	}
	d := recert.Decisions{Others: true}
	if p.Plan.Round != nil {
		d.Round = p.Plan.Round.ID
	}
	return w.rounds.Confirm(context.Background(), by, gid, d)
}

// open goes to the beginning of the next round.
func (w *world) open() *recert.Round {
	w.t.Helper()
	w.tend()
	p, err := w.rounds.Plan(w.db)
	w.must(err)
	if p.Next == nil {
		w.t.Fatal("no round is planned")
	}
	w.clock.Add(p.Next.OpensAt.Sub(w.clock.Now()))
	return p.Next
}

func (w *world) conflict(err error) fault.Conflict {
	w.t.Helper()
	var c fault.Conflict
	if !errors.As(err, &c) {
		w.t.Fatalf("%v is no conflict", err)
	}
	return c
}

// req: C52. An installation that learns of rounds suspends nothing for a whole period and its grace.
func TestARoundRunsItsCourse(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		room, gid, public, _ := w.room(w.Platform, w.Staff, w.OtherStaff)
		w.clock.Add(400 * day) // an old group, long before the first start
		if w.state(public) != code.Live || w.held(room, w.Staff) {
			t.Fatal("something stands still before any round")
		}
		began := w.clock.Now()
		w.tend()
		w.tend()
		r := w.open()
		if got := w.clock.Now().Sub(began); got != 90*day || r.DueAt.Sub(r.OpensAt) != 14*day {
			t.Errorf("the first round begins after %v and lasts %v", got, r.DueAt.Sub(r.OpensAt))
		}
		if w.state(public) != code.Live {
			t.Error("a round that begins suspends at once")
		}
		late, _, latePublic, _ := w.room(w.Platform, w.Staff) // made during the round
		w.seat(room, w.Head.MemberID)                         // let in during the round
		w.clock.Add(14*day - time.Second)
		if w.state(public) != code.Live || w.held(room, w.Staff) {
			t.Error("stands still before the date")
		}
		w.clock.Add(time.Second)
		w.tend()
		if w.state(public) != code.Suspended || !w.held(room, w.Staff) {
			t.Error("works after the date though nobody confirmed it")
		}
		if w.held(room, w.Head) || w.held(late, w.Staff) || w.state(latePublic) != code.Live {
			t.Error("what is newer than the round stands still")
		}
		seats := 0
		w.must(db.Raw("SELECT member_count FROM groups WHERE id = ?", room).Scan(&seats).Error)
		if seats != 3 {
			t.Errorf("%d seats are taken, want 3", seats)
		}
		got, err := w.everything(w.Head, gid)
		w.must(err)
		if !got.Done || !got.WasHeld || got.Confirmed != 3 {
			t.Errorf("confirming came to %+v", got)
		}
		if w.state(public) != code.Live || w.held(room, w.Staff) {
			t.Error("stands still after it was confirmed")
		}
		c := w.conflict(func() error { _, err := w.everything(w.Head, gid); return err }())
		if c.By == "" {
			t.Error("nobody learns who was first")
		}
		w.open() // the next one
		w.clock.Add(14 * day)
		if w.state(public) != code.Suspended || w.state(latePublic) != code.Suspended || !w.held(late, w.Staff) || !w.held(room, w.Head) {
			t.Error("the next round asks for nothing")
		}
	})
}

func TestWhatIsLeftOpenStandsStill(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		ctx := context.Background()
		room, gid, public, codeID := w.room(w.Platform, w.Staff, w.OtherStaff, w.Head)
		second, secondPublic := w.Code(t, db, room, "后门", nil, w.Super.MemberID)
		w.must(db.Exec("UPDATE codes SET validity = '7d', valid_until = ? WHERE id = ?", w.clock.Now().AddDate(3, 0, 0), second).Error)
		r := w.open()
		p, err := w.rounds.Pass(ctx, w.Head, gid, 0)
		w.must(err)
		if len(p.Seats) != 3 || len(p.Doors) != 2 || p.Others != 0 {
			t.Fatalf("%d members, %d codes, %d others", len(p.Seats), len(p.Doors), p.Others)
		}
		seat := map[string]int64{}
		for _, s := range p.Seats {
			seat[s.Name] = s.ID
		}
		got, err := w.rounds.Confirm(ctx, w.Head, gid, recert.Decisions{Round: p.Plan.Round.ID, Keep: []int64{seat[w.Staff.Name]}, Remove: []int64{seat[w.OtherStaff.Name]},
			KeepCodes: []int64{codeID}, RevokeBecause: "x"})
		w.must(err)
		if got.Done || got.Confirmed != 2 || got.Removed != 1 {
			t.Errorf("came to %+v", got)
		}
		w.clock.Add(r.DueAt.Sub(w.clock.Now()))
		if w.state(public) != code.Live || w.held(room, w.Staff) {
			t.Error("what was confirmed stands still")
		}
		if w.state(secondPublic) != code.Suspended || !w.held(room, w.Head) {
			t.Error("what was left open works")
		}
		got, err = w.rounds.Confirm(ctx, w.Head, gid, recert.Decisions{Round: p.Plan.Round.ID, Keep: []int64{seat[w.Head.Name]}, RevokeCodes: []int64{second}, RevokeBecause: "unused"})
		w.must(err)
		if !got.Done || got.Revoked != 1 || w.state(secondPublic) != code.Revoked || w.held(room, w.Head) {
			t.Errorf("came to %+v", got)
		}
		entries := 0
		w.must(db.Raw("SELECT count(*) FROM audit_entries WHERE action IN ('recert.confirm', 'group.member.remove', 'code.revoke')").Scan(&entries).Error)
		if entries != 4 {
			t.Errorf("%d entries in the trail, want 4", entries)
		}
	})
}

func TestWhoMayConfirm(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		room, gid, _, _ := w.room(w.Platform, w.Staff)
		_, top, _, _ := w.room(w.Root)
		w.open()
		owner := w.Staff
		owner.Duties = map[int64]access.Duty{room: access.Owner}
		lead := w.Super // a super admin who leads the department, too
		lead.Led = []string{w.RDPath}
		for _, c := range []struct {
			name string
			by   access.Actor
			gid  string
			own  int64 // who owns the platform's group
			want string
		}{
			{"head", w.Head, gid, 0, ""}, {"another head", w.OtherHead, gid, 0, "404"}, {"owner", owner, gid, w.Staff.MemberID, "403"}, {"staff", w.Staff, gid, 0, "403"},
			{"super admin beside a head", w.Super, gid, 0, ""}, {"super admin who owns it", w.Super, gid, w.Super.MemberID, "403"}, {"super admin without a head", w.Super, top, 0, ""}, {"super admin who is head", lead, gid, 0, ""},
			{"head who owns it", w.Head, gid, w.Head.MemberID, "403"}, {"super admin where the head owns it", w.Super, gid, w.Head.MemberID, ""},
			{"head above nothing", w.Head, top, 0, "404"},
		} {
			var own any
			if c.own != 0 {
				own = c.own
			}
			w.must(db.Exec("UPDATE groups SET owner_id = ? WHERE id = ?", own, room).Error)
			_, err := w.rounds.Pass(context.Background(), c.by, c.gid, 0)
			_, again := w.rounds.Confirm(context.Background(), c.by, c.gid, recert.Decisions{})
			var forbidden fault.Forbidden
			var conflict fault.Conflict
			switch {
			case c.want == "" && (err != nil || !errors.As(again, &conflict)):
				t.Errorf("%s: %v, %v", c.name, err, again)
			case c.want == "403" && (!errors.As(err, &forbidden) || !errors.As(again, &forbidden)):
				t.Errorf("%s: %v, %v; want 403", c.name, err, again)
			case c.want == "404" && (!errors.Is(err, fault.NotFound) || !errors.Is(again, fault.NotFound)):
				t.Errorf("%s: %v, %v; want 404", c.name, err, again)
			}
		}
		w.must(db.Exec("UPDATE groups SET owner_id = NULL").Error)
		for by, want := range map[*access.Actor]int{&w.Head: 1, &w.OtherHead: 0, &w.Super: 1} {
			l, err := w.rounds.Due(context.Background(), *by, false, "")
			w.must(err)
			n, err := w.rounds.Waiting(context.Background(), *by, 100)
			w.must(err)
			if len(l.Lines) != want || n.Count != want {
				t.Errorf("%s is asked for %d groups and told %d, want %d", by.Name, len(l.Lines), n.Count, want)
			}
		}
		all, err := w.rounds.Due(context.Background(), w.Super, true, "")
		w.must(err)
		if len(all.Lines) != 2 {
			t.Errorf("a super admin sees %d groups", len(all.Lines))
		}
	})
}

// Of many who confirm the same group at once one does, and the others learn of it;
// somebody who is removed beside them loses one seat.
func TestManyConfirmAtOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := newWorld(t, db)
		ctx := context.Background()
		room, gid, _, codeID := w.room(w.Platform, w.Staff, w.OtherStaff)
		w.open()
		p, err := w.rounds.Pass(ctx, w.Head, gid, 0)
		w.must(err)
		gone := p.Seats[0].ID
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				if i == 0 {
					errs[i] = w.groups.RemoveMember(ctx, w.Head, gid, idText(gone))
					return
				}
				_, errs[i] = w.rounds.Confirm(ctx, w.Head, gid, recert.Decisions{Round: p.Plan.Round.ID, Remove: []int64{gone}, RevokeCodes: []int64{codeID}, Others: true, RevokeBecause: "x"})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs[1:] {
			if err == nil {
				won++
			} else {
				w.conflict(err)
			}
		}
		var n struct{ Count, Seats, Marks int }
		w.must(db.Raw(`SELECT member_count AS count, (SELECT count(*) FROM memberships WHERE group_id = g.id AND status = 'active') AS seats,
			(SELECT count(*) FROM recert_marks WHERE group_id = g.id AND kind = 'group') AS marks FROM groups g WHERE id = ?`, room).Scan(&n).Error)
		if won != 1 || n.Count != 1 || n.Seats != 1 || n.Marks != 1 {
			t.Errorf("%d won; %+v", won, n)
		}
	})
}
