package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
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
	Effect      Effect
	Hindrance   *fault.Conflict // why approving would fail as the world is now
	Why         *fault.Message  // why it came to nothing
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
	if a.Void != "" {
		d.Why = &fault.Message{}
		if err := json.Unmarshal([]byte(a.Void), d.Why); err != nil {
			return d, fmt.Errorf("why approval %d is void: %w", a.ID, err)
		}
	}
	k, known := kinds[a.Kind]
	if !known {
		return d, nil
	}
	if err := k.tell(s, db, &d); err != nil || !open || k.check == nil {
		return d, err
	}
	return d, d.hinder(k.check(s, db, a))
}

// hinder keeps what would stop an approval now.
func (d *Detail) hinder(err error) error {
	var c fault.Conflict
	if errors.As(err, &c) {
		d.Hindrance = &c
		return nil
	}
	return err
}

// PageSize is how many rows the list shows.
const PageSize = 30

// Views of the list.
const (
	ForMe = "waiting" // that the reader may decide
	Mine  = "mine"    // that the reader asked for, whatever became of them
	Over  = "over"    // decided, withdrawn or past their date
)

// Filter narrows the list.
type Filter struct {
	View   string // "" = ForMe for who decides, else Mine
	Kind   string // "" = all
	Author string // part of a name
	After  int64
}

// Page is one page of the list.
type Page struct {
	View    string
	Lines   []Line
	Next    int64 // pass it as after; 0 = the last page
	Decides bool  // the reader decides what others ask for
	News    int   // outcomes that the reader has not seen
}

// Line is one request in the list.
type Line struct {
	Approval
	State string
	New   bool // the reader asked, and has not seen the outcome
}

// List shows the requests by may see, the latest first.
func (s *Service) List(ctx context.Context, by access.Actor, f Filter) (Page, error) {
	if err := access.Check(by, access.ApprovalsSee, access.Object{}); err != nil {
		return Page{}, err
	}
	now, db := s.now().UTC(), s.db.WithContext(ctx)
	out := Page{View: f.View, Decides: access.Can(by, access.ApprovalsDecide, access.Object{})}
	if out.View != Mine && out.View != Over {
		if out.View = Mine; out.Decides {
			out.View = ForMe
		}
	}
	query := f.narrow(visible(named(db), by))
	switch out.View {
	case ForMe:
		query = query.Where("a.status = 'pending' AND a.expires_at > ? AND a.requested_by <> ?", now, by.MemberID)
	case Mine:
		query = query.Where("a.requested_by = ?", by.MemberID)
	case Over:
		query = query.Where("(a.status <> 'pending' OR a.expires_at <= ?)", now)
	}
	var rows []Approval
	if err := query.Order("a.id DESC").Limit(PageSize + 1).Find(&rows).Error; err != nil {
		return Page{}, fmt.Errorf("list approvals: %w", err)
	}
	if len(rows) > PageSize {
		rows, out.Next = rows[:PageSize], rows[PageSize-1].ID
	}
	for _, a := range rows {
		l := Line{Approval: a, State: a.State(now)}
		l.New = a.RequestedBy == by.MemberID && a.SeenAt == nil && l.State != Pending
		out.Lines = append(out.Lines, l)
	}
	var err error
	out.News, err = s.News(ctx, by)
	return out, err
}

func (f Filter) narrow(query *gorm.DB) *gorm.DB {
	if _, known := kinds[f.Kind]; known {
		query = query.Where("a.kind = ?", f.Kind)
	}
	if name := strings.TrimSpace(f.Author); name != "" {
		query = query.Where(`lower(ra.name) LIKE ? ESCAPE '\'`, "%"+database.EscapeLike(strings.ToLower(name))+"%")
	}
	if f.After > 0 {
		query = query.Where("a.id < ?", f.After)
	}
	return query
}
