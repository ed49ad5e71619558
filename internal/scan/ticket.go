package scan

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// JoinCookieLife is how long a redeemed ticket lets its browser use the join page.
const JoinCookieLife = 24 * time.Hour

const ticketMAC = 16

// Session is one browser's use of one ticket: what the join cookie points to.
// SecretHash is SecretHash of the cookie's value; ScanID is unique, so a ticket
// cannot be redeemed twice.
type Session struct {
	ID         int64
	SecretHash string
	ScanID     int64
	CodeID     int64
	Phone      string
	MemberID   *int64
	GuestID    *int64
	Name       string
	ScanLive   bool // false: the visit is only good for waiting while the code does not live
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// TableName is for gorm.
func (Session) TableName() string { return "join_sessions" }

// SecretHash is how the value of a join cookie is stored.
func SecretHash(keys secret.Keys, cookie string) string { return keys.Hash("join-session", cookie) }

// Ticket returns the signed pass from the scan with this reference to the join
// page. Nothing is stored: the scan's row is its record.
func (s *Service) Ticket(ref string, expires time.Time) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixMilli()))
	body = append(body, ref...)
	return base64.RawURLEncoding.EncodeToString(append(body, s.ticketMAC(body)...))
}

func (s *Service) ticketMAC(body []byte) []byte { return s.keys.MAC("ticket", body)[:ticketMAC] }

// openTicket returns what Ticket put in; ok is false for anything we did not make.
func (s *Service) openTicket(ticket string) (ref string, expires time.Time, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(raw) <= 8+ticketMAC {
		return "", time.Time{}, false
	}
	body, mac := raw[:len(raw)-ticketMAC], raw[len(raw)-ticketMAC:]
	if !hmac.Equal(mac, s.ticketMAC(body)) {
		return "", time.Time{}, false
	}
	return string(body[8:]), time.UnixMilli(int64(binary.BigEndian.Uint64(body))), true
}

var spent = fault.Gone{Message: fault.Msg("scan.ticket.gone")}

// Redeem turns a ticket into the value of the join cookie, once: of parallel
// redemptions one wins. The browser that carries the very cookie the ticket set
// gets it again; everybody else, and every late ticket, gets fault.Gone. req: B34
func (s *Service) Redeem(ctx context.Context, ticket, joinCookie string) (string, error) {
	ref, expires, ok := s.openTicket(ticket)
	if !ok {
		return "", spent
	}
	value := secret.Token(24)
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var row struct {
			ID      int64
			CodeID  *int64
			Outcome string
		}
		err := tx.Table("scans").Select("id", "code_id", "outcome").Where("ref = ?", ref).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return spent
		} else if err != nil {
			return fmt.Errorf("find the ticket's scan: %w", err)
		}
		again, err := s.alreadySet(tx, row.ID, joinCookie)
		if again {
			value = joinCookie
		}
		if again || err != nil {
			return err
		}
		now := s.now().UTC()
		if !now.Before(expires) || row.CodeID == nil {
			return spent
		}
		session := Session{SecretHash: SecretHash(s.keys, value), ScanID: row.ID, CodeID: *row.CodeID, ScanLive: row.Outcome == Live, CreatedAt: now, ExpiresAt: now.Add(JoinCookieLife)}
		won := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "scan_id"}}, DoNothing: true}).Create(&session)
		if won.Error != nil {
			return fmt.Errorf("redeem ticket: %w", won.Error)
		}
		if won.RowsAffected == 0 {
			return spent
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// alreadySet reports whether the ticket of this scan was redeemed by the
// browser that holds cookie; redeemed by another one is fault.Gone.
func (s *Service) alreadySet(tx *gorm.DB, scanID int64, cookie string) (bool, error) {
	var used Session
	err := tx.Select("secret_hash", "expires_at").Where("scan_id = ?", scanID).Take(&used).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find the ticket's session: %w", err)
	case cookie != "" && hmac.Equal([]byte(used.SecretHash), []byte(SecretHash(s.keys, cookie))) && s.now().Before(used.ExpiresAt):
		return true, nil
	}
	return false, spent
}
