package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// EndSessions ends what a departing member could still get in with: sessions,
// phone codes, sign-in links. It returns how many sessions it ended. It is a
// directory.Effect.
func EndSessions(tx *gorm.DB, _ access.Actor, memberID int64, _ time.Time) (int64, error) {
	ended := tx.Where("member_id = ?", memberID).Delete(&Session{})
	if ended.Error != nil {
		return 0, fmt.Errorf("end sessions: %w", ended.Error)
	}
	for _, kind := range []any{&phoneCode{}, &loginLink{}} {
		if err := tx.Where("member_id = ?", memberID).Delete(kind).Error; err != nil {
			return 0, fmt.Errorf("end codes and links: %w", err)
		}
	}
	return ended.RowsAffected, nil
}

// SignOut ends the session with this id, if it is one.
func (s *Service) SignOut(ctx context.Context, id string, from From) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var row Session
		err := tx.Where("id_hash = ?", s.keys.Hash("session", id)).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read session: %w", err)
		}
		if err := tx.Where("id_hash = ?", row.IDHash).Delete(&Session{}).Error; err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		by, err := directory.LoadActor(tx, row.MemberID, s.now())
		if errors.Is(err, fault.NotFound) {
			return nil
		} else if err != nil {
			return err
		}
		by.Address, by.Device = from.Address, from.Device
		return s.trail.Record(tx, by, audit.Event{Action: "auth.signout", Object: self(by), DepartmentPath: home(by)})
	})
}

// Device is one signed-in browser of the reader.
type Device struct {
	Session
	Handle  string // names it in a form
	Browser Browser
	Current bool
}

// Devices lists the reader's open sessions, the current one first, then the
// most recently used. id is the reader's own session.
func (s *Service) Devices(ctx context.Context, by access.Actor, id string) ([]Device, error) {
	db := s.db.WithContext(ctx)
	p, err := directory.LoadPolicies(db)
	if err != nil {
		return nil, err
	}
	now, mine := s.now().UTC(), s.keys.Hash("session", id)
	var rows []Session
	err = db.Where("member_id = ? AND expires_at > ? AND last_seen_at >= ?", by.MemberID, now, now.Add(-idle(p))).
		Order("last_seen_at DESC, id_hash").Limit(100).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var first, rest []Device
	for _, r := range rows {
		d := Device{Session: r, Handle: r.IDHash, Browser: BrowserOf(r.UserAgent), Current: r.IDHash == mine}
		if d.Current {
			first = append(first, d)
		} else {
			rest = append(rest, d)
		}
	}
	return append(first, rest...), nil
}

// EndDevice ends one of the reader's own sessions; fault.NotFound when it is
// not theirs or over. It reports whether it was the one with this id.
func (s *Service) EndDevice(ctx context.Context, by access.Actor, handle, id string) (current bool, err error) {
	err = s.end(ctx, by, func(tx *gorm.DB) *gorm.DB { return tx.Where("id_hash = ?", handle) }, true)
	return handle == s.keys.Hash("session", id), err
}

// EndOtherDevices ends all of the reader's sessions but the one with this id.
func (s *Service) EndOtherDevices(ctx context.Context, by access.Actor, id string) error {
	mine := s.keys.Hash("session", id)
	return s.end(ctx, by, func(tx *gorm.DB) *gorm.DB { return tx.Where("id_hash <> ?", mine) }, false)
}

func (s *Service) end(ctx context.Context, by access.Actor, which func(*gorm.DB) *gorm.DB, must bool) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		ended := which(tx.Where("member_id = ?", by.MemberID)).Delete(&Session{})
		switch {
		case ended.Error != nil:
			return fmt.Errorf("end sessions: %w", ended.Error)
		case ended.RowsAffected == 0 && must:
			return fault.NotFound
		case ended.RowsAffected == 0:
			return nil
		}
		return s.trail.Record(tx, by, audit.Event{Action: "auth.device.end", Object: self(by), DepartmentPath: home(by),
			Details: map[string]any{"ended": ended.RowsAffected}})
	})
}

func idle(p directory.Policies) time.Duration { return time.Duration(p.SessionIdleHours) * time.Hour }

// Sweep deletes what is over: sessions, codes, links, counts and form keys. Run
// it every few minutes; what it has not reached yet is refused all the same.
func (s *Service) Sweep(ctx context.Context) error {
	db, now := s.db.WithContext(ctx), s.now().UTC()
	p, err := directory.LoadPolicies(db)
	if err != nil {
		return err
	}
	for _, over := range []struct {
		table, where string
		args         []any
	}{
		{"sessions", "expires_at <= ? OR last_seen_at < ?", []any{now, now.Add(-idle(p))}},
		{"phone_codes", "expires_at <= ?", []any{now.Add(-window)}}, // kept a while for the log's sake
		{"login_links", "expires_at <= ?", []any{now}},
		{"throttles", "window_start <= ?", []any{now.Add(-window)}},
		{"form_keys", "created_at <= ?", []any{now.Add(-formKeyLife - time.Hour)}},
	} {
		if err := db.Exec("DELETE FROM "+over.table+" WHERE "+over.where, over.args...).Error; err != nil {
			return fmt.Errorf("sweep %s: %w", over.table, err)
		}
	}
	return nil
}
