package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// perStatement is how many rows one statement carries: 500 × 7 values stay
// below the limits of both databases.
const perStatement = 500

func joinColumns(columns []string) string { return strings.Join(columns, ",") }

// load reads the members that the rows of a batch may be about, with what they
// belong to and lead. Those read before stay as planned.
func (p *planner) load(tx *gorm.DB, said []fields) error {
	var phones, jobs []any
	for _, f := range said {
		phones = append(phones, storable(f.Phone))
		if f.JobNumber != "" {
			jobs = append(jobs, f.JobNumber)
		}
	}
	var found []Member
	for column, wanted := range map[string][]any{"phone": phones, "job_number": jobs} {
		if len(wanted) == 0 {
			continue
		}
		var some []Member
		// A list of thousands after IN is compared one by one; VALUES can be hashed.
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id", "job_number", "name", "phone", "email", "super_admin").
			Where("status = 'active' AND "+column+" IN (VALUES "+values("(CAST(? AS text))", len(wanted))+")", wanted...).Order("id").Find(&some).Error
		if err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		found = append(found, some...)
	}
	fresh := map[int64]*person{}
	for _, m := range found {
		if p.people[m.ID] == nil {
			who := &person{id: m.ID, super: m.SuperAdmin, belongs: map[int64]bool{}, leads: map[int64]bool{},
				fields: fields{JobNumber: jobOf(m), Name: m.Name, Phone: m.Phone, Email: m.Email}}
			p.people[m.ID], fresh[m.ID] = who, who
		}
	}
	p.know(fresh)
	return loadPlaces(tx, fresh)
}

// know indexes people, unless a row before took their phone or number over.
func (p *planner) know(people map[int64]*person) {
	for _, who := range people {
		if p.byPhone[who.fields.Phone] == nil {
			p.byPhone[who.fields.Phone] = who
		}
		if job := who.fields.JobNumber; job != "" && p.byJob[job] == nil {
			p.byJob[job] = who
		}
	}
}

func loadPlaces(tx *gorm.DB, people map[int64]*person) error {
	for ids := range slices.Chunk(slices.Collect(maps.Keys(people)), 2*perStatement) {
		var facts []struct {
			Leads                  bool
			MemberID, DepartmentID int64
		}
		err := tx.Raw(`SELECT 1 = 0 AS leads, member_id, department_id FROM member_departments WHERE member_id IN ?
			UNION ALL SELECT 1 = 1, member_id, department_id FROM department_heads WHERE member_id IN ?`, ids, ids).Scan(&facts).Error
		if err != nil {
			return fmt.Errorf("read members' departments: %w", err)
		}
		for _, f := range facts {
			if f.Leads {
				people[f.MemberID].leads[f.DepartmentID] = true
			} else {
				people[f.MemberID].belongs[f.DepartmentID] = true
			}
		}
	}
	return loadHeld(tx, people)
}

// write carries a planned batch out and returns how many departments it
// created. When somebody else got in between with a phone or a job number, the
// rows are written one by one and only theirs is refused.
func (r *run) write(tx *gorm.DB, p *planner, rows []*plannedRow) (departments int, err error) {
	todo := slices.DeleteFunc(slices.Clone(rows), func(row *plannedRow) bool {
		return row.outcome != rowCreated && row.outcome != rowChanged
	})
	if departments, err = r.createDepartments(tx, todo); err != nil {
		return 0, err
	}
	err = tx.Transaction(func(sp *gorm.DB) error { return r.writeRows(sp, todo) })
	if !database.Collided(err) {
		return departments, err
	}
	for _, row := range todo {
		if row.outcome == rowCreated {
			row.who.id = 0
		}
		err := tx.Transaction(func(sp *gorm.DB) error { return r.writeRows(sp, []*plannedRow{row}) })
		if database.Collided(err) {
			row.refuse("", "import.cause.collision")
		} else if err != nil {
			return 0, err
		}
	}
	return departments, nil
}

