package join

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/rules"
)

// TrialSize is how many requests rules are tried on.
const TrialSize = 200

// Trial says what some rules would have said about the last requests.
type Trial struct {
	Rows    []Tried
	Count   map[rules.Verdict]int
	Differ  int // really decided otherwise
	AtOnce  int // of those that wait or went stale: would have been decided
	Skipped int // without the facts of then: judged by what is known now
}

// Tried is one request of a Trial.
type Tried struct {
	Listed
	Said    rules.Ruling
	Real    *Ruling // what the rules said really
	Differs bool
	Shown   bool // the reader may know whose it is
}

// Try goes through the last requests of a group, or with "" of the organisation,
// with the rules as they are and, if given, one as it is being edited. Nothing
// is written. The number of statements does not depend on the number of requests.
func (s *Service) Try(ctx context.Context, by access.Actor, gid string, edited *rules.Rule) (Trial, error) {
	tx := s.db.WithContext(ctx)
	sc, err := rules.In(tx, by, gid)
	if err != nil {
		return Trial{}, err
	}
	rows, err := lastOf(tx, sc)
	if err != nil {
		return Trial{}, err
	}
	groups := make([]int64, len(rows))
	for i, r := range rows {
		groups[i] = r.GroupID
	}
	homes, err := rules.Homes(tx, groups...)
	if err != nil {
		return Trial{}, err
	}
	set, err := rules.All(tx, slices.Collect(maps.Values(homes))...)
	if err != nil {
		return Trial{}, err
	}
	if edited != nil {
		set = rules.With(set, *edited)
	}
	return s.try(tx, by, rows, homes, set)
}

func lastOf(tx *gorm.DB, sc rules.Scope) (rows []Listed, err error) {
	where, args := "", []any{}
	if sc.Group != nil {
		where, args = "WHERE x.group_id = ? ", []any{sc.Group.ID}
	}
	err = tx.Raw("SELECT "+listedColumns+listedFrom+" WHERE r.id IN (SELECT x.id FROM join_requests x "+where+"ORDER BY x.id DESC LIMIT ?) ORDER BY r.id DESC",
		append(args, TrialSize)...).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read the last requests: %w", err)
	}
	return rows, nil
}

func (s *Service) try(tx *gorm.DB, by access.Actor, rows []Listed, homes map[int64]int64, set []rules.Rule) (Trial, error) {
	out := Trial{Count: map[rules.Verdict]int{}}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	answers, err := AnswersOf(tx, ids...)
	if err != nil {
		return out, err
	}
	real, err := RulingsOf(tx, ids...)
	if err != nil {
		return out, err
	}
	book, err := s.words.Dictionaries(tx, slices.Collect(maps.Values(homes))...)
	if err != nil {
		return out, err
	}
	lists, err := listsOf(tx, rows, set)
	if err != nil {
		return out, err
	}
	past, err := readPast(tx, rows, real)
	if err != nil {
		return out, err
	}
	for i, r := range rows {
		f, known := past.facts(r.Request, real[r.ID])
		if !known {
			out.Skipped++
		}
		one := Tried{Listed: r, Real: real[r.ID], Shown: access.Can(by, access.RequestsDecide, r.groupObject(false)),
			Said: rules.Judge(rules.For(set, homes[r.GroupID]), withSaid(f, r.Request, answers[r.ID], lists[i], book, homes[r.GroupID]))}
		out.add(one)
	}
	return out, nil
}

func (t *Trial) add(one Tried) {
	would := one.Said.Verdict
	byRule := one.Real.Decided()
	one.Differs = would == rules.Approve && one.Status == Rejected || would == rules.Refuse && one.Status == Approved ||
		byRule && would != rules.Approve && would != rules.Refuse
	t.Count[would]++
	if one.Differs {
		t.Differ++
	}
	if (would == rules.Approve || would == rules.Refuse) && (one.Status == Pending || one.Status == Expired) {
		t.AtOnce++
	}
	t.Rows = append(t.Rows, one)
}

// listsOf says on which lists the applicants are, when a rule asks for it.
func listsOf(tx *gorm.DB, rows []Listed, set []rules.Rule) ([][]int64, error) {
	if !asks(set, rules.OnList) {
		return make([][]int64, len(rows)), nil
	}
	people, members := make([]rules.Someone, len(rows)), []int64{0}
	for i, r := range rows {
		people[i].Phone = r.Phone
		if r.MemberID != nil {
			people[i].MemberID, members = *r.MemberID, append(members, *r.MemberID)
		}
	}
	var jobs []struct {
		ID  int64
		Job string
	}
	if err := tx.Raw("SELECT id, job_number AS job FROM members WHERE id IN ? AND job_number IS NOT NULL", members).Scan(&jobs).Error; err != nil {
		return nil, fmt.Errorf("read job numbers: %w", err)
	}
	for _, j := range jobs {
		for i := range people {
			if people[i].MemberID == j.ID {
				people[i].Job = j.Job
			}
		}
	}
	return rules.ListsOf(tx, people)
}

// past is what is known about requests that nobody judged when they were sent.
type past struct {
	departments map[int64][]string
	refused     []Request
}

// readPast reads it for those without a ruling.
func readPast(tx *gorm.DB, rows []Listed, real map[int64]*Ruling) (p past, err error) {
	members, guests := []int64{0}, []int64{0}
	for _, r := range rows {
		switch {
		case real[r.ID] != nil:
		case r.MemberID != nil:
			members = append(members, *r.MemberID)
		default:
			guests = append(guests, *r.GuestID)
		}
	}
	p.departments = map[int64][]string{}
	if len(members)+len(guests) == 2 {
		return p, nil
	}
	var at []struct {
		MemberID int64
		Path     string
	}
	err = tx.Raw("SELECT md.member_id, d.path FROM member_departments md JOIN departments d ON d.id = md.department_id WHERE md.member_id IN ? ORDER BY d.path", members).Scan(&at).Error
	if err != nil {
		return p, fmt.Errorf("read the applicants' departments: %w", err)
	}
	for _, a := range at {
		p.departments[a.MemberID] = append(p.departments[a.MemberID], a.Path)
	}
	err = tx.Raw("SELECT id, member_id, guest_id, decided_at FROM join_requests WHERE (member_id IN ? OR guest_id IN ?) AND status = 'rejected' AND decided_at IS NOT NULL ORDER BY id DESC LIMIT 5000", members, guests).Scan(&p.refused).Error
	if err != nil {
		return p, fmt.Errorf("read earlier refusals: %w", err)
	}
	return p, nil
}

// facts are those that were kept; else what can still be told.
func (p past) facts(r Request, kept *Ruling) (f rules.Facts, known bool) {
	if kept != nil && json.Unmarshal([]byte(kept.Facts), &f) == nil {
		return f, true
	}
	f = rules.Facts{}
	if r.MemberID != nil {
		f.MemberID, f.Departments = *r.MemberID, p.departments[*r.MemberID]
	}
	for _, h := range r.Hints.Each() {
		f.Signs = append(f.Signs, h.Name())
	}
	if r.Hints&OffNetwork != 0 {
		f.Network = rules.Outside
	}
	for _, other := range p.refused {
		if other.someone() == r.someone() && other.DecidedAt.Before(r.CreatedAt) && other.DecidedAt.After(r.CreatedAt.Add(-refusedFor)) && f.Refusals < 20 {
			f.Refusals++
		}
	}
	return f, false
}
