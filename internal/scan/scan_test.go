package scan_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// gate is a scan service on a small organisation with one group.
type gate struct {
	t     *testing.T
	db    *gorm.DB
	w     testkit.World
	clock *testkit.Clock
	codes *code.Service
	scans *scan.Service
	gid   string
	group int64
}

func onBoth(t *testing.T, test func(t *testing.T, g *gate)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		g := &gate{t: t, db: db, clock: testkit.NewClock()}
		g.w = testkit.Org(t, db, g.clock)
		g.group, g.gid = g.w.Group(t, db, "平台技术交流群", "internal", "approval", g.w.Platform, 500)
		g.codes, g.scans = g.services(db)
		test(t, g)
	})
}

func (g *gate) services(db *gorm.DB) (*code.Service, *scan.Service) {
	trail := audit.New(testkit.Keys(), g.clock.Now)
	codes := code.New(db, testkit.Keys(), trail, g.clock.Now, "http://door.example")
	scans := scan.New(db, testkit.Keys(), codes, trail, g.clock.Now)
	g.t.Cleanup(scans.Close)
	return codes, scans
}

// issue makes a code as a super admin and returns its public id.
func (g *gate) issue(by access.Actor, form code.Form) string {
	g.t.Helper()
	form.Label = "前台"
	form.ConfirmPermanent = true
	id, err := g.codes.Issue(context.Background(), by, g.gid, form)
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

func (g *gate) request(id string) scan.Request {
	return scan.Request{Token: code.Token(testkit.Keys(), id, 0), Address: "192.0.2.7", UserAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0"}
}

func (g *gate) record(r scan.Request) scan.Decision {
	g.t.Helper()
	d, err := g.scans.Record(context.Background(), r)
	if err != nil {
		g.t.Fatal(err)
	}
	return d
}

// want scans a code and expects an outcome.
func (g *gate) want(id, outcome string) scan.Decision {
	g.t.Helper()
	d := g.record(g.request(id))
	if d.Outcome != outcome {
		g.t.Fatalf("scan answered %s, want %s", d.Outcome, outcome)
	}
	var kept string
	if err := g.db.Raw("SELECT outcome FROM scans WHERE ref = ?", d.Ref).Row().Scan(&kept); err != nil || kept != outcome {
		g.t.Fatalf("recorded %q (%v), want %s", kept, err, outcome)
	}
	if (d.Ticket != "") != (outcome == scan.Live) {
		g.t.Fatalf("%s with ticket %q", outcome, d.Ticket)
	}
	return d
}

func (g *gate) exec(sql string, args ...any) {
	g.t.Helper()
	if err := g.db.Exec(sql, args...).Error; err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) count(sql string, args ...any) int {
	g.t.Helper()
	var n int
	if err := g.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		g.t.Fatal(err)
	}
	return n
}

// Only what is answered with a ticket counts, and not one more than the cap.
func TestATotalCapIsExactUnderConcurrency(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{TotalCap: "100"})
		hammer(g, id, g.scans, g.scans)
		if n := g.count("SELECT total FROM code_counters"); n != 100 {
			t.Errorf("counter says %d", n)
		}
		g.want(id, scan.Exhausted)
	})
}

