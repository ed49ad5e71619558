package scan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
	"doorplate/internal/scan"
)

// past is a code whose history is written by hand, as old as one likes.
type past struct {
	*gate
	id     int64
	public string
	n      int
}

func (g *gate) past(label string) *past {
	p := &past{gate: g}
	p.id, p.public = g.w.Code(g.t, g.db, g.group, label, nil, g.w.Super.MemberID)
	return p
}

// scanned writes one scan some time ago; pairs are further columns and values.
func (p *past) scanned(ago time.Duration, pairs ...any) string {
	p.t.Helper()
	p.n++
	ref := fmt.Sprintf("%s%d", p.public[:6], p.n)
	columns, args := []string{"ref", "at", "code_id", "address"}, []any{ref, p.clock.Now().Add(-ago), p.id, "192.0.2.7"}
	row := map[string]any{"outcome": scan.Live, "device": "mobile", "app": "wechat"}
	for i := 0; i+1 < len(pairs); i += 2 {
		row[pairs[i].(string)] = pairs[i+1]
	}
	for name, value := range row {
		columns, args = append(columns, name), append(args, value)
	}
	p.exec("INSERT INTO scans ("+strings.Join(columns, ", ")+") VALUES (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	return ref
}

// day writes a day of the roll-up, counted back from today; pairs are columns and numbers.
func (p *past) day(ago int, pairs ...any) {
	p.t.Helper()
	day := p.clock.Now().In(shanghai).AddDate(0, 0, -ago).Format(time.DateOnly)
	p.exec("INSERT INTO scan_days (code_id, day) VALUES (?, ?)", p.id, day)
	for i := 0; i+1 < len(pairs); i += 2 {
		p.exec(fmt.Sprintf("UPDATE scan_days SET %s = ? WHERE code_id = ? AND day = ?", pairs[i]), pairs[i+1], p.id, day)
	}
}

// cohort writes a line of the funnel.
func (p *past) cohort(ago int, channel string, serial, live, identified, requested, joined int) {
	p.t.Helper()
	day := p.clock.Now().In(shanghai).AddDate(0, 0, -ago).Format(time.DateOnly)
	p.exec("INSERT INTO scan_funnel (code_id, day, channel, copy_serial, live, identified, requested, joined) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		p.id, day, channel, serial, live, identified, requested, joined)
}

var shanghai = time.FixedZone("CST", 8*3600)

func (g *gate) report(by access.Actor, at scan.Spot, q scan.Query) scan.Report {
	g.t.Helper()
	r, err := g.scans.Report(context.Background(), by, at, q)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

func refs(p scan.Page) string {
	var all []string
	for _, l := range p.Lines {
		all = append(all, l.Ref)
	}
	return strings.Join(all, " ")
}

// Every page is reached from the one before it and from the one after it.
func TestTheHistoryPagesBothWays(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		one, two := g.past("前台"), g.past("电梯")
		for i := range 45 {
			p := one
			if i%3 == 0 {
				p = two
			}
			p.scanned(time.Duration(i/2) * time.Minute) // pairs share their moment
		}
		for _, c := range []struct {
			at    scan.Spot
			sizes []int
		}{{scan.Spot{Code: one.public}, []int{20, 10}}, {scan.Spot{Group: g.gid}, []int{20, 20, 5}}} {
			var down []string
			f := scan.Filter{}
			var last scan.Page
			for i, size := range c.sizes {
				last = g.report(g.w.Head, c.at, scan.Query{Filter: f}).Page
				if len(last.Lines) != size || (last.Older == "") != (i == len(c.sizes)-1) || (last.Newer == "") != (i == 0) {
					t.Fatalf("page %d: %d lines, %+v", i, len(last.Lines), last)
				}
				down = append(down, refs(last))
				f = scan.Filter{After: last.Older}
			}
			seen := map[string]bool{}
			for _, ref := range strings.Fields(strings.Join(down, " ")) {
				if seen[ref] {
					t.Errorf("%s twice", ref)
				}
				seen[ref] = true
			}
			for i := len(c.sizes) - 2; i >= 0; i-- {
				last = g.report(g.w.Head, c.at, scan.Query{Filter: scan.Filter{Before: last.Newer}}).Page
				if refs(last) != down[i] {
					t.Errorf("back on page %d: %s, want %s", i, refs(last), down[i])
				}
			}
			if last.Newer != "" {
				t.Error("something is newer than the first page")
			}
		}
	})
}

func TestTheHistoryIsNarrowed(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		plain := p.scanned(time.Minute)
		poster := p.scanned(2*time.Minute, "channel", "poster", "app", "wecom")
		copied := p.scanned(3*time.Minute, "copy_serial", 7, "device", "tablet", "app", "dingtalk")
		known := p.scanned(4*time.Minute, "member_id", g.w.Staff.MemberID)
		refused := p.scanned(50*time.Hour, "outcome", scan.Expired)
		noon := time.Date(2026, 11, 20, 0, 0, 0, 0, shanghai) // 50 hours ago was on the 20th
		for name, c := range map[string]struct {
			f    scan.Filter
			want []string
		}{
			"all":             {scan.Filter{}, []string{plain, poster, copied, known, refused}},
			"nonsense":        {scan.Filter{Outcome: "x' OR 1=1", Device: "\x01", App: "%", After: "x-y", Before: "9"}, []string{plain, poster, copied, known, refused}},
			"refused":         {scan.Filter{Outcome: scan.Expired}, []string{refused}},
			"live":            {scan.Filter{Outcome: scan.Live}, []string{plain, poster, copied, known}},
			"channel":         {scan.Filter{Channel: "poster"}, []string{poster}},
			"copy":            {scan.Filter{Copy: 7}, []string{copied}},
			"device":          {scan.Filter{Device: "tablet"}, []string{copied}},
			"wecom":           {scan.Filter{App: "wecom"}, []string{poster}},
			"other app":       {scan.Filter{App: "other"}, []string{copied}},
			"name":            {scan.Filter{Person: "晓棠"}, []string{known}},
			"job number":      {scan.Filter{Person: "DP0005"}, []string{known}},
			"nobody":          {scan.Filter{Person: "%"}, nil},
			"somebody else":   {scan.Filter{Person: "程远"}, nil},
			"that day":        {scan.Filter{From: noon, To: noon.AddDate(0, 0, 1)}, []string{refused}},
			"until then":      {scan.Filter{To: noon}, nil},
			"all of it":       {scan.Filter{Outcome: scan.Live, Copy: 7, Device: "tablet", App: "other", From: noon}, []string{copied}},
			"and no more":     {scan.Filter{Outcome: scan.Live, Copy: 7, Device: "mobile"}, nil},
			"a cursor of the": {scan.Filter{After: "99999999999999999999-1", Copy: 7}, []string{copied}},
		} {
			for _, at := range []scan.Spot{{Code: p.public}, {Group: g.gid}} {
				if got := refs(g.report(g.w.Head, at, scan.Query{Filter: c.f}).Page); got != strings.Join(c.want, " ") {
					t.Errorf("%s: %q, want %q", name, got, c.want)
				}
			}
		}
	})
}

