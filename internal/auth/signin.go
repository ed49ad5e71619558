package auth

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// From is the browser that asks.
type From struct{ Address, Device string }

// Refusal is a sign-in that failed. The error inside is the same for everybody;
// Cause and Phone are for the log, where IT looks when somebody calls (req: E12).
type Refusal struct {
	Cause string
	Phone string // E.164; mask it
	Err   error
}

func (r Refusal) Error() string { return r.Cause + ": " + r.Err.Error() }

// Unwrap gives what the person may know.
func (r Refusal) Unwrap() error { return r.Err }

// SignIn is the first step: a number.
type SignIn struct {
	Phone    string // E.164
	Address  string
	Lang     string
	Previous string // the challenge this browser held before
}

// Begin sends a sign-in code to an active member. For any other number it does
// the same work, sends nothing and returns why as cause, for the log only.
func (s *Service) Begin(ctx context.Context, in SignIn) (challenge, cause string, err error) {
	m, cause, err := s.holder(ctx, in.Phone)
	if err != nil {
		return "", "", err
	}
	r := CodeRequest{Purpose: ForSignIn, Phone: in.Phone, Address: in.Address, Lang: in.Lang, Previous: in.Previous}
	if cause == "" {
		r.MemberID, r.Deliver = &m.ID, true
	}
	challenge, err = s.SendCode(ctx, r)
	return challenge, cause, err
}

// holder finds the active member with the number. cause says why there is none.
func (s *Service) holder(ctx context.Context, phone string) (m directory.Member, cause string, err error) {
	err = s.db.WithContext(ctx).Raw(`SELECT id, status, password_hash FROM members WHERE phone = ?
		ORDER BY CASE status WHEN 'active' THEN 0 ELSE 1 END, id DESC LIMIT 1`, phone).Scan(&m).Error
	switch {
	case err != nil:
		return m, "", fmt.Errorf("find the number's holder: %w", err)
	case m.ID == 0:
		return m, "number not registered", nil
	case m.Status != directory.Active:
		return directory.Member{}, "member has departed", nil
	}
	return m, "", nil
}

// FinishWithCode is the second step. It opens a session, or answers a Refusal
// around fault.Invalid, or fault.TooMany.
func (s *Service) FinishWithCode(ctx context.Context, challenge, code string, from From) (session string, err error) {
	phone, memberID, err := s.CheckCode(ctx, ForSignIn, challenge, code, from.Address)
	var invalid fault.Invalid
	if errors.As(err, &invalid) {
		sentTo, readErr := s.ChallengePhone(ctx, ForSignIn, challenge)
		return "", errors.Join(Refusal{Cause: "code refused", Phone: sentTo, Err: err}, readErr)
	} else if err != nil {
		return "", err
	}
	if memberID == nil {
		return "", Refusal{Cause: "number not registered", Phone: phone, Err: codeDead}
	}
	session, err = s.open(ctx, *memberID, "code", from)
	if errors.Is(err, fault.NotFound) {
		return "", Refusal{Cause: "member departed after the code was sent", Phone: phone, Err: codeDead}
	}
	return session, err
}

// passwordWrong is the answer to every password that does not open a session.
var passwordWrong = fault.Invalid{"password": fault.Msg("auth.password.wrong")}

// WithPassword signs a member in who has a password. A number without one, an
// unknown number and a wrong password are answered alike and take as long.
func (s *Service) WithPassword(ctx context.Context, phone, password string, from From) (session string, err error) {
	if err := s.allow(ctx, triesOfAddress, from.Address, triesOfNumber, phone); err != nil {
		return "", err
	}
	m, cause, err := s.holder(ctx, phone)
	if err != nil {
		return "", err
	}
	fits, err := secret.PasswordFits(ctx, clip(password, passwordMax+1), m.PasswordHash)
	if err != nil {
		return "", err
	}
	switch {
	case cause == "" && m.PasswordHash == "":
		cause = "member has no password"
	case cause == "" && !fits:
		cause = "wrong password"
	}
	if cause != "" {
		return "", Refusal{Cause: cause, Phone: phone, Err: passwordWrong}
	}
	session, err = s.open(ctx, m.ID, "password", from)
	if errors.Is(err, fault.NotFound) {
		return "", Refusal{Cause: "member has departed", Phone: phone, Err: passwordWrong}
	}
	return session, err
}

// open starts a session and records how it came about; fault.NotFound when the
// member is not active.
func (s *Service) open(ctx context.Context, memberID int64, method string, from From) (session string, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		session, err = s.admit(tx, memberID, method, from)
		return err
	})
	return session, err
}

func (s *Service) admit(tx *gorm.DB, memberID int64, method string, from From) (string, error) {
	by, err := directory.LoadActor(tx, memberID, s.now())
	if err != nil {
		return "", err
	}
	by.Address, by.Device = from.Address, from.Device
	session, err := s.startSession(tx, memberID, from.Address, from.Device)
	if err != nil {
		return "", err
	}
	return session, s.trail.Record(tx, by, audit.Event{Action: "auth.signin", Object: self(by), DepartmentPath: home(by),
		Details: map[string]any{"method": method}})
}

// self is the actor as the object of an entry.
func self(by access.Actor) audit.Object { return memberObject(by.MemberID, by.Name) }

// home is the department whose heads may read an entry about the actor.
func home(by access.Actor) string {
	if len(by.Own) == 0 {
		return ""
	}
	return by.Own[0]
}
