package join

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/events"
)

// clockBatch bounds one transaction of Tick.
const clockBatch = 200

// RunClock takes the steps that are due, every minute. Any number of instances may.
func (s *Service) RunClock(ctx context.Context, log *slog.Logger) {
	for {
		if _, err := s.Tick(ctx); err != nil && ctx.Err() == nil {
			log.Error("clock of requests", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// Tick reminds and escalates whatever is due for it, and says how many steps
// it took. Each step is one conditional statement: of several instances one takes it.
func (s *Service) Tick(ctx context.Context) (total int, err error) {
	for {
		n, found, err := s.tick(ctx)
		total += n
		if err != nil || found < clockBatch {
			return total, err
		}
	}
}

// ticking is a request whose next step is due.
type ticking struct {
	Request
	GroupStatus, GroupPath, GroupGID string
	Own                              int
}

func (s *Service) tick(ctx context.Context) (n, found int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC()
		rows, err := ticked(tx, now)
		if found = len(rows); err != nil || found == 0 {
			return err
		}
		k, err := newKeeper(tx, s.now().UTC())
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := k.step(r); err != nil {
				return err
			}
		}
		n = k.taken
		if err := events.Publish(tx, k.facts...); err != nil {
			return err
		}
		return s.trail.RecordAll(tx, access.Background("requests"), k.trail)
	})
	return n, found, err
}

// ticked are the requests that are due for a step and that no other instance is at.
func ticked(tx *gorm.DB, now time.Time) (rows []ticking, err error) {
	sql := `SELECT r.*, g.status AS group_status, g.gid AS group_gid, d.path AS group_path, g.due_hours AS own FROM join_requests r
		JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
		WHERE r.status = 'pending' AND r.step_at IS NOT NULL AND r.step_at <= ? ORDER BY r.step_at, r.id LIMIT ?`
	if database.Postgres(tx) {
		sql += " FOR NO KEY UPDATE OF r SKIP LOCKED"
	}
	if err := tx.Raw(sql, now, clockBatch).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("find requests that are due: %w", err)
	}
	return rows, nil
}

// keeper takes the steps of one batch.
type keeper struct {
	tx       *gorm.DB
	now      time.Time
	policies directory.Policies
	zone     *time.Location
	levels   map[string][]level // by the group's department
	taken    int
	facts    []events.Event
	trail    []audit.Event
}

func newKeeper(tx *gorm.DB, now time.Time) (*keeper, error) {
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	org, err := directory.LoadOrganisation(tx)
	return &keeper{tx: tx, now: now, policies: p, zone: org.Location(), levels: map[string][]level{}}, err
}

// step takes the one step that a request is due for. One for a group that has
// ended waits for nothing; one that is far too late is not reminded of before it escalates.
func (k *keeper) step(r ticking) error {
	t := termsOf(k.policies, k.zone, r.Own)
	switch {
	case r.GroupStatus != "active" || r.DueAt == nil:
		_, err := k.set(r, map[string]any{"step_at": nil})
		return err
	case r.ClockStep == stepNone && r.DueAt.After(k.now):
		return k.remind(r, stepReminded, events.Due, r.DueAt)
	case r.ClockStep <= stepReminded:
		return k.remind(r, stepDue, events.Overdue, t.next(*r.DueAt))
	}
	return k.escalate(r, t)
}

// set is the one conditional statement of a step; false when somebody was first.
func (k *keeper) set(r ticking, values map[string]any) (bool, error) {
	done := k.tx.Model(&Request{}).Where("id = ? AND status = ? AND clock_step = ? AND step_at = ?", r.ID, Pending, r.ClockStep, *r.StepAt).Updates(values)
	if done.Error != nil {
		return false, fmt.Errorf("take a request's step: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

func (k *keeper) remind(r ticking, to int, kind string, next *time.Time) error {
	won, err := k.set(r, map[string]any{"clock_step": to, "step_at": next})
	if won {
		k.tell(r, kind, nil)
	}
	return err
}

// escalate hands a request to the heads of the next department up that has any
// there, and when there is none (left) to the super admins.
func (k *keeper) escalate(r ticking, t terms) error {
	above, err := k.above(r)
	if err != nil {
		return err
	}
	values := map[string]any{"clock_step": stepSupers, "step_at": nil, "escalated_at": k.now, "escalated_to": nil}
	if above != nil {
		values["clock_step"], values["step_at"], values["escalated_to"] = stepAbove, t.next(k.now), above.Department
	}
	won, err := k.set(r, values)
	if err != nil || !won {
		return err
	}
	to, department := []int64(nil), int64(0)
	if above != nil {
		to, department = above.Members, above.Department
	} else if to, err = supersFor(k.tx, r.MemberID); err != nil {
		return err
	}
	k.tell(r, events.Escalated, map[string]any{"to": to, "department": department})
	k.trail = append(k.trail, audit.Event{Action: "request.escalate", Object: r.object(), DepartmentPath: r.GroupPath,
		Details: map[string]any{"group": r.GroupGID, "department_id": department}})
	return nil
}

func (k *keeper) tell(r ticking, kind string, data map[string]any) {
	if data == nil {
		data = map[string]any{}
	}
	data["due"] = r.DueAt.UTC().Format(time.RFC3339)
	text, err := json.Marshal(data)
	if err != nil {
		text = nil // numbers and a time: it does not happen
	}
	id, groupID := r.ID, r.GroupID
	k.facts = append(k.facts, events.Event{Kind: kind, GroupID: &groupID, RequestID: &id, MemberID: r.MemberID, GuestID: r.GuestID, CodeID: r.CodeID, Data: string(text), At: k.now})
	k.taken++
}