// Whoever has a duty on the group sees no addresses and cannot try job numbers.
func TestWhoReadsTheHistory(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		p.scanned(time.Minute, "member_id", g.w.Staff.MemberID)
		owner := g.w.Staff
		owner.Duties = map[int64]access.Duty{g.group: access.Content}
		for _, at := range []scan.Spot{{Code: p.public}, {Group: g.gid}} {
			if r := g.report(g.w.Head, at, scan.Query{}); !r.Place.Addresses || r.Page.Lines[0].Address != "192.0.2.7" {
				t.Errorf("head: %+v", r.Page)
			}
			r := g.report(owner, at, scan.Query{})
			if r.Place.Addresses || r.Page.Lines[0].Address != "" || r.Page.Lines[0].Member != "顾晓棠" {
				t.Errorf("owner: %+v", r.Page)
			}
			if r := g.report(owner, at, scan.Query{Filter: scan.Filter{Person: "DP0005"}}); len(r.Page.Lines) != 0 {
				t.Error("a job number was answered")
			}
			var forbidden fault.Forbidden
			if _, err := g.scans.Report(ctx, g.w.Staff, at, scan.Query{}); !errors.As(err, &forbidden) {
				t.Errorf("staff: %v", err)
			}
			if _, err := g.scans.Report(ctx, g.w.OtherHead, at, scan.Query{}); !errors.Is(err, fault.NotFound) {
				t.Errorf("a foreign head: %v", err)
			}
			if _, err := g.scans.Export(ctx, g.w.OtherHead, at, scan.Filter{}); !errors.Is(err, fault.NotFound) {
				t.Errorf("a foreign head's export: %v", err)
			}
		}
		if a, err := g.scans.Activity(ctx, owner, p.public); err != nil || a.Lines[0].Address != "" || len(a.Days) != 30 {
			t.Errorf("activity: %+v %v", a, err)
		}
	})
}

