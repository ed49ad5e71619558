package directory

import (
	"maps"
	"slices"
	"strings"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// person is a member as an import sees them: in the database, or new with id 0.
type person struct {
	id      int64
	fields  fields
	super   bool
	belongs map[int64]bool
	leads   map[int64]bool
	held    []int64 // departments stood in for or holding a role for
	beyond  bool    // a role brings more than heads have
}

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
	fresh   int64 // ids of departments that do not exist yet count down from here
}

// seenLines says on which line of the file somebody stood first.
type seenLines struct {
	jobs, phones map[string]int
	members      map[int64]int
}

func newSeenLines() seenLines {
	return seenLines{jobs: map[string]int{}, phones: map[string]int{}, members: map[int64]int{}}
}

func (l seenLines) find(f fields, who *person) int {
	switch {
	case who != nil && who.id != 0 && l.members[who.id] != 0:
		return l.members[who.id]
	case f.JobNumber != "" && l.jobs[f.JobNumber] != 0:
		return l.jobs[f.JobNumber]
	}
	return l.phones[f.Phone]
}

func (l seenLines) note(f fields, who *person, at int) {
	if who != nil && who.id != 0 {
		l.members[who.id] = at
	}
	if f.JobNumber != "" {
		l.jobs[f.JobNumber] = at
	}
	l.phones[f.Phone] = at
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
	case row.head != "" && slices.ContainsFunc(row.nodes, func(n *Node) bool { return who.leads[n.ID] != (row.head == "on") }):
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
	return p.by.Super || slices.ContainsFunc(slices.Collect(maps.Keys(who.belongs)), p.leads)
}

// place finds the departments of a row. Unknown ones are planned for a super
// admin and refused for a head.
func (p *planner) place(row *plannedRow) bool {
	cell := p.sheet.cell(row.record, "department")
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
		who = &person{belongs: map[int64]bool{}, leads: map[int64]bool{}}
		if row.nodes == nil && p.tree.Root != nil {
			row.nodes = []*Node{p.tree.Root}
		}
	}
	row.who = who
	row.changed = p.rewrite(who, f)
	if p.moves(row, who) {
		row.changed = append(row.changed, "department")
	}
	if p.heads(row, who) {
		row.changed = append(row.changed, "head")
	}
	if row.outcome == rowChanged && len(row.changed) == 0 {
		row.outcome = rowUnchanged
	}
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
	want := map[int64]bool{}
	for _, n := range row.nodes {
		want[n.ID] = true
		moved = moved || !who.belongs[n.ID]
	}
	for id := range who.belongs {
		if n := p.tree.Node(id); n != nil && !want[id] {
			if p.by.Holds(access.MembersEdit, n.Path) {
				row.departs = append(row.departs, n)
				moved = true
			} else {
				want[id] = true
			}
		}
	}
	who.belongs = want
	return moved
}

// heads appoints or removes for the departments of the row, or, when it names
// none, for those the person belongs to.
func (p *planner) heads(row *plannedRow, who *person) (changed bool) {
	if row.head == "" {
		return false
	}
	if row.nodes == nil {
		for id := range who.belongs {
			if n := p.tree.Node(id); n != nil {
				row.nodes = append(row.nodes, n)
			}
		}
	}
	for _, n := range row.nodes {
		if who.leads[n.ID] != (row.head == "on") {
			changed = true
		}
		if row.head == "on" {
			who.leads[n.ID] = true
		} else {
			delete(who.leads, n.ID)
		}
	}
	return changed
}
