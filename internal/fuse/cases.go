package fuse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
)

// States of a case.
const (
	Open   = "open"
	Taken  = "taken"
	Closed = "closed"
)

// Outcomes are how a case can end.
var Outcomes = []string{"misused", "overprinted", "mistake", "harmless"}

// PageSize is how many cases one page lists.
const PageSize = 50

// Case is what people reported of one code.
type Case struct {
	ID        int64
	CodeID    int64
	State     string
	Reports   int
	OpenedAt  time.Time
	LastAt    time.Time
	TakenAt   *time.Time
	ClosedAt  *time.Time
	Outcome   string
	Note      string
	PublicID  string
	Label     string
	GroupName string
	GroupPath string
	TakenBy   string
	ClosedBy  string
	Category  string // of the first report
}

// Told is one report in a case.
type Told struct {
	ID         int64
	Category   string
	Words      string
	ScanRef    string
	CopySerial int
	Outcome    string // of the scan
	At         time.Time
}

// Detail is a case with its reports, and what may be done about the code.
type Detail struct {
	Case
	Facts   code.Facts
	Told    []Told
	Serials []int // printed copies that were named, those still in use
	Outside int   // scans from outside audience and networks since a week before, at most OutsideMost
	CanCode bool
}

// OutsideMost bounds that count.
const OutsideMost = 1000

// CaseList is one page of cases.
type CaseList struct {
	Cases []Case
	Next  string
}

const caseSQL = `SELECT k.id, k.code_id, k.state, k.reports, k.opened_at, k.last_at, k.taken_at, k.closed_at, k.outcome, k.note, c.public_id, c.label, g.name AS group_name, d.path AS group_path,
	coalesce(tm.name, '') AS taken_by, coalesce(cm.name, '') AS closed_by, coalesce((SELECT r.category FROM case_reports r WHERE r.case_id = k.id ORDER BY r.id LIMIT 1), '') AS category
	FROM cases k JOIN codes c ON c.id = k.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
	LEFT JOIN members tm ON tm.id = k.taken_by LEFT JOIN members cm ON cm.id = k.closed_by WHERE `

// Cases lists the cases in by's scope: those that wait, the newest report first, or the closed ones.
func (s *Service) Cases(ctx context.Context, by access.Actor, closed bool, after string) (CaseList, error) {
	if err := access.Check(by, access.CasesSee, access.Object{}); err != nil {
		return CaseList{}, err
	}
	where, args := access.Scope(by, access.CasesSee, "d.path")
	state, column := "k.state <> 'closed'", "k.last_at"
	if closed {
		state, column = "k.state = 'closed'", "k.closed_at"
	}
	query := caseSQL + state + " AND " + where
	if at, id, ok := parseCursor(after); ok {
		query, args = query+" AND ("+column+", k.id) < (?, ?)", append(args, at, id)
	}
	var l CaseList
	err := s.db.WithContext(ctx).Raw(query+" ORDER BY "+column+" DESC, k.id DESC LIMIT ?", append(args, PageSize+1)...).Scan(&l.Cases).Error
	if err != nil {
		return l, fmt.Errorf("list cases: %w", err)
	}
	if len(l.Cases) > PageSize {
		l.Cases = l.Cases[:PageSize]
		last := l.Cases[PageSize-1]
		at := last.LastAt
		if closed {
			at = *last.ClosedAt
		}
		l.Next = strconv.FormatInt(at.UnixMicro(), 36) + "-" + strconv.FormatInt(last.ID, 36)
	}
	return l, nil
}

func parseCursor(text string) (at time.Time, id int64, ok bool) {
	left, right, found := strings.Cut(text, "-")
	micro, err := strconv.ParseInt(left, 36, 64)
	id, err2 := strconv.ParseInt(right, 36, 64)
	if !found || err != nil || err2 != nil || micro < 0 || micro > 1<<52 {
		return at, 0, false
	}
	return time.UnixMicro(micro).UTC(), id, true
}

// ByID reads one case in by's scope.
func (s *Service) ByID(ctx context.Context, by access.Actor, id int64) (Detail, error) {
	tx := s.db.WithContext(ctx)
	k, err := load(tx, by, id)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Case: k}
	if d.Facts, err = code.LoadFactsByID(tx, k.CodeID); err != nil {
		return d, err
	}
	d.CanCode = access.Can(by, access.CodeRevoke, d.Facts.Object(false))
	if err := tx.Raw("SELECT id, category, words, scan_ref, copy_serial, outcome, at FROM case_reports WHERE case_id = ? ORDER BY id DESC LIMIT ?", id, PageSize).Scan(&d.Told).Error; err != nil {
		return d, fmt.Errorf("read the reports of a case: %w", err)
	}
	err = tx.Raw(`SELECT p.serial FROM code_copies p WHERE p.code_id = ? AND p.revoked_at IS NULL AND p.serial IN (SELECT r.copy_serial FROM case_reports r WHERE r.case_id = ? AND r.copy_serial > 0)
		ORDER BY p.serial LIMIT 20`, k.CodeID, id).Scan(&d.Serials).Error
	if err != nil {
		return d, fmt.Errorf("read the copies of a case: %w", err)
	}
	err = tx.Raw(`SELECT count(*) FROM (SELECT 1 AS one FROM scans WHERE code_id = ? AND outcome <> 'live' AND outcome IN ('network', 'audience') AND at > ? LIMIT ?) x`,
		k.CodeID, k.OpenedAt.AddDate(0, 0, -7), OutsideMost).Scan(&d.Outside).Error
	if err != nil {
		return d, fmt.Errorf("count scans from outside: %w", err)
	}
	return d, nil
}

