package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const (
	// importBatch is how many rows one transaction takes: small enough that
	// others who want to write wait for less than a second.
	importBatch = 2000
	// importLease is how long a run belongs to the process that last wrote to it.
	importLease = 15 * time.Second
	// importTries is how often a batch may fail before the run is given up.
	importTries = 5
	// changedShown is how many changed rows are kept for the page.
	changedShown = 200
)

// Importer does the imports that StartImport and ApplyImport leave behind. Runs
// cut off by a restart go on where their last batch was committed.
type Importer struct {
	s     *Service
	log   *slog.Logger
	tries map[int64]int
}

// NewImporter returns the importer of s. One goroutine runs it.
func NewImporter(s *Service, log *slog.Logger) *Importer {
	return &Importer{s: s, log: log, tries: map[int64]int{}}
}

func (s *Service) wakeImporter() {
	select {
	case s.imports <- struct{}{}:
	default:
	}
}

// Run works until ctx ends.
func (im *Importer) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for ctx.Err() == nil {
			worked, err := im.Next(ctx)
			if err != nil && ctx.Err() == nil {
				im.log.Error("import", "err", err)
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-im.s.imports:
		}
	}
}

// Next takes one waiting import and works on it to its end. It reports whether
// there was one.
func (im *Importer) Next(ctx context.Context) (bool, error) {
	i, err := im.take(ctx)
	if err != nil || i == nil {
		return false, err
	}
	err = im.work(ctx, i)
	if errors.Is(err, errStopped) {
		return true, nil
	}
	if err == nil {
		delete(im.tries, i.ID)
		return true, nil
	}
	if ctx.Err() != nil {
		return true, im.letGo(context.WithoutCancel(ctx), i.ID)
	}
	if im.tries[i.ID]++; im.tries[i.ID] >= importTries {
		return true, errors.Join(err, im.giveUp(ctx, i, fault.Msg("import.cause.internal")))
	}
	return true, fmt.Errorf("import %d: %w", i.ID, err)
}

// errStopped says that the run is no longer ours: cancelled, or taken over.
var errStopped = errors.New("import stopped")

// take leases the oldest running import that nobody works on.
func (im *Importer) take(ctx context.Context) (*Import, error) {
	now := im.s.now().UTC()
	db := im.s.db.WithContext(ctx)
	var i Import
	err := db.Where("state = 'running' AND (lease_until IS NULL OR lease_until < ?)", now).Order("id").Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for an import: %w", err)
	}
	done := db.Exec("UPDATE imports SET lease_until = ? WHERE id = ? AND state = 'running' AND rows_done = ? AND (lease_until IS NULL OR lease_until < ?)",
		now.Add(importLease), i.ID, i.RowsDone, now)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	return &i, nil
}

func (im *Importer) letGo(ctx context.Context, id int64) error {
	return im.s.db.WithContext(ctx).Exec("UPDATE imports SET lease_until = NULL WHERE id = ? AND state = 'running'", id).Error
}

func (im *Importer) giveUp(ctx context.Context, i *Import, why fault.Message) error {
	return im.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE imports SET state = 'failed', cause = ?, finished_at = ? WHERE id = ? AND state = 'running'",
			storeMessage(why), im.s.now().UTC(), i.ID)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return im.s.trail.Record(tx, access.Background("import"), importEvent("import.fail", *i, access.Actor{}))
	})
}

// run is one import being worked on.
type run struct {
	*Import
	s      *Service
	sheet  *sheet
	by     access.Actor
	lines  seenLines
	dry    *planner // kept over the batches of a dry run: nothing is written that they could read back
	needed map[*Node]bool
}

func (im *Importer) work(ctx context.Context, i *Import) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	table, err := readSheet(i.Content)
	if err != nil {
		return im.giveUp(ctx, i, fault.Msg("import.cause.internal"))
	}
	i.Content = nil
	r := &run{Import: i, s: im.s, sheet: table, lines: newSeenLines(), needed: map[*Node]bool{}}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	for r.RowsDone < len(table.records) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.batch(ctx)
		if errors.Is(err, errRights) {
			return im.giveUp(ctx, i, fault.Msg("import.cause.rights"))
		} else if err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// errRights says that who started the import may not go on with it.
