package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Settings is what the settings page of a group shows.
type Settings struct {
	Header
	OpenBlocked  bool // a permanent code without an audience hangs somewhere
	OpenAsks     bool // the reader may ask a second super admin all the same
	Holders      []Holder
	UpstreamDays int
	Location     *time.Location
	Pool         Pool
	Series       *SeriesView // nil when the group is in none
	Custodian    string
}

// Settings reads a group for those who may change any part of it.
func (s *Service) Settings(ctx context.Context, by access.Actor, gid string) (Settings, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return Settings{}, err
	}
	out := Settings{Header: h}
	if c := h.Can; h.Status == Active && !c.Settings && !c.Rename && !c.HandOver && !c.Duties && !c.Disband {
		return out, fault.Forbidden{Right: string(access.GroupSettings)}
	}
	if out.OpenBlocked, err = hasPermanentCode(s.db.WithContext(ctx), h.ID, h.Type); err != nil {
		return out, err
	}
	out.OpenAsks = out.OpenBlocked && by.Super
	if out.Holders, err = s.Holders(ctx, by, gid); err != nil {
		return out, err
	}
	f, err := s.frame(s.db.WithContext(ctx), h.Group)
	out.UpstreamDays, out.Location = f.upstreamDays, f.loc
	if err != nil || !h.Can.Settings {
		return out, err
	}
	return out, s.aside(ctx, &out)
}

// Save changes a group's settings to what the draft says. Each field that
// differs needs its own right: the name GroupRename, type and department the
// right to create such a group at both places, all others GroupSettings.
// A draft made from older settings answers fault.Conflict with who changed them.
func (s *Service) Save(ctx context.Context, by access.Actor, gid string, d Draft) error {
	db := s.db.WithContext(ctx)
	// Asked before the image is decoded: that costs seconds, and only those who may upload may spend them.
	before, o, err := find(db, by, gid)
	if err != nil {
		return err
	}
	right := access.GroupSettings
	if !access.Can(by, right, o) && access.Can(by, access.GroupRename, o) {
		right = access.GroupRename
	}
	if err := access.Check(by, right, o); err != nil {
		return err
	}
	department, bad, err := s.newHome(db, by, before, d)
	if err != nil {
		return err
	}
	f, err := s.frame(db, before)
	if err != nil {
		return err
	}
	p, wrong := d.check(f)
	maps.Copy(wrong, bad)
	if err := wrong.Or(); err != nil {
		return err
	}
	p.DepartmentID = department.ID
	return db.Transaction(func(tx *gorm.DB) error { return s.save(tx, by, right, gid, d.Version, p, department) })
}

// newHome is the department a draft names; the present one needs no right to stay.
func (s *Service) newHome(tx *gorm.DB, by access.Actor, g Group, d Draft) (directory.Department, fault.Invalid, error) {
	if d.DepartmentID == fmt.Sprint(g.DepartmentID) {
		department, err := departmentByID(tx, g.DepartmentID)
		return department, nil, err
	}
	// Who may not move this group learns that, not whether the other department exists.
	if err := access.Check(by, access.GroupMove, g.Object(true)); err != nil {
		return directory.Department{}, nil, err
	}
	return s.target(tx, by, access.GroupMove, d)
}

