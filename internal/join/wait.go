package join

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// daily is how the page of a refused scan calls today's cap.
const daily = "daily"

// Wait is somebody's place on a group's waiting list.
type Wait struct {
	Position int // 1 is next
	Since    time.Time
	ForSeat  bool // the next free seat is asked for, or taken, without further ado
}

// Queued is one row of the waiting list.
type Queued struct {
	ID        int64
	GroupID   int64
	CodeID    *int64
	ScanID    *int64
	MemberID  *int64
	GuestID   *int64
	Name      string
	Phone     string
	CreatedAt time.Time
	EndedAt   *time.Time
	EndedHow  string
	ForSeat   bool
}

// TableName is for gorm.
func (Queued) TableName() string { return "waiting_list" }

// place reads where somebody stands; nil when they do not wait.
func place(tx *gorm.DB, groupID int64, p Person) (*Wait, error) {
	q := tx.Where("group_id = ? AND ended_at IS NULL", groupID)
	if p.MemberID != nil {
		q = q.Where("member_id = ?", *p.MemberID)
	} else {
		q = q.Where("guest_id = ?", *p.GuestID)
	}
	var w Queued
	err := q.Take(&w).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for a place on the waiting list: %w", err)
	}
	out := Wait{Since: w.CreatedAt, ForSeat: w.ForSeat}
	err = tx.Raw("SELECT count(*) FROM waiting_list WHERE group_id = ? AND ended_at IS NULL AND id <= ?", groupID, w.ID).Scan(&out.Position).Error
	if err != nil {
		return nil, fmt.Errorf("count who waits before: %w", err)
	}
	return &out, nil
}

// late says which of the code's own limits still turns away a visit whose scan
// was turned away; "" for any other visit and once the code lives.
func (v visit) late(now time.Time) string {
	switch state := v.code.State(now); {
	case v.session.ScanLive || !state.TurnsAway():
		return ""
	case state == code.Limited:
		return daily
	default:
		return string(state)
	}
}

// tooLate is welcome for such a visit: it leads to the waiting list, and to
// nothing else as long as the code does not live.
func (s *Service) tooLate(tx *gorm.DB, v visit, late string, out *View) error {
	if v.code.Fallback != code.Waiting {
		out.Barred = late
		return nil
	}
	if v.person == nil {
		out.State, out.Step = StateForm, v.step()
		return nil
	}
	in, err := group.Joined(tx, v.group.ID, v.person.group())
	if err != nil {
		return fmt.Errorf("look for a membership: %w", err)
	}
	if in {
		out.Barred = late
		return nil
	}
	if err := s.welcome(tx, v, out); err != nil || out.Barred != "" || out.State == StateRefused {
		return err
	}
	out.State, out.Step, out.Late = StateFull, "", late
	out.Wait, err = place(tx, v.group.ID, *v.person)
	return err
}

// Rescan is the View.Late of a visit whose place on the waiting list is kept,
// while the code lives again: only a scan leads in.
const Rescan = "again"

// uncounted reports whether the visit's scan was turned away by a code that
// counts: it took nothing from the caps, so it lets nobody in, however well the
// code works by now.
func (v visit) uncounted() bool { return !v.session.ScanLive && v.code.Capped() }

// scanAgain answers such a visit: the place on the waiting list stays in sight,
// the way in is a scan that is counted.
func scanAgain(tx *gorm.DB, v visit, out *View) (err error) {
	if v.person != nil {
		out.Wait, err = place(tx, v.group.ID, *v.person)
	}
	if err != nil {
		return err
	}
	if out.Wait == nil {
		return Again
	}
	out.State, out.Late = StateFull, Rescan
	return nil
}

// scanOfCopy is how the page of a refused scan calls a printed copy that was revoked.
const scanOfCopy = "copy"

// copyRevoked reports whether the copy that was scanned has been revoked since.
func (v visit) copyRevoked(tx *gorm.DB) (revoked bool, err error) {
	err = tx.Raw(`SELECT EXISTS (SELECT 1 FROM scans s JOIN code_copies k ON k.code_id = s.code_id AND k.serial = s.copy_serial
		WHERE s.id = ? AND s.copy_serial > 0 AND k.revoked_at IS NOT NULL)`, v.session.ScanID).Scan(&revoked).Error
	if err != nil {
		err = fmt.Errorf("look whether the copy was revoked: %w", err)
	}
	return revoked, err
}

