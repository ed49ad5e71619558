package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// MaxBatch is how many requests one press may decide.
const MaxBatch = 500

// Decision is what somebody wants done with some requests.
type Decision struct {
	Approve bool
	Reason  string // reaches the applicant; required to reject, unless one of the list is chosen
	Preset  int64  // a reason of the list; 0 = none
	English bool   // the decider reads English
	Until   string // when the stay ends, as typed: a day or a moment; "" = it does not
	Into    string // gid of the group to let them into instead; "" = the one they asked for

	preset *Reason
	until  *time.Time
	into   *group.Group
}

// Outcomes of a decision on one request.
const (
	Already  = "already"   // somebody was first: By and At say who and when
	Full     = "full"      // no seat; it stays pending
	NotFound = "not_found" // no such request in the asker's scope
	Own      = "own"       // nobody decides their own request
)

// Result is what became of one request. Besides the outcomes above it is Approved or Rejected.
type Result struct {
	ID      int64
	Outcome string
	Name    string // of the applicant, when the asker may know
	Group   string
	Status  string // of the request, with Already
	By      string
	At      time.Time
}

// Decided reports whether this very call decided the request.
func (r Result) Decided() bool { return r.Outcome == Approved || r.Outcome == Rejected }

// Decide approves or rejects requests, each on its own: one that cannot be
// decided does not keep the others from it. The results are in the order of
// ids. Of any number of deciders exactly one decides a request, and a group
// never gets more members than seats. Who lacks the right gets what MayDecide says.
func (s *Service) Decide(ctx context.Context, by access.Actor, d Decision, ids ...int64) (results []Result, err error) {
	if err := s.MayDecide(ctx, by, ids...); err != nil {
		return nil, err
	}
	ids = unique(ids)
	if err := s.prepare(s.db.WithContext(ctx), by, &d, ids); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, fault.Invalid{"id": fault.Msg("requests.error.ids", "Max", MaxBatch)}
	}
	err = s.followed(ctx, func(tx *gorm.DB) error {
		results, err = s.decide(tx, by, d, ids)
		return err
	})
	return results, err
}

// MayDecide answers whether by may try to decide: fault.Forbidden without the
// right, fault.NotFound when the only request is out of sight. Who has the right
// somewhere learns what became of each request from its Result.
func (s *Service) MayDecide(ctx context.Context, by access.Actor, ids ...int64) error {
	somewhere := access.Check(by, access.RequestsDecide, access.Object{})
	if len(ids) != 1 {
		return somewhere
	}
	err := s.mayDecideOne(s.db.WithContext(ctx), by, ids[0])
	if somewhere == nil && errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (s *Service) mayDecideOne(tx *gorm.DB, by access.Actor, id int64) error {
	rows, err := byIDs(tx, []int64{id})
	if err != nil {
		return err
	}
	row, there := rows[id]
	if !there {
		return fault.NotFound
	}
	joined, err := joins(tx, by, row.GroupID)
	if err != nil {
		return err
	}
	return access.Check(by, access.RequestsDecide, row.groupObject(joined))
}

// joins reports whether by is a member of the group.
func joins(tx *gorm.DB, by access.Actor, groupID int64) (bool, error) {
	if by.Kind != access.Member {
		return false, nil
	}
	return group.Joined(tx, groupID, group.Person{MemberID: &by.MemberID})
}

func (s *Service) decide(tx *gorm.DB, by access.Actor, d Decision, ids []int64) ([]Result, error) {
	if err := holdAll(tx, ids, d.door()...); err != nil {
		return nil, err
	}
	rows, err := byIDs(tx, ids)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(ids))
	var events []audit.Event
	var joined []int64
	for i, id := range ids {
		row, there := rows[id]
		if !there {
			results[i] = Result{ID: id, Outcome: NotFound}
			continue
		}
		if results[i], err = s.decideOne(tx, by, d, row); err != nil {
			return nil, err
		}
		if results[i].Decided() {
			events = append(events, row.event(d))
		}
		if results[i].Outcome == Approved && row.ScanID != nil {
			joined = append(joined, *row.ScanID)
		}
	}
	if err := s.trail.RecordAll(tx, by, events); err != nil || len(joined) == 0 {
		return results, err
	}
	return results, s.marks.Stage(tx, stageJoined, joined...)
}

// holdAll locks applicants and groups in the order everybody locks them, and
// other groups with them.
func holdAll(tx *gorm.DB, ids []int64, others ...int64) error {
	var held []int64
	these, all := database.AnyOf(tx, "id", database.Numbers("id", ids))
	err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).
		Where("id IN (SELECT member_id FROM join_requests WHERE "+these+" AND status = 'pending')", all).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold applicants: %w", err)
	}
	var asked []int64
	if err := tx.Table("join_requests").Where(these+" AND status = 'pending'", all).Distinct("group_id").Pluck("group_id", &asked).Error; err != nil {
		return fmt.Errorf("find the groups: %w", err)
	}
	rooms := slices.Concat(asked, others)
	if err := group.HoldSeries(tx, rooms); err != nil {
		return err
	}
	err = tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where("id IN ? OR series_id IN (SELECT series_id FROM groups WHERE id IN ?)", rooms, rooms).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold groups: %w", err)
	}
	return stillAsking(tx, ids, asked)
}

// Listed is a request with what decisions and lists need of its group and of
// who decided it.
type Listed struct {
	Request       `gorm:"embedded"`
	GroupGID      string `gorm:"column:group_gid"`
	GroupName     string
	GroupPath     string
	GroupType     string
	GroupOrigin   string
	GroupStatus   string
	DeciderName   string
	MemberGone    bool
	DisbandedAt   *time.Time
	DisbandedName string
}

