package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// How long the two kinds of link work.
const (
	LoginLinkLife  = 10 * time.Minute
	InvitationLife = 7 * 24 * time.Hour
)

// loginLink is a row of login_links.
type loginLink struct {
	TokenHash string
	MemberID  int64
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
}

func (loginLink) TableName() string { return "login_links" }

// CreateLoginLink makes a single-use sign-in link for an active member, for
// whoever holds the server when phones and passwords fail. phone is as people
// write it. fault.NotFound for an unknown or inactive number.
func (s *Service) CreateLoginLink(ctx context.Context, phone string) (token string, err error) {
	e164, ok := directory.ParsePhone(phone)
	if !ok {
		return "", fault.NotFound
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var m directory.Member
		err := tx.Select("id", "name").Where("phone = ? AND status = ?", e164, directory.Active).Take(&m).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("find the member: %w", err)
		}
		if token, err = s.link(tx, m.ID, LoginLinkLife); err != nil {
			return err
		}
		return s.trail.Record(tx, access.Background("login-link"), audit.Event{Action: "auth.loginlink", Object: memberObject(m.ID, m.Name)})
	})
	return token, err
}

func memberObject(id int64, name string) audit.Object {
	return audit.Object{Kind: "member", ID: strconv.FormatInt(id, 10), Name: name}
}

// link replaces the member's unused links with a new one.
func (s *Service) link(tx *gorm.DB, memberID int64, life time.Duration) (string, error) {
	if err := tx.Where("member_id = ? AND used_at IS NULL", memberID).Delete(&loginLink{}).Error; err != nil {
		return "", fmt.Errorf("end older links: %w", err)
	}
	token, now := secret.Token(24), s.now().UTC()
	row := loginLink{TokenHash: s.keys.Hash("loginlink", token), MemberID: memberID, CreatedAt: now, ExpiresAt: now.Add(life)}
	if err := tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("keep the link: %w", err)
	}
	return token, nil
}

// linkOver answers a used, late or unknown link alike.
var linkOver = fault.Gone{Message: fault.Msg("auth.link.over")}

// LinkHolder returns whom a link signs in, without using it up; fault.Gone when it is over.
func (s *Service) LinkHolder(ctx context.Context, token string) (name string, err error) {
	var names []string
	err = s.db.WithContext(ctx).Raw(`SELECT m.name FROM login_links l JOIN members m ON m.id = l.member_id
		WHERE l.token_hash = ? AND l.used_at IS NULL AND l.expires_at > ? AND m.status = 'active'`,
		s.keys.Hash("loginlink", token), s.now().UTC()).Scan(&names).Error
	if err != nil {
		return "", fmt.Errorf("read the link: %w", err)
	}
	if len(names) == 0 {
		return "", linkOver
	}
	return names[0], nil
}

// WithLink uses the link up and signs its member in; fault.Gone when it is over.
func (s *Service) WithLink(ctx context.Context, token string, from From) (session string, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []loginLink
		now := s.now().UTC()
		err := tx.Raw(`UPDATE login_links SET used_at = ? WHERE token_hash = ? AND used_at IS NULL AND expires_at > ? RETURNING *`,
			now, s.keys.Hash("loginlink", token), now).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("use the link: %w", err)
		}
		if len(rows) == 0 {
			return linkOver
		}
		session, err = s.admit(tx, rows[0].MemberID, "link", from)
		if errors.Is(err, fault.NotFound) {
			return linkOver
		}
		return err
	})
	return session, err
}