// A search that no index answers stops after a while and says where.
func TestALongSearchPauses(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		p := g.past("前台")
		p.fill(25000, "device = CASE WHEN i % 9000 = 8999 THEN 'tablet' ELSE 'mobile' END")
		f, found, pauses := scan.Filter{Device: "tablet"}, 0, 0
		for range 9 {
			page := g.report(g.w.Head, scan.Spot{Code: p.public}, scan.Query{Filter: f}).Page
			found += len(page.Lines)
			if !page.Searched.IsZero() {
				pauses++
			}
			if page.Older == "" {
				break
			}
			f.After = page.Older
		}
		if found != 2 || pauses != 2 {
			t.Errorf("%d found with %d pauses, want 2 and 2", found, pauses)
		}
	})
}

// fill writes n scans, one a second back from now; set is one column of them, with i from 0.
func (p *past) fill(n int, set string) {
	p.t.Helper()
	column, value, _ := strings.Cut(set, " = ")
	series := "generate_series(0, ? - 1) AS s(i)"
	at := "CAST(? AS timestamptz) - i * interval '1 second'"
	if !database.Postgres(p.db) {
		series = "(WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < ? - 1) SELECT i FROM s) s"
		at = "strftime('%Y-%m-%d %H:%M:%S+00:00', ?, '-' || i || ' seconds')"
	}
	p.exec("INSERT INTO scans (ref, at, code_id, outcome, app, "+column+") SELECT ? || '-' || i, "+at+", ?, 'live', 'wechat', "+value+" FROM "+series,
		p.public, p.clock.Now().UTC().Format("2006-01-02 15:04:05"), p.id, n)
}

// The plans of a hot code: the index gives the order, and what is rare has its own.
func TestTheHistoryUsesItsIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		if !database.Postgres(g.db) {
			return // the plans of the other one are its own affair
		}
		hot := g.past("热")
		g.past("冷").fill(5000, "device = 'mobile'")
		hot.fill(120000, "device = 'mobile'")
		g.exec("UPDATE scans SET channel = 'poster' WHERE id % 40000 = 0")
		g.exec("UPDATE scans SET copy_serial = 7 WHERE id % 40000 = 1")
		g.exec("UPDATE scans SET outcome = 'network' WHERE id % 40000 = 2")
		g.exec("UPDATE scans SET member_id = ? WHERE id % 40000 = 3", g.w.Staff.MemberID)
		g.exec("ANALYZE scans")
		month := g.clock.Now().AddDate(0, 0, -30)
		for name, c := range map[string]struct {
			f     scan.Filter
			index string
		}{
			"default":  {scan.Filter{From: month}, "scans_code"},
			"older":    {scan.Filter{From: month, After: fmt.Sprintf("%d-99", g.clock.Now().Add(-20*time.Hour).UnixMicro())}, "scans_code"},
			"channel":  {scan.Filter{From: month, Channel: "poster"}, "scans_by_channel"},
			"copy":     {scan.Filter{From: month, Copy: 7}, "scans_by_copy"},
			"outcome":  {scan.Filter{From: month, Outcome: scan.Network}, "scans_by_outcome"},
			"member":   {scan.Filter{From: month, Person: "顾晓棠"}, "scans_by_member"},
			"by group": {scan.Filter{From: month, Channel: "poster"}, "scans_by_channel"},
		} {
			at := scan.Spot{Code: hot.public}
			if name == "by group" {
				at = scan.Spot{Group: g.gid}
			}
			plan := g.scans.Explain(t, g.w.Super, at, c.f)
			if !strings.Contains(plan, "using "+c.index+" on scans") || strings.Contains(plan, "Seq Scan on scans") {
				t.Errorf("%s: want %s in\n%s", name, c.index, plan)
			}
			if rows := looked(plan); rows > 2*25 {
				t.Errorf("%s: %d scans were read for one page:\n%s", name, rows, plan)
			}
		}
	})
}

// looked is the most rows that a node over the scans returned or threw away, times its loops.
func looked(plan string) (most int) {
	lines := strings.Split(plan, "\n")
	for i, l := range lines {
		if !strings.Contains(l, " on scans") {
			continue
		}
		var rows, loops, removed int
		if _, at, found := strings.Cut(l, "(actual rows="); found {
			var f float64
			fmt.Sscanf(at, "%f loops=%d", &f, &loops)
			rows = int(f)
		}
		for _, further := range lines[i+1 : min(i+4, len(lines))] {
			if _, n, found := strings.Cut(further, "Rows Removed by Filter: "); found {
				fmt.Sscanf(n, "%d", &removed)
			}
		}
		most = max(most, (rows+removed)*max(loops, 1))
	}
	return most
}
