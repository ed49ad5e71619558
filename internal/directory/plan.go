package directory

import (
	"slices"
	"strings"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Outcomes of a row.
const (
	rowCreated   = "created"
	rowChanged   = "changed"
	rowUnchanged = "unchanged"
	rowRefused   = "refused"
)

// plannedRow is a row with what is to become of it.
type plannedRow struct {
	record
	outcome string
	column  string
	cause   fault.Message
	who     *person
	changed []string // columns
	nodes   []*Node  // departments named in the row; nil leaves them alone
	head    string   // "on", "off" or ""
	departs []*Node  // departments outside nodes that the member leaves
	moved   bool     // into or out of a department
}

func (r *plannedRow) refuse(column, key string, args ...any) {
	r.outcome, r.column, r.cause = rowRefused, column, fault.Msg(key, args...)
}

// planner decides rows one by one, in the order of the file: each sees what the
// ones before it will have done.
type planner struct {
	by      access.Actor
	sheet   *sheet
	tree    *Tree
	byJob   map[string]*person
	byPhone map[string]*person
	people  map[int64]*person
	lines   seenLines
	places  map[string][]*Node // departments by what a cell says
	fresh   int64              // ids of departments that do not exist yet count down from here
}

// read takes a record apart into fields; refused when a cell is wrong by itself.
func (s *sheet) read(r record) (plannedRow, fields) {
	row := plannedRow{record: r}
	if r.wrong != "" {
		row.refuse("", r.wrong)
		return row, fields{}
	}
	if len(r.cells) > len(s.header) && !blank(r.cells[len(s.header):]) {
		row.refuse("", "import.cause.cells")
		return row, fields{}
	}
	if slices.Contains(departedNames, strings.ToLower(line(s.cell(r, statusColumn)))) {
		row.refuse("", "mapping.cause.departed")
		return row, fields{}
	}
	f := fields{JobNumber: s.cell(r, "job_number"), Name: s.cell(r, "name"), Phone: s.cell(r, "phone"), Email: s.cell(r, "email")}
	wrong := f.normalise()
	for _, column := range Columns {
		if m, bad := wrong[column]; bad {
			row.refuse(column, m.Key, m.Args...)
			return row, f
		}
	}
	switch strings.ToLower(line(s.cell(r, "head"))) {
	case "":
	case "是", "yes", "true", "1", "y", "√":
		row.head = "on"
	case "否", "no", "false", "0", "n", "×":
		row.head = "off"
	default:
		row.refuse("head", "import.cause.head")
	}
	return row, f
}

// plan settles one row and remembers its person.
func (p *planner) plan(row *plannedRow, f fields) {
	if row.outcome == rowRefused {
		return
	}
	if !p.place(row) {
		return
	}
	who := p.identify(f)
	if at := p.lines.find(f, who); at != 0 {
		row.refuse("", "import.cause.twice", "Row", at)
		return
	}
	if owner := p.byPhone[f.Phone]; owner != nil && owner != who {
		row.refuse("phone", "contacts.field.phone.taken")
		if p.knows(owner) {
			row.refuse("phone", "contacts.field.phone.taken.by", "Name", owner.fields.Name)
		}
		return
	}
	if !p.allowed(row, who) {
		return
	}
	p.apply(row, f, who)
	p.lines.note(f, row.who, row.line)
}

// identify finds the member a row is about: by job number, else by phone. Two
// different job numbers are two people, whatever their phones.
func (p *planner) identify(f fields) *person {
	if who := p.byJob[f.JobNumber]; f.JobNumber != "" && who != nil {
		return who
	}
	who := p.byPhone[f.Phone]
	if who != nil && f.JobNumber != "" && who.fields.JobNumber != "" {
		return nil
	}
	return who
}

// allowed refuses what a head may not do; a super admin may do all.
func (p *planner) allowed(row *plannedRow, who *person) bool {
	switch {
	case p.by.Super:
		return true
	case who == nil && row.nodes == nil:
		row.refuse("department", "import.cause.department.missing")
	case who == nil && row.head == "on":
		row.refuse("head", "import.cause.appoint")
	case who == nil:
		return true
	case who.super:
		row.refuse("", "import.cause.super")
	case !p.knows(who):
		row.refuse("", "import.cause.foreign")
	case !p.outranks(who):
		row.refuse("", "import.cause.above")
	case row.head != "" && slices.ContainsFunc(p.headOf(row, who), func(n *Node) bool { return who.leads.has(n.ID) != (row.head == "on") }):
		row.refuse("head", "import.cause.appoint")
	default:
		return true
	}
	return false
}

func (p *planner) leads(id int64) bool {
	n := p.tree.Node(id)
	return n != nil && p.by.Holds(access.MembersEdit, n.Path)
}

// knows reports whether who belongs to the actor's scope.
func (p *planner) knows(who *person) bool {
	return p.by.Super || slices.ContainsFunc(who.belongs, p.leads)
}

// place finds the departments of a row. Unknown ones are planned for a super
// admin and refused for a head.
func (p *planner) place(row *plannedRow) bool {
	cell := p.sheet.cell(row.record, "department")
	if nodes, known := p.places[cell]; known {
		row.nodes = nodes
		return p.mayAppoint(row)
	}
	for path := range strings.FieldsFuncSeq(cell, func(r rune) bool { return r == ';' || r == '；' || r == '\n' || r == '\r' }) {
		if strings.TrimSpace(path) == "" {
			continue
		}
		n := p.resolve(row, path)
		if n == nil {
			return false
		}
		if !slices.Contains(row.nodes, n) {
			row.nodes = append(row.nodes, n)
		}
	}
	p.places[cell] = slices.Clip(row.nodes)
	return p.mayAppoint(row)
}

// mayAppoint refuses a head's row that would make somebody head of nothing named.
func (p *planner) mayAppoint(row *plannedRow) bool {
	if row.nodes == nil && row.head == "on" && !p.by.Super {
		row.refuse("head", "import.cause.appoint")
		return false
	}
	return true
}

func (p *planner) resolve(row *plannedRow, path string) *Node {
	names := strings.Split(strings.ReplaceAll(path, "／", "/"), "/")
	for i, name := range names {
		if names[i] = line(name); names[i] == "" || tooLong(names[i], nameLimit) {
			row.refuse("department", "import.cause.department.path")
			return nil
		}
	}
	at := p.tree.Root
	if at == nil {
		row.refuse("department", "import.cause.department.unknown", "Name", names[0])
		return nil
	}
	if strings.EqualFold(names[0], at.Name) {
		names = names[1:]
	}
	if at.Depth+len(names) > maxDepth {
		row.refuse("department", "contacts.department.deep", "Limit", maxDepth+1)
		return nil
	}
	for _, name := range names {
		next := at.child(name)
		if next == nil && !p.by.Super {
			row.refuse("department", "import.cause.department.unknown", "Name", name)
			return nil
		}
		if next == nil {
			p.fresh--
			next = p.tree.add(Department{ID: p.fresh, ParentID: &at.ID, Name: name, Depth: at.Depth + 1})
		}
		at = next
	}
	if !p.by.Holds(access.MembersEdit, at.Path) {
		row.refuse("department", "import.cause.department.scope", "Name", at.Name)
		return nil
	}
	return at
}

// apply writes the row into the planned person and names what changes.
func (p *planner) apply(row *plannedRow, f fields, who *person) {
	row.outcome = rowChanged
	if who == nil {
		row.outcome = rowCreated
		who = &person{}
		if row.nodes == nil && p.tree.Root != nil {
			row.nodes = []*Node{p.tree.Root}
		}
	}
	row.who = who
	if !p.same(row, f, who) {
		who.remember()
	}
	row.changed = p.rewrite(who, f)
	if row.moved = p.moves(row, who); row.moved {
		row.changed = append(row.changed, "department")
	}
	if p.heads(row, who) {
		row.changed = append(row.changed, "head")
	}
	if row.outcome == rowChanged && len(row.changed) == 0 {
		row.outcome = rowUnchanged
	}
}

// same reports that nothing can change, which is so for nearly all rows of a
// list that is sent again.
func (p *planner) same(row *plannedRow, f fields, who *person) bool {
	has := who.fields
	return who.id != 0 && row.head == "" && (row.nodes == nil || len(row.nodes) == len(who.belongs) && !slices.ContainsFunc(row.nodes, func(n *Node) bool { return !who.belongs.has(n.ID) })) &&
		(f.JobNumber == "" || f.JobNumber == has.JobNumber) && f.Name == has.Name && f.Phone == has.Phone && (f.Email == "" || f.Email == has.Email)
}

// rewrite changes the fields; an empty cell says nothing.
func (p *planner) rewrite(who *person, f fields) (changed []string) {
	was := who.fields
	for _, c := range []struct {
		column  string
		is, say *string
	}{
		{"job_number", &who.fields.JobNumber, &f.JobNumber}, {"name", &who.fields.Name, &f.Name},
		{"phone", &who.fields.Phone, &f.Phone}, {"email", &who.fields.Email, &f.Email},
	} {
		if *c.say != "" && *c.say != *c.is {
			*c.is = *c.say
			changed = append(changed, c.column)
		}
	}
	if was.Phone != "" && p.byPhone[was.Phone] == who {
		delete(p.byPhone, was.Phone)
	}
	p.byPhone[who.fields.Phone] = who
	if who.fields.JobNumber != "" {
		p.byJob[who.fields.JobNumber] = who
	}
	return changed
}

// moves makes the named departments the person's; a head leaves those outside
// their scope alone.
func (p *planner) moves(row *plannedRow, who *person) (moved bool) {
	if row.nodes == nil {
		return false
	}
	var want idSet
	for _, n := range row.nodes {
		want.set(n.ID, true)
		moved = moved || !who.belongs.has(n.ID)
	}
	for _, id := range who.belongs {
		if n := p.tree.Node(id); n != nil && !want.has(id) {
			if p.by.Holds(access.MembersEdit, n.Path) {
				row.departs = append(row.departs, n)
				moved = true
			} else {
				want.set(id, true)
			}
		}
	}
	who.belongs = want
	return moved
}

// headOf are the departments the head column speaks about: those of the row, or,
// when it names none, those the person belongs to.
func (p *planner) headOf(row *plannedRow, who *person) []*Node {
	if row.nodes != nil {
		return row.nodes
	}
	var own []*Node
	for _, id := range who.belongs {
		if n := p.tree.Node(id); n != nil {
			own = append(own, n)
		}
	}
	return own
}

// heads appoints or removes for them.
func (p *planner) heads(row *plannedRow, who *person) (changed bool) {
	if row.head == "" {
		return false
	}
	row.nodes = p.headOf(row, who)
	for _, n := range row.nodes {
		if who.leads.has(n.ID) != (row.head == "on") {
			changed = true
		}
		who.leads.set(n.ID, row.head == "on")
	}
	return changed
}