// Two instances on one PostgreSQL share the cap.
func TestACapHoldsAcrossInstances(t *testing.T) {
	dsn := testkit.PostgresURL(t)
	open := func() *gorm.DB {
		db, err := database.Open(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db, other := open(), open()
	t.Cleanup(func() { database.Close(db); database.Close(other) })
	g := &gate{t: t, db: db, clock: testkit.NewClock()}
	g.w = testkit.Org(t, db, g.clock)
	g.group, g.gid = g.w.Group(t, db, "两台服务器", "internal", "approval", g.w.RD, 500)
	g.codes, g.scans = g.services(db)
	_, second := g.services(other)
	hammer(g, g.issue(g.w.Super, code.Form{TotalCap: "100"}), g.scans, second)
}

func hammer(g *gate, id string, services ...*scan.Service) {
	g.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for i := range 64 {
		wg.Go(func() {
			for range 4 {
				d, err := services[i%len(services)].Record(context.Background(), g.request(id))
				mu.Lock()
				if err != nil {
					outcomes[err.Error()]++
				}
				outcomes[d.Outcome]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if outcomes[scan.Live] != 100 || outcomes[scan.Exhausted] != 156 || len(outcomes) != 2 {
		g.t.Fatalf("answers: %v, want 100 live and 156 exhausted", outcomes)
	}
	if n := g.count("SELECT count(*) FROM scans WHERE outcome = 'live'"); n != 100 {
		g.t.Fatalf("recorded %d live scans", n)
	}
}

// The day ends at midnight of the organisation, not of the server. req: C06
func TestTheDailyCapFollowsTheZone(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{Validity: "30d", DailyCap: "2"})
		g.want(id, scan.Live)
		g.want(id, scan.Live)
		d := g.want(id, scan.Exhausted)
		if d.Cause != scan.Daily || d.After != 15*time.Hour {
			t.Errorf("%s, again in %s; it is 09:00 in Shanghai", d.Cause, d.After)
		}
		g.clock.Add(15*time.Hour - time.Second)
		g.want(id, scan.Exhausted)
		g.clock.Add(time.Second)
		g.want(id, scan.Live)
		g.want(id, scan.Live)
		g.want(id, scan.Exhausted)
	})
}

// A09, B01
func TestHowLongACodeLives(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		week := g.issue(g.w.Super, code.Form{})
		day := g.issue(g.w.Super, code.Form{Validity: "until", ValidUntil: "2026-11-22"})
		minute := g.issue(g.w.Super, code.Form{Validity: "until", ValidUntil: "2026-11-22T10:30"})
		ever := g.issue(g.w.Super, code.Form{Validity: code.Permanent})
		g.clock.Add(90*time.Minute - time.Second)
		g.want(minute, scan.Live)
		g.clock.Add(time.Second)
		g.want(minute, scan.Expired)
		g.clock.Add(13*time.Hour + 29*time.Minute)
		g.want(day, scan.Live)
		g.clock.Add(time.Minute)
		g.want(day, scan.Expired)
		g.want(week, scan.Live)
		g.clock.Add(7 * 24 * time.Hour)
		g.want(week, scan.Expired)
		g.clock.Add(10 * 365 * 24 * time.Hour)
		g.want(ever, scan.Live)
	})
}

// A10, A11, A13, A14
func TestWhatEndsACode(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		revoked := g.issue(g.w.Super, code.Form{})
		old := g.issue(g.w.Super, code.Form{Validity: code.Permanent})
		headed := g.issue(g.w.Head, code.Form{Validity: code.Permanent})
		if err := g.codes.Revoke(ctx, g.w.Head, revoked, "照片外传"); err != nil {
			t.Fatal(err)
		}
		g.want(revoked, scan.Revoked)
		fresh, err := g.codes.Regenerate(ctx, g.w.Super, old, "换新")
		if err != nil {
			t.Fatal(err)
		}
		g.want(old, scan.Replaced)
		g.want(fresh, scan.Live)

		g.exec("DELETE FROM department_heads WHERE member_id = ?", g.w.Head.MemberID)
		g.want(headed, scan.Suspended)
		g.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", g.w.RD, g.w.Head.MemberID)
		g.want(headed, scan.Live)
		g.exec("UPDATE members SET status = 'departed' WHERE id = ?", g.w.Head.MemberID)
		g.want(headed, scan.Suspended)
		if err := g.codes.Adopt(ctx, g.w.Super, headed, ""); err != nil {
			t.Fatal(err)
		}
		g.want(headed, scan.Live)
		g.exec("UPDATE groups SET join_mode = 'off'")
		g.want(headed, scan.Off)
		g.exec("UPDATE groups SET status = 'disbanded'")
		g.want(headed, scan.Disbanded)
	})
}