func (s *Service) save(tx *gorm.DB, by access.Actor, right access.Right, gid string, version int64, p Plan, to directory.Department) error {
	g, err := lock(tx, by, right, gid)
	if err != nil {
		return err
	}
	if version != 0 && version != g.Version {
		return stale(tx, g)
	}
	if err := s.StoreImage(tx, &p); err != nil {
		return err
	}
	set, pooled := changes(g, p), p.EntryKind == EntryUpstream && p.EntryValidUntil != nil
	if len(set) == 0 && !pooled {
		return nil
	}
	if err := s.allowed(tx, by, g, p, set, to); err != nil {
		return err
	}
	if pooled {
		if err := access.Check(by, access.GroupSettings, g.Object(true)); err != nil {
			return err
		}
		if err := s.hang(tx, by, g, p); err != nil {
			return err
		}
	}
	event := g.settingsEvent(set)
	if pooled {
		event.Details["changed"] = append(event.Details["changed"].([]string), "entry_image")
	}
	if _, moved := set["department_id"]; moved {
		event.Details["department"], event.Details["department_was"] = to.Name, g.DepartmentName
		set["created_department_id"] = g.createdIn()
	}
	now := s.now().UTC()
	set["version"], set["updated_at"], set["updated_by"] = g.Version+1, now, by.MemberID
	if _, entry := set["entry_url"]; entry {
		set["entry_by"] = by.MemberID
	}
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(set).Error; err != nil {
		return fmt.Errorf("save group: %w", err)
	}
	return s.trail.Record(tx, by, event)
}

// changes are the columns in which a plan differs from the group.
func changes(g Group, p Plan) map[string]any {
	set := map[string]any{}
	put := func(column string, differs bool, value any) {
		if differs {
			set[column] = value
		}
	}
	put("name", g.Name != p.Name, p.Name)
	put("type", g.Type != p.Type, p.Type)
	put("department_id", g.DepartmentID != p.DepartmentID, p.DepartmentID)
	put("purpose", g.Purpose != p.Purpose, p.Purpose)
	put("capacity", g.Capacity != p.Capacity, p.Capacity)
	put("join_mode", g.JoinMode != p.JoinMode, p.JoinMode)
	put("entry_kind", g.EntryKind != p.EntryKind, p.EntryKind)
	put("entry_url", g.EntryURL != p.link(), p.link())
	g.Charter.changes(p.Charter, put)
	return set
}

// allowed asks the right of each changed column and the rules that the rows around it set.
func (s *Service) allowed(tx *gorm.DB, by access.Actor, g Group, p Plan, set map[string]any, to directory.Department) error {
	here := g.Object(true) // in scope: lock has found out
	for column := range set {
		var err error
		switch column {
		case "name":
			err = access.Check(by, access.GroupRename, here)
		case "type", "department_id":
			err = moveAllowed(by, g, p, to)
		default:
			err = access.Check(by, access.GroupSettings, here)
		}
		if err != nil {
			return err
		}
	}
	bad := fault.Invalid{}
	if p.Capacity < g.MemberCount {
		bad["capacity"] = fault.Msg("groups.error.capacity.below", "Count", g.MemberCount)
	}
	if err := checkGuests(tx, g, p, bad); err != nil {
		return err
	}
	if err := checkOpen(tx, by, g, p, bad); err != nil {
		return err
	}
	return bad.Or()
}

// moveAllowed: whoever moves a group or changes its type could have created it there and here.
func moveAllowed(by access.Actor, g Group, p Plan, to directory.Department) error {
	if err := access.Check(by, access.GroupMove, g.Object(true)); err != nil {
		return err
	}
	there := access.Object{Path: to.Path, External: p.Type == External, Training: p.Type == Training}
	if err := access.Check(by, access.GroupMove, there); err != nil {
		return err
	}
	if p.Type == External && g.Type != External && access.Decide(by, access.GroupMove, there) == access.NeedsApproval {
		return fault.Invalid{"type": fault.Msg("groups.error.type.approval")}
	}
	return nil
}

// checkGuests keeps guests out of internal groups: they must leave first, and
// those who ask or wait must be answered.
func checkGuests(tx *gorm.DB, g Group, p Plan, bad fault.Invalid) error {
	if p.Type != Internal || g.Type == Internal {
		return nil
	}
	var why []string
	err := tx.Raw(`SELECT 'guests' FROM memberships WHERE group_id = ? AND status = 'active' AND guest_id IS NOT NULL
		UNION SELECT 'asking' FROM join_requests WHERE group_id = ? AND status = 'pending' AND guest_id IS NOT NULL
		UNION SELECT 'asking' FROM waiting_list WHERE group_id = ? AND ended_at IS NULL AND guest_id IS NOT NULL ORDER BY 1 DESC`, g.ID, g.ID, g.ID).Scan(&why).Error
	if err != nil {
		return fmt.Errorf("look for guests: %w", err)
	}
	if len(why) > 0 {
		bad["type"] = fault.Msg("groups.error.type." + why[0])
	}
	return nil
}

