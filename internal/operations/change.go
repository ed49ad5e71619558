package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Change is what shall happen to several groups.
type Change struct {
	Kind            string
	JoinMode        string
	MemberID, Phone string // of the new owner, or who gets the duty
	Duty            string
	DepartmentID    string
	Reason          string
	Confirm         *string // how many groups, as typed before they are disbanded; nil for scripts
}

// Kinds of Change, in the order of the page.
var Kinds = []string{KindMode, KindOwner, KindDuty, KindMove, KindPrint, KindDisband}

// Change does one thing to several groups, each on its own right and in its own
// transaction: one that refuses keeps no other from it. What became of each is
// kept under the id that is returned.
func (s *Service) Change(ctx context.Context, by access.Actor, gids []string, c Change) (int64, error) {
	if err := access.Check(by, access.CodeDownload, access.Object{}); err != nil {
		return 0, err
	}
	slices.Sort(gids)
	gids = slices.Compact(gids)
	switch {
	case len(gids) == 0:
		return 0, fault.Invalid{"id": fault.Msg("operations.pick.error.none")}
	case len(gids) > Most:
		return 0, errTooMany()
	}
	apply, err := s.how(ctx, by, &c, len(gids))
	if err != nil {
		return 0, err
	}
	known, err := s.named(ctx, by, gids)
	if err != nil {
		return 0, err
	}
	rows := make([]Row, 0, len(known))
	for _, g := range known {
		row, err := s.one(ctx, by, g, apply)
		if err != nil {
			return 0, err
		}
		row.RowNumber = len(rows) + 1
		rows = append(rows, row)
	}
	return s.keep(ctx, by, c, rows)
}

// named reads the groups that by may know of, by name; a foreign one is left out like one that does not exist.
func (s *Service) named(ctx context.Context, by access.Actor, gids []string) ([]group.Group, error) {
	var all []group.Group
	err := s.db.WithContext(ctx).Table("groups g").Select("g.*, d.path AS department_path, d.name AS department_name").
		Joins("JOIN departments d ON d.id = g.department_id").Where("g.gid IN ?", gids).Order("g.name, g.id").Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read the groups: %w", err)
	}
	all = slices.DeleteFunc(all, func(g group.Group) bool { return !access.Can(by, access.GroupSee, g.Object(false)) })
	if len(all) == 0 {
		return nil, fault.NotFound
	}
	return all, nil
}

// how checks the form once and returns what to do to each group; it reports whether that made a difference.
func (s *Service) how(ctx context.Context, by access.Actor, c *Change, n int) (func(gid string) (bool, error), error) {
	switch c.Kind {
	case KindMode:
		if !slices.Contains([]string{group.Open, group.Approval, group.Restricted, group.Off}, c.JoinMode) {
			return nil, fault.Invalid{"join_mode": fault.Msg("groups.error.joinmode")}
		}
		return func(gid string) (bool, error) { return s.groups.SetJoinMode(ctx, by, gid, c.JoinMode) }, nil
	case KindOwner, KindDuty:
		return s.handing(ctx, by, c)
	case KindMove:
		to, err := s.destination(ctx, by, c.DepartmentID)
		if err != nil {
			return nil, err
		}
		return func(gid string) (bool, error) { return s.groups.MoveTo(ctx, by, gid, to.ID) }, nil
	case KindDisband:
		if err := c.checkDisband(n); err != nil {
			return nil, err
		}
		return func(gid string) (bool, error) { return true, s.groups.Disband(ctx, by, gid, c.Reason, nil) }, nil
	case KindPrint:
		return func(gid string) (bool, error) {
			_, err := group.Find(s.db.WithContext(ctx), by, gid, access.CodeDownload)
			return true, err
		}, nil
	}
	return nil, fault.Invalid{"action": fault.Msg("operations.change.error.kind")}
}