func TestNetworkAndAudience(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{Networks: "10.1.2.3/8, 2001:db8::/32", TotalCap: "2"})
		g.want(id, scan.Network)
		r := g.request(id)
		r.Address = "10.200.0.1"
		if d := g.record(r); d.Outcome != scan.Live {
			t.Errorf("inside the network: %s", d.Outcome)
		}
		narrow := g.issue(g.w.Super, code.Form{Audience: []string{itoa(g.w.RD)}})
		for who, want := range map[int64]string{g.w.Staff.MemberID: scan.Live, g.w.Head.MemberID: scan.Live, g.w.OtherStaff.MemberID: scan.Audience, 0: scan.Live} {
			r := g.request(narrow)
			r.MemberID = who
			if d := g.record(r); d.Outcome != want {
				t.Errorf("member %d: %s, want %s", who, d.Outcome, want)
			}
		}
		if n := g.count("SELECT count(*) FROM scans WHERE member_id IS NOT NULL"); n != 3 {
			t.Errorf("%d scans know who it was, want 3", n)
		}
	})
}

func TestRobotsAndUnknownTokensAreKeptButNeverCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{TotalCap: "1"})
		for _, ua := range []string{"Slackbot-LinkExpanding 1.0", "Iframely/1.3.1 (+https://iframely.com/docs/about)", "facebookexternalhit/1.1", "WhatsApp/2.23", "Mozilla/5.0 (compatible; Googlebot/2.1)", "TelegramBot (like TwitterBot)"} {
			r := g.request(id)
			r.UserAgent = ua
			if d := g.record(r); d.Outcome != scan.Bot || d.Ticket != "" {
				t.Errorf("%s: %s", ua, d.Outcome)
			}
		}
		head := g.request(id)
		head.Preview = true
		if d := g.record(head); d.Outcome != scan.Bot {
			t.Errorf("HEAD: %s", d.Outcome)
		}
		r := g.request(id)
		r.Token = r.Token[:20] + flip(r.Token[20:21]) + r.Token[21:]
		if d := g.record(r); d.Outcome != scan.Unknown {
			t.Errorf("tampered token: %s", d.Outcome)
		}
		r.Token = code.Token(testkit.Keys(), "AAAAAAAAAAA", 0)
		if d := g.record(r); d.Outcome != scan.Unknown {
			t.Errorf("token of no code: %s", d.Outcome)
		}
		if n := g.count("SELECT count(*) FROM scans WHERE code_id IS NULL AND outcome = 'unknown'"); n != 2 {
			t.Errorf("%d unknown scans kept", n)
		}
		phone := g.request(id)
		phone.UserAgent = "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Chrome/90 Mobile Safari/537.36"
		if d := g.record(phone); d.Outcome != scan.Live {
			t.Errorf("a phone named Cubot: %s", d.Outcome)
		}
	})
}

func TestSpeedLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('address_per_10s', '40', ?)", g.clock.Now())
		id := g.issue(g.w.Super, code.Form{})
		r := g.request(id)
		r.JoinCookie, r.Address = "one-visitor", "2001:db8::1"
		for i := range 31 {
			want := scan.Live
			if i == 30 {
				want = scan.Limited
			}
			if d := g.record(r); d.Outcome != want {
				t.Fatalf("visitor's scan %d: %s", i+1, d.Outcome)
			}
		}
		r.JoinCookie, r.Address = "", "2001:db8::ffff" // the same /64
		for range 9 {
			g.record(r)
		}
		d := g.record(r)
		if d.Outcome != scan.Limited || d.Cause != scan.Speed || d.After != 10*time.Second {
			t.Fatalf("address over its limit: %+v", d)
		}
		r.Address = "2001:db8:1::1"
		if d := g.record(r); d.Outcome != scan.Live {
			t.Fatalf("another network: %s", d.Outcome)
		}
		g.clock.Add(10 * time.Second)
		g.want(id, scan.Live)
	})
}
