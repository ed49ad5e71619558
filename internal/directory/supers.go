package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// ErrSecondPerson says that a second super admin has to approve this.
var ErrSecondPerson = errors.New("directory: needs a second super admin's approval")

// NeedsSecond is the answer to a second-person action while there is no second super admin.
var NeedsSecond = fault.Conflict{Message: fault.Msg("approvals.error.needs_second")}

// Supers lists the active super admins in the order they came.
func (s *Service) Supers(ctx context.Context, by access.Actor) ([]Member, error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	var supers []Member
	err := s.db.WithContext(ctx).Where("super_admin AND status = ?", Active).Order("id").Limit(100).Find(&supers).Error
	if err != nil {
		return nil, fmt.Errorf("list super admins: %w", err)
	}
	return supers, nil
}

// CountSupers counts the active super admins.
func CountSupers(tx *gorm.DB) (int64, error) {
	var n int64
	if err := tx.Model(&Member{}).Where("super_admin AND status = ?", Active).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count super admins: %w", err)
	}
	return n, nil
}

// AppointSecondSuper makes an active member the second super admin while there
// is exactly one, whose word then suffices and is written down as such. With
// two or more it answers ErrSecondPerson and the member, for a request.
func (s *Service) AppointSecondSuper(ctx context.Context, by access.Actor, memberID, phone string) (Member, error) {
	var m Member
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if err := access.Check(by, access.SupersAppoint, access.Object{}); err != nil {
			return err
		}
		if m, err = ActiveMember(tx, memberID, phone); err != nil {
			return err
		}
		if _, err := lockOrganisation(tx); err != nil {
			return err
		}
		n, err := CountSupers(tx)
		if err != nil {
			return err
		}
		if n != 1 {
			return ErrSecondPerson
		}
		if m, err = GrantSuper(tx, m.ID); err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "super.appoint", Object: m.audited(), Details: map[string]any{"without_second_person": true}})
	})
	return m, err
}

// GrantSuper makes an active member a super admin. The caller has the second
// person's word and writes the audit entry.
func GrantSuper(tx *gorm.DB, memberID int64) (Member, error) {
	return setSuper(tx, memberID, true, "approvals.error.already_super")
}

// RevokeSuper takes a super admin's tier away; the last one cannot be removed.
// The caller has the second person's word and writes the audit entry.
func RevokeSuper(tx *gorm.DB, memberID int64) (Member, error) {
	if _, err := lockOrganisation(tx); err != nil {
		return Member{}, err
	}
	n, err := CountSupers(tx)
	if err != nil {
		return Member{}, err
	}
	if n < 2 {
		return Member{}, NeedsSecond
	}
	return setSuper(tx, memberID, false, "approvals.error.not_super")
}

func setSuper(tx *gorm.DB, memberID int64, super bool, otherwise string) (Member, error) {
	m, err := ActiveMember(tx, strconv.FormatInt(memberID, 10), "")
	var invalid fault.Invalid
	if errors.As(err, &invalid) {
		return m, fault.Conflict{Message: fault.Msg("approvals.error.member_left")}
	} else if err != nil {
		return m, err
	}
	done := tx.Model(&Member{}).Where("id = ? AND status = ? AND super_admin = ?", memberID, Active, !super).Updates(map[string]any{"super_admin": super})
	if done.Error != nil {
		return m, fmt.Errorf("change super admin: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return m, fault.Conflict{Message: fault.Msg(otherwise, "Name", m.Name)}
	}
	m.SuperAdmin = super
	return m, nil
}

func (m Member) audited() audit.Object {
	return audit.Object{Kind: "member", ID: strconv.FormatInt(m.ID, 10), Name: m.Name}
}
