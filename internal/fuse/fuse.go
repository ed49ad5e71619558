// Package fuse watches how codes are used. One that behaves as a leaked one
// does needs approval for a while, though its group is open; whoever looks
// after it is told. It also keeps the cases that people's reports open.
// req: A21, C30, C34
package fuse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// Why a code was raised.
const (
	Burst   = "burst"   // more scans in a short time than on a usual day
	Outside = "outside" // scans from outside its audience or networks
	Refused = "refused" // wrong answers and refused requests
)

// Service watches codes and keeps cases.
type Service struct {
	db    *gorm.DB
	keys  secret.Keys
	trail *audit.Trail
	now   func() time.Time
}

// New returns the service.
func New(db *gorm.DB, keys secret.Keys, trail *audit.Trail, now func() time.Time) *Service {
	return &Service{db: db, keys: keys, trail: trail, now: now}
}

// State is what is known of one code's fuse.
type State struct {
	CodeID  int64
	Off     bool // this code's fuse never trips
	Burst   int  // scans that may come at once; 0 = by policy
	Why     string
	Seen    int // so many
	Most    int // where so many would have been let pass
	FusedAt *time.Time
	Since   *time.Time

	Until     *time.Time         `gorm:"-"` // not nil: needs approval until then
	Policies  directory.Policies `gorm:"-"`
	CanChange bool               `gorm:"-"`
}

// TableName is for gorm.
func (State) TableName() string { return "code_fuses" }

// Of reads the fuse of a code that by may see.
func (s *Service) Of(ctx context.Context, by access.Actor, f code.Facts) (State, error) {
	tx := s.db.WithContext(ctx)
	st, err := stateOf(tx, f.ID)
	if err != nil {
		return st, err
	}
	if f.Fused(s.now()) {
		st.Until = f.FusedUntil
	}
	st.CanChange = access.Can(by, access.CodeRevoke, f.Object(false)) && f.RevokedAt == nil
	st.Policies, err = directory.LoadPolicies(tx)
	return st, err
}

func stateOf(tx *gorm.DB, codeID int64) (State, error) {
	st := State{CodeID: codeID}
	err := tx.Where("code_id = ?", codeID).Take(&st).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return st, fmt.Errorf("read a code's fuse: %w", err)
	}
	return st, nil
}

// MaxBurst bounds a code's own threshold.
const MaxBurst = 1_000_000

// changed runs a change of a code's fuse by somebody who may suspend the code.
func (s *Service) changed(ctx context.Context, by access.Actor, publicID string, do func(tx *gorm.DB, f code.Facts) (*audit.Event, error)) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		f, err := code.Reach(tx, by, access.CodeRevoke, publicID)
		if err != nil {
			return err
		}
		e, err := do(tx, f)
		if err != nil || e == nil {
			return err
		}
		return s.trail.Record(tx, by, *e)
	})
}

var notFused = fault.Conflict{Message: fault.Msg("fuse.conflict.not")}

// Lower lets a raised code be open again, at once. What happened so far does not raise it anew.
func (s *Service) Lower(ctx context.Context, by access.Actor, publicID string) error {
	return s.changed(ctx, by, publicID, func(tx *gorm.DB, f code.Facts) (*audit.Event, error) {
		if !f.Fused(s.now()) {
			return nil, notFused
		}
		won, err := s.fall(tx, f.ID, *f.FusedUntil)
		if err != nil {
			return nil, err
		} else if !won {
			return nil, notFused
		}
		return event("code.fuse.lower", f, nil), s.tell(tx, events.Unfused, f, by, "")
	})
}

