package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// BulkLimit is how many members one bulk edit takes.
const BulkLimit = 500

// Actions of a bulk edit.
const (
	BulkAdd    = "add"    // into a department, besides the others
	BulkRemove = "remove" // out of a department
	BulkMove   = "move"   // into a department, out of all others in the actor's scope
	BulkDepart = "depart"
)

// BulkActions are they all, in the order of the form.
var BulkActions = []string{BulkAdd, BulkRemove, BulkMove, BulkDepart}

// Bulk is what to do with many members.
type Bulk struct {
	Action     string
	IDs        []int64
	Department int64  // for all but BulkDepart
	Reason     string // of BulkDepart
}

// BulkResult is how one person fared, or would. Outcome is done or the reason
// why not: same, only, departed, last, self, rights, not_found.
type BulkResult struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

// BulkDone is the outcome of somebody for whom it was done.
const BulkDone = "done"

// BulkRun is a bulk edit that was carried out.
type BulkRun struct {
	ID           int64
	CreatedBy    int64
	Action       string
	DepartmentID *int64
	Results      string
	At           time.Time

	Department string       `gorm:"-"`
	People     []BulkResult `gorm:"-"`
}

// TableName is for gorm.
func (BulkRun) TableName() string { return "bulk_edits" }

// Matching lists the members that a search finds, for a bulk edit of all of
// them: at most BulkLimit+1, so that too many show.
func (s *Service) Matching(ctx context.Context, by access.Actor, q Search) ([]int64, error) {
	if err := access.Check(by, access.MembersEdit, access.Object{}); err != nil {
		return nil, err
	}
	found, err := s.membersFound(s.db.WithContext(ctx), by, q, BulkLimit+1)
	ids := make([]int64, len(found))
	for i, m := range found {
		ids[i] = m.ID
	}
	return ids, err
}

// PreviewBulk answers how each person would fare. Nothing is written.
func (s *Service) PreviewBulk(ctx context.Context, by access.Actor, b Bulk) ([]BulkResult, error) {
	var people []bulkPerson
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if err := b.check(tx, by, false); err != nil {
			return err
		}
		people, err = b.judge(tx, by, false)
		return err
	})
	return resultsOf(people), err
}

// EditBulk does it for everybody for whom it may be done, with an entry in the
// trail for each, and returns the run's id. Departures are each a transaction
// of their own: what a departure holds up is held up for one person's time.
func (s *Service) EditBulk(ctx context.Context, by access.Actor, b Bulk) (int64, error) {
	b.Reason = prose(b.Reason)
	if b.Action == BulkDepart {
		return s.departBulk(ctx, by, b)
	}
	var id int64
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := b.check(tx, by, true); err != nil {
			return err
		}
		people, err := b.judge(tx, by, true)
		if err != nil {
			return err
		}
		if err := b.apply(tx, by, people); err != nil {
			return err
		}
		if err := s.recordBulk(tx, by, b, people); err != nil {
			return err
		}
		id, err = s.keepRun(tx, by, b, resultsOf(people))
		return err
	})
	return id, err
}

// check refuses what cannot be done with anybody.
func (b Bulk) check(tx *gorm.DB, by access.Actor, real bool) error {
	if err := access.Check(by, access.MembersEdit, access.Object{}); err != nil {
		return err
	}
	wrong := fault.Invalid{}
	switch {
	case !slices.Contains(BulkActions, b.Action):
		wrong["action"] = fault.Msg("people.bulk.action")
	case len(b.IDs) == 0:
		wrong["id"] = fault.Msg("people.bulk.nobody")
	case len(b.IDs) > BulkLimit:
		wrong["id"] = fault.Msg("people.bulk.toomany", "Limit", BulkLimit)
	}
	if err := wrong.Or(); err != nil {
		return err
	}
	if b.Action == BulkDepart {
		switch {
		case real && b.Reason == "":
			wrong["reason"] = fault.Msg("contacts.depart.reason.missing")
		case tooLong(b.Reason, reasonLimit):
			wrong["reason"] = fault.Msg("contacts.depart.reason.long", "Limit", reasonLimit)
		}
		return wrong.Or()
	}
	if b.Department == 0 && !real {
		return nil // not chosen yet
	}
	d, err := departmentByID(tx, b.Department)
	if errors.Is(err, fault.NotFound) || err == nil && access.Check(by, access.MembersEdit, access.Object{Path: d.Path}) != nil {
		return fault.Invalid{"department_id": fault.Msg("contacts.member.department.scope")}
	}
	return err
}

