package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
)

const (
	historySize = 20
	recentSize  = 10
	// siftLimit is how many scans one page looks through for what no index
	// answers; where it ends the reader may go on.
	siftLimit = 10000
	siftFirst = 400
)

// Line is one scan as a reader of the history sees it.
type Line struct {
	ID          int64
	Ref         string
	At          time.Time
	Outcome     string
	CopySerial  int
	Channel     string
	UTMSource   string `gorm:"column:utm_source"`
	UTMMedium   string `gorm:"column:utm_medium"`
	UTMCampaign string `gorm:"column:utm_campaign"`
	Device      string
	App         string
	Address     string // empty for readers who may not see it
	Member      string // name, when known
	Guest       string
	Label       string // of the code
	Code        string // its public id
}

// Page is a page of a history, newest first.
type Page struct {
	Lines        []Line
	Older, Newer string    // cursors for Filter.After and Filter.Before; empty when there is nothing
	Searched     time.Time // when set, the search paused there before the page was full
}

// Activity is what happened with one code lately.
type Activity struct {
	Lines     []Line
	Days      []Day
	Funnel    Funnel // of the same days
	Addresses bool   // the reader may see where scans came from
}

// Activity reads a code's newest scans and its last 30 days, for somebody who
// may see them. req: A12, B36
func (s *Service) Activity(ctx context.Context, by access.Actor, publicID string) (Activity, error) {
	tx := s.db.WithContext(ctx)
	p, err := place(tx, by, access.ScansSee, Spot{Code: publicID})
	if err != nil {
		return Activity{}, err
	}
	a := Activity{Addresses: p.Addresses}
	if a.Lines, err = lines(tx, p, Filter{}, recentSize); err != nil {
		return a, err
	}
	p.conceal(a.Lines)
	days, err := s.rollUp(tx, p, chartDays)
	if err != nil {
		return a, err
	}
	if a.Days, err = s.withJoined(tx, p, days); err != nil {
		return a, err
	}
	a.Funnel, err = s.funnel(tx, p, days[0].day)
	return a, err
}

// conceal takes out what the reader of the place may not see.
func (p Place) conceal(all []Line) {
	if !p.Addresses {
		for i := range all {
			all[i].Address = ""
		}
	}
}

// page reads one page of a history.
func page(tx *gorm.DB, p Place, f Filter, size int) (Page, error) {
	if err := f.findPeople(tx, p); err != nil || f.nobody() {
		return Page{}, err
	}
	back := f.backwards()
	all, err := lines(tx, p, f, size+1)
	if err != nil {
		return Page{}, err
	}
	more := len(all) > size
	all = all[:min(len(all), size)]
	edge := Line{}
	if !more {
		if edge, err = f.edge(tx, p); err != nil {
			return Page{}, err
		}
	}
	if back && !more && edge.ID == 0 { // the front is reached: show it as whole as the first page is
		f.Before = ""
		return page(tx, p, f, size)
	}
	p.conceal(all)
	on := ""
	if more {
		on = cursor(all[size-1])
	} else if edge.ID != 0 {
		on = cursor(edge)
	}
	out := Page{Lines: all, Searched: edge.At}
	if back {
		slices.Reverse(out.Lines)
		out.Newer, out.Older = on, f.Before
		if len(all) > 0 {
			out.Older = cursor(all[len(all)-1])
		}
		return out, nil
	}
	out.Older = on
	if _, _, paged := parseCursor(f.After); paged && len(all) > 0 {
		out.Newer = cursor(all[0])
	}
	return out, nil
}

// backwards reports whether the page is read from its oldest scan upwards.
func (f Filter) backwards() bool {
	_, _, after := parseCursor(f.After)
	_, _, before := parseCursor(f.Before)
	return before && !after
}

// lines reads scans of a place, newest first (from a Before cursor: oldest first).
func lines(tx *gorm.DB, p Place, f Filter, limit int) ([]Line, error) {
	if where, _ := f.sifted("s."); len(where) == 0 {
		return someLines(tx, p, f, limit, limit)
	}
	// What is looked for is seldom rare: a short look mostly fills the page.
	all, err := someLines(tx, p, f, siftFirst, limit)
	if err != nil || len(all) == limit {
		return all, err
	}
	return someLines(tx, p, f, siftLimit, limit)
}

// someLines reads lines among the place's first inner scans.
func someLines(tx *gorm.DB, p Place, f Filter, inner, limit int) ([]Line, error) {
	sifted := ""
	where, siftArgs := f.sifted("s.")
	if len(where) > 0 {
		sifted = " WHERE " + strings.Join(where, " AND ")
	}
	from, args := f.candidates(tx, p, inner)
	var all []Line
	err := tx.Raw(`SELECT s.id, s.ref, s.at, s.outcome, s.copy_serial, s.channel, s.utm_source, s.utm_medium, s.utm_campaign, s.device, s.app, s.address,
		coalesce(m.name, '') AS member, coalesce(g.name, '') AS guest, s.label, s.code
		FROM (`+from+`) s LEFT JOIN members m ON m.id = s.member_id LEFT JOIN guests g ON g.id = s.guest_id`+sifted+
		f.order("s")+` LIMIT ?`, append(append(args, siftArgs...), limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read scans: %w", err)
	}
	return all, nil
}

func (f Filter) order(table string) string {
	if f.backwards() {
		return fmt.Sprintf(" ORDER BY %[1]s.at, %[1]s.id", table)
	}
	return fmt.Sprintf(" ORDER BY %[1]s.at DESC, %[1]s.id DESC", table)
}

// candidates are the first limit scans of the place that an index finds. Each
// code is read from its own end of the index, so that a group with a hundred
// codes does not sort their scans.
func (f Filter) candidates(tx *gorm.DB, p Place, limit int) (string, []any) {
	conditions, args := f.indexed()
	where := strings.Join(append([]string{"x.code_id = c.id"}, conditions...), " AND ") + f.order("x") + " LIMIT ?"
	from := "codes c CROSS JOIN LATERAL (SELECT x.* FROM scans x WHERE " + where + ") y"
	if !database.Postgres(tx) { // no LATERAL there
		from = "codes c JOIN scans y ON y.id IN (SELECT x.id FROM scans x WHERE " + where + ")"
	}
	return "SELECT y.*, c.label, c.public_id AS code FROM " + from + " WHERE " + p.codes() + f.order("y") + " LIMIT ?", append(args, limit, p.id, limit)
}

// edge is the last scan that was looked through when a search stopped at
// siftLimit; the zero Line when it came to the end.
func (f Filter) edge(tx *gorm.DB, p Place) (Line, error) {
	if where, _ := f.sifted(""); len(where) == 0 {
		return Line{}, nil
	}
	from, args := f.candidates(tx, p, siftLimit)
	var last []Line
	err := tx.Raw("SELECT s.id, s.at FROM ("+from+") s"+f.order("s")+" LIMIT 1 OFFSET ?", append(args, siftLimit-1)...).Scan(&last).Error
	if err != nil {
		return Line{}, fmt.Errorf("find where the search stopped: %w", err)
	}
	if len(last) == 0 {
		return Line{}, nil
	}
	return last[0], nil
}
