package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Filter narrows the list of groups. The zero value shows every active group.
type Filter struct {
	Type      string // internal, external, training; empty = all
	Disbanded bool   // the disbanded ones instead of the active ones
	Attention bool   // only those with something to mend
	Tier      string // the label
	Q         string // part of the name or the GID
	After     int64  // from the page before
}

// Line is one group in the list. The numbers are filled for groups that the reader manages.
type Line struct {
	Group
	Lineage string
	Numbers
	Manages bool
}

// Page is one page of the list.
type Page struct {
	Lines []Line
	Next  int64 // pass it as After; 0 = the last page
}

// EntryTrouble says what is wrong with g's way in: "", "soon" or "expired". It
// needs Way to be read.
func (g Group) EntryTrouble(now time.Time) string {
	if g.Status != Active {
		return ""
	}
	return g.Way.Trouble(now)
}

// Full reports whether no seat is left.
func (g Group) Full() bool { return g.Status == Active && g.MemberCount >= g.Capacity }

// List shows the groups that by may know of, the newest first: those of the
// departments led and belonged to, those with a duty and those joined.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter) (Page, error) {
	db := s.db.WithContext(ctx)
	query := db.Table("groups g").Select("g.*, d.path AS department_path, d.name AS department_name").
		Joins("JOIN departments d ON d.id = g.department_id").Order("g.id DESC").Limit(PageSize + 1)
	policies, err := directory.LoadPolicies(db)
	if err != nil {
		return Page{}, err
	}
	query = f.narrow(visible(query, by), s.now().UTC().Add(time.Duration(policies.UpstreamWarnHours)*time.Hour))
	var groups []Group
	if err := query.Find(&groups).Error; err != nil {
		return Page{}, fmt.Errorf("list groups: %w", err)
	}
	var out Page
	if len(groups) > PageSize {
		groups, out.Next = groups[:PageSize], groups[PageSize-1].ID
	}
	if err := fillEntries(db, groups, s.now()); err != nil {
		return out, err
	}
	err = s.describe(db, by, groups, &out)
	return out, err
}

// visible keeps the groups that by may know of.
func visible(query *gorm.DB, by access.Actor) *gorm.DB {
	sight, args := access.Sight(by, "d.path")
	if by.Super || by.Kind == access.System {
		return query
	}
	where := "(" + sight + " OR g.id IN (SELECT group_id FROM memberships WHERE member_id = ? AND status = 'active')"
	args = append(args, by.MemberID)
	if ids := slices.Collect(maps.Keys(by.Duties)); len(ids) > 0 {
		where, args = where+" OR g.id IN ?", append(args, ids)
	}
	if len(by.Keeps) > 0 {
		where, args = where+" OR g.id IN ?", append(args, by.Keeps)
	}
	return query.Where(where+")", args...)
}

func (f Filter) narrow(query *gorm.DB, soon time.Time) *gorm.DB {
	status := Active
	if f.Disbanded {
		status = Disbanded
	}
	query = query.Where("g.status = ?", status)
	if f.Type != "" {
		query = query.Where("g.type = ?", f.Type)
	}
	if f.Tier != "" {
		query = query.Where("g.tier = ?", f.Tier)
	}
	if f.Attention {
		query = query.Where(`(g.member_count >= g.capacity AND g.series_id IS NULL OR
			g.entry_kind = 'none' AND EXISTS (SELECT 1 FROM groups o WHERE o.series_id = g.series_id AND o.entry_kind <> 'none') OR
			g.entry_kind = 'upstream' AND NOT EXISTS (SELECT 1 FROM entry_images i WHERE i.group_id = g.id AND `+worksSQL+`))`, soon)
	}
	if f.Q != "" {
		query = query.Where(`(lower(g.name) LIKE ? ESCAPE '\' OR lower(g.gid) LIKE ? ESCAPE '\')`, contains(f.Q), contains(f.Q))
	}
	if f.After > 0 {
		query = query.Where("g.id < ?", f.After)
	}
	return query
}

// describe adds the names of departments and, where by may see them, numbers.
func (s *Service) describe(tx *gorm.DB, by access.Actor, groups []Group, out *Page) error {
	var managed []int64
	paths := make([]string, len(groups))
	for i, g := range groups {
		paths[i] = g.DepartmentPath
		if access.Can(by, access.CodeDownload, g.Object(false)) {
			managed = append(managed, g.ID)
		}
	}
	lineages, err := Lineages(tx, paths)
	if err != nil {
		return err
	}
	numbers, err := numbersOf(tx, managed, s.now().UTC())
	if err != nil {
		return err
	}
	out.Lines = make([]Line, len(groups))
	for i, g := range groups {
		out.Lines[i] = Line{Group: g, Lineage: lineages[g.DepartmentPath], Numbers: numbers[g.ID], Manages: slices.Contains(managed, g.ID)}
	}
	return nil
}
