package code

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Suspend stops a code until somebody resumes it. The reason may be empty.
func (s *Service) Suspend(ctx context.Context, by access.Actor, publicID, reason string) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(reason, false)
		if err != nil {
			return err
		}
		if f.SuspendedAt != nil {
			return alreadySuspended(tx, f)
		}
		err = tx.Exec("UPDATE codes SET suspended_at = ?, suspended_by = ? WHERE id = ?", s.now().UTC(), by.MemberID, f.ID).Error
		if err != nil {
			return fmt.Errorf("suspend code: %w", err)
		}
		return s.trail.Record(tx, by, event("code.suspend", f, because(reason)))
	})
}

// Resume lets a code that somebody suspended work again. One that stands still
// because its issuer lost the right needs Adopt.
func (s *Service) Resume(ctx context.Context, by access.Actor, publicID, reason string) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(reason, false)
		if err != nil {
			return err
		}
		if f.SuspendedAt == nil {
			return fault.Conflict{Message: fault.Msg("codes.conflict.running")}
		}
		if err := tx.Exec("UPDATE codes SET suspended_at = NULL, suspended_by = NULL WHERE id = ?", f.ID).Error; err != nil {
			return fmt.Errorf("resume code: %w", err)
		}
		return s.trail.Record(tx, by, event("code.resume", f, because(reason)))
	})
}

// Adopt makes by the issuer of a code whose issuer lost the right, so that it
// works again at once and nothing must be printed anew. req: A11
func (s *Service) Adopt(ctx context.Context, by access.Actor, publicID, reason string) error {
	return s.change(ctx, by, access.CodeAdopt, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(reason, false)
		if err != nil {
			return err
		}
		if f.IssuerOK {
			return fault.Conflict{Message: fault.Msg("codes.conflict.held", "Name", f.IssuerName)}
		}
		if err := s.mayHold(tx, by, f); err != nil {
			return err
		}
		if err := tx.Exec("UPDATE codes SET issued_by = ? WHERE id = ?", by.MemberID, f.ID).Error; err != nil {
			return fmt.Errorf("adopt code: %w", err)
		}
		details := because(reason)
		details["from"] = f.IssuerName
		return s.trail.Record(tx, by, event("code.adopt", f, details))
	})
}

// mayHold checks that by could issue such a code now: else it would be
// suspended in the moment by became its issuer.
func (s *Service) mayHold(tx *gorm.DB, by access.Actor, f Facts) error {
	if err := mayLoosen(tx, by, f); err != nil {
		return err
	}
	if f.Validity != Permanent {
		return access.Check(by, access.CodeTemporary, f.Object(false))
	}
	d, err := s.desk(tx, by, f.group())
	if err != nil {
		return err
	}
	if second, err := d.needsSecond(f.Code); err != nil {
		return err
	} else if second {
		return fault.Invalid{"": fault.Msg("codes.error.second")}
	}
	return nil
}

// group is the part of the group that rights depend on.
func (f Facts) group() group.Group {
	return f.issued(group.Group{ID: f.GroupID, Type: f.GroupType, Origin: f.GroupOrigin, JoinMode: f.JoinMode, DepartmentPath: f.DepartmentPath})
}

func alreadySuspended(tx *gorm.DB, f Facts) error {
	c := fault.Conflict{Message: fault.Msg("codes.conflict.suspended"), At: *f.SuspendedAt}
	if f.SuspendedBy != nil {
		var err error
		if c.By, err = nameOf(tx, *f.SuspendedBy); err != nil {
			return err
		}
	}
	return c
}

func because(reason string) map[string]any {
	if reason == "" {
		return map[string]any{}
	}
	return map[string]any{"reason": reason}
}