// handing finds the member once; the groups ask again under their locks.
func (s *Service) handing(ctx context.Context, by access.Actor, c *Change) (func(gid string) (bool, error), error) {
	m, err := directory.ActiveMember(s.db.WithContext(ctx), c.MemberID, c.Phone)
	var bad fault.Invalid
	if errors.As(err, &bad) {
		return nil, fault.Invalid{c.Kind + "_phone": fault.Msg("settings.error.member")}
	} else if err != nil {
		return nil, err
	}
	id := strconv.FormatInt(m.ID, 10)
	if c.Kind == KindOwner {
		return func(gid string) (bool, error) {
			g, err := group.Load(s.db.WithContext(ctx), gid)
			if err != nil {
				return false, err
			}
			return g.OwnerID == nil || *g.OwnerID != m.ID, s.groups.HandOver(ctx, by, gid, id, "")
		}, nil
	}
	if !slices.Contains(group.Duties, c.Duty) {
		return nil, fault.Invalid{"duty": fault.Msg("groups.error.duty")}
	}
	return func(gid string) (bool, error) { return true, s.groups.ChangeDuty(ctx, by, gid, id, "", c.Duty, true) }, nil
}

// checkDisband wants a reason and the number of groups.
func (c *Change) checkDisband(n int) error {
	bad := fault.Invalid{}
	c.Reason = strings.TrimSpace(c.Reason)
	switch have := utf8.RuneCountInString(c.Reason); {
	case have == 0:
		bad["reason"] = fault.Msg("groups.error.reason.empty")
	case have > group.MaxReason:
		bad["reason"] = fault.Msg("groups.error.reason.long", "Max", group.MaxReason, "Have", have)
	}
	if c.Confirm != nil && strings.TrimSpace(*c.Confirm) != strconv.Itoa(n) {
		bad["confirm_count"] = fault.Msg("operations.change.error.count", "Count", n)
	}
	return bad.Or()
}

// destination is the department that groups shall move to: one in which by may create groups.
func (s *Service) destination(ctx context.Context, by access.Actor, text string) (d directory.Department, err error) {
	id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || id <= 0 {
		return d, fault.Invalid{"department_id": fault.Msg("groups.error.department")}
	}
	var found []directory.Department
	if err := s.db.WithContext(ctx).Where("id = ?", id).Limit(1).Find(&found).Error; err != nil {
		return d, fmt.Errorf("look for the department: %w", err)
	}
	if len(found) == 0 || access.Decide(by, access.GroupCreate, access.Object{Path: found[0].Path}) == access.Denied {
		return d, fault.Invalid{"department_id": fault.Msg("groups.error.department")}
	}
	return found[0], nil
}

// one does it to one group and says what became of it.
func (s *Service) one(ctx context.Context, by access.Actor, g group.Group, apply func(string) (bool, error)) (Row, error) {
	row := Row{Name: g.Name, GroupID: &g.ID, Outcome: Done}
	changed, err := apply(g.GID)
	var missing fault.Forbidden
	var bad fault.Invalid
	var first fault.Conflict
	switch {
	case err == nil && !changed:
		row.Outcome = Same
	case err == nil:
	case errors.Is(err, fault.NotFound):
		row.Outcome, row.Cause = Refused, cause(fault.Msg("operations.cause.notfound"))
	case errors.Is(err, group.ErrOpenNeedsSecond):
		row.Outcome, row.Cause = Refused, cause(fault.Msg("groups.error.joinmode.permanent"))
	case errors.As(err, &missing):
		row.Outcome, row.Cause = Refused, cause(fault.Msg("right."+missing.Right))
	case errors.As(err, &first):
		row.Outcome, row.Cause = Refused, cause(first.Message)
	case errors.As(err, &bad):
		row.Outcome = Refused
		for _, m := range bad {
			row.Cause = cause(m)
		}
	default:
		return row, err
	}
	return row, nil
}

