package group

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Converting reads a user-started group for somebody who may make it one that an
// admin created. Any other group is fault.Conflict. req: A17
func (s *Service) Converting(ctx context.Context, by access.Actor, gid string) (Header, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return h, err
	}
	_, o, err := find(s.db.WithContext(ctx), by, gid)
	if err != nil {
		return h, err
	}
	if err := access.Check(by, access.GroupConvert, o); err != nil {
		return h, err
	}
	return h, convertible(s.db.WithContext(ctx), h.Group)
}

func convertible(tx *gorm.DB, g Group) error {
	switch {
	case g.Status != Active:
		return disbanded(tx, g)
	case g.Origin != ByUser:
		return fault.Conflict{Message: fault.Msg("charter.convert.already")}
	}
	return nil
}

// Convert makes a user-started group one that an admin created: permanent codes
// become possible, and the right to rename it moves from its owner to the head.
func (s *Service) Convert(ctx context.Context, by access.Actor, gid string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupConvert, gid)
		if err != nil {
			return err
		}
		if err := convertible(tx, g); err != nil {
			return err
		}
		set := map[string]any{"origin": ByAdmin, "version": g.Version + 1, "updated_at": s.now().UTC(), "updated_by": by.MemberID}
		if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(set).Error; err != nil {
			return fmt.Errorf("convert the group: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.convert", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"origin": ByAdmin, "origin_was": g.Origin}})
	})
}
