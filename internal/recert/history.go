package recert

import (
	"context"
	"fmt"
	"math"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// History is one page of rounds, the newest first.
type History struct {
	Plan   Plan
	Rounds []Round
	Next   int64
}

// History lists the rounds that have begun.
func (s *Service) History(ctx context.Context, by access.Actor, after int64) (h History, err error) {
	tx := s.db.WithContext(ctx)
	if err := access.Check(by, access.RecertSee, access.Object{}); err != nil {
		return h, err
	}
	if h.Plan, err = s.Plan(tx); err != nil {
		return h, err
	}
	query := tx.Where("opens_at <= ?", s.now().UTC())
	if after > 0 {
		query = query.Where("id < ?", after)
	}
	if err := query.Order("id DESC").Limit(PageSize + 1).Find(&h.Rounds).Error; err != nil {
		return h, fmt.Errorf("list rounds: %w", err)
	}
	if len(h.Rounds) > PageSize {
		h.Rounds, h.Next = h.Rounds[:PageSize], h.Rounds[PageSize-1].ID
	}
	return h, nil
}

// Entry is what became of one group in a round.
type Entry struct {
	ID         int64  // cursor: the mark's number, or the group's
	GID        string `gorm:"column:gid"`
	Name       string
	Department string
	By         string
	At         *time.Time
	Members    int
	Codes      int
}

// Record is one round and what became of the groups in it.
type Record struct {
	Round   Round
	Plan    Plan
	Missed  bool // the groups that were not confirmed by the date, else those that were confirmed
	Entries []Entry
	Next    int64
	Now     time.Time
}

// Record lists the groups in by's scope that were confirmed in a round, the
// latest first, or those that were not by its date and so stood still.
func (s *Service) Record(ctx context.Context, by access.Actor, id int64, missed bool, after int64) (r Record, err error) {
	tx := s.db.WithContext(ctx)
	if err := access.Check(by, access.RecertSee, access.Object{}); err != nil {
		return r, err
	}
	if err := tx.Where("id = ? AND opens_at <= ?", id, s.now().UTC()).Take(&r.Round).Error; missing(err) {
		return r, fault.NotFound
	} else if err != nil {
		return r, fmt.Errorf("read the round: %w", err)
	}
	r.Missed, r.Now = missed, s.now()
	if r.Plan, err = s.Plan(tx); err != nil {
		return r, err
	}
	scope, args := access.Scope(by, access.RecertSee, "d.path")
	query := `SELECT k.id, g.gid, g.name, d.name AS department, m.name AS "by", k.marked_at AS "at", k.members, k.codes FROM recert_marks k
		JOIN groups g ON g.id = k.group_id JOIN departments d ON d.id = g.department_id JOIN members m ON m.id = k.marked_by
		WHERE k.round_id = ? AND k.kind = 'group' AND k.id < ? AND ` + scope + " ORDER BY k.id DESC LIMIT ?"
	before := after
	if before == 0 {
		before = math.MaxInt64
	}
	values := append([]any{id, before}, args...)
	if missed {
		query = `SELECT g.id, g.gid, g.name, d.name AS department, '' AS "by", (SELECT k.marked_at FROM recert_marks k WHERE k.group_id = g.id AND k.kind = 'group' AND k.item_id = 0 AND k.round_id = ?) AS "at"
			FROM groups g JOIN departments d ON d.id = g.department_id WHERE g.created_at < ? AND (g.disbanded_at IS NULL OR g.disbanded_at > ?) AND g.id > ?
			AND NOT EXISTS (SELECT 1 FROM recert_marks k WHERE k.group_id = g.id AND k.kind = 'group' AND k.item_id = 0 AND k.round_id = ? AND k.marked_at <= ?)
			AND ` + scope + " ORDER BY g.id LIMIT ?"
		due := r.Round.DueAt.UTC()
		values = append([]any{id, r.Round.OpensAt.UTC(), due, after, id, due}, args...)
	}
	if err := tx.Raw(query, append(values, PageSize+1)...).Scan(&r.Entries).Error; err != nil {
		return r, fmt.Errorf("read what became of the groups: %w", err)
	}
	if len(r.Entries) > PageSize {
		r.Entries, r.Next = r.Entries[:PageSize], r.Entries[PageSize-1].ID
	}
	return r, nil
}
