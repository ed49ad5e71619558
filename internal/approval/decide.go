package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Decide approves or rejects one request. Approving carries it out in the same
// transaction, against the world as it is then. Of several who press at once
// one wins; the others get fault.Conflict with who and when. Nobody decides
// their own request. What can never be carried out any more is closed, and is
// a fault.Conflict that says why.
func (s *Service) Decide(ctx context.Context, by access.Actor, id int64, decision, reason string) error {
	var over never
	err := s.decide(ctx, by, id, decision, strings.TrimSpace(reason), &over)
	if err == nil && over.Key != "" {
		return over.Conflict
	}
	return err
}

func (s *Service) decide(ctx context.Context, by access.Actor, id int64, decision, reason string, over *never) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		a, err := s.lock(tx, by, id)
		if err != nil {
			return err
		}
		if err := s.mayDecide(tx, by); err != nil {
			return err
		}
		if err := s.open(a); err != nil {
			return err
		}
		if a.RequestedBy == by.MemberID {
			return s.ownRequest(tx)
		}
		if err := checkDecision(decision, reason); err != nil {
			return err
		}
		if decision == "reject" {
			return s.close(tx, by, a, Rejected, reason, "", nil)
		}
		k, known := kinds[a.Kind]
		if !known {
			return fmt.Errorf("approval %d: no kind %q", a.ID, a.Kind)
		}
		result, done, err := k.carry(s, tx, a)
		if errors.As(err, over) {
			return s.void(tx, by, a, over.Message)
		} else if err != nil {
			return err
		}
		return s.close(tx, by, a, Approved, reason, result, &done)
	})
}

// mayDecide asks the right as it is in this very transaction: of two people
// the second must be one still.
func (s *Service) mayDecide(tx *gorm.DB, by access.Actor) error {
	if err := access.Check(by, access.ApprovalsDecide, access.Object{}); err != nil || by.Kind == access.System {
		return err
	}
	now, err := directory.LoadActor(tx, by.MemberID, s.now())
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return access.Check(now, access.ApprovalsDecide, access.Object{})
}

// void closes a request that nothing can come of any more.
func (s *Service) void(tx *gorm.DB, by access.Actor, a Approval, why fault.Message) error {
	raw, err := json.Marshal(why)
	if err != nil {
		return fmt.Errorf("why approval %d is void: %w", a.ID, err)
	}
	if err := tx.Model(&Approval{}).Where("id = ?", a.ID).Update("void", string(raw)).Error; err != nil {
		return fmt.Errorf("void approval: %w", err)
	}
	a.Void = string(raw)
	return s.close(tx, by, a, Rejected, "", "", nil)
}

func checkDecision(decision, reason string) error {
	bad := fault.Invalid{}
	if decision != "approve" && decision != "reject" {
		bad["decision"] = fault.Msg("approvals.error.decision")
	}
	if decision == "reject" && reason == "" {
		bad["reason"] = fault.Msg("approvals.error.reason")
	}
	if utf8.RuneCountInString(reason) > group.MaxReason {
		bad["reason"] = fault.Msg("approvals.error.reason.long", "Max", group.MaxReason)
	}
	return bad.Or()
}

// ownRequest refuses the author: when nobody else could, it says so.
func (s *Service) ownRequest(tx *gorm.DB) error {
	n, err := directory.CountSupers(tx)
	if err != nil {
		return err
	}
	if n < 2 {
		return directory.NeedsSecond
	}
	return fault.Forbidden{Right: "approvals.own"}
}

// lock holds the row of a request that by may see.
func (s *Service) lock(tx *gorm.DB, by access.Actor, id int64) (Approval, error) {
	var row Approval
	err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fault.NotFound
	} else if err != nil {
		return row, fmt.Errorf("lock approval: %w", err)
	}
	return read(tx, by, id)
}

// open is nil while a request can be decided, else a conflict with who closed it and when.
func (s *Service) open(a Approval) error {
	switch state := a.State(s.now()); {
	case state == Expired:
		return fault.Conflict{Message: fault.Msg("approvals.error.expired")}
	case state == Pending:
		return nil
	case a.DecidedAt == nil:
		return fault.Conflict{Message: fault.Msg("approvals.error." + state)}
	default:
		return fault.Conflict{Message: fault.Msg("approvals.error." + state), By: a.DeciderName, At: *a.DecidedAt}
	}
}

// decided are the actions in the trail by the status they lead to.
var decided = map[string]string{Approved: "approval.approved", Rejected: "approval.rejected", Withdrawn: "approval.withdrawn", Void: "approval.void"}

// close writes the outcome. done is what was carried out, if anything.
func (s *Service) close(tx *gorm.DB, by access.Actor, a Approval, status, reason, result string, done *audit.Event) error {
	set := map[string]any{"status": status, "decided_by": by.MemberID, "decided_at": s.now().UTC(), "reason": reason, "result": result}
	if a.RequestedBy == by.MemberID {
		set["seen_at"] = s.now().UTC()
	}
	if err := tx.Model(&Approval{}).Where("id = ?", a.ID).Updates(set).Error; err != nil {
		return fmt.Errorf("decide approval: %w", err)
	}
	path, err := s.pathOf(tx, a)
	if err != nil {
		return err
	}
	details := map[string]any{"kind": a.Kind, "author": a.AuthorName}
	if reason != "" {
		details["reason"] = reason
	}
	if a.Void != "" {
		status = Void
	}
	events := []audit.Event{{Action: decided[status], Object: a.audited(), DepartmentPath: path, Details: details}}
	if done != nil {
		events = append(events, *done)
	}
	return s.trail.RecordAll(tx, by, events)
}

// Withdraw takes a request back; only its author may.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, id int64) error {
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
		return s.close(tx, by, a, Withdrawn, "", "", nil)
	})
}
