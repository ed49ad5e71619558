package approval

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/code"
	"doorplate/internal/database"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Effect is what exactly would happen, for a page in any language.
type Effect struct {
	Facts []Fact
	Then  []fault.Message // what follows, a sentence each
}

// Fact is one thing that would be so, and what it is now where that differs.
type Fact struct {
	Label   string // catalog key
	Was, Is []Value
}

// Value is a text as it is, a catalog text, or a moment, perhaps with a page behind it.
type Value struct {
	Text   string
	Word   fault.Message
	At     time.Time
	Code   string // public id of a code to link to
	Group  string // gid of a group to link to
	Member int64  // of a member to link to
}

func word(key string, args ...any) []Value { return []Value{{Word: fault.Msg(key, args...)}} }

func (e *Effect) add(label string, is ...Value) {
	e.Facts = append(e.Facts, Fact{Label: label, Is: is})
}

func (e *Effect) then(key string, args ...any) { e.Then = append(e.Then, fault.Msg(key, args...)) }

func (s *Service) tellGroup(tx *gorm.DB, d *Detail) error {
	plan, err := decode[group.Plan](d.Approval)
	if err != nil {
		return err
	}
	d.Plan = &plan
	path, err := departmentPath(tx, plan.DepartmentID)
	if errors.Is(err, fault.NotFound) {
		return nil // the department is gone; the page says so by its absence
	} else if err != nil {
		return err
	}
	lineages, err := group.Lineages(tx, []string{path})
	d.Lineage = lineages[path]
	return err
}

func (s *Service) tellMember(tx *gorm.DB, d *Detail) error {
	payload, err := decode[member](d.Approval)
	if err != nil {
		return err
	}
	var m directory.Member
	err = tx.Select("id", "name", "status", "phone", "super_admin").Where("id = ?", payload.MemberID).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read member: %w", err)
	}
	d.Member = &m
	tier := map[bool]string{true: "role.super", false: "second.tier.none"}
	d.Effect.Facts = []Fact{
		{Label: "second.fact.person", Is: []Value{{Text: m.Name, Member: m.ID}}},
		{Label: "second.fact.tier", Was: word(tier[d.Kind == SuperRemove]), Is: word(tier[d.Kind == SuperAppoint])},
	}
	d.Effect.then("approvals.effect."+d.Kind, "Name", d.Summary)
	d.Effect.then("approvals.effect."+d.Kind+".then", "Name", d.Summary)
	return nil
}

func (s *Service) tellExport(tx *gorm.DB, d *Detail) error {
	e, err := decode[export](d.Approval)
	if err != nil {
		return err
	}
	d.Effect.Facts = []Fact{{Label: "second.fact.holds", Is: word("exports.holds." + e.What)}}
	if e.Group != "" {
		g, err := group.Load(tx, e.Group)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		d.Effect.add("second.fact.group", Value{Text: g.Name, Group: e.Group})
	}
	format := e.Format
	if format == "" {
		format = CSV
	}
	if e.What == "audit" {
		format = "jsonl"
	}
	d.Effect.add("second.fact.format", Value{Text: format})
	d.Effect.then("approvals.effect."+d.Kind, "Name", d.AuthorName)
	d.Effect.then("approvals.effect."+d.Kind+".then", "Name", d.AuthorName)
	return nil
}