// keep stores what became of the groups, and forgets the selection.
func (s *Service) keep(ctx context.Context, by access.Actor, c Change, rows []Row) (id int64, err error) {
	now := s.now().UTC()
	b := Batch{Kind: c.Kind, State: Done, Params: "{}", CreatedBy: by.MemberID, CreatedAt: now, DoneAt: &now}
	done := 0
	for _, r := range rows {
		if r.Outcome == Done {
			done++
		}
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&b).Error; err != nil {
			return fmt.Errorf("keep the outcomes: %w", err)
		}
		for i := range rows {
			rows[i].BatchID = b.ID
		}
		if err := storeRows(tx, rows); err != nil {
			return err
		}
		if err := tx.Where("member_id = ?", by.MemberID).Delete(&pick{}).Error; err != nil {
			return fmt.Errorf("forget a selection: %w", err)
		}
		return s.trail.Record(tx, by, b.event(by, "group.batch.change", map[string]any{"kind": c.Kind, "count": len(rows), "done": done}))
	})
	return b.ID, err
}

// Moving is what a move of several groups to a department changes.
type Moving struct {
	To      directory.Department
	Lineage string
	Heads   []string // who leads there and above
	Lost    []code.Standing
	Won     int
	Groups  []Mover
}

// Mover is one group that would move.
type Mover struct {
	group.Group
	Heads   []string // who leads it now and would not any more
	Stays   bool     // it is there already
	Refused string   // the right that is missing
}

// PreviewMove says what moving the selected groups would change. req: D17
func (s *Service) PreviewMove(ctx context.Context, by access.Actor, groups []group.Group, departmentID string) (m Moving, err error) {
	tx := s.db.WithContext(ctx)
	if m.To, err = s.destination(ctx, by, departmentID); err != nil {
		return m, err
	}
	names, err := group.Lineages(tx, []string{m.To.Path})
	if err != nil {
		return m, err
	}
	m.Lineage = names[m.To.Path]
	heads, err := headsOf(tx, append(pathsOf(groups), m.To.Path))
	if err != nil {
		return m, err
	}
	m.Heads = heads[m.To.Path]
	var ids []int64
	for _, g := range groups {
		one := Mover{Group: g, Stays: g.DepartmentID == m.To.ID}
		if access.Decide(by, access.GroupCreate, g.Object(true)) == access.Denied {
			one.Refused = string(access.GroupCreate)
		} else if !one.Stays {
			ids = append(ids, g.ID)
		}
		for _, h := range heads[g.DepartmentPath] {
			if !slices.Contains(m.Heads, h) {
				one.Heads = append(one.Heads, h)
			}
		}
		m.Groups = append(m.Groups, one)
	}
	all, err := code.StandingsAt(tx, ids, m.To.ID, s.now())
	for _, c := range all {
		if c.Lost() {
			m.Lost = append(m.Lost, c)
		} else if c.Won() {
			m.Won++
		}
	}
	return m, err
}

func pathsOf(groups []group.Group) []string {
	paths := make([]string, len(groups))
	for i, g := range groups {
		paths[i] = g.DepartmentPath
	}
	return paths
}

// headsOf names who leads each of some departments or one above it.
func headsOf(tx *gorm.DB, paths []string) (map[string][]string, error) {
	ids := []int64{0}
	for _, p := range paths {
		ids = append(ids, code.PathIDs(p)...)
	}
	slices.Sort(ids)
	var rows []struct {
		Path string
		Name string
	}
	err := tx.Raw(`SELECT d.path, m.name FROM department_heads h JOIN departments d ON d.id = h.department_id JOIN members m ON m.id = h.member_id
		WHERE d.id IN ? ORDER BY d.path, m.id LIMIT 2000`, slices.Compact(ids)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read who leads: %w", err)
	}
	out := map[string][]string{}
	for _, p := range paths {
		if _, done := out[p]; done {
			continue
		}
		out[p] = []string{}
		for _, r := range rows {
			if strings.HasPrefix(p, r.Path) {
				out[p] = append(out[p], r.Name)
			}
		}
	}
	return out, nil
}
