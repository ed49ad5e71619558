package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// maxNote is in characters.
const maxNote = 500

// question is a request that is about to be made.
type question struct {
	Approval
	payload any
	path    string // department of what it is about
}

// Already is the answer to a request for what is waiting already: ID is that
// request. Who does not look for it meets a fault.Conflict with who asked and when.
type Already struct {
	ID int64
	By string
	At time.Time
}

func (a Already) Error() string { return fmt.Sprintf("approval %d already asks for this", a.ID) }

// As makes an Already a fault.Conflict for errors.As.
func (a Already) As(target any) bool {
	c, ok := target.(*fault.Conflict)
	if ok {
		*c = fault.Conflict{Message: fault.Msg("second.error.already"), By: a.By, At: a.At}
	}
	return ok
}

// second asks the other super admins. While there is only one it answers directory.NeedsSecond.
func (s *Service) second(ctx context.Context, by access.Actor, right access.Right, note string, what func(tx *gorm.DB) (question, error)) (int64, error) {
	note, err := checkNote(note)
	if err != nil {
		return 0, err
	}
	var id int64
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, right, access.Object{}); err != nil {
			return err
		}
		n, err := directory.CountSupers(tx)
		if err != nil {
			return err
		}
		if n < 2 {
			return directory.NeedsSecond
		}
		q, err := what(tx)
		if err != nil {
			return err
		}
		q.Note = note
		id, err = s.ask(tx, by, q.Approval, q.payload, q.path)
		return err
	})
	return id, err
}

func checkNote(note string) (string, error) {
	note = strings.TrimSpace(note)
	if utf8.RuneCountInString(note) > maxNote {
		return "", fault.Invalid{"note": fault.Msg("approvals.error.reason.long", "Max", maxNote)}
	}
	return note, nil
}

// once writes the request unless the same is waiting. What nobody decided in
// time gives way.
func (s *Service) once(tx *gorm.DB, a *Approval) (int64, error) {
	err := tx.Model(&Approval{}).Where("kind = ? AND print = ? AND status = 'pending' AND print <> '' AND expires_at <= ?", a.Kind, a.Print, a.RequestedAt).
		Update("status", Expired).Error
	if err != nil {
		return 0, fmt.Errorf("close what is overdue: %w", err)
	}
	done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(a)
	if done.Error != nil {
		return 0, fmt.Errorf("ask for approval: %w", done.Error)
	}
	if done.RowsAffected > 0 {
		return 0, nil
	}
	var same Approval
	err = named(tx).Where("a.kind = ? AND a.print = ? AND a.status = 'pending'", a.Kind, a.Print).Take(&same).Error
	if errors.Is(err, gorm.ErrRecordNotFound) { // decided this very moment
		return 0, fault.Conflict{Message: fault.Msg("second.error.already")}
	} else if err != nil {
		return 0, fmt.Errorf("find the same request: %w", err)
	}
	return same.ID, Already{ID: same.ID, By: same.AuthorName, At: same.RequestedAt}
}

// AskForCode asks the other super admins for what code.NeedsSecond held back: a
// new code, or new terms of one. req: A07
func (s *Service) AskForCode(ctx context.Context, by access.Actor, p code.Plan, note string) (int64, error) {
	return s.second(ctx, by, access.CodePermanent, note, func(tx *gorm.DB) (q question, err error) {
		n, err := s.codes.CheckPlan(tx, by, p)
		if err != nil {
			return q, err
		}
		q = question{Approval: Approval{Kind: CodeIssue, Summary: p.Code.Label, DepartmentID: &n.Group.DepartmentID, Print: p.Print()}, payload: p, path: n.Group.DepartmentPath}
		if p.PublicID != "" {
			q.Kind = CodeTerms
		}
		return q, nil
	})
}

// opening is the payload of GroupOpen.
type opening struct{ GID string }

// AskToOpen asks the other super admins to open a group at which a permanent
// code hangs (group.ErrOpenNeedsSecond).
func (s *Service) AskToOpen(ctx context.Context, by access.Actor, gid, note string) (int64, error) {
	return s.second(ctx, by, access.ApprovalsDecide, note, func(tx *gorm.DB) (q question, err error) {
		g, err := s.groups.CheckOpening(tx, by, gid)
		if err != nil {
			return q, err
		}
		return question{Approval: Approval{Kind: GroupOpen, Summary: g.Name, DepartmentID: &g.DepartmentID}, payload: opening{gid}, path: g.DepartmentPath}, nil
	})
}

// SavePolicies saves the policies. Scans that are kept now and would be deleted
// are held back for a second super admin: then id names the request. While
// there is only one, nothing is saved, and it answers directory.NeedsSecond.
func (s *Service) SavePolicies(ctx context.Context, by access.Actor, d *directory.Service, values map[string]string, note string) (id int64, err error) {
	if note, err = checkNote(note); err != nil {
		return 0, err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		shorter, err := d.SavePoliciesIn(tx, by, values)
		if err != nil || shorter == nil {
			return err
		}
		n, err := directory.CountSupers(tx)
		if err != nil {
			return err
		}
		if n < 2 {
			return directory.NeedsSecond
		}
		id, err = s.ask(tx, by, Approval{Kind: RetentionCut, Summary: fmt.Sprint(shorter.Days), Note: note}, shorter, "")
		var already Already
		if errors.As(err, &already) {
			return nil // what else was changed stays saved
		}
		return err
	})
	return id, err
}

// Explain is why the author asks; it may be written as long as nobody decided.
func (s *Service) Explain(ctx context.Context, by access.Actor, id int64, note string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		a, err := s.lock(tx, by, id)
		if err != nil {
			return err
		}
		if a.RequestedBy != by.MemberID {
			return fault.Forbidden{Right: "approvals.withdraw"}
		}
		if err := s.open(a); err != nil {
			return err
		}
		if note, err = checkNote(note); err != nil || note == a.Note {
			return err
		}
		if err := tx.Model(&Approval{}).Where("id = ?", id).Update("note", note).Error; err != nil {
			return fmt.Errorf("explain the request: %w", err)
		}
		path, err := s.pathOf(tx, a)
		if err != nil {
			return err
		}
		return s.trail.Record(tx, by, audit.Event{Action: "approval.explain", Object: a.audited(), DepartmentPath: path, Details: map[string]any{"reason": note}})
	})
}

// pathOf is the department of what a request is about, "" for none.
func (s *Service) pathOf(tx *gorm.DB, a Approval) (string, error) {
	if a.DepartmentID == nil {
		return "", nil
	}
	path, err := departmentPath(tx, *a.DepartmentID)
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	return path, err
}

// decode reads the payload of a request.
func decode[T any](a Approval) (payload T, err error) {
	if err := json.Unmarshal([]byte(a.Payload), &payload); err != nil {
		return payload, fmt.Errorf("payload of approval %d: %w", a.ID, err)
	}
	return payload, nil
}
