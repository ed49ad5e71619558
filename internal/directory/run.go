package directory

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// run is one import being worked on.
type run struct {
	*Import
	s       *Service
	owner   string // of the lease
	sheet   *sheet
	by      access.Actor
	lines   seenLines
	dry     *planner // kept over the batches of a dry run: nothing is written that they could read back
	needed  map[*Node]bool
	tree    *Tree         // kept while one transaction holds the departments
	file    *named        // whom the file names, once somebody leaves
	check   bool          // of all or nothing: look for refusals before anything is written
	late    []*plannedRow // refused while all was written at once
	yielded int           // how often the batch has let others go first
	lock    bool          // the batch was planned on people who changed meanwhile; now they are held

	ahead     chan reading // the next batch's, once it is read
	unindexed bool         // some of those written are left to RunIndex
}

var (
	// errRights says that who started the import may not go on with it.
	errRights = errors.New("rights changed")
	// errStale says that somebody changed people of the batch while it was planned.
	errStale = errors.New("people changed")
)

func (im *Importer) work(ctx context.Context, i *Import) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if i.RowsTotal > manyRows {
		debug.FreeOSMemory()
		im.tidy = true
		defer debug.SetGCPercent(debug.SetGCPercent(frugal))
	}
	table, err := im.open(ctx, i)
	if errors.As(err, new(fault.Invalid)) || errors.As(err, new(fault.Conflict)) {
		return im.giveUp(ctx, i, fault.Msg("import.cause.internal"))
	} else if err != nil {
		return err
	}
	r := &run{Import: i, s: im.s, owner: im.name, sheet: table, lines: newSeenLines(i.RowsTotal), needed: map[*Node]bool{}}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	err = r.carryOut(ctx)
	if r.unindexed {
		im.s.wakeIndexer()
	}
	var refused errRefused
	switch {
	case errors.Is(err, errRights):
		return im.giveUp(ctx, i, fault.Msg("import.cause.rights"))
	case errors.As(err, &refused):
		return im.refuseAll(ctx, r, refused)
	}
	return err
}

// manyRows is how many rows make it worth to give memory back before and after:
// what receiving and unpacking the file left behind must not add to the work on it.
const manyRows = 20_000

// frugal is how far the heap may grow over what lives while a large file is worked on, in percent: its rows live to
// the end, and as much again in garbage would be most of a small machine.
const frugal = 60

// open reads the stored file, which was found good when it came.
func (im *Importer) open(ctx context.Context, i *Import) (*sheet, error) {
	content, err := readFile(im.s.db.WithContext(ctx), i.FileID)
	if err != nil {
		return nil, err
	}
	table, err := openSheet(content, 0)
	if err != nil {
		return nil, err
	}
	return table, table.usable(i.mapped())
}

func (r *run) carryOut(ctx context.Context) error {
	if r.Whole && !r.DryRun {
		return r.allOrNothing(ctx)
	}
	if err := r.batches(ctx); err != nil {
		return err
	}
	r.dry, r.lines = nil, newSeenLines(0) // what partings need instead is large enough
	if err := r.partings(ctx); err != nil {
		return err
	}
	return r.s.db.WithContext(ctx).Transaction(r.finish)
}

// batches does the rows that are left, some thousand in each transaction.
func (r *run) batches(ctx context.Context) error {
	for r.RowsDone < len(r.sheet.records) {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := *r.Import
		err := r.s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := r.hold(tx); err != nil {
				return err
			}
			return r.batch(tx, &next)
		})
		switch {
		case r.again(err):
			r.lines.undo()
			continue
		case err != nil:
			return err
		}
		r.lines.keep()
		r.lock, r.yielded = false, 0
		*r.Import = next
	}
	return nil
}

// yields is how often in a row a batch lets others go first.
const yields = 100

// again reports whether the transaction failed for what others did at the same
// time, and is worth to be done once more.
func (r *run) again(err error) bool {
	if !errors.Is(err, errStale) && !database.Contended(err) || r.yielded == yields {
		return false
	}
	r.lock = true
	r.yielded++
	return true
}