const listedColumns = `r.*, g.gid AS group_gid, g.name AS group_name, g.type AS group_type, g.origin AS group_origin, g.status AS group_status,
	g.disbanded_at, d.path AS group_path, coalesce(w.name, '') AS decider_name, coalesce(e.name, '') AS disbanded_name,
	(m.status IS NOT NULL AND m.status <> 'active') AS member_gone`

const listedFrom = ` FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id
	LEFT JOIN members w ON w.id = r.decided_by LEFT JOIN members m ON m.id = r.member_id LEFT JOIN members e ON e.id = g.disbanded_by`

func byIDs(tx *gorm.DB, ids []int64) (map[int64]Listed, error) {
	var rows []Listed
	if err := tx.Raw("SELECT "+listedColumns+listedFrom+" WHERE r.id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	all := make(map[int64]Listed, len(rows))
	for _, r := range rows {
		all[r.ID] = r
	}
	return all, nil
}

// groupObject is the request's group as the table of rights sees it.
func (r Listed) groupObject(joined bool) access.Object {
	return group.Group{ID: r.GroupID, DepartmentPath: r.GroupPath, Type: r.GroupType, Origin: r.GroupOrigin}.Object(joined)
}

func (r Listed) event(d Decision) audit.Event {
	e := audit.Event{Action: "request.approve", Object: r.object(), DepartmentPath: r.GroupPath, Details: map[string]any{"group": r.GroupGID}}
	if !d.Approve {
		e.Action = "request.reject"
	}
	if text := d.text(); text != "" {
		e.Details["reason"] = text
	}
	if d.into != nil {
		e.Details["into"] = d.into.GID
	}
	if d.until != nil {
		e.Details["until"] = d.until.Format(time.RFC3339)
	}
	return e
}

// result starts a Result from the facts that are true before deciding; open
// says that the request can be decided.
func (r Listed) result(by access.Actor) (out Result, open bool) {
	out = Result{ID: r.ID, Name: r.Name, Group: r.GroupName, Status: r.Status, By: r.DeciderName}
	if r.DecidedAt != nil {
		out.At = *r.DecidedAt
	}
	switch {
	case !access.Can(by, access.RequestsDecide, r.groupObject(false)):
		return Result{ID: r.ID, Outcome: NotFound}, false
	case r.Status != Pending:
		out.Outcome = Already
	case r.GroupStatus != group.Active || r.MemberGone:
		out.Outcome, out.Status, out.By = Already, Cancelled, r.DisbandedName
		if r.DisbandedAt != nil {
			out.At = *r.DisbandedAt
		}
	case r.MemberID != nil && by.Kind == access.Member && *r.MemberID == by.MemberID:
		out.Outcome = Own
	default:
		return out, true
	}
	return out, false
}

// errNoSeat undoes the update of one request, not the whole press.
var errNoSeat = errors.New("no seat")

func (s *Service) decideOne(tx *gorm.DB, by access.Actor, d Decision, row Listed) (Result, error) {
	out, open := row.result(by)
	if !open {
		return out, nil
	}
	won := false
	err := tx.Transaction(func(tx *gorm.DB) (err error) {
		won, err = s.settle(tx, by, d, row)
		return err
	})
	switch {
	case errors.Is(err, errNoSeat):
		out.Outcome = Full
		return out, nil
	case err != nil:
		return out, err
	case !won:
		return s.lost(tx, by, row.ID)
	}
	out.Outcome, out.By, out.At = Rejected, by.Name, s.now()
	if d.Approve {
		out.Outcome = Approved
	}
	return out, nil
}

// settle is the one statement that decides a request, and for an approval the
// seat. It returns false when somebody was first.
func (s *Service) settle(tx *gorm.DB, by access.Actor, d Decision, row Listed) (bool, error) {
	now := s.now().UTC()
	done := tx.Model(&Request{}).Where("id = ? AND status = ?", row.ID, Pending).Updates(d.columns(by, now))
	if done.Error != nil || done.RowsAffected == 0 || !d.Approve {
		return done.RowsAffected == 1, done.Error
	}
	m := group.Membership{GroupID: row.GroupID, MemberID: row.MemberID, GuestID: row.GuestID, Source: "code", CodeID: row.CodeID, RequestID: &row.ID, RulesVersion: row.RulesVersion}
	got, err := s.admit(tx, d, &m, now)
	if err == nil && got == group.NoSeat {
		err = errNoSeat
	}
	return true, err
}

// lost reads who was first.
func (s *Service) lost(tx *gorm.DB, by access.Actor, id int64) (Result, error) {
	rows, err := byIDs(tx, []int64{id})
	if err != nil {
		return Result{}, err
	}
	out, _ := rows[id].result(by)
	return out, nil
}

func unique(ids []int64) []int64 {
	var out []int64
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// Outcomes says what is true now of requests that a press could not decide, in
// the order of ids: for the page after a partly successful one.
func (s *Service) Outcomes(ctx context.Context, by access.Actor, ids ...int64) ([]Result, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := byIDs(s.db.WithContext(ctx), ids)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(ids))
	for i, id := range ids {
		results[i] = Result{ID: id, Outcome: NotFound}
		if row, there := rows[id]; there {
			open := false
			if results[i], open = row.result(by); open {
				results[i].Outcome = Full
			}
		}
	}
	return results, nil
}