// tellCode lists the new code's terms, or those that change.
func (s *Service) tellCode(tx *gorm.DB, d *Detail) error {
	p, err := decode[code.Plan](d.Approval)
	if err != nil {
		return err
	}
	n, err := s.codes.ReadPlan(tx, p)
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	e := &d.Effect
	e.add("second.fact.group", Value{Text: n.Group.Name, Group: n.Group.GID})
	if n.Was != nil {
		e.add("second.fact.code", Value{Text: n.Was.Label, Code: n.Was.PublicID})
	}
	for _, t := range code.Compare(n.Was, p, n.Next) {
		f := Fact{Label: "second.term." + t.Name}
		if t.Was != nil && d.Status == Pending { // later it says nothing about what was decided
			f.Was = []Value{term(*t.Was)}
		}
		f.Is = []Value{term(t.Is)}
		e.Facts = append(e.Facts, f)
	}
	e.add("second.fact.join", Value{Word: fault.Msg("groups.joinmode." + p.Code.ModeIn(n.Group))})
	for _, g := range n.Doors {
		e.add("second.fact.behind", Value{Text: g.Name, Group: g.GID})
	}
	e.then("second.then.open")
	if n.Was == nil {
		e.then("second.then.issuer", "Name", d.AuthorName)
	} else {
		e.then("second.then.print")
	}
	e.then("second.then.revoke")
	return nil
}

func term(t code.Term) Value {
	v := Value{Text: t.Text, At: t.At}
	if t.Key != "" {
		v.Word = fault.Msg(t.Key, t.Args...)
	}
	return v
}

// tellOpening names every code that hangs.
func (s *Service) tellOpening(tx *gorm.DB, d *Detail) error {
	p, err := decode[opening](d.Approval)
	if err != nil {
		return err
	}
	g, err := group.Load(tx, p.GID)
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	e := &d.Effect
	e.add("second.fact.group", Value{Text: g.Name, Group: g.GID})
	was := Fact{Label: "second.fact.join", Is: word("groups.joinmode." + group.Open)}
	if d.Status == Pending {
		was.Was = word("groups.joinmode." + g.JoinMode)
	}
	e.Facts = append(e.Facts, was)
	codes, err := code.OpenCodes(tx, g.ID)
	if err != nil {
		return err
	}
	if len(codes) > 0 {
		hang := Fact{Label: "second.fact.hang"}
		for _, c := range codes {
			hang.Is = append(hang.Is, Value{Text: c.Label, Code: c.PublicID})
		}
		e.Facts = append(e.Facts, hang)
	}
	e.then("second.then.open")
	e.then("second.then.pending")
	return nil
}

// MostCounted bounds how many scans a request to shorten the retention counts.
const MostCounted = 100_000

// tellRetention counts what would be deleted, up to MostCounted.
func (s *Service) tellRetention(tx *gorm.DB, d *Detail) error {
	r, err := decode[directory.Retention](d.Approval)
	if err != nil {
		return err
	}
	cut := s.now().UTC().AddDate(0, 0, -r.Days)
	if d.DecidedAt != nil {
		cut = d.DecidedAt.UTC().AddDate(0, 0, -r.Days)
	}
	e := &d.Effect
	e.Facts = append(e.Facts, Fact{Label: "second.fact.kept", Was: []Value{days(r.Was)}, Is: []Value{days(r.Days)}})
	e.add("second.fact.before", Value{At: cut})
	if d.Status == Pending {
		n, err := countOlder(tx, cut)
		if err != nil {
			return err
		}
		key := "second.scans"
		if n > MostCounted {
			n, key = MostCounted, "second.scans.more"
		}
		e.add("second.fact.deleted", Value{Word: fault.Msg(key, "Count", n)})
	}
	e.then("second.then.purge")
	e.then("second.then.kept")
	return nil
}

func days(n int) Value {
	if n == 0 {
		return Value{Word: fault.Msg("second.forever")}
	}
	return Value{Word: fault.Msg("second.days", "Count", n)}
}

// countOlder counts scans before a moment by the retention's own index, up to one more than MostCounted.
func countOlder(tx *gorm.DB, cut time.Time) (int, error) {
	age, than := "s.at", "?"
	if database.Postgres(tx) {
		age, than = "(s.at AT TIME ZONE 'UTC')", "(CAST(? AS timestamptz) AT TIME ZONE 'UTC')"
	}
	var n int
	err := tx.Raw("SELECT count(*) FROM (SELECT 1 AS one FROM scans s WHERE "+age+" < "+than+" LIMIT ?) older", cut, MostCounted+1).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count old scans: %w", err)
	}
	return n, nil
}
