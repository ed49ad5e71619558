package group

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// ErrNeedsApproval says that the group may exist only after a second person's word (req: D13).
var ErrNeedsApproval = errors.New("group: needs a second person's approval")

// Create makes a group in one of by's departments. A head's external group
// answers ErrNeedsApproval; a department outside by's scope fault.NotFound.
func (s *Service) Create(ctx context.Context, by access.Actor, d Draft) (Group, error) {
	p, verdict, err := s.Prepare(ctx, by, d)
	if err != nil {
		return Group{}, err
	}
	if verdict == access.NeedsApproval {
		return Group{}, ErrNeedsApproval
	}
	var g Group
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.StoreImage(tx, &p); err != nil {
			return err
		}
		if g, err = s.CreateIn(tx, by, p); err != nil {
			return err
		}
		return s.trail.Record(tx, by, g.Created())
	})
	return g, err
}

// Prepare checks a draft for a new group and says whether by may create it at once.
func (s *Service) Prepare(ctx context.Context, by access.Actor, d Draft) (Plan, access.Verdict, error) {
	db := s.db.WithContext(ctx)
	if err := access.Check(by, access.GroupCreate, access.Object{}); err != nil {
		return Plan{}, access.Denied, err
	}
	department, bad, err := s.target(db, by, access.GroupCreate, d)
	if err != nil {
		return Plan{}, access.Denied, err
	}
	if strings.TrimSpace(d.Capacity) == "" {
		if d.Capacity, err = usualCapacity(db, d.Type); err != nil {
			return Plan{}, access.Denied, err
		}
	}
	f, err := s.frame(db, Group{})
	if err != nil {
		return Plan{}, access.Denied, err
	}
	p, wrong := d.check(f)
	for field, m := range bad {
		wrong[field] = m
	}
	p.DepartmentID = department.ID
	verdict, err := s.verdict(db, by, department, &p)
	if err == nil {
		err = wrong.Or()
	}
	return p, verdict, err
}

// target finds the department a draft names. Nothing and nonsense is a field
// to mend; a department that is unknown or foreign to by is fault.NotFound.
func (s *Service) target(tx *gorm.DB, by access.Actor, right access.Right, d Draft) (directory.Department, fault.Invalid, error) {
	text := strings.TrimSpace(d.DepartmentID)
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return directory.Department{}, fault.Invalid{"department_id": fault.Msg("groups.error.department")}, nil
	}
	department, err := departmentByID(tx, id)
	if errors.Is(err, fault.NotFound) && by.Super {
		return department, fault.Invalid{"department_id": fault.Msg("groups.error.department")}, nil
	} else if err != nil {
		return department, nil, err
	}
	object := access.Object{Path: department.Path, External: d.Type == External, Training: d.Type == Training}
	if right == access.GroupCreate {
		object.UserStarted = startsOnly(by, object)
	}
	return department, nil, access.Check(by, right, object)
}

func departmentByID(tx *gorm.DB, id int64) (directory.Department, error) {
	var d directory.Department
	err := tx.Where("id = ?", id).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return d, fault.NotFound
	} else if err != nil {
		return d, fmt.Errorf("load department: %w", err)
	}
	return d, nil
}

func (s *Service) frame(tx *gorm.DB, was Group) (frame, error) {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return frame{}, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return frame{}, err
	}
	f := frame{loc: org.Location(), now: s.now().UTC(), upstreamDays: policies.UpstreamDays, was: was}
	if was.ID == 0 {
		return f, nil
	}
	if f.was.Way, err = Entry(tx, was, f.now); err != nil {
		return f, err
	}
	f.pool, err = poolOf(tx, was.ID)
	return f, err
}

// StoreImage writes a plan's new picture, once.
func (s *Service) StoreImage(tx *gorm.DB, p *Plan) error {
	if len(p.image) == 0 {
		return nil
	}
	id, err := storePicture(tx, p.image, s.now().UTC())
	if err != nil {
		return err
	}
	p.EntryFileID, p.image = id, nil
	return nil
}

// CreateIn makes the planned group on behalf of author, whose right to do so
// (be it with approval) is asked as of now. The caller writes the audit entry.
func (s *Service) CreateIn(tx *gorm.DB, author access.Actor, p Plan) (Group, error) {
	department, err := departmentByID(tx, p.DepartmentID)
	if err != nil {
		return Group{}, err
	}
	if err := access.Check(author, access.GroupCreate, p.Object(department.Path)); err != nil {
		return Group{}, err
	}
	now := s.now().UTC()
	g := Group{GID: newGID(), Name: p.Name, Type: p.Type, Origin: p.origin(), DepartmentID: department.ID, Purpose: p.Purpose, Capacity: p.Capacity,
		JoinMode: p.JoinMode, EntryKind: p.EntryKind, EntryURL: p.link(),
		Status: Active, CreatedAt: now, UpdatedAt: now, Version: 1, Charter: p.Charter}
	if author.MemberID != 0 {
		g.CreatedBy, g.UpdatedBy, g.EntryBy = &author.MemberID, &author.MemberID, &author.MemberID
	}
	if err := tx.Create(&g).Error; err != nil {
		return Group{}, fmt.Errorf("create group: %w", err)
	}
	g.DepartmentPath, g.DepartmentName = department.Path, department.Name
	if g.Origin == ByUser {
		if err := s.settle(tx, author, &g); err != nil {
			return g, err
		}
	}
	return g, s.hang(tx, author, g, p)
}

// link is what a plan puts into the group's own row: an image goes to the pool.
func (p Plan) link() string {
	if p.EntryKind == EntryLink {
		return p.EntryURL
	}
	return ""
}

// Created is the audit entry of g's creation.
func (g Group) Created() audit.Event {
	return audit.Event{Action: "group.create", Object: g.audited(), DepartmentPath: g.DepartmentPath,
		Details: map[string]any{"type": g.Type, "origin": g.Origin, "department": g.DepartmentName, "capacity": g.Capacity, "join_mode": g.JoinMode, "entry": g.EntryKind}}
}

// newGID returns "G" and 55 random bits that survive being read aloud (req: C01).
func newGID() string { return "G" + rand.Text()[:11] }

// Location is the organisation's time zone, in which drafts are written.
func (s *Service) Location(ctx context.Context) (*time.Location, error) {
	org, err := directory.LoadOrganisation(s.db.WithContext(ctx))
	return org.Location(), err
}
