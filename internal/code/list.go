package code

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// PageSize is how many codes a list shows at once.
const PageSize = 50

// Item is one line of a list of codes. Rank sorts: the lower, the more urgent.
type Item struct {
	Facts
	Now  State `gorm:"column:now_state"`
	Rank int
}

// List is one page of codes. Next is the cursor of the page after it.
type List struct {
	Items []Item
	Next  string
}

// Views are the saved filters of the list: name → states. Any single state is a view too.
var Views = map[string][]State{
	"attention": {Suspended, Exhausted, Limited, Expired, Off},
	"ended":     {Replaced, Revoked, Disbanded},
}

// ViewNames lists what the filter offers, in order.
var ViewNames = []string{"attention", string(Live), string(Expired), string(Exhausted), string(Suspended), Orphans, string(NotYet), string(Closed), "ended"}

// Orphans is the view of what stands still because its issuer lost the right. req: A11
const Orphans = "orphaned"

// All lists the codes that by may see, unhealthy ones first, then the newest.
// view is one of Views, a state, or empty; after is the cursor of the page before.
func (s *Service) All(ctx context.Context, by access.Actor, view, after string) (List, error) {
	where, args := visible(by)
	return s.list(s.db.WithContext(ctx), where, args, view, after)
}

// visible narrows to the groups whose codes by may see in scope, and to those
// by has a duty on.
func visible(by access.Actor) (string, []any) {
	where, args := access.Scope(by, access.CodeDownload, "d.path")
	if len(by.Duties) == 0 {
		return where, args
	}
	return "(" + where + " OR g.id IN ?)", append(args, slices.Collect(maps.Keys(by.Duties)))
}

func parseCursor(text string) (rank, id int64, ok bool) {
	a, b, found := strings.Cut(text, "-")
	rank, errA := strconv.ParseInt(a, 10, 64)
	id, errB := strconv.ParseInt(b, 10, 64)
	return rank, id, found && errA == nil && errB == nil
}

// OfGroup is the page of one group's codes, and what its reader may do there.
type OfGroup struct {
	Group     group.Group
	Trail     []string // the department path in words
	List      List
	MayIssue  bool
	Permanent Permission
}

// Permission says whether by may issue a permanent code, and if not, why.
type Permission struct {
	Missing     string // right that is missing
	NeedsSecond bool   // a second super admin would have to agree
}

// Allowed reports whether nothing stands in the way.
func (p Permission) Allowed() bool { return p.Missing == "" && !p.NeedsSecond }

// OfGroup lists a group's codes for somebody who may see them. req: A02
func (s *Service) OfGroup(ctx context.Context, by access.Actor, gid, after string) (OfGroup, error) {
	tx := s.db.WithContext(ctx)
	page, err := s.door(tx, by, access.CodeDownload, gid)
	if err != nil {
		return page, err
	}
	page.List, err = s.list(tx, "g.id = ?", []any{page.Group.ID}, "", after)
	return page, err
}

// IssueForm is what the form for a new code has to say.
type IssueForm struct {
	OfGroup
	Choices
	Presets []group.Preset // of the group's type
}

// IssueForm reads what the form for a new code shows; it needs the right to issue one.
func (s *Service) IssueForm(ctx context.Context, by access.Actor, gid string) (IssueForm, error) {
	tx := s.db.WithContext(ctx)
	page, err := s.door(tx, by, access.CodeTemporary, gid)
	form := IssueForm{OfGroup: page}
	if err != nil {
		return form, err
	}
	if page.Group.Status != group.Active {
		return form, disbanded(tx, page.Group.ID)
	}
	if form.Choices, err = s.choices(tx, by, page.Group.ID); err != nil {
		return form, err
	}
	if err := tx.Where("type = ?", page.Group.Type).Order("sort, id").Find(&form.Presets).Error; err != nil {
		return form, fmt.Errorf("list presets: %w", err)
	}
	return form, nil
}

// door reads a group for somebody who holds right on it.
func (s *Service) door(tx *gorm.DB, by access.Actor, right access.Right, gid string) (OfGroup, error) {
	g, err := group.Load(tx, gid)
	if err != nil {
		return OfGroup{}, err
	}
	joined, err := joins(tx, by, g.ID, g.DepartmentPath)
	if err != nil {
		return OfGroup{}, err
	}
	if err := access.Check(by, right, g.Object(joined)); err != nil {
		return OfGroup{}, err
	}
	page := OfGroup{Group: g, MayIssue: g.Status == group.Active && access.Can(by, access.CodeTemporary, g.Object(joined))}
	if page.Trail, err = Trail(tx, g.DepartmentPath); err != nil {
		return page, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return page, err
	}
	// With an audience even an open group may have one, so the form asks as if there were one.
	page.Permanent.Missing, page.Permanent.NeedsSecond = Permanence(by, g, policies, true)
	return page, nil
}
