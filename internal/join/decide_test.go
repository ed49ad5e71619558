package join_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/scan"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
)

// room is a small organisation with the join service on it.
type room struct {
	t     *testing.T
	db    *gorm.DB
	clock *testkit.Clock
	w     testkit.World
	joins *join.Service
}

func onBoth(t *testing.T, test func(t *testing.T, r *room)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		trail := audit.New(testkit.Keys(), clock.Now)
		marks := join.Marks{Person: scan.MarkPerson, Outcome: scan.MarkOutcome, Stage: scan.MarkStage}
		test(t, &room{t: t, db: db, clock: clock, w: testkit.Org(t, db, clock), joins: join.New(db, testkit.Keys(), trail, marks, clock.Now)})
	})
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) exec(sql string, args ...any) {
	r.t.Helper()
	r.must(r.db.Exec(sql, args...).Error)
}

func (r *room) count(sql string, args ...any) (n int) {
	r.t.Helper()
	r.must(r.db.Raw(sql, args...).Scan(&n).Error)
	return n
}

// guest inserts a guest and returns the row's id.
func (r *room) guest(n int) (id int64) {
	r.t.Helper()
	r.must(r.db.Raw("INSERT INTO guests (name, phone, created_at) VALUES (?, ?, ?) RETURNING id",
		fmt.Sprint("访客", n), fmt.Sprintf("+86139%08d", n), r.clock.Now()).Scan(&id).Error)
	return id
}

// pending inserts a guest's pending request.
func (r *room) pending(groupID int64, n int) (id int64) {
	r.t.Helper()
	r.must(r.db.Raw("INSERT INTO join_requests (group_id, guest_id, name, phone, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
		groupID, r.guest(n), fmt.Sprint("访客", n), fmt.Sprintf("+86139%08d", n), r.clock.Now()).Scan(&id).Error)
	return id
}

// asks inserts a member's pending request.
func (r *room) asks(groupID int64, who access.Actor) (id int64) {
	r.t.Helper()
	r.must(r.db.Raw("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, ?, ?) RETURNING id",
		groupID, who.MemberID, who.Name, r.clock.Now()).Scan(&id).Error)
	return id
}

// scanned inserts a redeemed scan of a fresh code and returns the join cookie.
func (r *room) scanned(codeID int64) string {
	r.t.Helper()
	cookie, ref := secret.Token(24), secret.Token(9)
	var scanID int64
	r.must(r.db.Raw("INSERT INTO scans (ref, at, code_id, outcome) VALUES (?, ?, ?, 'live') RETURNING id", ref, r.clock.Now(), codeID).Scan(&scanID).Error)
	r.exec("INSERT INTO join_sessions (secret_hash, scan_id, code_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
		scan.SecretHash(testkit.Keys(), cookie), scanID, codeID, r.clock.Now(), r.clock.Now().Add(join.CookieLife))
	return cookie
}

func (r *room) code(groupID int64) int64 {
	until := r.clock.Now().Add(7 * 24 * time.Hour)
	id, _ := r.w.Code(r.t, r.db, groupID, "门口", &until, r.w.Super.MemberID)
	return id
}

// Fifty people approve fifty different requests for one last seat.
func TestTheLastSeatIsGivenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 1)
		ids := make([]int64, 50)
		for i := range ids {
			ids[i] = r.pending(g, i)
		}
		got := parallel(50, func(i int) string {
			res, err := r.joins.Decide(context.Background(), r.w.Head, join.Decision{Approve: true}, ids[i])
			if err != nil {
				return err.Error()
			}
			return res[0].Outcome
		})
		if got[join.Approved] != 1 || got[join.Full] != 49 {
			t.Errorf("outcomes %v, want one approved and 49 full", got)
		}
		if n := r.count("SELECT count(*) FROM memberships WHERE group_id = ? AND status = 'active'", g); n != 1 {
			t.Errorf("%d members in one seat", n)
		}
		if n := r.count("SELECT count(*) FROM join_requests WHERE status = 'pending'"); n != 49 {
			t.Errorf("%d requests wait, want 49", n)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action = 'request.approve'"); n != 1 {
			t.Errorf("%d approvals in the trail", n)
		}
	})
}

// Fifty people decide one request; each loser is told who and when.
func TestOneRequestIsDecidedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		g, _ := r.w.Group(t, r.db, "客户群", "external", "approval", r.w.RD, 10)
		id := r.pending(g, 1)
		deciders := []access.Actor{r.w.Super, r.w.Super2, r.w.Head}
		var mu sync.Mutex
		losers := map[string]bool{}
		got := parallel(50, func(i int) string {
			res, err := r.joins.Decide(context.Background(), deciders[i%3], join.Decision{Approve: i%2 == 0, Reason: "不符合"}, id)
			if err != nil {
				return err.Error()
			}
			if res[0].Outcome == join.Already {
				mu.Lock()
				losers[res[0].By+res[0].At.UTC().Format(time.RFC3339)] = true
				mu.Unlock()
			}
			return res[0].Outcome
		})
		if got[join.Already] != 49 || len(losers) != 1 {
			t.Errorf("outcomes %v, losers were told %v", got, losers)
		}
		if n := r.count("SELECT count(*) FROM audit_entries WHERE action LIKE 'request.%'"); n != 1 {
			t.Errorf("%d decisions in the trail", n)
		}
	})
}

