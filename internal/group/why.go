package group

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Question is "why can I not?": a right, as a refusal names it, and what it was
// wanted for, at most one of a group, a code and a department.
type Question struct {
	Right, Group, Code string
	Department         int64
}

// Somebody is a person who may, or who can give the right. How is super, head,
// deputy, role or a duty; Where the department or role it comes from.
type Somebody struct{ Name, How, Where string }

// Answer says what stands in the way and who can help.
type Answer struct {
	Right   access.Right // the row of the table
	Named   string       // the right as it was asked for
	Reason  access.Reason
	On      string // what it was asked for: a group's or a department's name
	Own     bool   // nobody may for themselves, with whatever right
	Holders []Somebody
	Givers  []Somebody
}

// whoMost bounds the names of an answer.
const whoMost = 8

// Why answers from the table of rights, for whoever may know of the object;
// else fault.NotFound. An unknown right is fault.NotFound too. req: A19
func (s *Service) Why(ctx context.Context, by access.Actor, q Question) (Answer, error) {
	right, known := access.Base(q.Right)
	if !known {
		return Answer{}, fault.NotFound
	}
	a := Answer{Right: right, Named: q.Right, Own: slices.Contains([]string{"requests.own", "approvals.own", "approvals.withdraw"}, q.Right)}
	db := s.db.WithContext(ctx)
	o, ownerID, err := s.asked(db, by, q, &a)
	if err != nil {
		return a, err
	}
	a.Reason = access.Explain(by, right, o)
	crowd, err := crowdOf(db, right, o, ownerID, s.now().UTC())
	if err != nil {
		return a, err
	}
	crowd = slices.DeleteFunc(crowd, func(c holder) bool { return c.MemberID == by.MemberID })
	a.Holders, a.Givers = crowd.may(right, o), crowd.givers(right, o)
	return a, nil
}

// asked finds the object of a question.
func (s *Service) asked(db *gorm.DB, by access.Actor, q Question, a *Answer) (o access.Object, owner int64, err error) {
	switch {
	case q.Code != "":
		return s.askedCode(db, by, q.Code, a)
	case q.Group != "":
		g, err := Load(db, q.Group)
		if err != nil {
			return o, 0, err
		}
		return s.askedGroup(db, by, g, a)
	case q.Department != 0:
		var found []directory.Department
		if err := db.Where("id = ?", q.Department).Limit(1).Find(&found).Error; err != nil {
			return o, 0, fmt.Errorf("read department: %w", err)
		}
		if len(found) == 0 || !by.Sees(found[0].Path) {
			return o, 0, fault.NotFound
		}
		a.On = found[0].Name
		return access.Object{Path: found[0].Path}, 0, nil
	}
	return o, 0, nil
}

func (s *Service) askedCode(db *gorm.DB, by access.Actor, public string, a *Answer) (o access.Object, owner int64, err error) {
	if !speakable.MatchString(public) {
		return o, 0, fault.NotFound
	}
	var found []struct {
		GroupID  int64
		Validity string
	}
	if err := db.Raw("SELECT group_id, validity FROM codes WHERE public_id = ?", public).Scan(&found).Error; err != nil {
		return o, 0, fmt.Errorf("read code: %w", err)
	}
	if len(found) == 0 {
		return o, 0, fault.NotFound
	}
	g, err := LoadByID(db, found[0].GroupID)
	if err != nil {
		return o, 0, err
	}
	o, owner, err = s.askedGroup(db, by, g, a)
	o.Permanent = found[0].Validity == "permanent"
	return o, owner, err
}

func (s *Service) askedGroup(db *gorm.DB, by access.Actor, g Group, a *Answer) (o access.Object, owner int64, err error) {
	joined, err := Joined(db, g.ID, Person{MemberID: &by.MemberID})
	if err != nil {
		return o, 0, fmt.Errorf("look up membership: %w", err)
	}
	o = g.objectFor(by, joined)
	if err := access.Check(by, access.GroupSee, o); err != nil {
		return access.Object{}, 0, err
	}
	p, err := directory.LoadPolicies(db)
	if err != nil {
		return o, 0, err
	}
	o.ExternalPermanent = p.ExternalPermanent
	o.OpenToAll = a.Right == access.CodePermanent && g.JoinMode == Open
	a.On = g.Name
	if g.OwnerID != nil {
		owner = *g.OwnerID
	}
	return o, owner, nil
}

