package join

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// endedBatch bounds one transaction of EndDue.
const endedBatch = 200

// ended is one stay whose day came.
type ended struct {
	ID        int64
	GroupID   int64
	MemberID  *int64
	GuestID   *int64
	RequestID *int64
	CodeID    *int64
	Until     time.Time
	Name      string
	GID       string `gorm:"column:gid"`
	GroupName string
	Path      string
}

// EndDue ends the stays whose day has come, frees their seats and says how many
// they were. Several instances may do so at once.
func (s *Service) EndDue(ctx context.Context) (total int, err error) {
	for {
		n, err := s.endSome(ctx)
		total += n
		if err != nil || n < endedBatch {
			return total, err
		}
	}
}

// RunEnds ends stays whose day has come, each minute until ctx ends.
func (s *Service) RunEnds(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if _, err := s.EndDue(ctx); err != nil && ctx.Err() == nil {
			log.Error("ending stays", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) endSome(ctx context.Context) (n int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := s.now().UTC()
		var due []ended
		err := tx.Raw(`SELECT ms.id, ms.group_id, ms.member_id, ms.guest_id, ms.request_id, ms.code_id, ms.until, coalesce(m.name, gu.name) AS name, g.gid, g.name AS group_name, d.path
			FROM memberships ms JOIN groups g ON g.id = ms.group_id JOIN departments d ON d.id = g.department_id
				LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
			WHERE ms.status = 'active' AND ms.until IS NOT NULL AND ms.until <= ? ORDER BY ms.until, ms.id LIMIT ?`, now, endedBatch).Scan(&due).Error
		if err != nil {
			return fmt.Errorf("find stays whose day came: %w", err)
		}
		if n = len(due); n == 0 {
			return nil
		}
		return s.end(tx, due, now)
	})
	return n, err
}

// end ends those that are still to end once their groups are held: some may have
// left or been given more time.
func (s *Service) end(tx *gorm.DB, due []ended, now time.Time) error {
	groups, ids := make([]int64, len(due)), make([]int64, len(due))
	for i, e := range due {
		groups[i], ids[i] = e.GroupID, e.ID
	}
	var held []int64
	if err := tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id IN ?", unique(groups)).Order("id").Pluck("id", &held).Error; err != nil {
		return fmt.Errorf("hold the groups: %w", err)
	}
	var over []int64
	err := tx.Raw("UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = 'until' WHERE id IN ? AND status = 'active' AND until <= ? RETURNING id", now, ids, now).Scan(&over).Error
	if err != nil {
		return fmt.Errorf("end stays: %w", err)
	}
	due = slices.DeleteFunc(due, func(e ended) bool { return !slices.Contains(over, e.ID) })
	if err := freeSeats(tx, due); err != nil {
		return err
	}
	if err := closeExtension(tx, 0, now, over...); err != nil {
		return err
	}
	facts, entries := make([]events.Event, len(due)), make([]audit.Event, len(due))
	for i, e := range due {
		facts[i] = events.Event{Kind: events.StayEnded, GroupID: &e.GroupID, RequestID: e.RequestID, MemberID: e.MemberID, GuestID: e.GuestID, CodeID: e.CodeID,
			Data: e.Until.UTC().Format(time.RFC3339), At: now}
		entries[i] = audit.Event{Action: "group.member.until", Object: audit.Object{Kind: "group", ID: e.GID, Name: e.GroupName}, DepartmentPath: e.Path,
			Details: map[string]any{"member": e.Name, "until": e.Until.UTC().Format(time.RFC3339)}}
	}
	if err := events.Publish(tx, facts...); err != nil {
		return err
	}
	return s.trail.RecordAll(tx, access.Background("stays"), entries)
}

func freeSeats(tx *gorm.DB, due []ended) error {
	free := map[int64]int64{}
	for _, e := range due {
		free[e.GroupID]++
	}
	if len(free) == 0 {
		return nil
	}
	ids, counts := make([]int64, 0, len(free)), make([]int64, 0, len(free))
	for id, n := range free {
		ids, counts = append(ids, id), append(counts, n)
	}
	v, args := database.Values(tx, database.Numbers("id", ids), database.Numbers("n", counts))
	if err := tx.Exec("UPDATE groups SET member_count = member_count - v.n FROM "+v+" WHERE groups.id = v.id", args...).Error; err != nil {
		return fmt.Errorf("free seats: %w", err)
	}
	return nil
}

// closeExtension ends what was asked for stays that are over.
func closeExtension(tx *gorm.DB, stay int64, at time.Time, more ...int64) error {
	err := tx.Exec("UPDATE stay_extensions SET outcome = 'over', decided_at = ? WHERE membership_id IN ? AND outcome = ''", at, append(more, stay)).Error
	if err != nil {
		return fmt.Errorf("close what was asked for: %w", err)
	}
	return nil
}

// Stay is one person's time in a group, for the page that gives them more of it.
type Stay struct {
	ID        int64
	GroupID   int64
	MemberID  *int64
	GuestID   *int64
	RequestID *int64
	CodeID    *int64
	Status    string
	JoinedAt  time.Time
	Until     *time.Time
	Name      string
	AskedAt   *time.Time // more time was asked for and nobody has answered
	AskedNote string

	GID       string `gorm:"column:gid"`
	GroupName string
	Own       bool `gorm:"-"` // the reader's own: somebody else decides
}