func TestDecide(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		rd, _ := r.w.Group(t, r.db, "研发群", "internal", "approval", r.w.Platform, 10)
		far, _ := r.w.Group(t, r.db, "市场群", "internal", "approval", r.w.Marketing, 10)
		gone, _ := r.w.Group(t, r.db, "旧群", "internal", "approval", r.w.RD, 10)
		a, b, c := r.asks(rd, r.w.Staff), r.asks(far, r.w.Staff), r.asks(gone, r.w.Staff)
		own := r.asks(rd, r.w.Head)
		r.exec("UPDATE groups SET status = 'disbanded', disbanded_at = ?, disbanded_by = ? WHERE id = ?", r.clock.Now(), r.w.Super.MemberID, gone)

		_, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Reason: " \n"}, a)
		var wrong fault.Invalid
		if !errors.As(err, &wrong) || wrong["reason"].Key == "" {
			t.Errorf("a rejection without a reason: %v", err)
		}
		res, err := r.joins.Decide(ctx, r.w.Head, join.Decision{Approve: true}, a, b, c, own, 999999, a)
		r.must(err)
		want := []string{join.Approved, join.NotFound, join.Already, join.Own, join.NotFound}
		if len(res) != len(want) {
			t.Fatalf("%d results, want %d", len(res), len(want))
		}
		for i := range want {
			if res[i].Outcome != want[i] {
				t.Errorf("result %d = %q, want %q", i, res[i].Outcome, want[i])
			}
		}
		if res[1].Name != "" || res[1].Group != "" {
			t.Error("a foreign request's name was told")
		}
		r.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'review')", far, r.w.Staff.MemberID)
		reviewer := r.w.OtherStaff
		reviewer.Duties = map[int64]access.Duty{far: access.Review}
		res, err = r.joins.Decide(ctx, reviewer, join.Decision{Reason: "请写明来意"}, b)
		r.must(err)
		if res[0].Outcome != join.Rejected {
			t.Errorf("a reviewer's decision = %q", res[0].Outcome)
		}
	})
}

func TestQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, r *room) {
		ctx := context.Background()
		rd, rdGID := r.w.Group(t, r.db, "研发群", "external", "approval", r.w.Platform, 500)
		far, _ := r.w.Group(t, r.db, "市场群", "external", "approval", r.w.Marketing, 500)
		for i := range 120 {
			r.pending(rd, i)
			if i%7 == 0 {
				r.clock.Add(time.Second)
			}
		}
		r.pending(far, 1000)
		staff := r.asks(rd, r.w.Staff)

		seen, f := map[int64]bool{}, join.Filter{}
		for pages := 1; ; pages++ {
			q, err := r.joins.Queue(ctx, r.w.Head, f)
			r.must(err)
			for _, row := range q.Rows {
				if seen[row.ID] {
					t.Fatalf("request %d twice", row.ID)
				}
				seen[row.ID] = true
			}
			if f.After = q.Next; f.After == "" {
				if pages != 3 {
					t.Errorf("%d pages, want 3", pages)
				}
				break
			}
		}
		if len(seen) != 121 {
			t.Errorf("saw %d requests, want 121", len(seen))
		}
		for _, c := range []struct {
			f    join.Filter
			want int
		}{
			{join.Filter{Kind: "member"}, 1}, {join.Filter{Search: "DP0005"}, 1}, {join.Filter{Search: "dp00"}, 1},
			{join.Filter{Search: "00000042"}, 1}, {join.Filter{Search: "%"}, 0}, {join.Filter{Search: `\_'"`}, 0},
			{join.Filter{Search: "访客77"}, 1}, {join.Filter{Group: "nowhere"}, 0}, {join.Filter{After: "zzz"}, join.PageSize},
			{join.Filter{Decided: true}, 0}, {join.Filter{Group: rdGID, Kind: "member"}, 1},
		} {
			q, err := r.joins.Queue(ctx, r.w.Head, c.f)
			r.must(err)
			if len(q.Rows) != c.want {
				t.Errorf("%+v: %d rows, want %d", c.f, len(q.Rows), c.want)
			}
		}
		if n, err := r.joins.Waiting(ctx, r.w.Head, 100); err != nil || n != 100 {
			t.Errorf("waiting %d %v, want the limit", n, err)
		}
		d, err := r.joins.Open(ctx, r.w.Head, staff)
		r.must(err)
		if d.Department != "研发中心 / 平台组" || d.JobNumber != "DP0005" {
			t.Errorf("opened %q %q", d.Department, d.JobNumber)
		}
		if _, err := r.joins.Open(ctx, r.w.OtherHead, staff); !errors.Is(err, fault.NotFound) {
			t.Errorf("a foreign request opened: %v", err)
		}
	})
}

// parallel runs do n times at once and counts what the runs returned.
func parallel(n int, do func(i int) string) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	got, start := map[string]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			out := do(i)
			mu.Lock()
			defer mu.Unlock()
			got[out]++
		})
	}
	close(start)
	wg.Wait()
	return got
}
