package scan_test

import (
	"context"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/scan"
)

// The charts come from the roll-ups alone: there is not one scan in this test.
func TestChartsComeFromTheRollUps(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p, other := g.past("前台"), g.past("电梯")
		p.day(0, "live", 40, "h09", 30, "h10", 10, "mobile", 35, "tablet", 4, "wechat", 20, "wecom", 5) // a Sunday
		p.day(1, "live", 60, "refused", 20, "bots", 9, "h23", 60, "desktop", 60)
		p.day(7, "live", 290, "h00", 290)
		p.day(45, "live", 5, "h12", 5)
		p.day(120, "live", 1000)
		other.day(1, "live", 7, "h23", 7)
		p.cohort(1, "poster", 0, 50, 40, 30, 20)
		p.cohort(1, "poster", 7, 10, 10, 9, 8)
		p.cohort(2, "", 0, 40, 9, 0, 0)
		p.cohort(45, "old", 0, 5, 5, 5, 5)
		r := g.report(g.w.Head, scan.Spot{Code: p.public}, scan.Query{})
		c := r.Charts
		if len(c.Days) != 30 || c.Days[29].Scans != 40 || c.Days[28].Scans != 60 || c.Days[28].Joined != 28 || c.Days[22].Scans != 290 || c.Scans() != 390 {
			t.Errorf("days %+v", c.Days)
		}
		if c.Heat[6][9] != 30 || c.Heat[6][10] != 10 || c.Heat[5][23] != 60 || c.Heat[6][0] != 290 {
			t.Errorf("heat %v", c.Heat)
		}
		if c.Devices[0].N != 35 || c.Devices[1].N != 4 || c.Devices[2].N != 60 || c.Devices[3].N != 291 || c.Apps[0].N != 20 || c.Apps[1].N != 5 || c.Apps[2].N != 365 {
			t.Errorf("devices %+v, apps %+v", c.Devices, c.Apps)
		}
		if len(c.Channels) != 2 || c.Channels[0] != (scan.Source{Channel: "poster", Scans: 60, Requested: 39, Joined: 28}) || c.Channels[1].Scans != 40 {
			t.Errorf("channels %+v", c.Channels)
		}
		if len(c.Copies) != 2 || c.Copies[0].CopySerial != 0 || c.Copies[1].CopySerial != 7 || c.Copies[1].Scans != 10 {
			t.Errorf("copies %+v", c.Copies)
		}
		if f := c.Funnel; f.Live != 100 || f.Identified != 59 || f.Requested != 39 || f.Joined != 28 || f.Asked() != 39 || f.Open {
			t.Errorf("funnel %+v", f)
		}
		if c.PerDay != 50 || c.Busy() { // 60 + 290 over seven full days: exactly the limit
			t.Errorf("%d a day", c.PerDay)
		}
		long := g.report(g.w.Head, scan.Spot{Group: g.gid}, scan.Query{Days: scan.LongChart}).Charts
		if len(long.Days) != 90 || long.Days[88].Scans != 67 || long.Scans() != 402 || len(long.Channels) != 3 || !long.Busy() {
			t.Errorf("group: %d days, %+v", len(long.Days), long)
		}
	})
}

// C08: the age counts from the day of issue, and anew from each refresh.
func TestSuccessByAgeOfTheCode(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		now := g.clock.Now()
		g.exec("UPDATE codes SET issued_at = ? WHERE id = ?", now.AddDate(0, 0, -60), p.id)
		g.exec("INSERT INTO code_generations (code_id, generation, scans, ended_at) VALUES (?, 1, 0, ?)", p.id, now.AddDate(0, 0, -10))
		p.day(60, "live", 1)                  // the day of issue
		p.day(58, "live", 2, "refused", 1)    // day 3
		p.day(57, "live", 4)                  // day 4
		p.day(53, "live", 8)                  // day 8
		p.day(30, "live", 16, "refused", 100) // day 31
		p.day(10, "live", 32)                 // refreshed: the first day again
		p.day(2, "live", 64)                  // day 9
		want := [5]scan.Age{{Live: 33}, {Live: 2, Refused: 1}, {Live: 4}, {Live: 72}, {Live: 16, Refused: 100}}
		if got := g.report(g.w.Head, scan.Spot{Code: p.public}, scan.Query{}).Charts.Ages; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// C43: who joined less than a day ago proves nothing yet.
func TestWhoIsStillInAfterADay(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		now := g.clock.Now()
		join := func(hours int, stayed time.Duration) {
			var ended any
			status := "active"
			if stayed > 0 {
				ended, status = now.Add(-time.Duration(hours)*time.Hour).Add(stayed), "ended"
			}
			a := g.count("INSERT INTO guests (name, phone, created_at) VALUES ('g', ?, ?) RETURNING id", itoa(int64(hours))+stayed.String(), now)
			g.exec("INSERT INTO memberships (group_id, guest_id, code_id, status, source, joined_at, ended_at) VALUES (?, ?, ?, ?, 'code', ?, ?)",
				g.group, a, p.id, status, now.Add(-time.Duration(hours)*time.Hour), ended)
		}
		join(100, 0)
		join(24, 0)
		join(99, 23*time.Hour+59*time.Minute)
		join(98, 24*time.Hour)
		join(97, 50*time.Hour)
		join(23, 0)         // too early to tell
		join(22, time.Hour) // the same
		join(24*40, 0)      // before the span
		f := g.report(g.w.Head, scan.Spot{Code: p.public}, scan.Query{}).Charts.Funnel
		if f.Eligible != 5 || f.Stayed != 4 {
			t.Errorf("%d of %d, want 4 of 5", f.Stayed, f.Eligible)
		}
	})
}

// The home chart sums days up within the reader's scope.
func TestTheOverviewIsNarrowed(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		own := g.past("前台")
		own.day(0, "live", 11)
		own.day(29, "live", 5)
		own.day(30, "live", 900)
		foreign, _ := g.w.Group(t, g.db, "市场", "internal", "approval", g.w.Marketing, 50)
		id, _ := g.w.Code(t, g.db, foreign, "门", nil, g.w.Super.MemberID)
		(&past{gate: g, id: id}).day(0, "live", 100)
		for _, c := range []struct {
			by   access.Actor
			want int
		}{{g.w.Super, 111}, {g.w.Head, 11}, {g.w.OtherHead, 100}} {
			days, err := g.scans.Overview(ctx, c.by)
			if err != nil || len(days) != 30 || days[29].Scans != c.want {
				t.Errorf("%s: %v %+v", c.by.Name, err, days)
			}
		}
		if days, err := g.scans.Overview(ctx, g.w.Staff); err != nil || days != nil {
			t.Errorf("staff: %v %v", days, err)
		}
	})
}
