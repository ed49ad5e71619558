package directory

import "slices"

// person is a member as an import sees them: in the database, or new with id 0.
type person struct {
	id      int64
	fields  fields
	super   bool
	belongs idSet
	leads   idSet
	held    []int64   // departments stood in for or holding a role for
	beyond  bool      // a role brings more than heads have
	was     *snapshot // as the database had them, once a row changes them
}

// snapshot is a person before a change.
type snapshot struct {
	fields  fields
	super   bool
	belongs idSet
	leads   idSet
}

func (who *person) remember() {
	if who.was == nil && who.id != 0 {
		who.was = &snapshot{who.fields, who.super, slices.Clone(who.belongs), slices.Clone(who.leads)}
	}
}

// idSet is a few numbers: hardly anybody belongs to more than two departments,
// and a hundred thousand maps would fill the memory.
type idSet []int64

func (s idSet) has(id int64) bool { return slices.Contains(s, id) }

func (s *idSet) set(id int64, in bool) {
	at := slices.Index(*s, id)
	switch {
	case in && at < 0:
		*s = append(*s, id)
	case !in && at >= 0:
		*s = slices.Delete(*s, at, at+1)
	}
}

// seenLines says on which line of the file somebody stood first.
type seenLines struct {
	jobs, phones map[string]int
	members      map[int64]int
	news         *[]sighting // noted since forget or keep
}

type sighting struct {
	f      fields
	member int64
}

// newSeenLines expects so many lines: maps that grow are half the work of noting them.
func newSeenLines(rows int) seenLines {
	return seenLines{jobs: make(map[string]int, rows), phones: make(map[string]int, rows), members: make(map[int64]int, rows), news: &[]sighting{}}
}

// keep makes what was noted final; undo takes it back, for a batch that is planned anew.
func (l seenLines) keep() { *l.news = nil }

func (l seenLines) undo() {
	for _, n := range *l.news {
		delete(l.members, n.member)
		delete(l.jobs, n.f.JobNumber)
		delete(l.phones, n.f.Phone)
	}
	l.keep()
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
	seen := sighting{f: fields{JobNumber: f.JobNumber, Phone: f.Phone}}
	if who != nil {
		seen.member = who.id
	}
	*l.news = append(*l.news, seen)
}
