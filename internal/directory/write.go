package directory

import (
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// write carries a planned batch out and returns how many departments it
// created. When somebody else got in between with a phone or a job number, the
// rows are written one by one and only theirs is refused.
func (r *run) write(tx *gorm.DB, p *planner, rows []*plannedRow) (departments int, err error) {
	todo := slices.DeleteFunc(slices.Clone(rows), func(row *plannedRow) bool {
		return row.outcome != rowCreated && row.outcome != rowChanged
	})
	if departments, err = r.createDepartments(tx, p, todo); err != nil {
		return 0, err
	}
	if err := r.yield(tx); err != nil {
		return 0, err
	}
	err = tx.Transaction(func(sp *gorm.DB) error { return r.writeRows(sp, todo) })
	if !database.Collided(err) {
		return departments, err
	}
	if !r.lock {
		return 0, errStale // plan once more, knowing who came in between
	}
	for _, row := range todo {
		if row.outcome == rowCreated {
			row.who.id = 0 // what was given out before the savepoint is void
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

// yield lets a person's edit go first when each waits for the other: the batch
// gives up long before PostgreSQL ends either, and is planned anew.
func (r *run) yield(tx *gorm.DB) error {
	if !database.Postgres(tx) {
		return nil
	}
	return tx.Exec("SET LOCAL lock_timeout = '200ms'").Error
}

// createDepartments writes the departments that the rows name and nobody has
// made yet, parents first.
func (r *run) createDepartments(tx *gorm.DB, p *planner, rows []*plannedRow) (int, error) {
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
		p.tree.byID[n.ID] = n
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
	if err := r.updateMembers(tx, changed); err != nil {
		return err
	}
	if err := r.insertMembers(tx, created); err != nil {
		return err
	}
	return r.settleMembers(tx, slices.Concat(created, changed))
}

// updateMembers writes what the file says about people who exist: one statement
// for all, which leaves alone whose fields are the same.
func (r *run) updateMembers(tx *gorm.DB, rows []*plannedRow) error {
	var ids []int64
	var jobs, names, phones, emails []string
	var todo []fields
	for _, row := range rows {
		if f := row.who.fields; row.who.was == nil || row.who.was.fields != f {
			todo = append(todo, f)
			ids, jobs, names, phones, emails = append(ids, row.who.id), append(jobs, f.JobNumber), append(names, f.Name), append(phones, f.Phone), append(emails, f.Email)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	soughts, gramses := r.index(todo)
	v, args := database.Values(tx, database.Numbers("id", ids), database.Texts("job_number", jobs), database.Texts("name", names),
		database.Texts("phone", phones), database.Texts("email", emails), database.Texts("sought", soughts), database.Texts("grams", gramses))
	done := tx.Exec(`UPDATE members SET job_number = nullif(v.job_number, ''), name = v.name, phone = v.phone, email = v.email, sought = v.sought, grams = v.grams, updated_at = ?
		FROM `+v+` WHERE members.id = v.id AND (members.job_number IS DISTINCT FROM nullif(v.job_number, '') OR members.name IS DISTINCT FROM v.name
			OR members.phone IS DISTINCT FROM v.phone OR members.email IS DISTINCT FROM v.email)`, slices.Concat([]any{r.s.now().UTC()}, args)...)
	if done.Error != nil {
		return fmt.Errorf("update members: %w", done.Error)
	}
	return nil
}

// indexedAtOnce is how many people of a batch are made searchable as they are
// written. More are left to RunIndex: the search index costs several times what
// the people themselves do, and until then their names are looked through one by one.
const indexedAtOnce = 500

// index is what people are found by; nothing yet when they are many.
func (r *run) index(all []fields) (soughts, gramses []string) {
	soughts, gramses = make([]string, len(all)), make([]string, len(all))
	if len(all) > indexedAtOnce {
		r.unindexed = true
		return soughts, gramses
	}
	for i, f := range all {
		soughts[i], gramses[i] = indexOf(f.Name, f.Phone, f.JobNumber)
	}
	return soughts, gramses
}

// insertMembers adds new people and learns their ids.
func (r *run) insertMembers(tx *gorm.DB, rows []*plannedRow) error {
	if len(rows) == 0 {
		return nil
	}
	jobs, names, phones, emails := make([]string, len(rows)), make([]string, len(rows)), make([]string, len(rows)), make([]string, len(rows))
	todo := make([]fields, len(rows))
	byPhone := make(map[string]*person, len(rows))
	for i, row := range rows {
		f := row.who.fields
		jobs[i], names[i], phones[i], emails[i] = f.JobNumber, f.Name, f.Phone, f.Email
		byPhone[f.Phone] = row.who
		todo[i] = f
	}
	soughts, gramses := r.index(todo)
	now := r.s.now().UTC()
	v, args := database.Values(tx, database.Texts("job_number", jobs), database.Texts("name", names), database.Texts("phone", phones), database.Texts("email", emails),
		database.Texts("sought", soughts), database.Texts("grams", gramses))
	found, err := tx.Raw(`INSERT INTO members (job_number, name, phone, email, sought, grams, created_at, updated_at)
		SELECT nullif(v.job_number, ''), v.name, v.phone, v.email, v.sought, v.grams, ?, ? FROM `+v+` RETURNING id, phone`, slices.Concat([]any{now, now}, args)...).Rows()
	if err != nil {
		return fmt.Errorf("insert members: %w", err)
	}
	err = each(found, func() error {
		var id int64
		var phone string
		if err := found.Scan(&id, &phone); err != nil {
			return err
		}
		byPhone[phone].id = id
		return nil
	})
	if err != nil {
		return fmt.Errorf("insert members: %w", err)
	}
	return nil
}

// settleNew gives new people their places. Nobody else knows them yet: nothing
// can be there already. SQLite's trigger would climb the tree for each of them;
// for many the departments are counted up once.
func settleNew(tx *gorm.DB, p pairs) error {
	if len(p.members) == 0 {
		return nil
	}
	v, args := database.Values(tx, database.Numbers("member", p.members), database.Numbers("department", p.departments))
	insert := "INSERT INTO member_departments (member_id, department_id) SELECT v.member, v.department FROM " + v
	if database.Postgres(tx) {
		return tx.Exec(insert, args...).Error
	}
	count, each := map[int64]int64{}, pairs{}
	for _, id := range p.departments {
		count[id]++
	}
	for id, n := range count {
		each.add(n, id)
	}
	add, counts := database.Values(tx, database.Numbers("n", each.members), database.Numbers("department", each.departments))
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO tally_paused (id) VALUES (1)", nil},
		{insert, args},
		{`UPDATE departments SET members = departments.members + c.n FROM (
			SELECT a.value AS id, sum(v.n) AS n FROM ` + add + ` JOIN departments d ON d.id = v.department
				JOIN json_each('[' || replace(trim(d.path, '/'), '/', ',') || ']') a GROUP BY 1) c WHERE departments.id = c.id`, counts},
		{"DELETE FROM tally_paused", nil},
	} {
		if err := tx.Exec(step.sql, step.args...).Error; err != nil {
			return err
		}
	}
	return nil
}

// settleMembers writes departments and headships of the rows.
func (r *run) settleMembers(tx *gorm.DB, rows []*plannedRow) error {
	var first, in, out, lead, step pairs
	for _, row := range rows {
		for _, n := range row.nodes {
			if row.outcome == rowCreated {
				first.add(row.who.id, n.ID)
			} else if row.who.was == nil || !row.who.was.belongs.has(n.ID) {
				in.add(row.who.id, n.ID)
			}
			switch row.head {
			case "on":
				lead.add(row.who.id, n.ID)
			case "off":
				step.add(row.who.id, n.ID)
			}
		}
		for _, n := range row.departs {
			out.add(row.who.id, n.ID)
		}
	}
	if err := settleNew(tx, first); err != nil {
		return fmt.Errorf("settle new members: %w", err)
	}
	for _, c := range []struct {
		before, after string
		pairs         pairs
	}{
		{"INSERT INTO member_departments (member_id, department_id) ", " WHERE true ON CONFLICT DO NOTHING", in},
		{"INSERT INTO department_heads (member_id, department_id) ", " WHERE true ON CONFLICT DO NOTHING", lead},
		{"DELETE FROM member_departments WHERE (member_id, department_id) IN (", ")", out},
		{"DELETE FROM department_heads WHERE (member_id, department_id) IN (", ")", step},
	} {
		if len(c.pairs.members) == 0 {
			continue
		}
		v, args := database.Values(tx, database.Numbers("member", c.pairs.members), database.Numbers("department", c.pairs.departments))
		if err := tx.Exec(c.before+"SELECT v.member, v.department FROM "+v+c.after, args...).Error; err != nil {
			return fmt.Errorf("settle members: %w", err)
		}
	}
	return nil
}

// pairs are members and departments side by side.
type pairs struct{ members, departments []int64 }

func (p *pairs) add(member, department int64) {
	p.members, p.departments = append(p.members, member), append(p.departments, department)
}