const staySQL = `SELECT ms.id, ms.group_id, ms.member_id, ms.guest_id, ms.request_id, ms.code_id, ms.status, ms.joined_at, ms.until, coalesce(m.name, gu.name) AS name,
	x.asked_at, coalesce(x.note, '') AS asked_note, g.gid, g.name AS group_name
	FROM memberships ms JOIN groups g ON g.id = ms.group_id JOIN departments d ON d.id = g.department_id
		LEFT JOIN members m ON m.id = ms.member_id LEFT JOIN guests gu ON gu.id = ms.guest_id
		LEFT JOIN stay_extensions x ON x.membership_id = ms.id AND x.outcome = '' WHERE `

// StayOf reads one stay for somebody who may let people in and out.
func (s *Service) StayOf(ctx context.Context, by access.Actor, gid, membership string) (Stay, error) {
	tx := s.db.WithContext(ctx)
	g, err := s.door(tx, by, gid)
	if err != nil {
		return Stay{}, err
	}
	return s.stay(tx, by, g, membership)
}

func (s *Service) stay(tx *gorm.DB, by access.Actor, g group.Group, membership string) (Stay, error) {
	id, err := strconv.ParseInt(membership, 10, 64)
	if err != nil {
		return Stay{}, fault.NotFound
	}
	var rows []Stay
	if err := tx.Raw(staySQL+"ms.id = ? AND ms.group_id = ?", id, g.ID).Scan(&rows).Error; err != nil {
		return Stay{}, fmt.Errorf("read a stay: %w", err)
	}
	switch {
	case len(rows) == 0:
		return Stay{}, fault.NotFound
	case rows[0].Status != group.Active || g.Status != group.Active:
		return rows[0], fault.Conflict{Message: fault.Msg("groups.error.member.gone", "Name", rows[0].Name)}
	}
	rows[0].Own = rows[0].MemberID != nil && by.Kind == access.Member && *rows[0].MemberID == by.MemberID
	return rows[0], nil
}

// onStay holds the group and refuses one's own.
func (s *Service) onStay(ctx context.Context, by access.Actor, gid, membership string, do func(*gorm.DB, group.Group, Stay) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := s.door(tx, by, gid)
		if err != nil {
			return err
		}
		var held []int64
		if err := tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", g.ID).Pluck("id", &held).Error; err != nil {
			return fmt.Errorf("hold the group: %w", err)
		}
		if g, err = s.door(tx, by, gid); err != nil {
			return err
		}
		stay, err := s.stay(tx, by, g, membership)
		if err != nil {
			return err
		}
		if stay.Own {
			return fault.Forbidden{Right: "stays.own"}
		}
		return do(tx, g, stay)
	})
}

// SetUntil says when somebody's stay ends; an empty text takes the end away. It
// answers who asked for more time.
func (s *Service) SetUntil(ctx context.Context, by access.Actor, gid, membership, text string) error {
	return s.onStay(ctx, by, gid, membership, func(tx *gorm.DB, g group.Group, stay Stay) error {
		var until *time.Time
		data := ""
		if strings.TrimSpace(text) != "" {
			org, err := directory.LoadOrganisation(tx)
			if err != nil {
				return err
			}
			wrong := fault.Invalid{}
			if until = stayEnd(text, org.Location(), s.now(), "until", wrong); len(wrong) > 0 {
				return wrong
			}
			data = until.Format(time.RFC3339)
		}
		if err := tx.Exec("UPDATE memberships SET until = ? WHERE id = ?", until, stay.ID).Error; err != nil {
			return fmt.Errorf("set the end of a stay: %w", err)
		}
		return s.answerStay(tx, by, g, stay, "granted", "", data, events.StayExtended, "group.member.extend")
	})
}

// RefuseTime answers who asked for more time: no, and why.
func (s *Service) RefuseTime(ctx context.Context, by access.Actor, gid, membership, reason string) error {
	reason = strings.TrimSpace(reason)
	return s.onStay(ctx, by, gid, membership, func(tx *gorm.DB, g group.Group, stay Stay) error {
		switch {
		case stay.AskedAt == nil:
			return fault.Conflict{Message: fault.Msg("deciding.stay.notasked", "Name", stay.Name)}
		case reason == "":
			return fault.Invalid{"reason": fault.Msg("requests.error.reason.missing")}
		case utf8.RuneCountInString(reason) > MaxReason:
			return fault.Invalid{"reason": fault.Msg("requests.error.reason.long", "Max", MaxReason)}
		}
		return s.answerStay(tx, by, g, stay, "refused", reason, reason, events.StayRefused, "group.member.refuse")
	})
}

func (s *Service) answerStay(tx *gorm.DB, by access.Actor, g group.Group, stay Stay, outcome, reason, data, kind, action string) error {
	now := s.now().UTC()
	err := tx.Exec("UPDATE stay_extensions SET outcome = ?, reason = ?, decided_at = ?, decided_by = ? WHERE membership_id = ? AND outcome = ''", outcome, reason, now, by.MemberID, stay.ID).Error
	if err != nil {
		return fmt.Errorf("answer who asked for more time: %w", err)
	}
	err = events.Publish(tx, events.Event{Kind: kind, GroupID: &g.ID, RequestID: stay.RequestID, MemberID: stay.MemberID, GuestID: stay.GuestID, CodeID: stay.CodeID, ActorID: &by.MemberID, Data: data, At: now})
	if err != nil {
		return err
	}
	details := map[string]any{"member": stay.Name}
	if data != "" && outcome == "granted" {
		details["until"] = data
	} else if reason != "" {
		details["reason"] = reason
	}
	return s.trail.Record(tx, by, audit.Event{Action: action, Object: audit.Object{Kind: "group", ID: g.GID, Name: g.Name}, DepartmentPath: g.DepartmentPath, Details: details})
}
