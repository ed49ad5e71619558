package directory

import (
	"database/sql"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// each reads rows to their end and closes them.
func each(rows *sql.Rows, read func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := read(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// load reads the members that the rows of a batch may be about, with what they
// belong to and lead. Those read before stay as planned. Without lock the rows
// are free for others to change: check finds out.
func (p *planner) load(tx *gorm.DB, said []fields, lock bool) error {
	jobs := make([]string, 0, len(said))
	for _, f := range said {
		if f.JobNumber != "" && p.byJob[f.JobNumber] == nil {
			jobs = append(jobs, f.JobNumber)
		}
	}
	byJob, err := p.loadBy(tx, "job_number", jobs, lock)
	if err != nil {
		return err
	}
	// Nearly everybody is found by now: what is left are new people and new numbers.
	phones := make([]string, 0, len(said))
	for _, f := range said {
		if phone := storable(f.Phone); phone != "" && p.byPhone[phone] == nil {
			phones = append(phones, phone)
		}
	}
	byPhone, err := p.loadBy(tx, "phone", phones, lock)
	if err != nil {
		return err
	}
	fresh := slices.Concat(byJob, byPhone)
	if err := loadPlaces(tx, fresh); err != nil || p.by.Super {
		return err // a super admin outranks everybody
	}
	return loadHeld(tx, fresh)
}

// loadBy reads active members by a column, those not known yet.
func (p *planner) loadBy(tx *gorm.DB, column string, values []string, lock bool) (fresh []*person, err error) {
	if len(values) == 0 {
		return nil, nil
	}
	if !lock && database.Postgres(tx) {
		// One look at the index for each, whatever the planner believes: its statistics are older than what an
		// import has just written, and it would go through everybody for each batch.
		v, args := database.Values(tx, database.Texts("value", values))
		return p.loadFrom(tx, v+" CROSS JOIN LATERAL (SELECT "+personColumns+" FROM members WHERE status = 'active' AND "+column+" = v.value OFFSET 0) m", args)
	}
	where, arg := database.AnyOf(tx, column, database.Texts("", values))
	return p.loadWhere(tx, where, []any{arg}, lock)
}

func (p *planner) loadWhere(tx *gorm.DB, where string, args []any, lock bool) (fresh []*person, err error) {
	from := "members WHERE status = 'active' AND " + where + " ORDER BY id"
	if lock && database.Postgres(tx) {
		from += " FOR UPDATE"
	}
	return p.loadFrom(tx, from, args)
}

// personColumns are what loadFrom reads.
const personColumns = "id, coalesce(job_number, '') AS job_number, name, phone, email, super_admin"

func (p *planner) loadFrom(tx *gorm.DB, from string, args []any) (fresh []*person, err error) {
	rows, err := tx.Raw("SELECT id, coalesce(job_number, ''), name, phone, email, super_admin FROM "+from, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	err = each(rows, func() error {
		who := &person{}
		f := &who.fields
		if err := rows.Scan(&who.id, &f.JobNumber, &f.Name, &f.Phone, &f.Email, &who.super); err != nil {
			return err
		}
		if p.people[who.id] == nil {
			p.people[who.id] = who
			fresh = append(fresh, who)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	p.know(fresh)
	return fresh, nil
}

// know indexes people, unless a row before took their phone or number over.
func (p *planner) know(people []*person) {
	for _, who := range people {
		if p.byPhone[who.fields.Phone] == nil {
			p.byPhone[who.fields.Phone] = who
		}
		if job := who.fields.JobNumber; job != "" && p.byJob[job] == nil {
			p.byJob[job] = who
		}
	}
}

// loadPlaces reads what people belong to and lead.
func loadPlaces(tx *gorm.DB, people []*person) error {
	if len(people) == 0 {
		return nil
	}
	ids, byID := make([]int64, len(people)), make(map[int64]*person, len(people))
	for i, who := range people {
		ids[i], byID[who.id] = who.id, who
	}
	where, arg := database.AnyOf(tx, "member_id", database.Numbers("", ids))
	rows, err := tx.Raw("SELECT 0, member_id, department_id FROM member_departments WHERE "+where+
		" UNION ALL SELECT 1, member_id, department_id FROM department_heads WHERE "+where, arg, arg).Rows()
	if err != nil {
		return fmt.Errorf("read members' departments: %w", err)
	}
	err = each(rows, func() error {
		var leads int
		var member, department int64
		if err := rows.Scan(&leads, &member, &department); err != nil {
			return err
		}
		if who := byID[member]; leads == 1 {
			who.leads = append(who.leads, department)
		} else {
			who.belongs = append(who.belongs, department)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read members' departments: %w", err)
	}
	return nil
}

// forget lets go of those whom no row has changed, and of new ones: the first can
// be read again, and whoever comes back to the others stands in the file twice,
// which seenLines knows. A dry run over everybody would fill the memory else.
func (p *planner) forget(rows []*plannedRow) {
	for id, who := range p.people {
		if who.was == nil {
			delete(p.people, id)
			p.drop(who)
		}
	}
	for _, row := range rows {
		if row.outcome == rowCreated {
			p.drop(row.who)
		}
	}
}

func (p *planner) drop(who *person) {
	if p.byPhone[who.fields.Phone] == who {
		delete(p.byPhone, who.fields.Phone)
	}
	if p.byJob[who.fields.JobNumber] == who {
		delete(p.byJob, who.fields.JobNumber)
	}
}

// stale locks the people whom a planned batch changes and reports whether
// somebody else has changed one of them since they were read.
func stale(tx *gorm.DB, rows []*plannedRow) (bool, error) {
	var ids []int64
	before := map[int64]*snapshot{}
	for _, row := range rows {
		if row.outcome == rowChanged && row.who.was != nil {
			ids = append(ids, row.who.id)
			before[row.who.id] = row.who.was
		}
	}
	if len(ids) == 0 || !database.Postgres(tx) { // SQLite has one writer, and that is us
		return false, nil
	}
	now := &planner{byJob: map[string]*person{}, byPhone: map[string]*person{}, people: map[int64]*person{}}
	where, arg := database.AnyOf(tx, "id", database.Numbers("", ids))
	found, err := now.loadWhere(tx, where, []any{arg}, true)
	if err != nil {
		return false, err
	}
	if err := loadPlaces(tx, found); err != nil {
		return false, err
	}
	return len(found) != len(before) || slices.ContainsFunc(found, func(who *person) bool {
		was := before[who.id]
		return was.fields != who.fields || was.super != who.super || !sameSet(was.belongs, who.belongs) || !sameSet(was.leads, who.leads)
	}), nil
}

func sameSet(a, b idSet) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(id int64) bool { return !b.has(id) })
}