// createDepartments writes the departments that the rows name and nobody has
// made yet, parents first.
func (r *run) createDepartments(tx *gorm.DB, rows []*plannedRow) (int, error) {
	var made []audit.Event
	var create func(n *Node) error
	create = func(n *Node) error {
		if n.ID > 0 {
			return nil
		}
		if err := create(n.Parent); err != nil {
			return err
		}
		err := tx.Transaction(func(sp *gorm.DB) (err error) {
			n.Department, err = insertDepartment(sp, n.Parent.Department, n.Name, r.s.now())
			return err
		})
		if err != nil {
			n.ID = 0
			return err
		}
		made = append(made, departmentEvent("department.create", n.Department, map[string]any{"import": r.ID}))
		return nil
	}
	for _, row := range rows {
		for _, n := range row.nodes {
			if err := create(n); err != nil {
				var wrong fault.Invalid
				if errors.As(err, &wrong) { // two names that the database takes for one
					row.refuse("department", "import.cause.department.path")
					break
				}
				return 0, err
			}
		}
	}
	return len(made), r.s.trail.RecordAll(tx, r.by, made)
}

// writeRows writes people first, then where they belong and what they lead.
func (r *run) writeRows(tx *gorm.DB, rows []*plannedRow) error {
	var created, changed []*plannedRow
	for _, row := range rows {
		switch {
		case row.outcome == rowCreated:
			created = append(created, row)
		case row.outcome == rowChanged:
			changed = append(changed, row)
		}
	}
	for some := range slices.Chunk(changed, perStatement) {
		if err := r.update(tx, some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(created, perStatement) {
		if err := r.insert(tx, some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(slices.Concat(created, changed), perStatement) {
		if err := r.settle(tx, some); err != nil {
			return err
		}
	}
	return nil
}

// values repeats "(?, ?)" for every row.
func values(one string, rows int) string {
	return strings.TrimSuffix(strings.Repeat(one+", ", rows), ", ")
}

func (r *run) update(tx *gorm.DB, rows []*plannedRow) error {
	args := make([]any, 0, 5*len(rows)+1)
	for _, row := range rows {
		f := row.who.fields
		args = append(args, row.who.id, f.job(), f.Name, f.Phone, f.Email)
	}
	done := tx.Exec(`WITH v (id, job_number, name, phone, email) AS (VALUES `+
		values("(CAST(? AS bigint), CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS text))", len(rows))+`)
		UPDATE members SET job_number = v.job_number, name = v.name, phone = v.phone, email = v.email, updated_at = ?
		FROM v WHERE members.id = v.id`, append(args, r.s.now().UTC())...)
	if done.Error != nil {
		return fmt.Errorf("update members: %w", done.Error)
	}
	return nil
}

func (r *run) insert(tx *gorm.DB, rows []*plannedRow) error {
	now := r.s.now().UTC()
	args := make([]any, 0, 6*len(rows))
	byPhone := make(map[string]*person, len(rows))
	for _, row := range rows {
		f := row.who.fields
		byPhone[f.Phone] = row.who
		args = append(args, f.job(), f.Name, f.Phone, f.Email, now, now)
	}
	var ids []struct {
		ID    int64
		Phone string
	}
	err := tx.Raw("INSERT INTO members (job_number, name, phone, email, created_at, updated_at) VALUES "+
		values("(?, ?, ?, ?, ?, ?)", len(rows))+" RETURNING id, phone", args...).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("insert members: %w", err)
	}
	for _, m := range ids {
		byPhone[m.Phone].id = m.ID
	}
	return nil
}

// settle writes departments and headships of the rows.
func (r *run) settle(tx *gorm.DB, rows []*plannedRow) error {
	var in, out, lead, step []any
	for _, row := range rows {
		for _, n := range row.nodes {
			in = append(in, row.who.id, n.ID)
			switch row.head {
			case "on":
				lead = append(lead, row.who.id, n.ID)
			case "off":
				step = append(step, row.who.id, n.ID)
			}
		}
		for _, n := range row.departs {
			out = append(out, row.who.id, n.ID)
		}
	}
	for _, c := range []struct {
		before, after string
		pairs         []any
	}{
		{"INSERT INTO member_departments (member_id, department_id) VALUES ", " ON CONFLICT DO NOTHING", in},
		{"INSERT INTO department_heads (member_id, department_id) VALUES ", " ON CONFLICT DO NOTHING", lead},
		{"DELETE FROM member_departments WHERE (member_id, department_id) IN (VALUES ", ")", out},
		{"DELETE FROM department_heads WHERE (member_id, department_id) IN (VALUES ", ")", step},
	} {
		for pairs := range slices.Chunk(c.pairs, 4*perStatement) {
			if err := tx.Exec(c.before+values("(CAST(? AS bigint), CAST(? AS bigint))", len(pairs)/2)+c.after, pairs...).Error; err != nil {
				return fmt.Errorf("settle members: %w", err)
			}
		}
	}
	return nil
}
