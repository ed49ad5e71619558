package directory

import (
	"encoding/json"
	"fmt"

	"gorm.io/gorm"
)

// report stores what became of the rows and how far the run is. Of a real run
// who stayed the same is only counted.
func (r *run) report(tx *gorm.DB, p *planner, next *Import, rows []*plannedRow) error {
	var refused []importRow
	lists := map[string][]Line{}
	for _, row := range rows {
		next.RowsDone++
		if row.outcome == rowRefused {
			next.Refused++
			kept, err := r.refusal(row)
			if err != nil {
				return err
			}
			refused = append(refused, kept)
			continue
		}
		if r.check {
			continue
		}
		switch row.outcome {
		case rowCreated:
			next.Created++
		case rowUnchanged:
			next.Unchanged++
		case rowChanged:
			next.Changed++
			if row.moved {
				next.Moved++
			}
		}
		r.list(lists, p, row)
	}
	if err := r.store(tx, refused, lists); err != nil {
		return err
	}
	return r.progress(tx, next)
}

// list notes a row in the lists it belongs to.
func (r *run) list(lists map[string][]Line, p *planner, row *plannedRow) {
	if row.outcome == rowUnchanged && !r.DryRun {
		return
	}
	l := p.line(row)
	lists[row.outcome] = append(lists[row.outcome], l)
	if row.outcome == rowChanged && row.moved {
		lists[ListMoved] = append(lists[ListMoved], l)
	}
}

func (r *run) store(tx *gorm.DB, refused []importRow, lists map[string][]Line) error {
	if len(refused) > 0 {
		if err := tx.CreateInBatches(refused, 100).Error; err != nil {
			return fmt.Errorf("store import rows: %w", err)
		}
	}
	for kind, lines := range lists {
		if err := storeLines(tx, r.ID, kind, lines); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) progress(tx *gorm.DB, next *Import) error {
	if r.Whole && !r.DryRun && !r.check {
		return nil // the last statement of the transaction: until then others may stop the run
	}
	err := tx.Model(&Import{}).Where("id = ?", r.ID).Updates(next.counted()).Error
	if err != nil {
		return fmt.Errorf("store import progress: %w", err)
	}
	return nil
}

func (i *Import) counted() map[string]any {
	return map[string]any{"rows_done": i.RowsDone, "created": i.Created, "changed": i.Changed, "moved": i.Moved, "unchanged": i.Unchanged,
		"refused": i.Refused, "departments": i.Departments, "departed": i.Departed, "depart_of": i.DepartOf}
}

func (r *run) refusal(row *plannedRow) (importRow, error) {
	original, err := json.Marshal(row.cells)
	if err != nil {
		return importRow{}, fmt.Errorf("keep row %d: %w", row.line, err)
	}
	return importRow{ImportID: r.ID, RowNumber: row.line, Outcome: row.outcome, Field: row.column, Original: storable(string(original)),
		Cause: storeMessage(row.cause)}, nil
}

// finish closes the run. The file of a real one, and of the dry run before it,
// has done its work: personal data is not kept longer than that.
func (r *run) finish(tx *gorm.DB) error {
	set := r.counted()
	set["state"], set["finished_at"] = Done, r.s.now().UTC()
	done := tx.Model(&Import{}).Where("id = ? AND state = 'running' AND lease_owner = ?", r.ID, r.owner).Updates(set)
	if done.Error != nil {
		return fmt.Errorf("finish import: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return errStopped
	}
	r.State = Done
	if !r.DryRun {
		if err := dropFile(tx, r.FileID); err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM import_lines WHERE import_id = ?", r.SourceID).Error; err != nil {
			return fmt.Errorf("drop the preview: %w", err)
		}
	}
	return r.s.trail.Record(tx, r.by, importEvent("import.finish", *r.Import, r.by))
}