// Wait puts the visitor on the waiting list, once however often they press, and
// says what the page shows now. It does nothing when there is nothing to wait for.
func (s *Service) Wait(ctx context.Context, who Visitor) (out View, err error) {
	err = s.followed(ctx, func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil {
			return err
		}
		if v.person == nil {
			return fault.Invalid{"phone": fault.Msg(WhoAreYou)}
		}
		if v.session.MemberID == nil && v.session.GuestID == nil {
			if err := s.bind(tx, &v); err != nil {
				return err
			}
		}
		if err := s.hold(tx, &v); err != nil {
			return err
		}
		if out, err = s.view(tx, v); err != nil || out.State != StateFull || out.Wait != nil {
			return err
		}
		if out.Locked {
			return fault.Invalid{"password": fault.Msg("terms.error.password.missing")}
		}
		return s.queue(tx, v, who)
	})
	return out, err
}

// queue writes the row, or leaves the one that a parallel press wrote: the
// partial unique index allows one per person and group.
func (s *Service) queue(tx *gorm.DB, v visit, who Visitor) error {
	now := s.now().UTC()
	w := Queued{GroupID: v.group.ID, CodeID: &v.session.CodeID, ScanID: &v.session.ScanID, MemberID: v.person.MemberID, GuestID: v.person.GuestID,
		Name: v.person.Name, Phone: v.person.Phone, CreatedAt: now, ForSeat: v.session.ScanLive}
	done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&w)
	if done.Error != nil {
		return fmt.Errorf("join the waiting list: %w", done.Error)
	}
	if err := s.keepUntil(tx, v, now.Add(PendingLife)); err != nil || done.RowsAffected == 0 {
		return err
	}
	return s.trail.Record(tx, v.actor(who), v.event("waiting.join"))
}

func (v visit) event(action string) audit.Event {
	return audit.Event{Action: action, DepartmentPath: v.group.DepartmentPath, Object: audit.Object{Kind: "group", ID: v.group.GID, Name: v.group.Name},
		Details: map[string]any{"code": v.code.PublicID}}
}

// Leave takes the visitor off the waiting list; somebody who is not on it stays that way.
func (s *Service) Leave(ctx context.Context, who Visitor) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil || v.person == nil {
			return err
		}
		at, err := place(tx, v.group.ID, *v.person)
		if err != nil || at == nil {
			return err
		}
		if err := group.EndWait(tx, v.group.ID, v.person.group(), "left", s.now()); err != nil {
			return err
		}
		return s.trail.Record(tx, v.actor(who), v.event("waiting.leave"))
	})
}

// endWaits takes somebody who got in or has asked off the lists they came to by
// this code: a live code may have led them to another group than the one they wait for.
func endWaits(tx *gorm.DB, v visit, at time.Time) error {
	column, person := "member_id", v.person.MemberID
	if person == nil {
		column, person = "guest_id", v.person.GuestID
	}
	err := tx.Exec("UPDATE waiting_list SET ended_at = ?, ended_how = 'in' WHERE "+column+" = ? AND (group_id = ? OR code_id = ?) AND ended_at IS NULL",
		at.UTC(), *person, v.group.ID, v.session.CodeID).Error
	if err != nil {
		return fmt.Errorf("end waits: %w", err)
	}
	return nil
}

// locked reports whether the code's password is still to be given.
func (v visit) locked() bool { return v.code.PasswordHash != "" && !v.session.PasswordOK }

// Lock is what a password typed on the join page is compared with.
type Lock struct{ Code, Hash string }

// Lock returns the lock of the door this visit stands at; ok is false when it is open.
func (s *Service) Lock(ctx context.Context, secret string) (lock Lock, ok bool, err error) {
	v, err := s.visit(s.db.WithContext(ctx), secret, nil)
	if err != nil {
		return lock, false, err
	}
	return Lock{v.code.PublicID, v.code.PasswordHash}, v.locked(), nil
}

// Unlock remembers that the password with this hash was right. A password that
// was changed meanwhile stays to be given.
func (s *Service) Unlock(ctx context.Context, secret string, lock Lock) error {
	err := s.db.WithContext(ctx).Exec(`UPDATE join_sessions SET password_ok = ? WHERE secret_hash = ? AND expires_at > ?
		AND EXISTS (SELECT 1 FROM codes c WHERE c.id = join_sessions.code_id AND c.password_hash = ?)`,
		true, s.hash(secret), s.now().UTC(), lock.Hash).Error
	if err != nil {
		return fmt.Errorf("remember the password: %w", err)
	}
	return nil
}
