package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// leaveBatch is how many people leave in one transaction: each departure ends
// sessions, seats, requests and duties.
const leaveBatch = 50

// named are the people a file is about, as far as any of its rows can be read.
type named struct {
	jobs, phones, names map[string]bool
	unreadable          bool // a row that could be anybody
}

// named collects whom the rows name, also those that were refused: who stands in
// the file in whatever shape does not leave because of a typing mistake.
func (r *run) named() named {
	n := named{map[string]bool{}, map[string]bool{}, map[string]bool{}, false}
	for _, rec := range r.sheet.records {
		row, f := r.sheet.read(rec)
		n.unreadable = n.unreadable || row.outcome == rowRefused && f == fields{} && row.cause.Key != "mapping.cause.departed"
		if f.JobNumber != "" {
			n.jobs[f.JobNumber] = true
		}
		if phone, ok := ParsePhone(f.Phone); ok {
			n.phones[phone] = true
		}
		if row.outcome == rowRefused || f.JobNumber == "" {
			n.names[f.Name] = true
		}
	}
	return n
}

func (n named) has(f fields) bool {
	return n.phones[f.Phone] || f.JobNumber != "" && n.jobs[f.JobNumber] || n.names[f.Name]
}

// partings lets the people leave whom the file leaves out, or lists them in a dry run.
func (r *run) partings(ctx context.Context) error {
	if r.DepartID == nil {
		return nil
	}
	db := r.s.db.WithContext(ctx)
	if r.DryRun {
		return db.Transaction(func(tx *gorm.DB) error {
			if err := r.hold(tx); err != nil {
				return err
			}
			return r.previewPartings(tx)
		})
	}
	lines, err := r.leaving(db)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(lines, leaveBatch) {
		next := *r.Import
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := r.hold(tx); err != nil {
				return err
			}
			return r.part(tx, &next, some)
		})
		if err != nil {
			return err
		}
		*r.Import = next
	}
	return nil
}

