package fuse

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/events"
	"doorplate/internal/fault"
)

// Categories are what can be said of a code.
var Categories = []string{"wrong", "overprint", "shared", "other"}

// MaxWords bounds the words of a report, in characters.
const MaxWords = 500

// reportsKept bounds how many reports of one case are kept word by word.
const reportsKept = 300

// Limits of reports, in an hour.
const (
	reportsOfAddress = 10
	reportsOfScan    = 2
)

// Report is what somebody says of the code they scanned. Nobody need say who they are.
type Report struct {
	Ref      string // of the scan
	Category string
	Words    string
	Address  string // counted, never kept
}

// About is what a report's page may say to anybody who holds the reference of a scan.
type About struct {
	code.Facts
	Serial  int
	Outcome string
}

// scanMemory is how long the reference of a scan leads to what was scanned.
const scanMemory = 24 * time.Hour

// About finds the code behind the reference of a scan; fault.NotFound for an
// unknown or older one.
func (s *Service) About(ctx context.Context, ref string) (About, error) {
	return s.about(s.db.WithContext(ctx), ref)
}

func (s *Service) about(tx *gorm.DB, ref string) (About, error) {
	var scans []struct {
		CodeID     int64
		CopySerial int
		Outcome    string
	}
	err := tx.Raw("SELECT code_id, copy_serial, outcome FROM scans WHERE ref = ? AND code_id IS NOT NULL AND at > ? AND outcome <> 'bot'", ref, s.now().UTC().Add(-scanMemory)).Scan(&scans).Error
	if err != nil {
		return About{}, fmt.Errorf("find the scan: %w", err)
	}
	if len(scans) == 0 {
		return About{}, fault.NotFound
	}
	f, err := code.LoadFactsByID(tx, scans[0].CodeID)
	return About{Facts: f, Serial: scans[0].CopySerial, Outcome: scans[0].Outcome}, err
}

// Tell takes a report and says in which case it stands. Many reports of one code
// stand in one case, until that is closed.
func (s *Service) Tell(ctx context.Context, r Report) (caseID int64, err error) {
	r.Words = strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == 0 || unicode.IsControl(c) && c != '\n' {
			return -1
		}
		return c
	}, r.Words))
	bad := fault.Invalid{}
	if !slices.Contains(Categories, r.Category) {
		bad["category"] = fault.Msg("fuse.error.category")
	}
	if utf8.RuneCountInString(r.Words) > MaxWords {
		bad["words"] = fault.Msg("fuse.error.words", "Max", MaxWords)
	}
	if err := bad.Or(); err != nil {
		return 0, err
	}
	a, err := s.About(ctx, r.Ref)
	if err != nil {
		return 0, err
	}
	if err := s.allow(ctx, r); err != nil {
		return 0, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		caseID, err = s.file(tx, a, r)
		return err
	})
	return caseID, err
}

// file adds the report to the code's case, or opens one.
func (s *Service) file(tx *gorm.DB, a About, r Report) (int64, error) {
	now := s.now().UTC()
	var c struct {
		ID      int64
		Reports int
	}
	err := tx.Raw(`INSERT INTO cases (code_id, reports, opened_at, last_at) VALUES (?, 1, ?, ?)
		ON CONFLICT (code_id) WHERE state <> 'closed' DO UPDATE SET reports = cases.reports + 1, last_at = excluded.last_at RETURNING id, reports`, a.ID, now, now).Scan(&c).Error
	if err != nil {
		return 0, fmt.Errorf("open a case: %w", err)
	}
	if c.Reports <= reportsKept {
		err = tx.Exec("INSERT INTO case_reports (case_id, category, words, scan_ref, copy_serial, outcome, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			c.ID, r.Category, r.Words, r.Ref, a.Serial, a.Outcome, now).Error
		if err != nil {
			return 0, fmt.Errorf("keep a report: %w", err)
		}
	}
	if err := s.tell(tx, events.Reported, a.Facts, access.Actor{}, fmt.Sprintf(`{"case":%d}`, c.ID)); err != nil {
		return 0, err
	}
	e := audit.Event{Action: "case.report", Object: caseObject(c.ID, a.Facts), DepartmentPath: a.DepartmentPath, Details: map[string]any{"category": r.Category, "code": a.PublicID, "reports": c.Reports}}
	return c.ID, s.trail.Record(tx, access.Actor{Kind: access.Guest}, e)
}

func caseObject(id int64, f code.Facts) audit.Object {
	return audit.Object{Kind: "case", ID: fmt.Sprint(id), Name: f.GroupName + " · " + f.Label}
}

// allow counts the report against its address and its scan, in that order, each
// with one statement.
func (s *Service) allow(ctx context.Context, r Report) (over error) {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, l := range []struct {
			key string
			max int
		}{{"report address " + network(r.Address), reportsOfAddress}, {"report scan " + r.Ref, reportsOfScan}} {
			after, err := s.hit(tx, l.key, l.max)
			if err != nil || after > 0 {
				over = fault.TooMany{Message: fault.Msg("fuse.error.many"), After: after}
				return err
			}
			over = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	return over
}

// hit counts one; after is when to try again, 0 for at once.
func (s *Service) hit(tx *gorm.DB, key string, most int) (after time.Duration, err error) {
	var row struct {
		WindowStart time.Time
		Hits        int
	}
	now := s.now().UTC()
	old := now.Add(-time.Hour)
	err = tx.Raw(`INSERT INTO throttles (key, window_start, hits) VALUES (?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET hits = CASE WHEN throttles.window_start <= ? THEN 1 ELSE throttles.hits + 1 END,
			window_start = CASE WHEN throttles.window_start <= ? THEN excluded.window_start ELSE throttles.window_start END
		RETURNING window_start, hits`, s.keys.Hash("throttle", key), now, old, old).Scan(&row).Error
	if err != nil {
		return 0, fmt.Errorf("count a report: %w", err)
	}
	if row.Hits > most {
		after = max(row.WindowStart.Add(time.Hour).Sub(now), time.Second)
	}
	return after, nil
}

// network is what counts as one address: an IPv6 customer has a whole /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
