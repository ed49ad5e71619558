package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

const withNames = "a.*, ra.name AS author_name, coalesce(da.name, '') AS decider_name"

func named(tx *gorm.DB) *gorm.DB {
	return tx.Table("approvals a").Select(withNames).
		Joins("JOIN members ra ON ra.id = a.requested_by").Joins("LEFT JOIN members da ON da.id = a.decided_by")
}

// visible keeps what by may see: super admins everything, everybody else their own.
func visible(query *gorm.DB, by access.Actor) *gorm.DB {
	if by.Super || by.Kind == access.System {
		return query
	}
	return query.Where("a.requested_by = ?", by.MemberID)
}

// read finds one request that by may see. One about a department in by's sight,
// and an author's who may not see requests any more, is fault.Forbidden; any
// other is fault.NotFound.
func read(tx *gorm.DB, by access.Actor, id int64) (Approval, error) {
	var a Approval
	err := named(tx).Where("a.id = ?", id).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, fault.NotFound
	} else if err != nil {
		return a, fmt.Errorf("read approval: %w", err)
	}
	if a.RequestedBy == by.MemberID && a.Kind == GroupNew {
		return a, nil // whoever may start a group sees what became of their own wish
	}
	if by.Super || by.Kind == access.System || a.RequestedBy == by.MemberID {
		return a, access.Check(by, access.ApprovalsSee, access.Object{})
	}
	if a.DepartmentID == nil {
		return Approval{}, fault.NotFound
	}
	path, err := departmentPath(tx, *a.DepartmentID)
	if err == nil {
		err = access.Check(by, access.ApprovalsDecide, access.Object{Path: path})
	}
	return Approval{}, err
}

// Detail is one request with what exactly would happen, by kind.
type Detail struct {
	Approval
	State       string
	Plan        *group.Plan // of a group to create
	Lineage     string      // its department
	Member      *directory.Member
	CanDecide   bool
	CanWithdraw bool
	Own         bool
	CanFetch    bool // an export that its author may still download
}

// ByID reads one request that by may see.
func (s *Service) ByID(ctx context.Context, by access.Actor, id int64) (Detail, error) {
	db := s.db.WithContext(ctx)
	a, err := read(db, by, id)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Approval: a, State: a.State(s.now()), Own: a.RequestedBy == by.MemberID}
	open := d.State == Pending
	d.CanWithdraw = open && d.Own
	d.CanDecide = open && !d.Own && access.Can(by, access.ApprovalsDecide, access.Object{})
	d.CanFetch = d.Own && s.Fetchable(a) && access.Can(by, access.FullExport, access.Object{})
	switch a.Kind {
	case GroupExternal, GroupNew:
		return d, d.fillGroup(db)
	case ExportKind:
		return d, nil
	}
	return d, d.fillMember(db)
}

func (d *Detail) fillGroup(tx *gorm.DB) error {
	d.Plan = &group.Plan{}
	if err := json.Unmarshal([]byte(d.Payload), d.Plan); err != nil {
		return fmt.Errorf("payload of approval %d: %w", d.ID, err)
	}
	path, err := departmentPath(tx, d.Plan.DepartmentID)
	if errors.Is(err, fault.NotFound) {
		return nil // the department is gone; the page says so by its absence
	} else if err != nil {
		return err
	}
	lineages, err := group.Lineages(tx, []string{path})
	d.Lineage = lineages[path]
	return err
}

func (d *Detail) fillMember(tx *gorm.DB) error {
	var payload member
	if err := json.Unmarshal([]byte(d.Payload), &payload); err != nil {
		return fmt.Errorf("payload of approval %d: %w", d.ID, err)
	}
	var m directory.Member
	err := tx.Select("id", "name", "status", "phone").Where("id = ?", payload.MemberID).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read member: %w", err)
	}
	d.Member = &m
	return nil
}

// PageSize is how many rows the list shows.
const PageSize = 30

// Page is one page of the list.
type Page struct {
	Lines []Line
	Next  int64 // pass it as after; 0 = the last page
}

// Line is one request in the list.
type Line struct {
	Approval
	State string
}

// List shows the requests by may see, the latest first: those that wait, or
// those that are over.
func (s *Service) List(ctx context.Context, by access.Actor, over bool, after int64) (Page, error) {
	if err := access.Check(by, access.ApprovalsSee, access.Object{}); err != nil {
		return Page{}, err
	}
	now := s.now().UTC()
	query := visible(named(s.db.WithContext(ctx)), by)
	if over {
		query = query.Where("(a.status <> 'pending' OR a.expires_at <= ?)", now)
	} else {
		query = query.Where("a.status = 'pending' AND a.expires_at > ?", now)
	}
	if after > 0 {
		query = query.Where("a.id < ?", after)
	}
	var rows []Approval
	if err := query.Order("a.id DESC").Limit(PageSize + 1).Find(&rows).Error; err != nil {
		return Page{}, fmt.Errorf("list approvals: %w", err)
	}
	var out Page
	if len(rows) > PageSize {
		rows, out.Next = rows[:PageSize], rows[PageSize-1].ID
	}
	for _, a := range rows {
		out.Lines = append(out.Lines, Line{a, a.State(now)})
	}
	return out, nil
}
