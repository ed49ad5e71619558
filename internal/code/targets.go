package code

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Rules of a live code: which of its groups a visitor gets.
const (
	RouteOne        = "one"        // its own group
	RouteOrder      = "order"      // the first with a free seat
	RouteLeast      = "least"      // the one with the most room, by share
	RouteDepartment = "department" // by the visitor's department
	RouteWeight     = "weight"     // by chance, in proportion
)

// Routes lists the rules in the order a form shows them.
var Routes = []string{RouteOne, RouteOrder, RouteLeast, RouteDepartment, RouteWeight}

// Bounds of the targets.
const (
	maxTargets  = 20 // beside the code's own group
	maxWeight   = 1000
	targetsMost = 100 // groups that the form offers at once
)

// Target is one group behind a live code.
type Target struct {
	group.Group
	Position     int
	Weight       int
	ForID        *int64 // the department it is for, with RouteDepartment
	ForName      string
	ForPath      string
	Own          bool // the code's own group, which is always one
	SeriesSeats  int  // of all groups of its series
	SeriesTaken  int
	SeriesGroups int // 0 = it is in no series
}

// Seats is how many people the target takes in all, as far as groups exist.
func (t Target) Seats() (taken, seats int) {
	if t.SeriesGroups > 0 {
		return t.SeriesTaken, t.SeriesSeats
	}
	return t.MemberCount, t.Capacity
}

const targetsSQL = `SELECT g.*, d.path AS department_path, d.name AS department_name, coalesce(t.position, 0) AS position, coalesce(t.weight, 1) AS weight,
	t.department_id AS for_id, coalesce(f.name, '') AS for_name, coalesce(f.path, '') AS for_path, g.id = c.group_id AS own
	FROM codes c JOIN groups g ON g.id = c.group_id OR g.id IN (SELECT x.group_id FROM code_targets x WHERE x.code_id = c.id)
	JOIN departments d ON d.id = g.department_id LEFT JOIN code_targets t ON t.code_id = c.id AND t.group_id = g.id
	LEFT JOIN departments f ON f.id = t.department_id WHERE c.id = ? `

// usableSQL leaves out a target on which the code may not hang any more, as its type changed.
const usableSQL = `AND (g.id = c.group_id OR c.validity <> 'permanent' OR g.origin = 'admin' AND (g.type <> 'external' OR ` + externalSQL + `)) `

func targets(tx *gorm.DB, codeID int64, more string) ([]Target, error) {
	var all []Target
	if err := tx.Raw(targetsSQL+more+"ORDER BY g.id", codeID).Scan(&all).Error; err != nil {
		return nil, fmt.Errorf("read the code's groups: %w", err)
	}
	slices.SortStableFunc(all, func(x, y Target) int {
		switch {
		case x.Own:
			return -1
		case y.Own:
			return 1
		}
		return x.Position - y.Position
	})
	return all, nil
}

// TargetsPage is the page of a code's groups.
type TargetsPage struct {
	Facts
	Now       State
	Targets   []Target
	Choices   []group.Group // that may be added
	More      bool          // there are more than the page offers: search
	MayChange bool
}

// Targets reads a code's groups for somebody who may see the code. q narrows
// the groups that may be added.
func (s *Service) Targets(ctx context.Context, by access.Actor, publicID, q string) (TargetsPage, error) {
	tx := s.db.WithContext(ctx)
	f, err := Reach(tx, by, access.CodeDownload, publicID)
	if err != nil {
		return TargetsPage{}, err
	}
	p := TargetsPage{Facts: f, Now: f.State(s.now()), MayChange: !f.Over() && access.Can(by, access.CodeRevoke, f.Object(false))}
	if p.Targets, err = targets(tx, f.ID, ""); err != nil {
		return p, err
	}
	if err := countSeries(tx, p.Targets); err != nil || !p.MayChange {
		return p, err
	}
	return p, p.readChoices(tx, by, q)
}

