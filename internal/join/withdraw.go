package join

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/audit"
)

// Withdraw takes the visitor's pending request back. It returns false when
// there is none (any more): the page then says what became of it.
func (s *Service) Withdraw(ctx context.Context, who Visitor) (withdrawn bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil || v.person == nil {
			return err
		}
		r, err := latest(tx, v.group.ID, *v.person)
		if err != nil || r == nil {
			return err
		}
		done := tx.Model(&Request{}).Where("id = ? AND status = ?", r.ID, Pending).
			Updates(map[string]any{"status": Withdrawn, "decided_at": s.now().UTC()})
		if done.Error != nil {
			return fmt.Errorf("withdraw the request: %w", done.Error)
		}
		if withdrawn = done.RowsAffected == 1; !withdrawn {
			return nil
		}
		return s.trail.Record(tx, v.actor(who), audit.Event{Action: "request.withdraw", Object: r.object(), DepartmentPath: v.group.DepartmentPath,
			Details: map[string]any{"group": v.group.GID}})
	})
	return withdrawn, err
}