// holder is a person with one thing that may bring rights.
type holder struct {
	MemberID int64
	Name     string
	Kind     string // super, head, deputy, role, owner or a duty
	Path     string
	Place    string
	actor    access.Actor
}

type crowd []holder

// crowdOf reads who could come into question, the nearest first: duties on
// the group, heads and deputies upwards, roles, super admins.
func crowdOf(db *gorm.DB, r access.Right, o access.Object, owner int64, now time.Time) (crowd, error) {
	var all crowd
	above := append(directory.PathIDs(o.Path), 0)
	err := db.Raw(`SELECT m.id AS member_id, m.name, x.kind, x.path, x.place, x.far FROM (
			SELECT member_id, duty AS kind, '' AS path, '' AS place, 0 AS far FROM group_duties WHERE group_id = ?
			UNION ALL SELECT id, 'owner', '', '', 0 FROM members WHERE id = ?
			UNION ALL SELECT h.member_id, 'head', d.path, d.name, 100 - d.depth FROM department_heads h JOIN departments d ON d.id = h.department_id WHERE d.id IN ?
			UNION ALL SELECT dp.member_id, 'deputy', d.path, d.name, 100 - d.depth FROM department_deputies dp JOIN departments d ON d.id = dp.department_id
				WHERE d.id IN ? AND `+directory.AwaySQL+`
			UNION ALL SELECT rg.member_id, 'role', d.path, r.name, 200 FROM role_grants rg JOIN departments d ON d.id = rg.department_id JOIN roles r ON r.id = rg.role_id
				WHERE d.id IN ? AND EXISTS (SELECT 1 FROM role_rights rr WHERE rr.role_id = rg.role_id AND rr.right_name = ?)
			UNION ALL SELECT id, 'super', '', '', 300 FROM members WHERE super_admin AND status = 'active'
		) x JOIN members m ON m.id = x.member_id AND m.status = 'active' ORDER BY x.far, m.name, m.id LIMIT 200`,
		o.GroupID, owner, above, above, now, now, above, string(r)).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("look for who may: %w", err)
	}
	for i := range all {
		all[i].actor = all[i].only(r, o)
	}
	return all, nil
}

var dutyNamed = map[string]access.Duty{"owner": access.Owner, "review": access.Review, "content": access.Content, "events": access.Events}

// only is the person with nothing but the one thing that makes them one.
func (c holder) only(r access.Right, o access.Object) access.Actor {
	a := access.Actor{Kind: access.Member, MemberID: c.MemberID}
	switch c.Kind {
	case "super":
		a.Super = true
	case "head", "deputy":
		a.Led = []string{c.Path}
	case "role":
		a.Grants = []access.Grant{{Path: c.Path, Rights: []access.Right{r}}}
	default:
		a.Duties = map[int64]access.Duty{o.GroupID: dutyNamed[c.Kind]}
	}
	return a
}

// may names those whom the table lets do r to o.
func (all crowd) may(r access.Right, o access.Object) (names []Somebody) {
	for _, c := range all {
		if access.Can(c.actor, r, o) {
			names = add(names, c)
		}
	}
	return names
}

// givers names those who can give the right: with a duty on the group where the
// table knows one for it, and super admins, who appoint and grant.
func (all crowd) givers(r access.Right, o access.Object) (names []Somebody) {
	byDuty := o.GroupID != 0 && slices.ContainsFunc([]access.Duty{access.Review, access.Content, access.Events}, func(d access.Duty) bool {
		return access.Needs(d, r, o)
	})
	for _, c := range all {
		if c.Kind == "super" || byDuty && access.Can(c.actor, access.GroupDuties, o) {
			names = add(names, c)
		}
	}
	return names
}

func add(names []Somebody, c holder) []Somebody {
	if len(names) == whoMost || slices.ContainsFunc(names, func(s Somebody) bool { return s.Name == c.Name }) {
		return names
	}
	return append(names, Somebody{Name: c.Name, How: c.Kind, Where: c.Place})
}