// partAll is partings inside the one transaction of all or nothing.
func (r *run) partAll(ctx context.Context, tx *gorm.DB) error {
	if r.DepartID == nil {
		return nil
	}
	lines, err := r.leaving(tx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(lines, leaveBatch) {
		if err := r.still(ctx, tx); err != nil {
			return err
		}
		left := r.Departed
		if err := r.part(tx, r.Import, some); err != nil {
			return err
		}
		if stay := len(some) - (r.Departed - left); stay > 0 {
			return errRefused{stay: stay}
		}
	}
	return nil
}

// previewPartings lists who would leave and who is missing but stays, with the cause.
func (r *run) previewPartings(tx *gorm.DB) error {
	tree, err := loadTree(tx)
	if err != nil {
		return err
	}
	p := &planner{by: r.by, tree: tree}
	at := tree.Node(*r.DepartID)
	if at == nil || !access.Can(r.by, access.MemberDepart, access.Object{Path: at.Path}) {
		return errRights
	}
	file, lists := r.named(), map[string][]Line{}
	next := *r.Import
	for after := int64(0); ; {
		people, err := r.below(tx, after, nil)
		if err != nil {
			return err
		}
		for _, who := range people {
			after = who.id
			if next.DepartOf++; !file.has(who.fields) {
				p.part(lists, &next, file, who, at)
			}
		}
		if len(people) < importBatch {
			break
		}
	}
	if err := r.store(tx, nil, lists); err != nil {
		return err
	}
	if err := r.progress(tx, &next); err != nil {
		return err
	}
	*r.Import = next
	return nil
}

// part puts somebody who is missing in the file on the list of those who leave, or who stay.
func (p *planner) part(lists map[string][]Line, next *Import, file named, who *person, at *Node) {
	l := Line{Member: who.id, Name: who.fields.Name, Job: who.fields.JobNumber, Diffs: []Difference{{Field: "department", Before: p.titlesOf(who.belongs)}}}
	kind := ListDeparted
	if cause := p.stays(file, who, at); cause != "" {
		kind, l.Cause = ListKept, storeMessage(fault.Msg(cause))
	} else {
		next.Departed++
	}
	l.Row = len(lists[kind]) + 1
	lists[kind] = append(lists[kind], l)
}

// stays is the catalog key of why somebody who is missing does not leave.
func (p *planner) stays(file named, who *person, at *Node) string {
	outside := func(id int64) bool {
		n := p.tree.Node(id)
		return n != nil && !strings.HasPrefix(n.Path, at.Path)
	}
	switch {
	case file.unreadable:
		return "mapping.kept.unreadable"
	case who.id == p.by.MemberID:
		return "mapping.kept.self"
	case who.super:
		return "mapping.kept.super"
	case slices.ContainsFunc(who.belongs, outside):
		return "mapping.kept.elsewhere"
	case !p.by.Super && !p.outranks(who):
		return "mapping.kept.above"
	}
	return ""
}

// below reads the active members of the department and all below it, the next
// thousands by id, or those of them with these ids.
func (r *run) below(tx *gorm.DB, after int64, ids []int64) ([]*person, error) {
	p := &planner{byJob: map[string]*person{}, byPhone: map[string]*person{}, people: map[int64]*person{}}
	where, args := `id IN (SELECT DISTINCT m.id FROM members m JOIN member_departments md ON md.member_id = m.id JOIN departments d ON d.id = md.department_id
		WHERE m.id > ? AND m.status = 'active' AND d.path LIKE (SELECT at.path || '%' FROM departments at WHERE at.id = ?) ORDER BY m.id LIMIT ?)`,
		[]any{after, *r.DepartID, importBatch}
	if ids != nil {
		some, arg := database.AnyOf(tx, "id", database.Numbers("", ids))
		where, args = some+` AND EXISTS (SELECT 1 FROM member_departments md JOIN departments d ON d.id = md.department_id
			WHERE md.member_id = members.id AND d.path LIKE (SELECT at.path || '%' FROM departments at WHERE at.id = ?))`, []any{arg, *r.DepartID}
	}
	people, err := p.loadWhere(tx, where, args, false)
	if err != nil {
		return nil, err
	}
	if err := loadPlaces(tx, people); err != nil || len(people) == 0 {
		return nil, err
	}
	return people, loadHeld(tx, people)
}

// leaving reads whom the check listed, without those this run has dealt with
// before it was cut off.
func (r *run) leaving(tx *gorm.DB) (lines []Line, err error) {
	done := 0
	for _, kind := range []string{ListDeparted, ListKept} {
		err := readLines(tx, r.ID, kind, 0, func(l Line) error {
			done = max(done, l.Row)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err = readLines(tx, *r.SourceID, ListDeparted, 0, func(l Line) error {
		if l.Row > done {
			lines = append(lines, l)
		}
		return nil
	})
	return lines, err
}

// part lets some of the listed people leave. Nobody leaves who was not listed;
// who has moved away, has got other rights or stands in the file by now stays.
func (r *run) part(tx *gorm.DB, next *Import, lines []Line) error {
	lists := map[string][]Line{}
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.Member
	}
	people, err := r.below(tx, 0, ids)
	if err != nil {
		return err
	}
	here := make(map[int64]*person, len(people))
	for _, who := range people {
		here[who.id] = who
	}
	if r.file == nil {
		file := r.named()
		r.file = &file
	}
	tree, err := loadTree(tx)
	if err != nil {
		return err
	}
	p := &planner{by: r.by, tree: tree}
	for _, l := range lines {
		kind, cause := ListDeparted, fault.Message{}
		who := here[l.Member]
		if at := tree.Node(*r.DepartID); who == nil || at == nil || r.file.has(who.fields) || p.stays(*r.file, who, at) != "" {
			kind, cause = ListKept, fault.Msg("mapping.kept.changed")
		} else if cause, err = r.departOne(tx, l.Member); err != nil {
			return err
		} else if cause.Key != "" {
			kind = ListKept
		}
		if kind == ListKept {
			l.Cause = storeMessage(cause)
		} else {
			next.Departed++
		}
		lists[kind] = append(lists[kind], l)
	}
	if err := r.store(tx, nil, lists); err != nil {
		return err
	}
	return r.progress(tx, next)
}

// departOne is Depart inside the import's transaction. What keeps a member from
// leaving is told, not an error.
func (r *run) departOne(tx *gorm.DB, id int64) (stays fault.Message, err error) {
	m, path, err := r.s.departing(tx, r.by, id)
	var conflict fault.Conflict
	var wrong fault.Invalid
	switch {
	case errors.As(err, &conflict):
		return conflict.Message, nil
	case errors.As(err, &wrong):
		return wrong[""], nil
	case errors.Is(err, fault.NotFound), errors.As(err, new(fault.Forbidden)):
		return fault.Msg("mapping.kept.above"), nil
	case err != nil:
		return fault.Message{}, err
	}
	ended, err := r.s.depart(tx, r.by, m, r.DepartReason)
	if err != nil {
		return fault.Message{}, err
	}
	details := map[string]any{"reason": r.DepartReason, "import": r.ID}
	for _, e := range ended {
		details[e.Key] = e.Count
	}
	if err := r.s.trail.Record(tx, r.by, memberEvent("member.depart", m, path, details)); err != nil {
		return fault.Message{}, fmt.Errorf("departure of %d: %w", id, err)
	}
	return fault.Message{}, nil
}
