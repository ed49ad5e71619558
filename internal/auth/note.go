package auth

import (
	"context"
	"strings"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
)

// Attempt is a try to sign in: with a Cause one that was refused, else one that was sent a code.
type Attempt struct {
	Phone string // E.164, "" when it is not known
	Cause string // as in Refusal
	From  From
}

// Note writes an attempt into the audit trail, at most once a minute for the
// same number, cause and network; the limits of sign-in bound it further. Of a
// number only the end is kept, and whose it is.
func (s *Service) Note(ctx context.Context, a Attempt) error {
	e := audit.Event{Action: "auth.code", Details: map[string]any{}}
	if a.Cause != "" {
		e.Action, e.Outcome, e.Details["cause"] = "auth.refused", audit.Refused, strings.ReplaceAll(a.Cause, " ", "_")
	}
	if len(a.Phone) > 4 {
		e.Details["phone_end"] = a.Phone[len(a.Phone)-4:]
	}
	if err := s.whose(ctx, a.Phone, &e); err != nil {
		return err
	}
	by := access.Actor{Kind: access.Guest, Address: a.From.Address, Device: a.From.Device}
	return s.trail.RecordOnce(ctx, s.db, s.keys.Hash("audit attempt", a.Phone+" "+network(a.From.Address))+" "+a.Cause, by, e)
}

// whose makes the holder of a number the object of e.
func (s *Service) whose(ctx context.Context, phone string, e *audit.Event) error {
	var found []struct {
		ID         int64
		Name, Path string
	}
	err := s.db.WithContext(ctx).Raw(`SELECT m.id, m.name, coalesce((SELECT min(d.path) FROM member_departments md JOIN departments d ON d.id = md.department_id
		WHERE md.member_id = m.id), '') AS path FROM members m WHERE m.phone = ? AND m.status = ? LIMIT 1`, phone, directory.Active).Scan(&found).Error
	if err == nil && len(found) > 0 {
		e.Object, e.DepartmentPath = memberObject(found[0].ID, found[0].Name), found[0].Path
	}
	return err
}