// bulkPerson is a member with what decides how they fare.
type bulkPerson struct {
	Path, Name, Status      string
	Number                  int64
	SuperAdmin, Mine, Above bool
	Near                    bool // the actor may open their page
	Inside                  bool // of the department
	Others                  int  // further departments
	OthersFar               int  // of those, outside the actor's scope
	outcome                 string
}

// judge reads all of them in one statement, in the order of their ids, and
// settles how each fares. Whom the actor may not know stays nameless.
func (b Bulk) judge(tx *gorm.DB, by access.Actor, hold bool) ([]bulkPerson, error) {
	ids := slices.Clone(b.IDs)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if hold {
		var held []int64
		err := tx.Table("members").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id IN ?", ids).Order("id").Pluck("id", &held).Error
		if err != nil {
			return nil, fmt.Errorf("hold members: %w", err)
		}
	}
	sight := nearOf(by)
	right := access.MembersEdit
	if b.Action == BulkDepart {
		right = access.MemberDepart
	}
	scope, scopeArgs := access.Scope(by, right, "d.path")
	own, ownArgs := ledOnly(by, "hd.path")
	var people []bulkPerson
	err := tx.Raw(`SELECT m.id AS number, m.name, m.status, m.super_admin, `+sight.text+` AS near,
			EXISTS (SELECT 1 FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id AND `+scope+`) AS mine,
			EXISTS (SELECT 1 FROM (SELECT department_id FROM department_heads h WHERE h.member_id = m.id UNION SELECT department_id FROM department_deputies x WHERE x.member_id = m.id
				UNION SELECT department_id FROM role_grants g WHERE g.member_id = m.id) held JOIN departments hd ON hd.id = held.department_id WHERE NOT `+own+`)
			OR EXISTS (SELECT 1 FROM role_grants g JOIN role_rights rr ON rr.role_id = g.role_id WHERE g.member_id = m.id AND rr.right_name IN ?) AS above,
			coalesce((SELECT min(d.path) FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id AND `+scope+`), '') AS path,
			EXISTS (SELECT 1 FROM member_departments md WHERE md.member_id = m.id AND md.department_id = ?) AS inside,
			(SELECT count(*) FROM member_departments md WHERE md.member_id = m.id AND md.department_id <> ?) AS others,
			(SELECT count(*) FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id = m.id AND md.department_id <> ? AND NOT (`+scope+`)) AS others_far
		FROM members m WHERE m.id IN ? ORDER BY m.id`,
		slices.Concat(sight.args, scopeArgs, ownArgs, []any{access.BeyondHeads()}, scopeArgs, []any{b.Department, b.Department, b.Department}, scopeArgs, []any{ids})...).Scan(&people).Error
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	found := map[int64]bool{}
	for i := range people {
		people[i].outcome = b.outcome(by, people[i])
		found[people[i].Number] = true
		if people[i].outcome == "not_found" {
			people[i].Name = ""
		}
	}
	for _, id := range ids {
		if !found[id] {
			people = append(people, bulkPerson{Number: id, outcome: "not_found"})
		}
	}
	return people, nil
}

// outcome is checkMember and the rules of the action, for one person.
func (b Bulk) outcome(by access.Actor, p bulkPerson) string {
	switch {
	case !by.Super && !p.Mine && !p.Near:
		return "not_found"
	case !by.Super && !p.Mine:
		return "rights"
	case !by.Super && (p.SuperAdmin || p.Above && p.Number != by.MemberID):
		return "rights"
	case p.Status != Active:
		return "departed"
	}
	switch b.Action {
	case BulkAdd:
		if p.Inside {
			return "same"
		}
	case BulkRemove:
		if !p.Inside {
			return "same"
		}
		if p.Others == 0 || !by.Super && p.Others == p.OthersFar {
			return "only"
		}
	case BulkMove:
		if p.Inside && p.Others == p.OthersFar {
			return "same"
		}
	case BulkDepart:
		if p.Number == by.MemberID {
			return "self"
		}
	}
	return BulkDone
}

