package join

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
)

// expireBatch bounds one transaction of ExpireOverdue.
const expireBatch = 500

// ExpireOverdue ends the requests that nobody decided within the policy's days
// and says how many. Never approves.
func (s *Service) ExpireOverdue(ctx context.Context) (total int64, err error) {
	for {
		n, err := s.expireSome(ctx)
		total += n
		if err != nil || n < expireBatch {
			return total, err
		}
	}
}

func (s *Service) expireSome(ctx context.Context) (n int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		p, err := directory.LoadPolicies(tx)
		if err != nil || p.RequestDays <= 0 {
			return err
		}
		now := s.now().UTC()
		var rows []Listed
		err = tx.Raw(`SELECT r.*, g.gid AS group_gid, d.path AS group_path FROM join_requests r
			JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
			WHERE r.status = 'pending' AND r.created_at < ? ORDER BY r.created_at, r.id LIMIT ?`,
			now.AddDate(0, 0, -p.RequestDays), expireBatch).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("find overdue requests: %w", err)
		}
		events := make([]audit.Event, 0, len(rows))
		for _, r := range rows {
			done := tx.Model(&Request{}).Where("id = ? AND status = ?", r.ID, Pending).Updates(map[string]any{"status": Expired, "decided_at": now})
			if done.Error != nil {
				return fmt.Errorf("expire a request: %w", done.Error)
			}
			if done.RowsAffected == 1 {
				events = append(events, audit.Event{Action: "request.expire", Object: r.object(), DepartmentPath: r.GroupPath,
					Details: map[string]any{"group": r.GroupGID}})
			}
		}
		n = int64(len(rows))
		return s.trail.RecordAll(tx, access.Background("requests"), events)
	})
	return n, err
}

// CancelFor ends what a departing member had at our doors: pending requests and
// join sessions. It returns how many requests. The departure is the audit entry.
func CancelFor(tx *gorm.DB, by access.Actor, memberID int64, at time.Time) (int64, error) {
	// Groups before requests, as everywhere: an approval in progress ends first. Those
	// the member is in come along, so that ending the memberships takes no further one.
	var held []int64
	err := tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where(`id IN (SELECT group_id FROM join_requests WHERE member_id = ? AND status = 'pending')
			OR id IN (SELECT group_id FROM memberships WHERE member_id = ? AND status = 'active')`, memberID, memberID).Order("id").Pluck("id", &held).Error
	if err != nil {
		return 0, fmt.Errorf("hold the groups of open requests: %w", err)
	}
	set := map[string]any{"status": Cancelled, "decided_at": at.UTC()}
	if by.MemberID != 0 {
		set["decided_by"] = by.MemberID
	}
	done := tx.Model(&Request{}).Where("member_id = ? AND status = ?", memberID, Pending).Updates(set)
	if done.Error != nil {
		return 0, fmt.Errorf("cancel requests: %w", done.Error)
	}
	if err := tx.Exec("UPDATE waiting_list SET ended_at = ?, ended_how = 'over' WHERE member_id = ? AND ended_at IS NULL", at.UTC(), memberID).Error; err != nil {
		return 0, fmt.Errorf("end waits: %w", err)
	}
	if err := tx.Model(&Session{}).Where("member_id = ? AND expires_at > ?", memberID, at.UTC()).Update("expires_at", at.UTC()).Error; err != nil {
		return 0, fmt.Errorf("end join sessions: %w", err)
	}
	return done.RowsAffected, nil
}