var errRights = errors.New("rights changed")

// catchUp prepares a run that was cut off: a dry run starts anew, a real one
// learns who stood on the lines already done.
func (r *run) catchUp(ctx context.Context) error {
	db := r.s.db.WithContext(ctx)
	var err error
	if r.by, err = directoryActor(db, r.CreatedBy, r.s.now()); err != nil {
		return err
	}
	if r.RowsDone == 0 {
		return nil
	}
	if r.DryRun {
		return r.restart(db)
	}
	refused, err := importRows(db, r.ID, rowRefused, 0)
	if err != nil {
		return err
	}
	bad := make(map[int]bool, len(refused))
	for _, p := range refused {
		bad[p.Row] = true
	}
	for _, rec := range r.sheet.records[:r.RowsDone] {
		if row, f := r.sheet.read(rec); row.outcome != rowRefused && !bad[rec.line] {
			r.lines.note(f, nil, rec.line)
		}
	}
	return nil
}

func (r *run) restart(db *gorm.DB) error {
	return db.Transaction(func(tx *gorm.DB) error {
		done := tx.Exec(`UPDATE imports SET rows_done = 0, created = 0, changed = 0, unchanged = 0, refused = 0, departments = 0
			WHERE id = ? AND state = 'running' AND rows_done = ?`, r.ID, r.RowsDone)
		if done.Error != nil {
			return done.Error
		} else if done.RowsAffected == 0 {
			return errStopped
		}
		r.RowsDone, r.Created, r.Changed, r.Unchanged, r.Refused, r.Departments = 0, 0, 0, 0, 0, 0
		return tx.Where("import_id = ?", r.ID).Delete(&importRow{}).Error
	})
}

// directoryActor reads the rights of who started an import; one who departed has none.
func directoryActor(tx *gorm.DB, id int64, now time.Time) (access.Actor, error) {
	a, err := LoadActor(tx, id, now)
	if errors.Is(err, fault.NotFound) {
		return access.Actor{Kind: access.Member, MemberID: id}, nil
	}
	return a, err
}

// batch does the next rows in one transaction, with the rights as of now.
func (r *run) batch(ctx context.Context) error {
	records := r.sheet.records[r.RowsDone:]
	records = records[:min(importBatch, len(records))]
	next := *r.Import
	err := r.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := r.hold(tx); err != nil {
			return err
		}
		p, err := r.planner(tx)
		if err != nil {
			return err
		}
		rows, err := r.decide(tx, p, records)
		if err != nil {
			return err
		}
		if r.DryRun {
			for _, row := range rows {
				r.need(row)
			}
			next.Departments = len(r.needed)
		} else {
			created, err := r.write(tx, p, rows)
			if err != nil {
				return err
			}
			next.Departments += created
		}
		return r.report(tx, &next, rows)
	})
	if err != nil {
		return err
	}
	*r.Import = next
	return nil
}

