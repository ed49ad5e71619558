package scan_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// exact compares counters, copies and roll-ups with the history, which is the truth.
// Every scan of these tests lies on its days by Shanghai's clock.
func (g *gate) exact() {
	g.t.Helper()
	for what, drift := range map[string]string{
		"counters": `SELECT count(*) FROM code_counters k WHERE total <> (SELECT count(*) FROM scans s WHERE s.code_id = k.code_id AND s.outcome = 'live')`,
		"copies":   `SELECT count(*) FROM code_copies p WHERE scans <> (SELECT count(*) FROM scans s WHERE s.code_id = p.code_id AND s.copy_serial = p.serial AND s.outcome = 'live')`,
		"days":     `SELECT count(*) FROM scan_days d WHERE live <> ` + hourSum(),
	} {
		if n := g.count(drift); n != 0 {
			g.t.Errorf("%d %s differ from the history", n, what)
		}
	}
	got, want := g.rollups(), g.recounted()
	if got != want {
		g.t.Errorf("roll-ups:\n%s\nhistory:\n%s", got, want)
	}
}

func hourSum() string {
	terms := make([]string, 24)
	for h := range terms {
		terms[h] = fmt.Sprintf("h%02d", h)
	}
	return strings.Join(terms, " + ")
}

// rollups writes both tables as text.
func (g *gate) rollups() string {
	g.t.Helper()
	return g.table("SELECT * FROM scan_days ORDER BY code_id, day") + g.table("SELECT * FROM scan_funnel ORDER BY code_id, day, channel, copy_serial")
}

func (g *gate) table(sql string) string {
	g.t.Helper()
	rows, err := g.db.Raw(sql).Rows()
	if err != nil {
		g.t.Fatal(err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	var out strings.Builder
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			g.t.Fatal(err)
		}
		for i, cell := range cells {
			if text := fmt.Sprint(cell); text != "0" && text != "" {
				fmt.Fprintf(&out, "%s=%s ", names[i], text)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// recounted is what the roll-ups would be if they were counted from the history now.
func (g *gate) recounted() (text string) {
	g.t.Helper()
	undo := fmt.Errorf("undo")
	err := g.db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM scan_days").Error; err != nil {
			return err
		}
		if err := scan.Recount(tx); err != nil {
			return err
		}
		inside := *g
		inside.db = tx
		text = inside.rollups()
		return undo
	})
	if err != undo {
		g.t.Fatal(err)
	}
	return text
}

// copied makes a printed copy of a code with a channel ("" for none).
func (g *gate) copied(id string, serial int, channel string) {
	g.t.Helper()
	g.exec(`INSERT INTO code_copies (code_id, serial, channel_id, created_at) SELECT c.id, ?, (SELECT h.id FROM code_channels h WHERE h.code_id = c.id AND h.name = ?), ?
		FROM codes c WHERE c.public_id = ?`, serial, channel, g.clock.Now(), id)
}

func (g *gate) channel(id, name, source, medium, campaign string) {
	g.t.Helper()
	g.exec(`INSERT INTO code_channels (code_id, name, utm_source, utm_medium, utm_campaign, created_at) SELECT id, ?, ?, ?, ?, ? FROM codes WHERE public_id = ?`,
		name, source, medium, campaign, g.clock.Now(), id)
}

func (g *gate) requestCopy(id string, serial int) scan.Request {
	r := g.request(id)
	r.Token = code.Token(testkit.Keys(), id, serial)
	return r
}

// A lost poster is withdrawn alone. req: C45
func TestACopyIsDecidedBySerial(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id, other := g.issue(g.w.Super, code.Form{}), g.issue(g.w.Super, code.Form{})
		g.channel(id, "电梯", "lift", "", "")
		g.copied(id, 7, "电梯")
		g.copied(id, 8, "")
		g.copied(other, 9, "")
		for serial, want := range map[int][2]string{7: {scan.Live, scan.Live}, 8: {scan.Live, scan.Live}, 9: {scan.Unknown, scan.Unknown}} {
			if d := g.record(g.requestCopy(id, serial)); d.Outcome != want[0] || d.Cause != want[1] || (d.Facts == nil) != (want[0] == scan.Unknown) {
				t.Errorf("copy %d: %+v", serial, d)
			}
		}
		g.clock.Add(time.Minute)
		g.exec("UPDATE code_copies SET revoked_at = ? WHERE serial = 7", g.clock.Now())
		if d := g.record(g.requestCopy(id, 7)); d.Outcome != scan.Revoked || d.Cause != scan.Copy || d.Ticket != "" {
			t.Errorf("withdrawn copy: %+v", d)
		}
		g.want(id, scan.Live)
		if n := g.count("SELECT count(*) FROM scans s JOIN codes c ON c.id = s.code_id WHERE c.public_id = ? AND copy_serial = 7 AND outcome = 'revoked' AND channel = '电梯'", id); n != 1 {
			t.Errorf("the refused scan is not kept under its copy")
		}
		if n := g.count("SELECT count(*) FROM code_copies WHERE serial = 7 AND scans = 1 AND last_scan_at = ?", g.clock.Now()); n != 1 {
			t.Error("the copy does not know its last scan")
		}
		g.exact()
	})
}

