package join

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

const (
	// MaxRun is how many requests one run decides.
	MaxRun = 50_000
	// runsKept is how many finished runs of one person are kept.
	runsKept = 20
	// runLeft is how many undecided requests of a run are listed.
	runLeft = 100
	// runGroups is how many groups a run names before it starts.
	runGroups = 20
)

// States of a Run. The text of one is the catalog key "queue.run.state."+state.
const (
	RunDraft     = "draft"
	RunRunning   = "running"
	RunDone      = "done"
	RunFailed    = "failed"
	RunCancelled = "cancelled"
)

// Run is one decision on all requests that matched a filter when they were
// counted. Later ones are none of its business, and one that somebody else
// decides in the meantime stays as they decided it.
type Run struct {
	ID         int64
	CreatedBy  int64
	Approve    bool
	Reason     string
	ReasonID   *int64 // of the list, beside what was typed
	English    bool   // the author reads English
	Query      string // of the queue, to go back to
	State      string
	Total      int
	Address    string
	Device     string
	Tries      int
	LeaseUntil *time.Time
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// TableName is for gorm.
func (Run) TableName() string { return "request_runs" }

// Decision names what the run does, for texts.
func (r Run) Decision() string {
	if r.Approve {
		return "approve"
	}
	return "reject"
}

// RunView is a run with what its page says.
type RunView struct {
	Run
	Outcomes map[string]int // by outcome, of those looked at
	Done     int            // looked at
	Groups   []RunGroup     // of a draft, most requests first
	More     int            // groups that are not named
	Waiting  int            // of a draft: still pending
	Guests   int
	Hinted   int
	Seatless int      // of a draft: approvals that would find no seat
	Left     []Result // not decided, the first of them
	Said     string   // what the applicants are told
}

// RunGroup is what a draft would do to one group.
type RunGroup struct {
	GID      string `gorm:"column:gid"`
	Name     string
	Count    int
	Free     int  // seats
	Grows    bool // one of a series, which makes room
	Guests   int
	Hinted   int
	Seatless int
}

// DraftRun counts and keeps the requests that a filter finds now. Nothing is
// decided before StartRun. query is how the page asked for the filter.
func (s *Service) DraftRun(ctx context.Context, by access.Actor, f Filter, query string, d Decision) (id int64, err error) {
	if err := access.Check(by, access.RequestsDecide, access.Object{}); err != nil {
		return 0, err
	}
	d.Until, d.Into = "", "" // of one request, not of all that match
	if err := s.prepare(s.db.WithContext(ctx), by, &d, nil); err != nil {
		return 0, err
	}
	f.After, f.Decided = "", false
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := forgetRuns(tx, by.MemberID); err != nil {
			return err
		}
		r := Run{CreatedBy: by.MemberID, Approve: d.Approve, Reason: d.Reason, ReasonID: d.presetID(), English: d.English, Query: query, State: RunDraft, Address: by.Address, Device: by.Device, CreatedAt: s.now().UTC()}
		if err := tx.Create(&r).Error; err != nil {
			return fmt.Errorf("keep a run: %w", err)
		}
		id = r.ID
		from, args, order, err := s.matchingSQL(tx, by, f)
		if err != nil {
			return err
		}
		kept := tx.Exec("INSERT INTO request_run_items (run_id, position, request_id) SELECT "+strconv.FormatInt(id, 10)+", row_number() OVER (ORDER BY created_at, id), id FROM (SELECT r.id, r.created_at"+
			from+order+" LIMIT ?) x", append(args, MaxRun)...)
		if kept.Error != nil {
			return fmt.Errorf("keep what matches: %w", kept.Error)
		}
		if kept.RowsAffected == 0 {
			return fault.Invalid{"id": fault.Msg("queue.run.error.none")}
		}
		return tx.Exec("UPDATE request_runs SET total = ? WHERE id = ?", kept.RowsAffected, id).Error
	})
	return id, err
}

// forgetRuns drops somebody's drafts and all but the newest finished runs.
func forgetRuns(tx *gorm.DB, memberID int64) error {
	err := tx.Exec(`DELETE FROM request_runs WHERE created_by = ? AND state <> 'running' AND (state = 'draft'
		OR id NOT IN (SELECT id FROM request_runs WHERE created_by = ? AND state <> 'draft' ORDER BY id DESC LIMIT ?))`, memberID, memberID, runsKept).Error
	if err != nil {
		return fmt.Errorf("forget runs: %w", err)
	}
	return nil
}

