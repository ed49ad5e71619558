package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

const sealed = "join challenge"

// Plan is what to do about a number typed at the door.
type Plan struct {
	MemberID *int64 // whose number it is, if anybody's
	Deliver  bool   // send a code; else only pretend to
	Previous string // the challenge this browser held before
}

// PlanCode decides whether a number gets a code: a member's always, anybody's
// of an allowed country where the group admits guests. The page says the same
// in every case, so that nobody learns who is in the directory.
func (s *Service) PlanCode(ctx context.Context, secret, phone string) (Plan, error) {
	tx := s.db.WithContext(ctx)
	v, err := s.visit(tx, secret, nil)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{}
	if plan.Previous, err = s.challenge(v.session); err != nil {
		return plan, err
	}
	member, err := activeMember(tx, "phone = ?", phone)
	if err == nil {
		plan.MemberID, plan.Deliver = member.MemberID, true
		return plan, nil
	} else if !errors.Is(err, fault.NotFound) {
		return plan, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return plan, err
	}
	plan.Deliver = v.admitsGuests() && slices.ContainsFunc(policies.GuestPrefixes, func(p string) bool { return p != "" && strings.HasPrefix(phone, p) })
	return plan, nil
}

// KeepChallenge remembers which code this browser was asked for.
func (s *Service) KeepChallenge(ctx context.Context, secret, phone, challenge string) error {
	done := s.db.WithContext(ctx).Model(&Session{}).Where("secret_hash = ? AND expires_at > ?", s.hash(secret), s.now().UTC()).
		Updates(map[string]any{"asked_phone": phone, "challenge": s.keys.Seal(sealed, []byte(challenge)), "phone": "", "member_id": nil, "guest_id": nil, "name": ""})
	if done.Error != nil {
		return fmt.Errorf("keep the challenge: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return Again
	}
	return nil
}

// Challenge returns what the typed code has to fit; "" when none was asked for.
func (s *Service) Challenge(ctx context.Context, secret string) (string, error) {
	v, err := s.visit(s.db.WithContext(ctx), secret, nil)
	if err != nil {
		return "", err
	}
	return s.challenge(v.session)
}

func (s *Service) challenge(session Session) (string, error) {
	if len(session.Challenge) == 0 {
		return "", nil
	}
	plain, err := s.keys.Open(sealed, session.Challenge)
	if err != nil {
		return "", fmt.Errorf("open the challenge: %w", err)
	}
	return string(plain), nil
}

func (s *Service) hash(secret string) string { return s.keys.Hash("join-session", secret) }

// prove binds the visit to the owner of a number that has just been proved.
func (s *Service) prove(tx *gorm.DB, v *visit, phone string) error {
	person, err := activeMember(tx, "phone = ?", phone)
	if errors.Is(err, fault.NotFound) {
		if !v.admitsGuests() {
			return fault.Invalid{"code": fault.Msg("join.error.code")}
		}
		person, err = knownGuest(tx, "phone = ?", phone)
		if errors.Is(err, fault.NotFound) {
			person, err = nil, nil
		}
	}
	if err != nil {
		return err
	}
	v.session.Phone, v.session.Challenge, v.person = phone, nil, person
	return s.bind(tx, v)
}

// baptize gives a proved number without a name its guest.
func (s *Service) baptize(tx *gorm.DB, v *visit, name string) error {
	guest := Guest{Name: name, Phone: v.session.Phone, CreatedAt: s.now().UTC()}
	err := tx.Raw(`INSERT INTO guests (name, phone, created_at) VALUES (?, ?, ?)
		ON CONFLICT (phone) DO UPDATE SET name = excluded.name RETURNING id`, guest.Name, guest.Phone, guest.CreatedAt).Scan(&guest.ID).Error
	if err != nil {
		return fmt.Errorf("keep guest: %w", err)
	}
	v.person = &Person{GuestID: &guest.ID, Name: guest.Name, Phone: guest.Phone}
	return s.bind(tx, v)
}

// bind writes who the visitor is into the session; Submit writes it into the scan history.
func (s *Service) bind(tx *gorm.DB, v *visit) error {
	set := map[string]any{"phone": v.session.Phone, "challenge": nil, "member_id": nil, "guest_id": nil, "name": ""}
	if p := v.person; p != nil {
		set["member_id"], set["guest_id"], set["name"] = p.MemberID, p.GuestID, p.Name
	}
	if err := tx.Model(&Session{}).Where("id = ?", v.session.ID).Updates(set).Error; err != nil {
		return fmt.Errorf("bind the join session: %w", err)
	}
	v.named = v.person != nil
	return nil
}

// keepUntil lengthens the session, for a request that waits.
func (s *Service) keepUntil(tx *gorm.DB, v visit, at time.Time) error {
	err := tx.Model(&Session{}).Where("id = ?", v.session.ID).Update("expires_at", at.UTC()).Error
	if err != nil {
		return fmt.Errorf("lengthen the join session: %w", err)
	}
	return nil
}
