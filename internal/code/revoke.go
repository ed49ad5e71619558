package code

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Revoke ends a code for good. Somebody who comes second learns who was first
// (fault.Conflict). req: A13
func (s *Service) Revoke(ctx context.Context, by access.Actor, publicID, reason string) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(reason, true)
		if err != nil {
			return err
		}
		if err := s.end(tx, by, f.ID, reason, nil); err != nil {
			return err
		}
		return s.trail.Record(tx, by, event("code.revoke", f, map[string]any{"reason": reason}))
	})
}

// Regenerate replaces a code by a new one with the same terms and returns the
// new public id; the old one is dead in the same transaction. A period of days
// starts anew, a fixed end stays. req: A14, B13
func (s *Service) Regenerate(ctx context.Context, by access.Actor, publicID, reason string) (string, error) {
	var fresh Code
	err := s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		reason, err := checkReason(reason, true)
		if err != nil {
			return err
		}
		if fresh, err = s.successor(tx, by, f); err != nil {
			return err
		}
		if err := Create(tx, &fresh); err != nil {
			return err
		}
		if err := copyTargets(tx, f.ID, fresh.ID); err != nil {
			return err
		}
		if err := s.end(tx, by, f.ID, reason, &fresh.ID); err != nil {
			return err
		}
		return s.trail.Record(tx, by, event("code.regenerate", f, map[string]any{"reason": reason, "new": fresh.PublicID}))
	})
	return fresh.PublicID, err
}

// successor has the terms of f and by as its issuer, who must have the right to issue it.
func (s *Service) successor(tx *gorm.DB, by access.Actor, f Facts) (Code, error) {
	if err := s.mayHold(tx, by, f); err != nil {
		return Code{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	until := f.ValidUntil
	if period, counted := periods[f.Validity]; counted {
		end := now.Add(period)
		until = &end
	} else if until != nil && !until.After(now) {
		return Code{}, fault.Invalid{"": fault.Msg("codes.error.regenerate.past")}
	}
	return Code{GroupID: f.GroupID, Label: f.Label, Validity: f.Validity, ValidFrom: f.ValidFrom, ValidUntil: until, DailyCap: f.DailyCap,
		TotalCap: f.TotalCap, Networks: f.Networks, Hours: f.Hours, Audience: f.Audience, AudienceRoles: f.AudienceRoles, AudiencePeople: f.AudiencePeople,
		PasswordHash: f.PasswordHash, Benefit: f.Benefit, ValidityFixed: f.ValidityFixed, Fallback: f.Fallback, FallbackURL: f.FallbackURL,
		FallbackGroupID: f.FallbackGroupID, Route: f.Route, OwnMode: f.OwnMode, OwnAsks: f.OwnAsks, IssuedBy: by.MemberID, IssuedAt: now}, nil
}

// end marks a living code revoked, or replaced when there is a successor.
func (s *Service) end(tx *gorm.DB, by access.Actor, id int64, reason string, successor *int64) error {
	done := tx.Exec("UPDATE codes SET revoked_at = ?, revoked_by = ?, revoke_reason = ?, replaced_by = ? WHERE id = ? AND revoked_at IS NULL",
		s.now().UTC(), by.MemberID, reason, successor, id)
	if done.Error != nil {
		return fmt.Errorf("end code: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fault.Conflict{Message: fault.Msg("codes.conflict.over")}
	}
	return nil
}

// change opens the transaction, takes the code's row, checks the right under
// it, and refuses a code that is over.
func (s *Service) change(ctx context.Context, by access.Actor, right access.Right, publicID string, do func(*gorm.DB, Facts) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := lockCode(tx, publicID); err != nil {
			return err
		}
		f, err := Reach(tx, by, right, publicID)
		if err != nil {
			return err
		}
		if err := refuseOver(tx, f); err != nil {
			return err
		}
		return do(tx, f)
	})
}

// refuseOver says who ended the code, and when.
func refuseOver(tx *gorm.DB, f Facts) error {
	if f.GroupStatus != group.Active {
		return disbanded(tx, f.GroupID)
	}
	if f.RevokedAt == nil {
		return nil
	}
	key := "codes.conflict.revoked"
	if f.ReplacedBy != nil {
		key = "codes.conflict.replaced"
	}
	c := fault.Conflict{Message: fault.Msg(key), At: *f.RevokedAt}
	if f.RevokedBy != nil {
		var err error
		if c.By, err = nameOf(tx, *f.RevokedBy); err != nil {
			return err
		}
	}
	return c
}
