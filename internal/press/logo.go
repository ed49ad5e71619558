package press

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

// SaveLogo keeps an uploaded picture as the organisation's logo, drawn anew, so
// that only its pixels are kept. What is no PNG or JPEG is fault.Invalid on "logo".
func (s *Service) SaveLogo(ctx context.Context, by access.Actor, upload []byte) error {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return err
	}
	clean, err := qr.CleanLogo(upload)
	if err != nil {
		return logoFault(upload, err)
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		sum := sha256.Sum256(clean)
		var id int64
		err := tx.Raw("INSERT INTO files (sha256, content_type, content, created_at) VALUES (?, 'image/png', ?, ?) RETURNING id",
			hex.EncodeToString(sum[:]), clean, s.now().UTC()).Scan(&id).Error
		if err != nil {
			return fmt.Errorf("keep the logo: %w", err)
		}
		return s.setLogo(tx, by, &id, "organisation.logo.save", map[string]any{"bytes": len(clean)})
	})
}

// RemoveLogo takes the logo away.
func (s *Service) RemoveLogo(ctx context.Context, by access.Actor) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		return s.setLogo(tx, by, nil, "organisation.logo.remove", nil)
	})
}

// setLogo points the organisation at its new logo and drops the old one.
func (s *Service) setLogo(tx *gorm.DB, by access.Actor, id *int64, action string, details map[string]any) error {
	if err := tx.Exec("UPDATE organisation SET name = name WHERE id = 1").Error; err != nil { // locks the row
		return fmt.Errorf("lock the organisation: %w", err)
	}
	was, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	if was.LogoFileID == nil && id == nil {
		return nil
	}
	if err := tx.Exec("UPDATE organisation SET logo_file_id = ? WHERE id = 1", id).Error; err != nil {
		return fmt.Errorf("set the logo: %w", err)
	}
	if was.LogoFileID != nil {
		if err := tx.Exec("DELETE FROM files WHERE id = ?", *was.LogoFileID).Error; err != nil {
			return fmt.Errorf("drop the old logo: %w", err)
		}
	}
	return s.trail.Record(tx, by, audit.Event{Action: action, Object: audit.Object{Kind: "organisation", ID: "1", Name: was.Name}, Details: details})
}

func logoFault(upload []byte, err error) error {
	key := "print.error.logo.broken"
	switch {
	case len(upload) == 0:
		key = "print.error.logo.missing"
	case errors.Is(err, qr.ErrTooLarge):
		key = "print.error.logo.large"
	case errors.Is(err, qr.ErrKind):
		key = "print.error.logo.kind"
	}
	return fault.Invalid{"logo": fault.Msg(key)}
}
