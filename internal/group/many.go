package group

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Seed is a checked plan of a batch with the department and the owner it names.
type Seed struct {
	Plan
	Department directory.Department
	OwnerID    *int64
}

// MayCreateMany answers nil for super admins and those who may create groups for
// a department. A member who may only start a group of their own makes no batches.
func MayCreateMany(by access.Actor) error {
	if !by.Super && len(by.Paths(access.GroupCreate)) == 0 {
		return fault.Forbidden{Right: string(access.GroupCreate)}
	}
	return access.Check(by, access.GroupCreate, access.Object{})
}

// CheckMany checks many drafts as Create would check each, with a handful of
// statements. homes are the departments by id; a draft of one that is not there,
// or where by may not create such a group at once, is wrong in the field department_id or type.
func (s *Service) CheckMany(tx *gorm.DB, by access.Actor, drafts []Draft, homes map[string]directory.Department) ([]Seed, []fault.Invalid, error) {
	if err := MayCreateMany(by); err != nil {
		return nil, nil, err
	}
	f, err := s.frame(tx, Group{})
	if err != nil {
		return nil, nil, err
	}
	usual := map[string]string{}
	seeds, wrong := make([]Seed, len(drafts)), make([]fault.Invalid, len(drafts))
	for i, d := range drafts {
		if strings.TrimSpace(d.Capacity) == "" {
			if _, known := usual[d.Type]; !known {
				if usual[d.Type], err = usualCapacity(tx, d.Type); err != nil {
					return nil, nil, err
				}
			}
			d.Capacity = usual[d.Type]
		}
		seeds[i].Plan, wrong[i] = d.check(f)
		home, known := homes[d.DepartmentID]
		seeds[i].Department, seeds[i].DepartmentID = home, home.ID
		verdict := access.Decide(by, access.GroupCreate, access.Object{Path: home.Path, External: seeds[i].Type == External})
		switch {
		case !known, verdict == access.Denied:
			wrong[i]["department_id"] = fault.Msg("groups.error.department")
		case verdict == access.NeedsApproval && seeds[i].Type != External:
			wrong[i]["type"] = fault.Msg("operations.batch.error.approval")
		case verdict == access.NeedsApproval:
			wrong[i]["type"] = fault.Msg("operations.batch.error.external")
		}
	}
	return seeds, wrong, nil
}

// CreateMany makes the groups of a batch with a few statements, in the caller's
// transaction, and returns what to write into the trail, one entry a group.
func (s *Service) CreateMany(tx *gorm.DB, by access.Actor, seeds []Seed, at time.Time) ([]Group, []audit.Event, error) {
	at = at.UTC()
	groups := make([]Group, len(seeds))
	for i, p := range seeds {
		groups[i] = Group{GID: newGID(), Name: p.Name, Type: p.Type, Origin: ByAdmin, DepartmentID: p.Department.ID, OwnerID: p.OwnerID, Purpose: p.Purpose,
			Capacity: p.Capacity, JoinMode: p.JoinMode, EntryKind: p.EntryKind, EntryURL: p.link(), Status: Active, CreatedAt: at, UpdatedAt: at, Version: 1, Charter: p.Charter}
		if by.MemberID != 0 {
			groups[i].CreatedBy, groups[i].UpdatedBy, groups[i].EntryBy = &by.MemberID, &by.MemberID, &by.MemberID
		}
	}
	if err := tx.CreateInBatches(&groups, 200).Error; err != nil {
		return nil, nil, fmt.Errorf("create the groups: %w", err)
	}
	events := make([]audit.Event, len(groups))
	for i := range groups {
		groups[i].DepartmentPath, groups[i].DepartmentName = seeds[i].Department.Path, seeds[i].Department.Name
		events[i] = groups[i].Created()
	}
	return groups, events, nil
}

// SetJoinMode changes how people get into one group, and nothing else. It
// reports whether that made a difference.
func (s *Service) SetJoinMode(ctx context.Context, by access.Actor, gid, mode string) (changed bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil || g.JoinMode == mode {
			return err
		}
		bad := fault.Invalid{}
		if err := checkOpen(tx, by, g, Plan{JoinMode: mode, Type: g.Type}, bad); err != nil {
			return err
		}
		if err := bad.Or(); err != nil {
			return err
		}
		changed = true
		return s.set(tx, by, g, map[string]any{"join_mode": mode})
	})
	return changed, err
}

// MoveTo makes one group belong to another department. Where it was created
// stays known: whoever leads only the new one may not disband it. req: D17
func (s *Service) MoveTo(ctx context.Context, by access.Actor, gid string, departmentID int64) (changed bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupCreate, gid)
		if err != nil || g.DepartmentID == departmentID {
			return err
		}
		to, err := departmentByID(tx, departmentID)
		if err != nil {
			return err
		}
		if err := moveAllowed(by, g, Plan{Type: g.Type}, to); err != nil {
			return err
		}
		changed = true
		return s.set(tx, by, g, map[string]any{"department_id": to.ID, "created_department_id": g.createdIn()})
	})
	return changed, err
}

// set writes columns of a locked group, counts the version and writes the trail.
func (s *Service) set(tx *gorm.DB, by access.Actor, g Group, columns map[string]any) error {
	event := g.settingsEvent(columns)
	now := s.now().UTC()
	columns["version"], columns["updated_at"], columns["updated_by"] = g.Version+1, now, by.MemberID
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(columns).Error; err != nil {
		return fmt.Errorf("change a group: %w", err)
	}
	return s.trail.Record(tx, by, event)
}

// Matching lists the active groups that a filter finds and that by manages, by
// gid, at most limit.
func (s *Service) Matching(ctx context.Context, by access.Actor, f Filter, limit int) ([]Group, error) {
	db := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(db)
	if err != nil {
		return nil, err
	}
	policies, err := directory.LoadPolicies(db)
	if err != nil {
		return nil, err
	}
	f.Disbanded, f.After = false, 0
	query := db.Table("groups g").Select("g.*, d.path AS department_path, d.name AS department_name").
		Joins("JOIN departments d ON d.id = g.department_id").Order("g.id DESC").Limit(limit)
	where, args := managed(by)
	query = f.narrow(query.Where(where, args...), s.now().UTC().Add(time.Duration(policies.UpstreamWarnHours)*time.Hour))
	var groups []Group
	if err := f.byStage(query, s.now(), org.Location()).Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups, nil
}
