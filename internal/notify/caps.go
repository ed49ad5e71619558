package notify

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/events"
)

// everybody is the row of message_days that counts for the whole organisation.
const everybody = 0

// count takes a message's place in the day's limits, once however often it is
// tried. stop means that it does not go now: its receiver had enough for today,
// or the organisation had, and then all sending stands still. req: D23
func (s *Service) count(ctx context.Context, m *Message) (stop bool, err error) {
	if m.CountedDay != "" {
		return false, nil
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		policies, err := directory.LoadPolicies(tx)
		if err != nil {
			return err
		}
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return err
		}
		now := s.now()
		day := now.In(org.Location()).Format(time.DateOnly)
		if m.MemberID != nil {
			free, err := place(tx, day, *m.MemberID, policies.NoticePersonDaily)
			if err != nil {
				return err
			} else if !free {
				stop = true
				return s.cap(tx, m)
			}
		}
		free, err := place(tx, day, everybody, policies.NoticeDaily)
		if err != nil {
			return err
		} else if !free {
			stop = true
			return s.freeze(tx, m, policies.NoticeDaily)
		}
		return tx.Model(&Message{}).Where("id = ?", m.ID).UpdateColumn("counted_day", day).Error
	})
	return stop, err
}

// place counts one more under a limit; 0 = none. One statement, so that no two
// take the last place.
func place(tx *gorm.DB, day string, member int64, limit int) (bool, error) {
	if limit <= 0 {
		limit = 1 << 30
	}
	done := tx.Exec(`INSERT INTO message_days (day, member_id, sent) VALUES (?, ?, 1)
		ON CONFLICT (day, member_id) DO UPDATE SET sent = message_days.sent + 1 WHERE message_days.sent < ?`, day, member, limit)
	if done.Error != nil {
		return false, fmt.Errorf("count a message: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// cap ends a message whose receiver had enough; the bell has it all the same.
func (s *Service) cap(tx *gorm.DB, m *Message) error {
	return tx.Model(&Message{}).Where("id = ?", m.ID).Updates(map[string]any{"state": Capped, "locked_until": nil, "updated_at": s.now().UTC()}).Error
}

// freeze stops all mail and text messages until a super admin lets them go on.
// Nothing is dropped: they wait.
func (s *Service) freeze(tx *gorm.DB, m *Message, sent int) error {
	now := s.now().UTC()
	if m.MemberID != nil { // the place it took is somebody else's again
		zone, err := zoneOf(tx)
		if err != nil {
			return err
		}
		err = tx.Exec("UPDATE message_days SET sent = sent - 1 WHERE day = ? AND member_id = ?", now.In(zone).Format(time.DateOnly), *m.MemberID).Error
		if err != nil {
			return fmt.Errorf("give a place back: %w", err)
		}
	}
	err := tx.Model(&Message{}).Where("id = ?", m.ID).UpdateColumns(map[string]any{"locked_until": nil, "attempts": gorm.Expr("attempts - 1")}).Error
	if err != nil {
		return fmt.Errorf("put a message back: %w", err)
	}
	done := tx.Exec("INSERT INTO message_freeze (id, frozen_at, sent) VALUES (1, ?, ?) ON CONFLICT DO NOTHING", now, sent)
	if done.Error != nil || done.RowsAffected == 0 {
		return done.Error
	}
	s.log.Warn("the day's limit of messages is passed: mail and text messages wait until a super admin lets them go on", "sent", sent)
	err = s.trail.Record(tx, access.Background("notices"), audit.Event{Action: "notices.freeze", Object: audit.Object{Kind: "organisation", ID: "1"}, Details: map[string]any{"sent": sent}})
	if err != nil {
		return err
	}
	return events.Publish(tx, events.Event{Kind: events.NoticesFrozen, Data: fmt.Sprintf(`{"sent":%d}`, sent), At: now})
}

func zoneOf(tx *gorm.DB) (*time.Location, error) {
	org, err := directory.LoadOrganisation(tx)
	return org.Location(), err
}

// Freeze is the sending standing still.
type Freeze struct {
	FrozenAt time.Time
	Sent     int
}

// Frozen reads whether mail and text messages stand still; nil = they do not.
func (s *Service) Frozen(ctx context.Context, by access.Actor) (*Freeze, error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	return frozen(s.db.WithContext(ctx))
}

func frozen(tx *gorm.DB) (*Freeze, error) {
	var rows []Freeze
	if err := tx.Raw("SELECT frozen_at, sent FROM message_freeze").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read the freeze: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// Thaw lets mail and text messages go on: today's count begins anew.
func (s *Service) Thaw(ctx context.Context, by access.Actor) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		done := tx.Exec("DELETE FROM message_freeze")
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error // somebody else was first, and it is as wished
		}
		zone, err := zoneOf(tx)
		if err != nil {
			return err
		}
		err = tx.Exec("DELETE FROM message_days WHERE day = ? AND member_id = ?", s.now().In(zone).Format(time.DateOnly), everybody).Error
		if err != nil {
			return fmt.Errorf("count anew: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "notices.thaw", Object: audit.Object{Kind: "organisation", ID: "1"}})
	})
}