// batch plans the next rows with the rights as of now and, unless it only
// looks, writes them.
func (r *run) batch(tx *gorm.DB, next *Import) error {
	p, err := r.planner(tx)
	if err != nil {
		return err
	}
	rows, err := r.decide(tx, p, next.RowsDone)
	if err != nil {
		return err
	}
	if r.DryRun || r.check {
		for _, row := range rows {
			r.need(row)
		}
		next.Departments = len(r.needed)
		if err := r.report(tx, p, next, rows); err != nil {
			return err
		}
		p.forget(rows)
		return nil
	}
	if !r.lock {
		if changed, err := stale(tx, rows); err != nil {
			return err
		} else if changed {
			return errStale
		}
	}
	created, err := r.write(tx, p, rows)
	if err != nil {
		return err
	}
	next.Departments += created
	r.late = refusedOf(rows)
	return r.report(tx, p, next, rows)
}

// catchUp prepares a run that was cut off: one that has written nothing starts
// anew, another learns who stood on the lines already done.
func (r *run) catchUp(ctx context.Context) error {
	db := r.s.db.WithContext(ctx)
	var err error
	if r.by, err = directoryActor(db, r.CreatedBy, r.s.now()); err != nil {
		return err
	}
	if r.RowsDone == 0 {
		return nil
	}
	if r.DryRun || r.Whole {
		return r.restart(db)
	}
	refused, err := importRows(db, r.ID, rowRefused, 0, 0)
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
	r.lines.keep()
	return nil
}

func (r *run) restart(db *gorm.DB) error {
	return db.Transaction(func(tx *gorm.DB) error {
		done := tx.Exec(`UPDATE imports SET rows_done = 0, created = 0, changed = 0, moved = 0, unchanged = 0, refused = 0, departments = 0, departed = 0
			WHERE id = ? AND state = 'running' AND rows_done = ? AND lease_owner = ?`, r.ID, r.RowsDone, r.owner)
		if done.Error != nil {
			return done.Error
		} else if done.RowsAffected == 0 {
			return errStopped
		}
		r.RowsDone, r.Created, r.Changed, r.Moved, r.Unchanged, r.Refused, r.Departments, r.Departed = 0, 0, 0, 0, 0, 0, 0, 0
		if err := tx.Where("import_id = ?", r.ID).Delete(&lineRow{}).Error; err != nil {
			return err
		}
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

// hold renews the lease and locks the import's row: a cancellation waits for
// the batch, and a batch finds out that it was cancelled.
func (r *run) hold(tx *gorm.DB) error {
	done := tx.Exec("UPDATE imports SET lease_until = ? WHERE id = ? AND state = 'running' AND rows_done = ? AND lease_owner = ?",
		r.s.now().UTC().Add(importLease), r.ID, r.RowsDone, r.owner)
	if done.Error != nil {
		return fmt.Errorf("hold import: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return errStopped
	}
	return r.mayGoOn(tx)
}

// mayGoOn refuses to go on with other rights than the run began with.
func (r *run) mayGoOn(tx *gorm.DB) error {
	by, err := directoryActor(tx, r.CreatedBy, r.s.now())
	if err != nil {
		return err
	}
	if !access.Can(by, access.MembersEdit, access.Object{}) || by.Super != r.by.Super ||
		!slices.Equal(by.Paths(access.MembersEdit), r.by.Paths(access.MembersEdit)) || !slices.Equal(by.Led, r.by.Led) {
		return errRights
	}
	return nil
}

func (r *run) planner(tx *gorm.DB) (*planner, error) {
	if r.dry != nil {
		return r.dry, nil
	}
	if !r.DryRun && !r.check && r.tree == nil {
		if _, err := lockOrganisation(tx); err != nil {
			return nil, err
		}
	}
	tree := r.tree
	if tree == nil {
		var err error
		if tree, err = loadTree(tx); err != nil {
			return nil, err
		}
	}
	p := &planner{by: r.by, sheet: r.sheet, tree: tree, lines: r.lines, places: map[string][]*Node{},
		byJob: map[string]*person{}, byPhone: map[string]*person{}, people: map[int64]*person{}}
	if r.DryRun || r.check {
		r.dry = p
	}
	return p, nil
}

// decide plans every row of the batch that begins at a record.
func (r *run) decide(tx *gorm.DB, p *planner, from int) ([]*plannedRow, error) {
	these := r.read(from)
	if err := p.load(tx, these.said, r.lock); err != nil {
		return nil, err
	}
	rows := make([]*plannedRow, len(these.rows))
	for i := range these.rows {
		rows[i] = &these.rows[i]
		p.plan(rows[i], these.said[i])
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