// C41
func TestAScanKnowsItsChannel(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		g.channel(id, "空", "", "", "")
		g.channel(id, "邮件", "Newsletter", "email", "")
		g.channel(id, "后来的", "newsletter", "EMAIL", "")
		g.channel(id, "展会", "newsletter", "email", "展会 \"2026\"")
		for utm, want := range map[[3]string]string{
			{}: "", {"newsletter", "Email", ""}: "邮件", {"newsletter", "", ""}: "", {"NEWSLETTER", "email", "展会 \"2026\""}: "展会", {"x\n\\", "", ""}: "",
		} {
			r := g.request(id)
			r.UTMSource, r.UTMMedium, r.UTMCampaign = utm[0], utm[1], utm[2]
			d := g.record(r)
			if n := g.count("SELECT count(*) FROM scans WHERE ref = ? AND channel = ? AND utm_source = ?", d.Ref, want, utm[0]); n != 1 {
				t.Errorf("%q is not kept as %q", utm, want)
			}
		}
		g.exact()
	})
}

func TestTheRollUpsEqualTheHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		ids := []string{g.issue(g.w.Super, code.Form{TotalCap: "40"}), g.issue(g.w.Super, code.Form{}), g.issue(g.w.Super, code.Form{})}
		g.copied(ids[1], 3, "")
		agents := []string{"Mozilla/5.0 (iPhone) MicroMessenger/8.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) wxwork/4.0", "Slackbot 1.0", "Mozilla/5.0 (iPad; CPU OS 17_0)", ""}
		for hour := range 3 {
			var wg sync.WaitGroup
			for i := range 120 {
				wg.Go(func() {
					r := g.requestCopy(ids[i%3], []int{0, 3, 0}[i%3]*(i&1))
					r.UserAgent = agents[i%5]
					if i%7 == 0 {
						r.MemberID = g.w.Staff.MemberID
					}
					if _, err := g.scans.Record(context.Background(), r); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			g.clock.Add([]time.Duration{time.Hour, 14 * time.Hour, 0}[hour]) // 09:00, 10:00 and 00:00
		}
		g.exact()
		if n := g.count("SELECT count(*) FROM scan_days"); n != 6 {
			t.Errorf("%d days of codes, want 6", n)
		}
		if n := g.count("SELECT sum(h09) FROM scan_days"); n != g.count("SELECT count(*) FROM scans WHERE outcome = 'live' AND at = ?", testkit.NewClock().Now()) {
			t.Errorf("%d scans at nine", n)
		}
	})
}

// What an earlier version kept is counted once, whoever starts; what is already counted stays.
func TestRebuild(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		if err := g.scans.Rebuild(ctx); err != nil {
			t.Fatal(err)
		}
		id := g.issue(g.w.Super, code.Form{TotalCap: "15"})
		for range 20 {
			g.record(g.request(id))
		}
		g.clock.Add(40 * time.Hour)
		g.record(g.request(id))
		want := g.rollups()
		g.exec("DELETE FROM scan_days")
		g.exec("DELETE FROM scan_funnel")
		_, second := g.services(g.db)
		var wg sync.WaitGroup
		for _, s := range []*scan.Service{g.scans, second, g.scans} {
			wg.Go(func() {
				if err := s.Rebuild(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := g.rollups(); got != want {
			t.Errorf("rebuilt:\n%s\nwant:\n%s", got, want)
		}
		g.exec("DELETE FROM scans WHERE at < ?", g.clock.Now()) // retention
		if err := g.scans.Rebuild(ctx); err != nil {
			t.Fatal(err)
		}
		if got := g.rollups(); got != want {
			t.Errorf("after the history was deleted:\n%s", got)
		}
	})
}

func TestTheStepsOfAPersonAreCountedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		g.channel(id, "电梯", "", "", "")
		g.copied(id, 5, "电梯")
		var scans []int64
		for range 3 {
			d := g.record(g.requestCopy(id, 5))
			scans = append(scans, int64(g.count("SELECT id FROM scans WHERE ref = ?", d.Ref)))
		}
		g.clock.Add(24 * time.Hour) // a later step belongs to the day of the scan
		press := func(n int, step func(tx *gorm.DB) error) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := g.db.Transaction(step); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		press(8, func(tx *gorm.DB) error { return scan.MarkPerson(tx, scans[0], &g.w.Staff.MemberID, nil) })
		press(1, func(tx *gorm.DB) error { return scan.MarkPerson(tx, scans[0], &g.w.Head.MemberID, nil) })
		press(8, func(tx *gorm.DB) error { return scan.MarkStage(tx, scan.Requested, scans[0]) })
		press(8, func(tx *gorm.DB) error { return scan.MarkStage(tx, scan.Joined, scans[1], scans[0], scans[0], 987654) })
		press(1, func(tx *gorm.DB) error { return scan.MarkStage(tx, scan.Requested) })
		want := "code_id=1 day=2026-11-22 channel=电梯 copy_serial=5 live=3 identified=1 requested=1 joined=2 \n"
		if got := g.table("SELECT * FROM scan_funnel"); got != want {
			t.Errorf("funnel %s want %s", got, want)
		}
		if n := g.count("SELECT count(*) FROM scans WHERE id = ? AND member_id = ?", scans[0], g.w.Head.MemberID); n != 1 {
			t.Error("the later person is not kept")
		}
		g.exact()
	})
}