// hold renews the lease and locks the import's row: a cancellation waits for
// the batch, and a batch finds out that it was cancelled.
func (r *run) hold(tx *gorm.DB) error {
	done := tx.Exec("UPDATE imports SET lease_until = ? WHERE id = ? AND state = 'running' AND rows_done = ?",
		r.s.now().UTC().Add(importLease), r.ID, r.RowsDone)
	if done.Error != nil {
		return fmt.Errorf("hold import: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return errStopped
	}
	by, err := directoryActor(tx, r.CreatedBy, r.s.now())
	if err != nil {
		return err
	}
	if !access.Can(by, access.MembersEdit, access.Object{}) || by.Super != r.by.Super || !slices.Equal(by.Paths(access.MembersEdit), r.by.Paths(access.MembersEdit)) || !slices.Equal(by.Led, r.by.Led) {
		return errRights
	}
	return nil
}

func (r *run) planner(tx *gorm.DB) (*planner, error) {
	if r.dry != nil {
		return r.dry, nil
	}
	if !r.DryRun {
		if _, err := lockOrganisation(tx); err != nil {
			return nil, err
		}
	}
	tree, err := loadTree(tx)
	if err != nil {
		return nil, err
	}
	p := &planner{by: r.by, sheet: r.sheet, tree: tree, lines: r.lines,
		byJob: map[string]*person{}, byPhone: map[string]*person{}, people: map[int64]*person{}}
	if r.DryRun {
		r.dry = p
	}
	return p, nil
}

// decide plans every row of a batch.
func (r *run) decide(tx *gorm.DB, p *planner, records []record) ([]*plannedRow, error) {
	rows := make([]*plannedRow, len(records))
	said := make([]fields, len(records))
	for i, rec := range records {
		row, f := r.sheet.read(rec)
		rows[i], said[i] = &row, f
	}
	if err := p.load(tx, said); err != nil {
		return nil, err
	}
	for i, row := range rows {
		p.plan(row, said[i])
	}
	return rows, nil
}

// need counts the departments an accepted row would create.
func (r *run) need(row *plannedRow) {
	if row.outcome == rowRefused {
		return
	}
	for _, n := range row.nodes {
		for ; n != nil && n.ID < 0; n = n.Parent {
			r.needed[n] = true
		}
	}
}

// report stores the rows worth showing and how far the run is.
func (r *run) report(tx *gorm.DB, next *Import, rows []*plannedRow) error {
	var kept []importRow
	for _, row := range rows {
		next.RowsDone++
		switch row.outcome {
		case rowCreated:
			next.Created++
			continue
		case rowUnchanged:
			next.Unchanged++
			continue
		case rowChanged:
			if next.Changed++; next.Changed > changedShown {
				continue
			}
		case rowRefused:
			next.Refused++
		}
		line, err := r.line(row)
		if err != nil {
			return err
		}
		kept = append(kept, line)
	}
	if len(kept) > 0 {
		if err := tx.CreateInBatches(kept, 500).Error; err != nil {
			return fmt.Errorf("store import rows: %w", err)
		}
	}
	err := tx.Model(&Import{}).Where("id = ?", r.ID).Updates(map[string]any{"rows_done": next.RowsDone, "created": next.Created,
		"changed": next.Changed, "unchanged": next.Unchanged, "refused": next.Refused, "departments": next.Departments}).Error
	if err != nil {
		return fmt.Errorf("store import progress: %w", err)
	}
	return nil
}

func (r *run) line(row *plannedRow) (importRow, error) {
	cells := row.cells
	if row.outcome == rowChanged { // who, for the page; the rest of the row is not kept
		cells = []string{row.who.fields.Name, row.who.fields.JobNumber}
	}
	original, err := json.Marshal(cells)
	if err != nil {
		return importRow{}, fmt.Errorf("keep row %d: %w", row.line, err)
	}
	kept := importRow{ImportID: r.ID, RowNumber: row.line, Outcome: row.outcome, Field: row.column, Original: storable(string(original))}
	if row.outcome == rowRefused {
		kept.Cause = storeMessage(row.cause)
	} else {
		kept.Field = joinColumns(row.changed)
	}
	return kept, nil
}

// finish closes the run. The file of a real one, and of the dry run before it,
// has done its work: personal data is not kept longer than that.
func (r *run) finish(ctx context.Context) error {
	return r.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE imports SET state = 'done', finished_at = ? WHERE id = ? AND state = 'running' AND rows_done = ?",
			r.s.now().UTC(), r.ID, r.RowsDone)
		if done.Error != nil {
			return fmt.Errorf("finish import: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return errStopped
		}
		if !r.DryRun {
			err := tx.Exec("UPDATE imports SET content = ? WHERE id = ? OR id = ?", []byte{}, r.ID, r.SourceID).Error
			if err != nil {
				return fmt.Errorf("drop the file: %w", err)
			}
		}
		return r.s.trail.Record(tx, r.by, importEvent("import.finish", *r.Import, r.by))
	})
}
