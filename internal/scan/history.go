package scan

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
)

const (
	historySize = 20
	chartDays   = 30
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
}

// Day is one bar of the chart. Date is its first moment.
type Day struct {
	Date   time.Time
	Scans  int // answered with a ticket
	Joined int
}

// Activity is what happened with one code.
type Activity struct {
	Lines     []Line
	Next      string // cursor of older scans
	Days      []Day
	Addresses bool // the reader may see where scans came from
}

// Activity reads a page of a code's history and its last 30 days, for somebody
// who may see them. req: A12, B36
func (s *Service) Activity(ctx context.Context, by access.Actor, publicID, after string) (Activity, error) {
	tx := s.db.WithContext(ctx)
	f, err := code.Reach(tx, by, access.ScansSee, publicID)
	if err != nil {
		return Activity{}, err
	}
	a := Activity{Addresses: by.Super || by.Leads(f.DepartmentPath)}
	if a.Lines, err = lines(tx, f.ID, after, historySize+1); err != nil {
		return a, err
	}
	if len(a.Lines) > historySize {
		a.Lines = a.Lines[:historySize]
		a.Next = cursor(a.Lines[historySize-1])
	}
	if !a.Addresses {
		for i := range a.Lines {
			a.Lines[i].Address = ""
		}
	}
	a.Days, err = s.days(tx, f)
	return a, err
}

func cursor(l Line) string { return fmt.Sprintf("%d-%d", l.At.UnixMicro(), l.ID) }

// lines reads scans of a code, newest first, from below a cursor.
func lines(tx *gorm.DB, codeID int64, after string, limit int) ([]Line, error) {
	where, args := "s.code_id = ?", []any{codeID}
	if at, id, found := strings.Cut(after, "-"); found {
		micro, errAt := strconv.ParseInt(at, 10, 64)
		row, errID := strconv.ParseInt(id, 10, 64)
		if errAt == nil && errID == nil && micro > 0 && micro < 1<<53 {
			where, args = where+" AND (s.at, s.id) < (?, ?)", append(args, time.UnixMicro(micro).UTC(), row)
		}
	}
	var all []Line
	err := tx.Raw(`SELECT s.id, s.ref, s.at, s.outcome, s.copy_serial, s.channel, s.utm_source, s.utm_medium, s.utm_campaign, s.device, s.app, s.address,
		coalesce(m.name, '') AS member, coalesce(g.name, '') AS guest
		FROM scans s LEFT JOIN members m ON m.id = s.member_id LEFT JOIN guests g ON g.id = s.guest_id
		WHERE `+where+` ORDER BY s.at DESC, s.id DESC LIMIT ?`, append(args, limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read scans: %w", err)
	}
	return all, nil
}

// days counts scans and joins per day of the organisation, today last.
func (s *Service) days(tx *gorm.DB, f code.Facts) ([]Day, error) {
	now := s.now().In(f.Location())
	days := make([]Day, chartDays)
	terms, args := make([]string, chartDays), []any{}
	for i := range days {
		from := time.Date(now.Year(), now.Month(), now.Day()-chartDays+1+i, 0, 0, 0, 0, f.Location())
		to := time.Date(now.Year(), now.Month(), now.Day()-chartDays+2+i, 0, 0, 0, 0, f.Location())
		days[i].Date = from
		terms[i] = fmt.Sprintf(`SELECT %d AS i,
			(SELECT count(*) FROM scans WHERE code_id = ? AND at >= ? AND at < ? AND outcome = 'live') AS scans,
			(SELECT count(*) FROM memberships WHERE group_id = ? AND code_id = ? AND joined_at >= ? AND joined_at < ?) AS joined`, i)
		args = append(args, f.ID, from.UTC(), to.UTC(), f.GroupID, f.ID, from.UTC(), to.UTC())
	}
	var counts []struct{ I, Scans, Joined int }
	if err := tx.Raw(strings.Join(terms, " UNION ALL "), args...).Scan(&counts).Error; err != nil {
		return nil, fmt.Errorf("count scans per day: %w", err)
	}
	for _, c := range counts {
		days[c.I].Scans, days[c.I].Joined = c.Scans, c.Joined
	}
	return days, nil
}