// Extend keeps a raised code raised for the policy's hours from now on.
func (s *Service) Extend(ctx context.Context, by access.Actor, publicID string) error {
	return s.changed(ctx, by, publicID, func(tx *gorm.DB, f code.Facts) (*audit.Event, error) {
		p, err := directory.LoadPolicies(tx)
		if err != nil {
			return nil, err
		}
		until := s.now().UTC().Add(time.Duration(max(p.FuseHours, 1)) * time.Hour).Truncate(time.Microsecond)
		done := tx.Exec("UPDATE codes SET fused_until = ? WHERE id = ? AND fused_until > ?", until, f.ID, s.now().UTC())
		if done.Error != nil {
			return nil, fmt.Errorf("extend the fuse: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return nil, notFused
		}
		return event("code.fuse.extend", f, map[string]any{"until": until.Format(time.RFC3339)}), nil
	})
}

// Setting is how one code's fuse differs from the policy.
type Setting struct {
	Off   bool
	Burst int // 0 = by policy
}

// Set changes that. Switching it off lowers a raised code too.
func (s *Service) Set(ctx context.Context, by access.Actor, publicID string, to Setting) error {
	if to.Burst < 0 || to.Burst > MaxBurst {
		return fault.Invalid{"burst": fault.Msg("settings.error.number", "Min", 0, "Max", MaxBurst)}
	}
	return s.changed(ctx, by, publicID, func(tx *gorm.DB, f code.Facts) (*audit.Event, error) {
		was, err := stateOf(tx, f.ID)
		if err != nil || was.Off == to.Off && was.Burst == to.Burst {
			return nil, err
		}
		err = tx.Exec(`INSERT INTO code_fuses (code_id, off, burst) VALUES (?, ?, ?)
			ON CONFLICT (code_id) DO UPDATE SET off = excluded.off, burst = excluded.burst`, f.ID, to.Off, to.Burst).Error
		if err != nil {
			return nil, fmt.Errorf("set the fuse: %w", err)
		}
		if to.Off && f.FusedUntil != nil {
			if _, err := s.fall(tx, f.ID, *f.FusedUntil); err != nil {
				return nil, err
			}
		}
		return event("code.fuse.set", f, map[string]any{"off": to.Off, "off_was": was.Off, "burst": to.Burst, "burst_was": was.Burst}), nil
	})
}

// fall is the one conditional statement that ends a raise.
func (s *Service) fall(tx *gorm.DB, codeID int64, until time.Time) (bool, error) {
	done := tx.Exec("UPDATE codes SET fused_until = NULL WHERE id = ? AND fused_until = ?", codeID, until)
	if done.Error != nil {
		return false, fmt.Errorf("lower a code: %w", done.Error)
	} else if done.RowsAffected == 0 {
		return false, nil
	}
	err := tx.Exec("UPDATE code_fuses SET since = ? WHERE code_id = ?", s.now().UTC(), codeID).Error
	if err != nil {
		return false, fmt.Errorf("lower a code: %w", err)
	}
	return true, nil
}

func (s *Service) tell(tx *gorm.DB, kind string, f code.Facts, by access.Actor, data string) error {
	e := events.Event{Kind: kind, GroupID: &f.GroupID, CodeID: &f.ID, Data: data, At: s.now().UTC()}
	if by.MemberID != 0 {
		e.ActorID = &by.MemberID
	}
	return events.Publish(tx, e)
}

func event(action string, f code.Facts, details map[string]any) *audit.Event {
	return &audit.Event{Action: action, DepartmentPath: f.DepartmentPath, Details: details,
		Object: audit.Object{Kind: "code", ID: f.PublicID, Name: f.GroupName + " · " + f.Label}}
}

// Line is one code that is raised now.
type Line struct {
	PublicID, Label, GroupName string
	FusedUntil                 time.Time
	Why                        string
	Seen                       int
}

// Raised lists the codes in by's scope that are raised now, those raised last first.
func (s *Service) Raised(ctx context.Context, by access.Actor, limit int) (all []Line, err error) {
	where, args := access.Scope(by, access.CodeRevoke, "d.path")
	err = s.db.WithContext(ctx).Raw(`SELECT c.public_id, c.label, g.name AS group_name, c.fused_until, f.why, f.seen FROM codes c JOIN code_fuses f ON f.code_id = c.id
		JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id
		WHERE c.fused_until > ? AND c.revoked_at IS NULL AND g.status = 'active' AND `+where+" ORDER BY f.fused_at DESC, c.id LIMIT ?",
		append(append([]any{s.now().UTC()}, args...), limit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list raised codes: %w", err)
	}
	return all, nil
}