// RunByID reads a run of the reader's own; any other is fault.NotFound.
func (s *Service) RunByID(ctx context.Context, by access.Actor, id int64) (v RunView, err error) {
	tx := s.db.WithContext(ctx)
	if v.Run, err = ownRun(tx, by, id); err != nil {
		return v, err
	}
	if v.Said, err = v.said(tx); err != nil {
		return v, err
	}
	var counts []struct {
		Outcome string
		N       int
	}
	if err := tx.Raw("SELECT outcome, count(*) AS n FROM request_run_items WHERE run_id = ? GROUP BY outcome", id).Scan(&counts).Error; err != nil {
		return v, fmt.Errorf("read a run: %w", err)
	}
	v.Outcomes = map[string]int{}
	for _, c := range counts {
		if c.Outcome != "" {
			v.Outcomes[c.Outcome], v.Done = c.N, v.Done+c.N
		}
	}
	if v.State == RunDraft {
		return v, v.preview(tx)
	}
	var left []int64
	err = tx.Raw("SELECT request_id FROM request_run_items WHERE run_id = ? AND outcome NOT IN ('', 'approved', 'rejected') ORDER BY position LIMIT ?", id, runLeft).Scan(&left).Error
	if err != nil {
		return v, fmt.Errorf("read what a run left: %w", err)
	}
	v.Left, err = s.Outcomes(ctx, by, left...)
	return v, err
}

func ownRun(tx *gorm.DB, by access.Actor, id int64) (r Run, err error) {
	err = tx.Where("id = ? AND created_by = ?", id, by.MemberID).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("read a run: %w", err)
	}
	return r, access.Check(by, access.RequestsDecide, access.Object{})
}

// preview says what the draft would do now.
func (v *RunView) preview(tx *gorm.DB) error {
	err := tx.Raw(`SELECT g.gid, g.name, count(*) AS count, g.capacity - g.member_count AS free, g.series_id IS NOT NULL AS grows,
			sum(CASE WHEN r.guest_id IS NULL THEN 0 ELSE 1 END) AS guests, sum(CASE WHEN r.hints = 0 THEN 0 ELSE 1 END) AS hinted
		FROM request_run_items i JOIN join_requests r ON r.id = i.request_id JOIN groups g ON g.id = r.group_id
		WHERE i.run_id = ? AND r.status = 'pending' AND g.status = 'active' GROUP BY g.id ORDER BY count(*) DESC, g.id`, v.ID).Scan(&v.Groups).Error
	if err != nil {
		return fmt.Errorf("look what a run would do: %w", err)
	}
	for i := range v.Groups {
		g := &v.Groups[i]
		if !g.Grows && v.Approve {
			g.Seatless = max(g.Count-max(g.Free, 0), 0)
		}
		v.Waiting, v.Guests, v.Hinted, v.Seatless = v.Waiting+g.Count, v.Guests+g.Guests, v.Hinted+g.Hinted, v.Seatless+g.Seatless
	}
	if len(v.Groups) > runGroups {
		v.More, v.Groups = len(v.Groups)-runGroups, v.Groups[:runGroups]
	}
	return nil
}

// StartRun begins to decide what the draft kept. A small run is over when it
// returns, a large one goes on in the background.
func (s *Service) StartRun(ctx context.Context, by access.Actor, id int64) error {
	var r Run
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if r, err = ownRun(tx, by, id); err != nil {
			return err
		}
		done := tx.Model(&Run{}).Where("id = ? AND state = ?", id, RunDraft).Updates(map[string]any{"state": RunRunning, "address": by.Address, "device": by.Device})
		if done.Error != nil {
			return fmt.Errorf("start a run: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("queue.run.error.started")}
		}
		return s.trail.Record(tx, by, r.event(by, "request.run.start"))
	})
	if err != nil {
		return err
	}
	if r.Total <= MaxBatch {
		_, err = s.NextRun(ctx, id)
		return err
	}
	select {
	case s.runs <- struct{}{}:
	default:
	}
	return nil
}

// CancelRun ends a run: a draft decides nothing, a running one nothing more.
func (s *Service) CancelRun(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		r, err := ownRun(tx, by, id)
		if err != nil {
			return err
		}
		done := tx.Model(&Run{}).Where("id = ? AND state IN ?", id, []string{RunDraft, RunRunning}).Updates(map[string]any{"state": RunCancelled, "finished_at": s.now().UTC()})
		if done.Error != nil {
			return fmt.Errorf("cancel a run: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("queue.run.error.over")}
		}
		return s.trail.Record(tx, by, r.event(by, "request.run.cancel"))
	})
}

func (r Run) event(by access.Actor, action string) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "requests", ID: strconv.FormatInt(r.ID, 10), Name: strconv.Itoa(r.Total)},
		DepartmentPath: by.Seat(access.RequestsDecide), Details: map[string]any{"decision": r.Decision(), "count": r.Total}}
}
