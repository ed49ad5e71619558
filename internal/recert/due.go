package recert

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/group"
)

// Line is one group that waits to be confirmed.
type Line struct {
	group.Group
	Lineage string
	Held    bool // it stands still already
	Mine    bool // the reader is asked
	May     bool `gorm:"-"` // not asked, but free to do it as a super admin
}

// List is one page of them.
type List struct {
	Plan  Plan
	Lines []Line
	Next  string // cursor of the page after it
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }

// Due lists the groups that the open round still asks for: those by is asked to
// confirm, or with all everything by sees. What stands still already comes first.
func (s *Service) Due(ctx context.Context, by access.Actor, all bool, after string) (List, error) {
	tx := s.db.WithContext(ctx)
	if err := access.Check(by, access.RecertSee, access.Object{}); err != nil {
		return List{}, err
	}
	p, err := s.Plan(tx)
	l := List{Plan: p}
	if err != nil || p.Round == nil {
		return l, err
	}
	part, id := cursor(after)
	// A round of before may have left groups that stand still: they come first.
	for _, held := range []bool{true, false} {
		if !held && p.Round.Over(s.now()) || held && (part == "o" || p.Last == nil) {
			continue
		}
		lines, err := s.waiting(tx, by, p, all, held, id, PageSize+1-len(l.Lines))
		if err != nil {
			return l, err
		}
		l.Lines, id = append(l.Lines, lines...), 0
		if len(l.Lines) > PageSize {
			break
		}
	}
	if len(l.Lines) > PageSize {
		l.Lines = l.Lines[:PageSize]
		last := l.Lines[PageSize-1]
		l.Next = map[bool]string{true: "h", false: "o"}[last.Held] + "-" + idText(last.ID)
	}
	return l, name(tx, l.Lines)
}

func cursor(after string) (part string, id int64) {
	part, number, found := strings.Cut(after, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil || id < 0 || part != "h" && part != "o" {
		return "", 0
	}
	return part, id
}

// waitingSQL are the groups that a round asks for; heldSQL those that stand still.
const (
	waitingSQL = ` FROM groups g JOIN departments d ON d.id = g.department_id WHERE g.status = 'active' AND g.created_at < ? AND g.confirmed_round < ? AND `
	heldSQL    = `EXISTS (SELECT 1 FROM recert_rounds r WHERE r.due_at <= ? AND ` + group.RecertRoundSQL + `)`
)

func (s *Service) waiting(tx *gorm.DB, by access.Actor, p Plan, all, held bool, after int64, limit int) ([]Line, error) {
	with, where, args := mine(by)
	mineSQL, mineArgs := where, args
	if all {
		where, args = access.Scope(by, access.RecertSee, "d.path")
	}
	// Those that stand still were there when the last round began and were not confirmed since.
	part, partArgs := "1 = 1", []any{}
	if p.Last != nil {
		part, partArgs = "(g.created_at >= ? OR g.confirmed_round >= ?)", []any{p.Last.OpensAt.UTC(), p.Last.ID}
		if held {
			part = "g.created_at < ? AND g.confirmed_round < ?"
		}
	}
	query := with + "SELECT g.*, d.path AS department_path, d.name AS department_name, " + mineSQL + " AS mine" + waitingSQL + where +
		" AND " + part + " AND g.id > ? ORDER BY g.id LIMIT ?"
	values := append(append([]any{}, mineArgs...), p.Round.OpensAt.UTC(), p.Round.ID)
	values = append(append(append(values, args...), partArgs...), after, limit)
	var lines []Line
	if err := tx.Raw(query, values...).Scan(&lines).Error; err != nil {
		return nil, fmt.Errorf("list groups to confirm: %w", err)
	}
	for i := range lines {
		lines[i].Held = held
		lines[i].May = !lines[i].Mine && by.Super && !owns(by, lines[i].Group)
	}
	return lines, nil
}

// name fills in the departments in words.
func name(tx *gorm.DB, lines []Line) error {
	paths := make([]string, len(lines))
	for i, l := range lines {
		paths[i] = l.DepartmentPath
	}
	names, err := group.Lineages(tx, paths)
	for i := range lines {
		lines[i].Lineage = names[lines[i].DepartmentPath]
	}
	return err
}

// Waiting is how many groups wait for by, at most limit, and by when. Round is nil while none asks.
type Waiting struct {
	Round *Round
	Count int
}

// Waiting counts for the home page and the list of reminders.
func (s *Service) Waiting(ctx context.Context, by access.Actor, limit int) (w Waiting, err error) {
	if !access.Can(by, access.RecertSee, access.Object{}) {
		return w, nil
	}
	tx := s.db.WithContext(ctx)
	p, err := s.Plan(tx)
	if err != nil || p.Round == nil {
		return w, err
	}
	with, where, args := mine(by)
	args = append([]any{p.Round.OpensAt.UTC(), p.Round.ID}, args...)
	err = tx.Raw(with+"SELECT count(*) FROM (SELECT 1"+waitingSQL+where+" LIMIT ?) x", append(args, limit)...).Scan(&w.Count).Error
	if err != nil {
		return w, fmt.Errorf("count groups to confirm: %w", err)
	}
	w.Round = p.Round
	return w, nil
}

// Note is what a group's own page says of the round.
type Note struct {
	Round *Round // nil: nothing is asked
	Held  bool   // members and codes stand still
	Mine  bool   // the reader may confirm
	Steps bool   // not as one of those who are asked, but as a super admin
	Heads []string
	At    time.Time
}

// Note reads it for somebody who may see the group.
func (s *Service) Note(ctx context.Context, by access.Actor, g group.Group) (n Note, err error) {
	tx := s.db.WithContext(ctx)
	p, err := s.Plan(tx)
	if err != nil || p.Round == nil || g.Status != group.Active {
		return n, err
	}
	var rows []struct{ Held bool }
	err = tx.Raw("SELECT "+heldSQL+" AS held"+waitingSQL+"g.id = ?", s.now().UTC(), p.Round.OpensAt.UTC(), p.Round.ID, g.ID).Scan(&rows).Error
	if err != nil {
		return n, fmt.Errorf("look what is asked of the group: %w", err)
	}
	if len(rows) == 0 {
		return n, nil
	}
	n.Round, n.Held, n.At = p.Round, rows[0].Held, s.now()
	n.Mine, n.Steps = may(tx, by, g) == nil, steps(by, g)
	n.Heads, err = heads(tx, g)
	return n, err
}
