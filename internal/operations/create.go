package operations

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Create makes the groups of a draft, all or none, in one transaction, with a
// code for each if the order says so. Pressing twice makes them once. A row that
// is wrong by now is fault.Conflict: the preview says which. req: D28, D44
func (s *Service) Create(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var held []string
		err := tx.Model(&Batch{}).Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ? AND created_by = ?", id, by.MemberID).Pluck("state", &held).Error
		switch {
		case err != nil:
			return fmt.Errorf("hold the batch: %w", err)
		case len(held) == 0:
			return fault.NotFound
		}
		if err := group.MayCreateMany(by); err != nil || held[0] == Done {
			return err
		}
		p, err := s.preview(tx, by, id)
		if err != nil {
			return err
		}
		if p.Bad > 0 {
			return fault.Conflict{Message: fault.Msg("operations.batch.error.rows", "Count", p.Bad)}
		}
		return s.create(tx, by, p)
	})
}

func (s *Service) create(tx *gorm.DB, by access.Actor, p Preview) error {
	if err := holdNamed(tx, p.Lines); err != nil {
		return err
	}
	now, seeds := s.now().UTC(), make([]group.Seed, len(p.Lines))
	for i, l := range p.Lines {
		seeds[i] = l.Seed
	}
	groups, events, err := s.groups.CreateMany(tx, by, seeds, now)
	if err != nil {
		return err
	}
	if p.Code != "" {
		issued, err := code.IssueMany(tx, by, groups, p.Code, now)
		if err != nil {
			return err
		}
		events = append(events, issued...)
	}
	if err := s.note(tx, p.Batch, groups); err != nil {
		return err
	}
	if err := tx.Model(&Batch{}).Where("id = ?", p.ID).Updates(map[string]any{"state": Done, "done_at": now}).Error; err != nil {
		return fmt.Errorf("finish the batch: %w", err)
	}
	return s.trail.RecordAll(tx, by, append(events, p.Batch.event(by, "group.batch.create", map[string]any{"count": len(groups), "codes": p.Code})))
}

// holdNamed keeps the owners employed until the transaction ends; departments
// are kept by the rows that name them.
func holdNamed(tx *gorm.DB, lines []Line) error {
	ids := map[int64]bool{}
	for _, l := range lines {
		if l.Seed.OwnerID != nil {
			ids[*l.Seed.OwnerID] = true
		}
	}
	wanted := make([]int64, 0, len(ids))
	for id := range ids {
		wanted = append(wanted, id)
	}
	if len(wanted) == 0 {
		return nil
	}
	var held []int64
	err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id IN ? AND status = ?", wanted, directory.Active).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold the owners: %w", err)
	}
	if len(held) < len(wanted) {
		return fault.Conflict{Message: fault.Msg("operations.batch.error.rows", "Count", len(wanted)-len(held))}
	}
	return nil
}

// note writes into each row which group it became.
func (s *Service) note(tx *gorm.DB, b Batch, groups []group.Group) error {
	rows := make([]Row, len(groups))
	for i, g := range groups {
		rows[i] = Row{BatchID: b.ID, RowNumber: i + 1, Name: g.Name, GroupID: &g.ID, Outcome: Done}
	}
	if err := tx.Exec("DELETE FROM group_batch_rows WHERE batch_id = ?", b.ID).Error; err != nil {
		return fmt.Errorf("clear the draft: %w", err)
	}
	return storeRows(tx, rows)
}

// Template is the header of a file of groups, and two rows to overwrite.
func Template(lang string) [][]string {
	if lang == "en" {
		return [][]string{fields, {"Class 1", "training", "", "60", "Announcements of class 1", "approval", "", ""}}
	}
	return [][]string{zhFields(), {"一班", "培训群", "", "60", "一班的通知和作业", "需审批", "", ""}}
}

func zhFields() []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = fieldWords[f][0]
	}
	return out
}