func load(tx *gorm.DB, by access.Actor, id int64) (Case, error) {
	var all []Case
	if err := tx.Raw(caseSQL+"k.id = ?", id).Scan(&all).Error; err != nil {
		return Case{}, fmt.Errorf("read a case: %w", err)
	}
	if len(all) == 0 {
		return Case{}, fault.NotFound
	}
	return all[0], access.Check(by, access.CasesSee, access.Object{Path: all[0].GroupPath})
}

// Take says that by looks into a case. Who took it first keeps it.
func (s *Service) Take(ctx context.Context, by access.Actor, id int64) error {
	return s.move(ctx, by, id, "case.take", nil, func(tx *gorm.DB) *gorm.DB {
		return tx.Exec("UPDATE cases SET state = 'taken', taken_by = ?, taken_at = ? WHERE id = ? AND state = 'open'", by.MemberID, s.now().UTC(), id)
	})
}

// Close ends a case with an outcome. The next report of the code opens a new one.
func (s *Service) Close(ctx context.Context, by access.Actor, id int64, outcome, note string) error {
	note = strings.TrimSpace(note)
	bad := fault.Invalid{}
	if !slices.Contains(Outcomes, outcome) {
		bad["outcome"] = fault.Msg("fuse.error.outcome")
	}
	if utf8.RuneCountInString(note) > MaxWords {
		bad["note"] = fault.Msg("fuse.error.words", "Max", MaxWords)
	}
	if err := bad.Or(); err != nil {
		if _, hidden := load(s.db.WithContext(ctx), by, id); hidden != nil {
			return hidden
		}
		return err
	}
	return s.move(ctx, by, id, "case.close", map[string]any{"outcome": outcome, "note": note}, func(tx *gorm.DB) *gorm.DB {
		return tx.Exec("UPDATE cases SET state = 'closed', closed_by = ?, closed_at = ?, outcome = ?, note = ? WHERE id = ? AND state <> 'closed'", by.MemberID, s.now().UTC(), outcome, note, id)
	})
}

// move is one conditional statement on a case, and its entry in the trail.
func (s *Service) move(ctx context.Context, by access.Actor, id int64, action string, details map[string]any, do func(*gorm.DB) *gorm.DB) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		k, err := load(tx, by, id)
		if err != nil {
			return err
		}
		done := do(tx)
		if done.Error != nil {
			return fmt.Errorf("%s: %w", action, done.Error)
		}
		if done.RowsAffected == 0 {
			return late(tx, by, id)
		}
		return s.trail.Record(tx, by, audit.Event{Action: action, DepartmentPath: k.GroupPath, Details: details,
			Object: audit.Object{Kind: "case", ID: fmt.Sprint(id), Name: k.GroupName + " · " + k.Label}})
	})
}

// late says who was first.
func late(tx *gorm.DB, by access.Actor, id int64) error {
	k, err := load(tx, by, id)
	switch {
	case err != nil:
		return err
	case k.State == Closed && k.ClosedAt != nil:
		return fault.Conflict{Message: fault.Msg("fuse.conflict.closed"), By: k.ClosedBy, At: *k.ClosedAt}
	case k.TakenAt != nil:
		return fault.Conflict{Message: fault.Msg("fuse.conflict.taken"), By: k.TakenBy, At: *k.TakenAt}
	}
	return fault.Conflict{Message: fault.Msg("fuse.conflict.closed")}
}

// Waiting counts the cases in by's scope that are not closed, at most limit.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (n int, err error) {
	where, args := access.Scope(by, access.CasesSee, "d.path")
	err = s.db.WithContext(ctx).Raw(`SELECT count(*) FROM (SELECT 1 AS one FROM cases k JOIN codes c ON c.id = k.code_id JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
		WHERE k.state <> 'closed' AND `+where+" LIMIT ?) x", append(args, limit)...).Scan(&n).Error
	if err != nil {
		err = fmt.Errorf("count cases: %w", err)
	}
	return n, err
}
