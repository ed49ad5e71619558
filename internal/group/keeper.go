package group

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
)

// SetCustodian names the member who may replace the group's image; nobody when
// both are empty.
func (s *Service) SetCustodian(ctx context.Context, by access.Actor, gid, memberID, phone string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		var id *int64
		name := ""
		if strings.TrimSpace(memberID+phone) != "" {
			m, err := directory.ActiveMember(tx, memberID, phone)
			if err != nil {
				return err
			}
			id, name = &m.ID, m.Name
		}
		if err := tx.Model(&Group{}).Where("id = ?", g.ID).Update("entry_custodian_id", id).Error; err != nil {
			return fmt.Errorf("name who looks after the image: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.entry.custodian", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"member": name, "member_id": id}})
	})
}

// aside reads what stands beside the form of a group's settings.
func (s *Service) aside(ctx context.Context, out *Settings) (err error) {
	tx := s.db.WithContext(ctx)
	if out.Pool, err = s.pool(tx, out.ID); err != nil {
		return err
	}
	if out.EntryCustodianID != nil {
		if out.Custodian, err = nameOf(tx, *out.EntryCustodianID); err != nil {
			return err
		}
	}
	out.Series, err = s.series(tx, out.Group)
	return err
}

// EntryPage is the page on which a phone replaces the current image.
type EntryPage struct {
	Header
	Pool
	UpstreamDays int
}

// EntryPage reads it for those who may.
func (s *Service) EntryPage(ctx context.Context, by access.Actor, gid string) (EntryPage, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return EntryPage{}, err
	}
	db := s.db.WithContext(ctx)
	_, o, err := find(db, by, gid)
	if err != nil {
		return EntryPage{}, err
	}
	if err := access.Check(by, access.GroupEntry, o); err != nil {
		return EntryPage{}, err
	}
	if h.Status != Active {
		return EntryPage{}, disbanded(db, h.Group)
	}
	p := EntryPage{Header: h}
	if p.Pool, err = s.pool(db, h.ID); err != nil {
		return p, err
	}
	policies, err := directory.LoadPolicies(db)
	p.UpstreamDays = policies.UpstreamDays
	return p, err
}
