package group

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Numbers are what a group holds: shown on its page and before disbanding it.
type Numbers struct {
	Codes   int // that still open the door
	Pending int // requests nobody decided yet
	Waiting int // people on the waiting list
}

// numbersOf counts for several groups with two statements. Keys are group ids.
func numbersOf(tx *gorm.DB, ids []int64, now time.Time) (map[int64]Numbers, error) {
	out := make(map[int64]Numbers, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct {
		GroupID int64
		Kind    string
		N       int
	}
	err := tx.Raw(`SELECT group_id, 'code' AS kind, count(*) AS n FROM codes
			WHERE group_id IN ? AND revoked_at IS NULL AND (valid_until IS NULL OR valid_until > ?) GROUP BY group_id
		UNION ALL
		SELECT group_id, 'request', count(*) FROM join_requests WHERE group_id IN ? AND status = 'pending' GROUP BY group_id
		UNION ALL
		SELECT group_id, 'waiting', count(*) FROM waiting_list WHERE group_id IN ? AND ended_at IS NULL GROUP BY group_id`, ids, now, ids, ids).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count codes and requests: %w", err)
	}
	for _, r := range rows {
		n := out[r.GroupID]
		switch r.Kind {
		case "code":
			n.Codes = r.N
		case "request":
			n.Pending = r.N
		default:
			n.Waiting = r.N
		}
		out[r.GroupID] = n
	}
	return out, nil
}

// Numbers counts what hangs on a group, for those who may see its codes.
func (s *Service) Numbers(ctx context.Context, by access.Actor, gid string) (Numbers, error) {
	db := s.db.WithContext(ctx)
	g, o, err := find(db, by, gid)
	if err != nil {
		return Numbers{}, err
	}
	if err := access.Check(by, access.CodeDownload, o); err != nil {
		return Numbers{}, err
	}
	all, err := numbersOf(db, []int64{g.ID}, s.now().UTC())
	return all[g.ID], err
}

// Disbanding asks whether by may disband the group now and says what would happen.
func (s *Service) Disbanding(ctx context.Context, by access.Actor, gid string) (Header, Numbers, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return h, Numbers{}, err
	}
	_, o, err := find(s.db.WithContext(ctx), by, gid)
	if err != nil {
		return h, Numbers{}, err
	}
	if err := movedIn(access.Check(by, access.GroupDisband, o), access.GroupDisband, o); err != nil {
		return h, Numbers{}, err
	}
	if h.Status != Active {
		return h, Numbers{}, disbanded(s.db.WithContext(ctx), h.Group)
	}
	all, err := numbersOf(s.db.WithContext(ctx), []int64{h.ID}, s.now().UTC())
	return h, all[h.ID], err
}

// Disband ends a group for good: its codes stop at the next scan, its pending
// requests are cancelled, nobody gets in any more. Every record stays (req: D16).
// confirm is the name typed on the confirmation page, nil for scripts.
func (s *Service) Disband(ctx context.Context, by access.Actor, gid, reason string, confirm *string) error {
	reason = strings.TrimSpace(reason)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupDisband, gid)
		if err != nil {
			return err
		}
		bad := fault.Invalid{}
		checkText(bad, "reason", reason, MaxReason, "groups.error.reason.")
		if confirm != nil && OneLine(*confirm) != g.Name {
			bad["confirm_name"] = fault.Msg("groups.error.confirm", "Name", g.Name)
		}
		if err := bad.Or(); err != nil {
			return err
		}
		now := s.now().UTC()
		err = tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"status": Disbanded, "disbanded_at": now, "disbanded_by": by.MemberID,
			"disband_reason": reason, "updated_at": now, "updated_by": by.MemberID, "version": g.Version + 1}).Error
		if err != nil {
			return fmt.Errorf("disband group: %w", err)
		}
		closed := tx.Exec("UPDATE join_requests SET status = 'cancelled', decided_at = ? WHERE group_id = ? AND status = 'pending'", now, g.ID)
		if closed.Error != nil {
			return fmt.Errorf("cancel requests: %w", closed.Error)
		}
		if err := tx.Exec("UPDATE waiting_list SET ended_at = ?, ended_how = 'over' WHERE group_id = ? AND ended_at IS NULL", now, g.ID).Error; err != nil {
			return fmt.Errorf("end the waiting list: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.disband", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"reason": reason, "members": g.MemberCount, "requests_cancelled": closed.RowsAffected}})
	})
}