// checkOpen holds open joining back while a permanent code without an audience
// hangs somewhere: a super admin may ask a second one (ErrOpenNeedsSecond),
// everybody else may not. What is open already stays it, but not as another type.
func checkOpen(tx *gorm.DB, by access.Actor, g Group, p Plan, bad fault.Invalid) error {
	retyped := p.Type == Internal && g.Type != Internal
	if retyped {
		if err := checkOwnOpen(tx, g, p, bad); err != nil {
			return err
		}
	}
	if p.JoinMode != Open || g.JoinMode == Open && !retyped {
		return nil
	}
	blocked, err := hasPermanentCode(tx, g.ID, p.Type)
	switch {
	case err != nil || !blocked:
		return err
	case by.Super && !retyped && len(bad) == 0:
		return ErrOpenNeedsSecond
	}
	bad["join_mode"] = fault.Msg("groups.error.joinmode.permanent")
	return nil
}

// hasPermanentCode looks for one that keeps nobody away: no audience, or
// "everybody in the directory" on a group that takes nobody else.
func hasPermanentCode(tx *gorm.DB, groupID int64, kind string) (bool, error) {
	var ids []int64
	// Whoever comes to one of a series may be led to any of them.
	const rooms = "(SELECT r.id FROM groups r WHERE r.id = ? OR r.series_id = (SELECT o.series_id FROM groups o WHERE o.id = ?))"
	err := tx.Table("codes").Where(`(group_id IN `+rooms+` OR id IN (SELECT code_id FROM code_targets WHERE group_id IN `+rooms+`)) AND validity = 'permanent' AND revoked_at IS NULL AND own_mode IN ('', 'open')
		AND (audience = '' AND audience_roles = '' AND audience_people = ''
			OR audience_roles LIKE '%member%' AND ? = 'internal')`, groupID, groupID, groupID, groupID, kind).Limit(1).Pluck("id", &ids).Error
	if err != nil {
		return false, fmt.Errorf("look for permanent codes: %w", err)
	}
	return len(ids) > 0, nil
}

// stale is the conflict of a form filled from settings that somebody changed since.
func stale(tx *gorm.DB, g Group) error {
	c := fault.Conflict{Message: fault.Msg("groups.error.stale")}
	if g.UpdatedBy == nil {
		return c
	}
	name, err := nameOf(tx, *g.UpdatedBy)
	if err != nil {
		return err
	}
	c.By, c.At = name, g.UpdatedAt
	return c
}

// settingsEvent tells what changed; links stay out of the trail.
func (g Group) settingsEvent(set map[string]any) audit.Event {
	was := map[string]any{"name": g.Name, "type": g.Type, "capacity": g.Capacity, "join_mode": g.JoinMode, "entry_kind": g.EntryKind, "department_id": g.DepartmentID,
		"announcement": g.Announcement, "tier": g.Tier, "real_name": g.RealName, "ask_company": g.AskCompany, "members_invite": g.MembersInvite, "archive": g.Archive}
	details := map[string]any{"changed": slices.Sorted(maps.Keys(set))}
	for column, old := range was {
		if now, changed := set[column]; changed {
			details[column], details[column+"_was"] = now, old
		}
	}
	action := "group.settings"
	if _, renamed := set["name"]; renamed && len(set) == 1 {
		action = "group.rename"
	}
	return audit.Event{Action: action, Object: g.audited(), DepartmentPath: g.DepartmentPath, Details: details}
}