func countSeries(tx *gorm.DB, all []Target) error {
	var ids []int64
	for _, t := range all {
		if t.SeriesID != nil {
			ids = append(ids, *t.SeriesID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	groups, err := group.Siblings(tx, ids)
	if err != nil {
		return err
	}
	for i, t := range all {
		for _, g := range groups {
			if t.SeriesID != nil && *g.SeriesID == *t.SeriesID && g.Status == group.Active {
				all[i].SeriesGroups++
				all[i].SeriesSeats += g.Capacity
				all[i].SeriesTaken += g.MemberCount
			}
		}
	}
	return nil
}

// readChoices lists active groups for which by may issue codes and that are no targets yet.
func (p *TargetsPage) readChoices(tx *gorm.DB, by access.Actor, q string) error {
	where, args := access.Scope(by, access.CodeTemporary, "d.path")
	where, args = "("+where+" OR g.owner_id = ?)", append(args, by.MemberID)
	args = append([]any{p.ID, p.GroupID}, args...)
	if q = strings.TrimSpace(q); q != "" {
		where += ` AND (lower(g.name) LIKE ? ESCAPE '\' OR lower(g.gid) LIKE ? ESCAPE '\')`
		like := "%" + database.EscapeLike(strings.ToLower(q)) + "%"
		args = append(args, like, like)
	}
	err := tx.Raw(`SELECT g.*, d.path AS department_path, d.name AS department_name FROM groups g JOIN departments d ON d.id = g.department_id
		WHERE g.status = 'active' AND g.id NOT IN (SELECT group_id FROM code_targets WHERE code_id = ?) AND g.id <> ? AND `+where+
		` ORDER BY g.name, g.id LIMIT ?`, append(args, targetsMost+1)...).Scan(&p.Choices).Error
	if err != nil {
		return fmt.Errorf("list groups to add: %w", err)
	}
	if p.More = len(p.Choices) > targetsMost; p.More {
		p.Choices = p.Choices[:targetsMost]
	}
	return nil
}

// SetRoute changes the rule of a live code. version is that of the page it was
// decided on, 0 = whatever is there; an older one is fault.Conflict. req: B18
func (s *Service) SetRoute(ctx context.Context, by access.Actor, publicID, route string, version int64) error {
	return s.retarget(ctx, by, publicID, version, func(tx *gorm.DB, f Facts) (map[string]any, error) {
		if !slices.Contains(Routes, route) {
			return nil, fault.Invalid{"route": fault.Msg("live.error.route")}
		}
		if route == f.Route {
			return nil, nil
		}
		if err := tx.Exec("UPDATE codes SET route = ? WHERE id = ?", route, f.ID).Error; err != nil {
			return nil, fmt.Errorf("change the rule: %w", err)
		}
		return map[string]any{"route": route, "route_was": f.Route}, nil
	})
}

// AddTarget lets a code lead to one more group, on which by could issue such a
// code too. Unknown and foreign groups are fault.NotFound.
func (s *Service) AddTarget(ctx context.Context, by access.Actor, publicID, gid string, version int64) error {
	return s.retarget(ctx, by, publicID, version, func(tx *gorm.DB, f Facts) (map[string]any, error) {
		if gid == "" {
			return nil, fault.Invalid{"group": fault.Msg("live.error.group")}
		}
		g, err := s.mayTarget(tx, by, f, gid)
		if err != nil {
			return nil, err
		}
		all, err := targets(tx, f.ID, "")
		if err != nil {
			return nil, err
		}
		if len(all) > maxTargets {
			return nil, fault.Invalid{"group": fault.Msg("live.error.many", "Max", maxTargets)}
		}
		for _, t := range all {
			if t.ID == g.ID || t.SeriesID != nil && g.SeriesID != nil && *t.SeriesID == *g.SeriesID {
				return nil, fault.Invalid{"group": fault.Msg("live.error.there", "Name", t.Name)}
			}
		}
		err = tx.Exec("INSERT INTO code_targets (code_id, group_id, position) VALUES (?, ?, ?)", f.ID, g.ID, all[len(all)-1].Position+1).Error
		if err != nil {
			return nil, fmt.Errorf("add a group: %w", err)
		}
		return map[string]any{"added": g.Name, "group": g.GID}, nil
	})
}

// mayTarget holds the group and checks that by could issue the code for it.
func (s *Service) mayTarget(tx *gorm.DB, by access.Actor, f Facts, gid string) (group.Group, error) {
	g, err := lockGroup(tx, gid)
	if err != nil {
		return g, err
	}
	joined, err := joins(tx, by, g.ID, g.DepartmentPath)
	if err != nil {
		return g, err
	}
	if err := access.Check(by, access.CodeTemporary, g.Object(joined)); err != nil {
		return g, err
	}
	if g.Status != group.Active {
		return g, disbanded(tx, g.ID)
	}
	if gap := f.gap(g.Type); gap != "" {
		return g, fault.Invalid{"group": fault.Msg("charter.error.code." + gap)}
	}
	if f.loosens(g) && !access.Can(by, access.GroupSettings, g.Object(joined)) {
		return g, fault.Forbidden{Right: string(access.GroupSettings)}
	}
	if f.Validity != Permanent {
		return g, nil
	}
	d, err := s.desk(tx, by, g)
	if err != nil {
		return g, err
	}
	// As if it were issued for g: whoever comes there may be led to any group of g's series.
	c := f.Code
	c.ID = 0
	if second, err := d.needsSecond(c); err != nil {
		return g, err
	} else if second {
		return g, fault.Invalid{"group": fault.Msg("live.error.second")}
	}
	return g, nil
}

// RemoveTarget takes a group away from a code. Its own group stays.
func (s *Service) RemoveTarget(ctx context.Context, by access.Actor, publicID, gid string, version int64) error {
	return s.onTarget(ctx, by, publicID, gid, version, func(tx *gorm.DB, f Facts, all []Target, at int) (map[string]any, error) {
		if all[at].Own {
			return nil, fault.Invalid{"group": fault.Msg("live.error.own")}
		}
		if err := tx.Exec("DELETE FROM code_targets WHERE code_id = ? AND group_id = ?", f.ID, all[at].ID).Error; err != nil {
			return nil, fmt.Errorf("remove a group: %w", err)
		}
		return map[string]any{"removed": all[at].Name, "group": gid}, nil
	})
}

// MoveTarget changes places with the group before it (up) or behind it. The
// code's own stays the first; at an end nothing happens.
func (s *Service) MoveTarget(ctx context.Context, by access.Actor, publicID, gid string, up bool, version int64) error {
	return s.onTarget(ctx, by, publicID, gid, version, func(tx *gorm.DB, f Facts, all []Target, at int) (map[string]any, error) {
		to := at + 1
		if up {
			to = at - 1
		}
		if at == 0 || to < 1 || to >= len(all) {
			return nil, nil
		}
		moved := all[at].Name
		all[at], all[to] = all[to], all[at]
		for i, t := range all[1:] {
			if err := tx.Exec("UPDATE code_targets SET position = ? WHERE code_id = ? AND group_id = ?", i+1, f.ID, t.ID).Error; err != nil {
				return nil, fmt.Errorf("move a group: %w", err)
			}
		}
		return map[string]any{"moved": moved, "position": to}, nil
	})
}

// TuneTarget sets what the rules weight and department go by; an empty
// department is none.
func (s *Service) TuneTarget(ctx context.Context, by access.Actor, publicID, gid, weight, department string, version int64) error {
	return s.onTarget(ctx, by, publicID, gid, version, func(tx *gorm.DB, f Facts, all []Target, at int) (map[string]any, error) {
		wrong := fault.Invalid{}
		w, err := strconv.Atoi(strings.TrimSpace(weight))
		if strings.TrimSpace(weight) == "" {
			w, err = all[at].Weight, nil
		}
		if err != nil || w < 1 || w > maxWeight {
			wrong["weight"] = fault.Msg("live.error.weight", "Max", maxWeight)
		}
		forID, err := targetDepartment(tx, department, wrong)
		if err != nil {
			return nil, err
		}
		if err := wrong.Or(); err != nil {
			return nil, err
		}
		err = tx.Exec(`INSERT INTO code_targets (code_id, group_id, position, weight, department_id) VALUES (?, ?, 0, ?, ?)
			ON CONFLICT (code_id, group_id) DO UPDATE SET weight = excluded.weight, department_id = excluded.department_id`, f.ID, all[at].ID, w, forID).Error
		if err != nil {
			return nil, fmt.Errorf("tune a group: %w", err)
		}
		return map[string]any{"tuned": all[at].Name, "weight": w, "department_id": forID}, nil
	})
}

func targetDepartment(tx *gorm.DB, text string, wrong fault.Invalid) (*int64, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "0" {
		return nil, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	var known []int64
	if err == nil {
		if err := tx.Table("departments").Where("id = ?", id).Pluck("id", &known).Error; err != nil {
			return nil, fmt.Errorf("look for the department: %w", err)
		}
	}
	if len(known) == 0 {
		wrong["department"] = fault.Msg("live.error.department")
		return nil, nil
	}
	return &id, nil
}

// onTarget is retarget about one of the code's groups; any other is fault.NotFound.
func (s *Service) onTarget(ctx context.Context, by access.Actor, publicID, gid string, version int64,
	do func(tx *gorm.DB, f Facts, all []Target, at int) (map[string]any, error)) error {
	return s.retarget(ctx, by, publicID, version, func(tx *gorm.DB, f Facts) (map[string]any, error) {
		all, err := targets(tx, f.ID, "")
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(t Target) bool { return t.GID == gid })
		if at < 0 {
			return nil, fault.NotFound
		}
		return do(tx, f, all, at)
	})
}

// retarget runs one change under the code's lock, refuses a stale page, counts
// the version and writes the trail. A change without details changed nothing.
func (s *Service) retarget(ctx context.Context, by access.Actor, publicID string, version int64, do func(*gorm.DB, Facts) (map[string]any, error)) error {
	return s.change(ctx, by, access.CodeRevoke, publicID, func(tx *gorm.DB, f Facts) error {
		if version != 0 && version != f.Version {
			return fault.Conflict{Message: fault.Msg("live.conflict.stale")}
		}
		details, err := do(tx, f)
		if err != nil || details == nil {
			return err
		}
		if err := tx.Exec("UPDATE codes SET version = version + 1 WHERE id = ?", f.ID).Error; err != nil {
			return fmt.Errorf("count the change: %w", err)
		}
		return s.trail.Record(tx, by, event("code.targets", f, details))
	})
}

// copyTargets gives a code's successor the groups of its predecessor.
func copyTargets(tx *gorm.DB, from, to int64) error {
	err := tx.Exec(`INSERT INTO code_targets (code_id, group_id, position, weight, department_id)
		SELECT ?, group_id, position, weight, department_id FROM code_targets WHERE code_id = ?`, to, from).Error
	if err != nil {
		return fmt.Errorf("copy the code's groups: %w", err)
	}
	return nil
}
