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
	"doorplate/internal/secret"
)

// Invitee is whom an invitation is for.
type Invitee struct {
	ID    int64
	Name  string
	Phone string
	path  string // the department that gave the inviter the right
}

// Invitee reads a member that by may invite: fault.NotFound outside by's
// scope, fault.Forbidden where the right is missing.
func (s *Service) Invitee(ctx context.Context, by access.Actor, memberID int64) (Invitee, error) {
	return invitee(s.db.WithContext(ctx), by, memberID, s.now())
}

// Invite makes an invitation link that works once within InvitationLife and
// ends the member's older ones. With send, link(token) goes out by SMS as well.
func (s *Service) Invite(ctx context.Context, by access.Actor, memberID int64, lang string, send bool, link func(token string) string) (token string, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		who, err := invitee(tx, by, memberID, s.now())
		if err != nil {
			return err
		}
		if token, err = s.link(tx, who.ID, InvitationLife); err != nil {
			return err
		}
		if send {
			m := message{ID: secret.Token(12), To: who.Phone, Lang: lang, For: "invite", Link: link(token)}
			if err := s.outbox.Enqueue(tx, "sms", m); err != nil {
				return err
			}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "auth.invite", Object: memberObject(who.ID, who.Name), DepartmentPath: who.path,
			Details: map[string]any{"sms": send}})
	})
	if send && err == nil {
		s.outbox.Wake()
	}
	return token, err
}

// invitee loads the member and checks the right on any of their departments. A
// link signs in as its member, so nobody invites a person with more rights than
// their own.
func invitee(tx *gorm.DB, by access.Actor, memberID int64, now time.Time) (Invitee, error) {
	var m directory.Member
	err := tx.Select("id", "name", "phone").Where("id = ? AND status = ?", memberID, directory.Active).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Invitee{}, fault.NotFound
	} else if err != nil {
		return Invitee{}, fmt.Errorf("load the member: %w", err)
	}
	them, err := directory.LoadActor(tx, memberID, now)
	if err != nil {
		return Invitee{}, err
	}
	path, err := mayInvite(by, them)
	return Invitee{ID: m.ID, Name: m.Name, Phone: m.Phone, path: path}, err
}

func mayInvite(by, them access.Actor) (path string, err error) {
	err = fault.NotFound
	for _, path = range them.Own {
		switch found := access.Check(by, access.MembersEdit, access.Object{Path: path}); {
		case found == nil:
			return path, outranked(by, them)
		case !errors.Is(found, fault.NotFound):
			err = found
		}
	}
	if by.Super {
		return "", nil
	}
	return "", err
}

func outranked(by, them access.Actor) error {
	if !by.Outranks(them) {
		return fault.Forbidden{Right: string(access.HeadsAppoint)}
	}
	return nil
}
