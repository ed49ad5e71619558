package code

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/paths"
)

// View is one code's page: the facts, the names beside them, and what its
// reader may do.
type View struct {
	Facts
	Now           State
	At            time.Time // the moment the state holds for
	Organisation  string
	Trail         []string // the department path in words
	URL           string
	TypedAt       string   // where the typed code is entered
	Audiences     []string // names of the departments that may scan
	People        []Named  // and of the people
	FallbackGroup GroupChoice
	Risks         []Risk
	EndedBy       string
	SuspendedName string
	Successor     string // public id of the code that replaced this one
	Predecessor   string // public id of the code this one replaced
	Can           Can
}

// Can is what the reader of a code's page may do with it.
type Can struct {
	Issue, Download, Export, Addresses bool
	Revoke                             bool // and suspend, resume
	Regenerate, Adopt                  Permission
}

// View reads one code for somebody who may see it.
func (s *Service) View(ctx context.Context, by access.Actor, publicID string) (View, error) {
	tx := s.db.WithContext(ctx)
	f, err := Reach(tx, by, access.CodeDownload, publicID)
	if err != nil {
		return View{}, err
	}
	v := View{Facts: f, At: s.now(), Now: f.State(s.now()), URL: s.URL(f.PublicID, 0), TypedAt: s.baseURL + paths.TypedCode}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return v, err
	}
	v.Organisation = org.Name
	if v.Trail, err = Trail(tx, f.DepartmentPath); err != nil {
		return v, err
	}
	if v.Audiences, err = audienceNames(tx, f.Audience); err != nil {
		return v, err
	}
	if err := v.readNames(tx); err != nil {
		return v, err
	}
	if err := v.readTerms(tx); err != nil {
		return v, err
	}
	v.Risks = s.risks(f)
	v.Can, err = s.can(tx, by, f)
	return v, err
}

func audienceNames(tx *gorm.DB, audience string) ([]string, error) {
	names := []string{}
	if audience == "" {
		return names, nil
	}
	if err := tx.Raw("SELECT name FROM departments WHERE id IN ? ORDER BY path", numbers(audience)).Scan(&names).Error; err != nil {
		return nil, fmt.Errorf("read audience: %w", err)
	}
	return names, nil
}

func (v *View) readNames(tx *gorm.DB) error {
	var row struct{ EndedBy, SuspendedName, Successor, Predecessor string }
	err := tx.Raw(`SELECT coalesce(r.name, '') AS ended_by, coalesce(p.name, '') AS suspended_name, coalesce(n.public_id, '') AS successor,
		coalesce((SELECT o.public_id FROM codes o WHERE o.replaced_by = c.id ORDER BY o.id LIMIT 1), '') AS predecessor
		FROM codes c LEFT JOIN members r ON r.id = c.revoked_by LEFT JOIN members p ON p.id = c.suspended_by LEFT JOIN codes n ON n.id = c.replaced_by
		WHERE c.id = ?`, v.ID).Scan(&row).Error
	if err != nil {
		return fmt.Errorf("read the code's names: %w", err)
	}
	v.EndedBy, v.SuspendedName, v.Successor, v.Predecessor = row.EndedBy, row.SuspendedName, row.Successor, row.Predecessor
	return nil
}

func (s *Service) can(tx *gorm.DB, by access.Actor, f Facts) (Can, error) {
	o := f.Object(false)
	c := Can{
		Issue:     f.GroupStatus == group.Active && access.Can(by, access.CodeTemporary, o),
		Download:  access.Can(by, access.CodeDownload, o),
		Export:    access.Can(by, access.ScansExport, o),
		Addresses: by.Holds(access.ScansSee, f.DepartmentPath),
		Revoke:    access.Can(by, access.CodeRevoke, o),
	}
	var err error
	if c.Regenerate, err = s.permission(tx, by, access.CodeRevoke, f); err != nil {
		return c, err
	}
	c.Adopt, err = s.permission(tx, by, access.CodeAdopt, f)
	return c, err
}

// permission is right, and beyond it the right to be the issuer.
func (s *Service) permission(tx *gorm.DB, by access.Actor, right access.Right, f Facts) (Permission, error) {
	if !access.Can(by, right, f.Object(false)) {
		return Permission{Missing: string(right)}, nil
	}
	err := s.mayHold(tx, by, f)
	switch e := err.(type) {
	case nil:
		return Permission{}, nil
	case fault.Forbidden:
		return Permission{Missing: e.Right}, nil
	case fault.Invalid:
		return Permission{NeedsSecond: true}, nil
	}
	return Permission{}, err
}
