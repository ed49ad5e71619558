package join

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Overturn puts a person's decision in the place of a rule's: whom the rule
// refused gets in, whom it let in goes and is told why. It takes the right to
// decide, a seat as any approval does, and stays possible until somebody does it
// or the person asks anew.
func (s *Service) Overturn(ctx context.Context, by access.Actor, id int64, reason string) (outcome string, err error) {
	if err := s.mayDecideOne(s.db.WithContext(ctx), by, id); err != nil {
		return "", err
	}
	if reason = strings.TrimSpace(reason); utf8.RuneCountInString(reason) > MaxReason {
		return "", fault.Invalid{"reason": fault.Msg("requests.error.reason.long", "Max", MaxReason)}
	}
	err = s.followed(ctx, func(tx *gorm.DB) error {
		outcome, err = s.overturn(tx, by, id, reason)
		return err
	})
	return outcome, err
}

func (s *Service) overturn(tx *gorm.DB, by access.Actor, id int64, reason string) (string, error) {
	row, err := s.holdDecided(tx, id)
	if err != nil {
		return "", err
	}
	if err := s.overturnable(tx, by, row); err != nil {
		return "", err
	}
	d := Decision{Approve: row.Status == Rejected, Reason: reason}
	if !d.Approve && reason == "" {
		return "", fault.Invalid{"reason": fault.Msg("requests.error.reason.missing")}
	}
	now := s.now().UTC()
	said := tx.Model(&Ruling{}).Where("request_id = ? AND outcome = ? AND overturned_at IS NULL", id, RuledDone).
		Updates(map[string]any{"overturned_at": now, "overturned_by": decider(by)})
	if said.Error != nil {
		return "", fmt.Errorf("overturn the ruling: %w", said.Error)
	}
	status := map[bool]string{true: Approved, false: Rejected}[d.Approve]
	done := tx.Model(&Request{}).Where("id = ? AND status = ?", id, row.Status).Updates(d.columns(by, now))
	if done.Error != nil {
		return "", fmt.Errorf("overturn the decision: %w", done.Error)
	}
	if said.RowsAffected == 0 || done.RowsAffected == 0 {
		return "", fault.Conflict{Message: fault.Msg("ruling.error.overturned"), By: row.DeciderName, At: row.decidedAt()}
	}
	if err := s.carryOut(tx, by, d, row, now); err != nil {
		return "", err
	}
	e := row.event(d)
	e.Action, e.Details["rule"] = "request.overturn."+status, row.DeciderName
	if err := s.trail.RecordAll(tx, by, []audit.Event{e}); err != nil || !d.Approve || row.ScanID == nil {
		return status, err
	}
	return status, s.marks.Stage(tx, stageJoined, *row.ScanID)
}

// carryOut takes the seat, or gives it back.
func (s *Service) carryOut(tx *gorm.DB, by access.Actor, d Decision, row Listed, now time.Time) error {
	if d.Approve {
		m := group.Membership{GroupID: row.GroupID, MemberID: row.MemberID, GuestID: row.GuestID, Source: "code", CodeID: row.CodeID, RequestID: &row.ID, RulesVersion: row.RulesVersion}
		got, err := group.LetIn(tx, s.trail, &m, now)
		if err == nil && got == group.NoSeat {
			err = fault.Conflict{Message: fault.Msg("ruling.error.full", "Group", row.GroupName)}
		}
		return err
	}
	var seats []int64
	err := tx.Raw("UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = 'removed', ended_by = ? WHERE request_id = ? AND status = 'active' RETURNING group_id",
		now, decider(by), row.ID).Scan(&seats).Error
	if err != nil {
		return fmt.Errorf("end the membership: %w", err)
	}
	for _, g := range seats {
		if err := tx.Exec("UPDATE groups SET member_count = member_count - 1 WHERE id = ?", g).Error; err != nil {
			return fmt.Errorf("free a seat: %w", err)
		}
	}
	return nil
}

// holdDecided locks what belongs to a request that was decided, in the order
// everybody locks it, and reads it.
func (s *Service) holdDecided(tx *gorm.DB, id int64) (Listed, error) {
	before, err := byIDs(tx, []int64{id})
	if err != nil {
		return Listed{}, err
	}
	row, there := before[id]
	if !there {
		return row, fault.NotFound
	}
	var held []int64
	if row.MemberID != nil {
		if err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ?", *row.MemberID).Pluck("id", &held).Error; err != nil {
			return row, fmt.Errorf("hold the applicant: %w", err)
		}
	}
	if err := group.HoldSeries(tx, []int64{row.GroupID}); err != nil {
		return row, err
	}
	err = tx.Table("groups").Clauses(clause.Locking{Strength: exclusively}).
		Where("id = ? OR series_id = (SELECT series_id FROM groups WHERE id = ?) OR id IN (SELECT group_id FROM memberships WHERE request_id = ?)", row.GroupID, row.GroupID, id).Order("id").Pluck("id", &held).Error
	if err != nil {
		return row, fmt.Errorf("hold the group: %w", err)
	}
	err = tx.Table("join_requests").Clauses(clause.Locking{Strength: exclusively}).Where("id = ?", id).Pluck("id", &held).Error
	if err != nil {
		return row, fmt.Errorf("hold the request: %w", err)
	}
	after, err := byIDs(tx, []int64{id})
	if err != nil {
		return row, err
	}
	if after[id].GroupID != row.GroupID {
		return row, errFollowed
	}
	return after[id], nil
}

// overturnable is nil for what a rule decided and nobody has touched since.
func (s *Service) overturnable(tx *gorm.DB, by access.Actor, row Listed) error {
	if err := access.Check(by, access.RequestsDecide, row.groupObject(false)); err != nil {
		return err
	}
	if row.MemberID != nil && by.Kind == access.Member && *row.MemberID == by.MemberID {
		return fault.Forbidden{Right: "requests.own"}
	}
	said, err := RulingsOf(tx, row.ID)
	if err != nil {
		return err
	}
	gone := fault.Conflict{Message: fault.Msg("ruling.error.overturned"), By: row.DeciderName, At: row.decidedAt()}
	if !said[row.ID].Decided() || row.Status != Approved && row.Status != Rejected {
		return gone
	}
	if row.GroupStatus != group.Active || row.MemberGone {
		return fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
	}
	var newer []int64
	self, _ := row.person()
	if err := tx.Model(&Request{}).Where(self+" AND group_id = ? AND id > ?", row.whose(), row.GroupID, row.ID).Limit(1).Pluck("id", &newer).Error; err != nil {
		return fmt.Errorf("look for a newer request: %w", err)
	}
	if len(newer) > 0 {
		return fault.Conflict{Message: fault.Msg("ruling.error.newer")}
	}
	return nil
}

func (r Listed) decidedAt() time.Time {
	if r.DecidedAt == nil {
		return time.Time{}
	}
	return *r.DecidedAt
}
