package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// Session is one signed-in browser. The id itself is only in its cookie.
type Session struct {
	IDHash     string
	MemberID   int64
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time // absolute, however busy the session is
	Address    string
	UserAgent  string
}

// TableName is for gorm.
func (Session) TableName() string { return "sessions" }

// touchEvery spares the database a write for each request of a session.
const touchEvery = time.Minute

// StartSession opens a session for a member and returns its id for the cookie.
func (s *Service) StartSession(ctx context.Context, memberID int64, address, userAgent string) (id string, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		id, err = s.startSession(tx, memberID, address, userAgent)
		return err
	})
	return id, err
}

func (s *Service) startSession(tx *gorm.DB, memberID int64, address, userAgent string) (string, error) {
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return "", err
	}
	id, now := secret.Token(32), s.now().UTC()
	row := Session{IDHash: s.keys.Hash("session", id), MemberID: memberID, CreatedAt: now, LastSeenAt: now,
		ExpiresAt: now.AddDate(0, 0, p.SessionMaxDays), Address: address, UserAgent: clip(userAgent, 300)}
	if err := tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	return id, nil
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// ActorOf reads whose session id is and what they may do now. An unknown, ended,
// idle or overdue session, and a departed member, answer fault.NotFound.
func (s *Service) ActorOf(ctx context.Context, id string) (access.Actor, error) {
	db := s.db.WithContext(ctx)
	var row Session
	err := db.Where("id_hash = ?", s.keys.Hash("session", id)).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return access.Actor{}, fault.NotFound
	} else if err != nil {
		return access.Actor{}, fmt.Errorf("read session: %w", err)
	}
	p, err := directory.LoadPolicies(db)
	if err != nil {
		return access.Actor{}, err
	}
	now := s.now().UTC()
	if !now.Before(row.ExpiresAt) || now.Sub(row.LastSeenAt) > time.Duration(p.SessionIdleHours)*time.Hour {
		return access.Actor{}, fault.NotFound
	}
	if now.Sub(row.LastSeenAt) >= touchEvery {
		if err := db.Model(&Session{}).Where("id_hash = ?", row.IDHash).Update("last_seen_at", now).Error; err != nil {
			return access.Actor{}, fmt.Errorf("touch session: %w", err)
		}
	}
	return directory.LoadActor(db, row.MemberID, now)
}

// EndSession ends one session by its id. Ending an unknown one is no error.
func (s *Service) EndSession(ctx context.Context, id string) error {
	return s.db.WithContext(ctx).Where("id_hash = ?", s.keys.Hash("session", id)).Delete(&Session{}).Error
}
