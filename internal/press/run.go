package press

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// States of a run.
const (
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

const (
	// Life is how long a finished zip may be fetched.
	Life = 24 * time.Hour
	// maxRunning is how many zips one person may have drawn at once.
	maxRunning = 3
)

// Run is a zip too large to wait for.
type Run struct {
	ID         int64
	CreatedBy  int64
	Params     string // an Order, as JSON
	State      string
	Cause      string // key of what went wrong
	Done       int
	Total      int
	FileID     *int64
	FileName   string
	LeaseUntil *time.Time
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// TableName is for gorm.
func (Run) TableName() string { return "print_runs" }

// Percent is how much is drawn.
func (r Run) Percent() int { return r.Done * 100 / max(r.Total, 1) }

// Fetchable reports whether the zip is there at a moment.
func (r Run) Fetchable(now time.Time) bool {
	return r.State == Done && r.FileID != nil && r.FinishedAt != nil && now.Sub(*r.FinishedAt) < Life
}

// Order is what was ordered.
func (r Run) Order() (o Order, err error) {
	if err := json.Unmarshal([]byte(r.Params), &o); err != nil {
		return o, fmt.Errorf("order of print run %d: %w", r.ID, err)
	}
	return o, nil
}

// Start accepts an order. Up to AtOnce files make no run, the id is 0: they are
// fetched with Zip.
func (s *Service) Start(ctx context.Context, by access.Actor, o Order) (id int64, err error) {
	b, err := s.bundle(ctx, by, o)
	if err != nil || b.Len() <= AtOnce {
		return 0, err
	}
	params, err := json.Marshal(o)
	if err != nil {
		return 0, fmt.Errorf("keep the order: %w", err)
	}
	row := Run{CreatedBy: by.MemberID, Params: string(params), State: Running, Total: b.Len(), CreatedAt: s.now().UTC(),
		FileName: FileName(b.title()) + ".zip"}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var running int64
		if err := tx.Model(&Run{}).Where("created_by = ? AND state = ?", by.MemberID, Running).Count(&running).Error; err != nil {
			return fmt.Errorf("count print runs: %w", err)
		}
		if running >= maxRunning {
			return fault.Conflict{Message: fault.Msg("print.error.running", "Max", maxRunning)}
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("store a print run: %w", err)
		}
		return s.trail.Record(tx, by, runEvent("print.start", row, by))
	})
	select {
	case s.waiting <- struct{}{}:
	default:
	}
	return row.ID, err
}

// title names the zip after the group, or the organisation.
func (b *Bundle) title() string {
	if b.order.Selection.Group != "" {
		return b.prints[0].plate.GroupName
	}
	return b.prints[0].plate.Organisation
}

// Title is the zip's name, without an ending.
func (b *Bundle) Title() string { return b.title() }

func runEvent(action string, r Run, by access.Actor) audit.Event {
	return audit.Event{Action: action, Object: audit.Object{Kind: "print", ID: strconv.FormatInt(r.ID, 10), Name: r.FileName},
		Details: map[string]any{"count": r.Total}, DepartmentPath: by.Seat(access.CodeDownload)}
}

// RunByID reads a run of the reader's own; any other is fault.NotFound.
func (s *Service) RunByID(ctx context.Context, by access.Actor, id int64) (Run, error) {
	return loadRun(s.db.WithContext(ctx), by, id)
}

func loadRun(tx *gorm.DB, by access.Actor, id int64) (Run, error) {
	var r Run
	err := tx.Where("id = ? AND created_by = ?", id, by.MemberID).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("load a print run: %w", err)
	}
	return r, access.Check(by, access.CodeDownload, access.Object{})
}

// Runs lists the reader's latest runs.
func (s *Service) Runs(ctx context.Context, by access.Actor) ([]Run, error) {
	var all []Run
	if err := s.db.WithContext(ctx).Where("created_by = ?", by.MemberID).Order("id DESC").Limit(10).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("list print runs: %w", err)
	}
	return all, nil
}

// Cancel stops a run.
func (s *Service) Cancel(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		r, err := loadRun(tx, by, id)
		if err != nil {
			return err
		}
		done := tx.Exec("UPDATE print_runs SET state = ?, finished_at = ? WHERE id = ? AND state = ?", Cancelled, s.now().UTC(), id, Running)
		if done.Error != nil {
			return fmt.Errorf("cancel a print run: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("print.error.over")}
		}
		return s.trail.Record(tx, by, runEvent("print.cancel", r, by))
	})
}

// Fetch hands the finished zip to its author, for Life; later it is fault.Gone.
// What its author may no longer download is not handed out any more.
func (s *Service) Fetch(ctx context.Context, by access.Actor, id int64) (File, error) {
	r, err := s.RunByID(ctx, by, id)
	if err != nil {
		return File{}, err
	}
	if !r.Fetchable(s.now()) {
		return File{}, fault.Gone{Message: fault.Msg("print.error.gone")}
	}
	o, err := r.Order()
	if err != nil {
		return File{}, err
	}
	b, err := s.bundle(ctx, by, o)
	if err != nil {
		return File{}, err
	}
	if b.Len() < r.Total { // a right was lost, or a code died, since it was drawn
		return File{}, fault.Gone{Message: fault.Msg("print.error.changed")}
	}
	picture, err := group.LoadPicture(s.db.WithContext(ctx), r.FileID)
	if err != nil {
		return File{}, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return b.handOut(tx, by) })
	return File{Name: r.FileName, Data: picture.Content}, err
}

// Sweep drops the zips nobody may fetch any more.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var old []Run
		err := tx.Where("file_id IS NOT NULL AND finished_at < ?", s.now().UTC().Add(-Life)).Find(&old).Error
		if err != nil {
			return fmt.Errorf("list old print runs: %w", err)
		}
		for _, r := range old {
			if err := tx.Exec("UPDATE print_runs SET file_id = NULL WHERE id = ?", r.ID).Error; err != nil {
				return fmt.Errorf("let go of a print run's file: %w", err)
			}
			if err := tx.Exec("DELETE FROM files WHERE id = ?", *r.FileID).Error; err != nil {
				return fmt.Errorf("drop a print run's file: %w", err)
			}
		}
		return nil
	})
}
