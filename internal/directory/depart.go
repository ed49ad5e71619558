package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Ended is one line of a departure's receipt: how many things of a kind ended.
// Its title is the catalog key "depart.effect."+Key.
type Ended struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
}

// Depart marks a member as departed and ends everything they hold, in one
// transaction. Somebody who departed before answers fault.Conflict with who and when.
func (s *Service) Depart(ctx context.Context, by access.Actor, id int64, reason string) error {
	reason = prose(reason)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, path, err := s.departing(tx, by, id)
		if err != nil {
			return err
		}
		switch {
		case reason == "":
			return fault.Invalid{"reason": fault.Msg("contacts.depart.reason.missing")}
		case tooLong(reason, reasonLimit):
			return fault.Invalid{"reason": fault.Msg("contacts.depart.reason.long", "Limit", reasonLimit)}
		}
		ended, err := s.depart(tx, by, m, reason)
		if err != nil {
			return err
		}
		counts := map[string]any{"reason": reason}
		for _, e := range ended {
			counts[e.Key] = e.Count
		}
		return s.trail.Record(tx, by, memberEvent("member.depart", m, path, counts))
	})
}

// errPreview rolls a rehearsal back.
var errPreview = errors.New("rehearsal")

// PreviewDeparture answers what Depart would end, by doing it and taking it
// back: the counts are those of the real thing.
func (s *Service) PreviewDeparture(ctx context.Context, by access.Actor, id int64) (ended []Ended, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, _, err := s.departing(tx, by, id)
		if err != nil {
			return err
		}
		if ended, err = s.depart(tx, by, m, ""); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return ended, err
}

// departing locks the member and settles whether by may mark them departed.
func (s *Service) departing(tx *gorm.DB, by access.Actor, id int64) (Member, string, error) {
	// Two super admins departing each other must not both succeed.
	if _, err := lockOrganisation(tx); err != nil {
		return Member{}, "", err
	}
	supers, err := CountSupers(tx)
	if err != nil {
		return Member{}, "", err
	}
	m, err := lockMember(tx, id)
	if err != nil {
		return m, "", err
	}
	places, err := placesOf(tx, id)
	if err != nil {
		return m, "", err
	}
	if err := checkMember(by, access.MemberDepart, m, places); err != nil {
		return m, "", err
	}
	path := ""
	if len(places) > 0 {
		path = places[0].Path
	}
	switch {
	case m.Status == Departed:
		return m, path, s.alreadyDeparted(tx, m)
	case m.SuperAdmin && supers < 2:
		return m, path, fault.Invalid{"": fault.Msg("contacts.depart.last")}
	case m.ID == by.MemberID:
		return m, path, fault.Invalid{"": fault.Msg("contacts.depart.self")}
	}
	return m, path, nil
}

func (s *Service) alreadyDeparted(tx *gorm.DB, m Member) error {
	c := fault.Conflict{Message: fault.Msg("contacts.depart.already", "Name", m.Name)}
	if m.DepartedAt == nil || m.DepartedBy == nil {
		return c
	}
	var decider Member
	if err := tx.Select("name").Where("id = ?", *m.DepartedBy).Take(&decider).Error; err != nil {
		return fmt.Errorf("who marked the departure: %w", err)
	}
	c.By, c.At = decider.Name, *m.DepartedAt
	return c
}

// depart does it and writes down what it took away.
func (s *Service) depart(tx *gorm.DB, by access.Actor, m Member, reason string) ([]Ended, error) {
	at := s.now().UTC()
	var marker *int64
	if by.MemberID != 0 {
		marker = &by.MemberID
	}
	row := departure{MemberID: m.ID, Effects: "[]", Reason: reason, At: at, DepartedBy: marker}
	if err := tx.Create(&row).Error; err != nil {
		return nil, fmt.Errorf("write departure: %w", err)
	}
	if err := row.keepItems(tx); err != nil {
		return nil, err
	}
	// Nobody comes back as a super admin: that takes a second person's word.
	err := tx.Model(&Member{}).Where("id = ? AND status = 'active'", m.ID).Updates(map[string]any{
		"status": Departed, "departed_at": at, "departed_by": marker, "departed_reason": reason, "password_hash": "", "super_admin": false, "updated_at": at,
	}).Error
	if err != nil {
		return nil, fmt.Errorf("mark departed: %w", err)
	}
	var ended []Ended
	for _, e := range slices.Concat(s.effects, []Effect{{Key: "heads", End: endHeads}, {Key: "roles", End: endRoles}}) {
		count, err := e.End(tx, by, m.ID, at)
		if err != nil {
			return nil, fmt.Errorf("departure, %s: %w", e.Key, err)
		}
		ended = append(ended, Ended{e.Key, count})
	}
	effects, err := json.Marshal(ended)
	if err != nil {
		return nil, fmt.Errorf("departure receipt: %w", err)
	}
	if err := tx.Model(&departure{}).Where("id = ?", row.ID).Update("effects", string(effects)).Error; err != nil {
		return nil, fmt.Errorf("write departure receipt: %w", err)
	}
	return ended, nil
}

func endHeads(tx *gorm.DB, _ access.Actor, memberID int64, _ time.Time) (int64, error) {
	done := tx.Where("member_id = ?", memberID).Delete(&Head{})
	return done.RowsAffected, done.Error
}

// departure is one time that a member left.
type departure struct {
	ID               int64
	MemberID         int64
	Effects          string
	Reason           string
	At               time.Time
	DepartedBy       *int64
	ReactivatedAt    *time.Time
	ReactivatedBy    *int64
	ReactivateReason string
}

func (departure) TableName() string { return "departures" }

// keepItems writes down each thing the member holds. They hold it until the
// effects run, in the same transaction.
func (d departure) keepItems(tx *gorm.DB) error {
	id, m := d.ID, d.MemberID
	err := tx.Exec(`INSERT INTO departure_items (departure_id, kind, object_id)
		SELECT CAST(? AS bigint), 'membership', group_id FROM memberships WHERE member_id = ? AND status = 'active'
		UNION SELECT CAST(? AS bigint), 'owner', id FROM groups WHERE owner_id = ? AND status = 'active'
		UNION SELECT CAST(? AS bigint), 'keeper', id FROM groups WHERE entry_custodian_id = ? AND status = 'active'
		UNION SELECT CAST(? AS bigint), gd.duty, gd.group_id FROM group_duties gd JOIN groups g ON g.id = gd.group_id WHERE gd.member_id = ? AND g.status = 'active'
		UNION SELECT CAST(? AS bigint), 'head', department_id FROM department_heads WHERE member_id = ?
		UNION SELECT CAST(? AS bigint), 'code', c.id FROM codes c JOIN groups g ON g.id = c.group_id
			WHERE c.issued_by = ? AND c.revoked_at IS NULL AND (c.valid_until IS NULL OR c.valid_until > ?) AND g.status = 'active'
		UNION SELECT CAST(? AS bigint), 'copy', id FROM code_copies WHERE custodian_id = ? AND removed_at IS NULL AND revoked_at IS NULL
		UNION SELECT CAST(? AS bigint), 'super', 0 FROM members WHERE id = ? AND super_admin`,
		id, m, id, m, id, m, id, m, id, m, id, m, d.At, id, m, id, m).Error
	if err != nil {
		return fmt.Errorf("write down what the member holds: %w", err)
	}
	return nil
}
