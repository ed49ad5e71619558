package scan_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/scan"
)

// seated writes an entry into a group some time ago.
func (g *gate) seated(group int64, at time.Time, source string) {
	g.t.Helper()
	guest := g.count("SELECT coalesce(max(id), 0) + 1 FROM guests")
	g.exec("INSERT INTO guests (id, phone, name, created_at) VALUES (?, ?, '客', ?)", guest, fmt.Sprintf("+86139%08d", guest), at.UTC())
	g.exec("INSERT INTO memberships (group_id, guest_id, source, joined_at) VALUES (?, ?, ?, ?)", group, guest, source, at.UTC())
}

func (g *gate) overviews() (all [][]scan.Day) {
	g.t.Helper()
	for _, by := range []access.Actor{g.w.Super, g.w.Head, g.w.OtherHead} {
		days, err := g.scans.Overview(context.Background(), by)
		if err != nil {
			g.t.Fatal(err)
		}
		all = append(all, days)
	}
	return all
}

func (g *gate) sumDays() {
	g.t.Helper()
	if err := g.scans.SumDays(context.Background()); err != nil {
		g.t.Fatal(err)
	}
}

// The chart shows the same whether its days were added up or not.
func TestAddedUpDaysAreTheSameDays(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		own := g.past("前台")
		foreign, _ := g.w.Group(t, g.db, "市场", "internal", "approval", g.w.Marketing, 50)
		id, _ := g.w.Code(t, g.db, foreign, "门", nil, g.w.Super.MemberID)
		theirs := &past{gate: g, id: id}
		for ago := range 32 {
			own.day(ago, "live", 100+ago, "refused", 7, "bots", 3)
			if ago%3 == 0 {
				theirs.day(ago, "live", 1000+ago)
			}
		}
		midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, shanghai)
		for ago := range 32 {
			g.seated(g.group, midnight.AddDate(0, 0, -ago), "code")                 // the first moment of a day
			g.seated(foreign, midnight.AddDate(0, 0, -ago).Add(-1), "code")         // the last of the day before
			g.seated(g.group, midnight.AddDate(0, 0, -ago).Add(time.Hour), "merge") // came with a merge: nobody joined
		}
		before := g.overviews()
		if d := before[0][20]; d.Scans != 109+1009 || d.Joined != 2 || before[1][20].Joined != 1 || before[2][20].Scans != 1009 {
			t.Fatalf("%+v", before)
		}
		g.sumDays()
		if after := g.overviews(); !reflect.DeepEqual(before, after) {
			t.Errorf("was %+v\nis %+v", before, after)
		}
		if n := g.count("SELECT count(*) FROM day_sums WHERE department_id = 0"); n != 30 {
			t.Errorf("%d days were added up, want 30: all of the chart and one more, without today", n)
		}
		g.sumDays()
		if after := g.overviews(); !reflect.DeepEqual(before, after) {
			t.Errorf("added up twice: %+v", after)
		}
		g.exec("UPDATE scan_days SET live = 0")
		if after := g.overviews(); after[0][20] != before[0][20] || after[0][29].Scans != 0 {
			t.Error("the chart does not read what was added up, or not today from the rows")
		}
	})
}

// A day is added up an hour after its end and not before: until then an instance may write to it.
func TestADayIsAddedUpWhenItIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		own := g.past("前台")
		own.day(0, "live", 5)
		has := func() bool { return g.count("SELECT count(*) FROM day_sums WHERE day = '2026-11-22'") > 0 }
		g.clock.Add(15*time.Hour + 59*time.Minute) // 00:59 of the next day
		if g.sumDays(); has() {
			t.Error("a day was added up before its last scans were written")
		}
		own.exec("UPDATE scan_days SET live = 6")
		g.clock.Add(time.Minute)
		if g.sumDays(); !has() || g.overviews()[0][28].Scans != 6 {
			t.Errorf("%+v", g.overviews()[0][28])
		}
		g.clock.Add(40 * 24 * time.Hour)
		if g.sumDays(); has() {
			t.Error("days that no chart shows are kept")
		}
	})
}

func TestInstancesAddUpADayOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		g.past("前台").day(1, "live", 5)
		_, second := g.services(g.db)
		errs := make(chan error, 8)
		for i := range 8 {
			go func() { errs <- []*scan.Service{g.scans, second}[i%2].SumDays(context.Background()) }()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := g.count("SELECT sum(scans) FROM day_sums WHERE department_id = 0"); n != 5 {
			t.Errorf("%d scans, want 5", n)
		}
	})
}