// ledOnly is "leads it in one's own name" over a column of paths: rank does not
// come from standing in for somebody.
func ledOnly(by access.Actor, column string) (string, []any) {
	if by.Super || by.Kind == access.System {
		return "1 = 1", nil
	}
	terms, args := []string{"1 = 0"}, []any{}
	for _, path := range by.Led {
		terms, args = append(terms, column+" LIKE ?"), append(args, path+"%")
	}
	return "(" + strings.Join(terms, " OR ") + ")", args
}

func resultsOf(people []bulkPerson) []BulkResult {
	out := make([]BulkResult, len(people))
	for i, p := range people {
		out[i] = BulkResult{ID: p.Number, Name: p.Name, Outcome: p.outcome}
	}
	return out
}

// apply writes the departments of those for whom it is done, two statements in all.
func (b Bulk) apply(tx *gorm.DB, by access.Actor, people []bulkPerson) error {
	var ids []int64
	for _, p := range people {
		if p.outcome == BulkDone {
			ids = append(ids, p.Number)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if b.Action == BulkAdd || b.Action == BulkMove {
		err := tx.Exec(`INSERT INTO member_departments (member_id, department_id) SELECT m.id, d.id FROM members m JOIN departments d ON d.id = ?
			WHERE m.id IN ? ON CONFLICT DO NOTHING`, b.Department, ids).Error
		if err != nil {
			return fmt.Errorf("enter department: %w", err)
		}
	}
	scope, args := access.Scope(by, access.MembersEdit, "path")
	var err error
	switch b.Action {
	case BulkRemove:
		err = tx.Exec("DELETE FROM member_departments WHERE department_id = ? AND member_id IN ?", b.Department, ids).Error
	case BulkMove:
		err = tx.Exec("DELETE FROM member_departments WHERE member_id IN ? AND department_id <> ? AND department_id IN (SELECT id FROM departments WHERE "+scope+")",
			append([]any{ids, b.Department}, args...)...).Error
	}
	if err != nil {
		return fmt.Errorf("leave departments: %w", err)
	}
	return nil
}

func (s *Service) recordBulk(tx *gorm.DB, by access.Actor, b Bulk, people []bulkPerson) error {
	d, err := departmentByID(tx, b.Department)
	if err != nil {
		return err
	}
	var events []audit.Event
	for _, p := range people {
		if p.outcome != BulkDone {
			continue
		}
		path := p.Path
		if path == "" {
			path = d.Path
		}
		m := Member{ID: p.Number, Name: p.Name}
		events = append(events, memberEvent("member.bulk."+b.Action, m, path, map[string]any{"department": d.Name, "department_id": d.ID}))
	}
	return s.trail.RecordAll(tx, by, events)
}

// departBulk marks everybody as departed who may be.
func (s *Service) departBulk(ctx context.Context, by access.Actor, b Bulk) (id int64, err error) {
	db := s.db.WithContext(ctx)
	if err := b.check(db, by, true); err != nil {
		return 0, err
	}
	people, err := b.judge(db, by, false)
	if err != nil {
		return 0, err
	}
	for i, p := range people {
		if p.outcome != BulkDone {
			continue
		}
		if people[i].outcome, err = departed(s.Depart(ctx, by, p.Number, b.Reason)); err != nil {
			return 0, err
		}
	}
	err = db.Transaction(func(tx *gorm.DB) error {
		id, err = s.keepRun(tx, by, b, resultsOf(people))
		return err
	})
	return id, err
}

// departed turns what a departure answered into an outcome.
func departed(err error) (string, error) {
	var conflict fault.Conflict
	var invalid fault.Invalid
	var forbidden fault.Forbidden
	switch {
	case err == nil:
		return BulkDone, nil
	case errors.As(err, &conflict):
		return "departed", nil
	case errors.As(err, &invalid):
		return strings.TrimPrefix(invalid[""].Key, "contacts.depart."), nil // self or last
	case errors.As(err, &forbidden):
		return "rights", nil
	case errors.Is(err, fault.NotFound):
		return "not_found", nil
	}
	return "", err
}
