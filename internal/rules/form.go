package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Bounds of a rule, in characters where they are not counts.
const (
	MaxRules  = 50 // of one scope
	MaxName   = 60
	MaxReason = 500
	maxValues = 50
	maxText   = 4000
)

// Draft is the form of a rule, as it was typed. An empty field asks nothing.
type Draft struct {
	Name, Match, Verdict, Reason string
	Enabled                      bool
	Version                      int // of the form's origin; -1 = whatever is there

	Person      string // member or guest
	Departments string // one path a line
	Domains     string
	Lists       []string
	Words       string // hit or none
	Says        string
	Question    string
	Op          string
	Answer      string
	Network     string
	Score       string

	NotDepartments, NotDomains, NotLists, NotSays, NotAnswer bool
}

// split takes what people put between the entries of a list.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\r\n,;\uff0c\uff1b\u3001", r) })
}

func words(text string) (all []string) {
	for _, w := range split(text) {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

func tooLong(bad fault.Invalid, field, text string, most int) {
	if n := utf8.RuneCountInString(text); n > most {
		bad[field] = fault.Msg("charter.error.long", "Max", most, "Have", n)
	}
}

// check reads the draft for a scope. The rule is whole only without complaints.
func (d Draft) check(tx *gorm.DB, sc Scope) (Rule, fault.Invalid, error) {
	bad := fault.Invalid{}
	r := Rule{GroupID: sc.groupID(), Name: strings.Join(strings.Fields(d.Name), " "), AnyOf: d.Match == "any", Verdict: Verdict(d.Verdict),
		Reason: strings.TrimSpace(d.Reason), Enabled: d.Enabled, Version: d.Version}
	if r.Name == "" {
		bad["name"] = fault.Msg("ruling.error.name")
	}
	tooLong(bad, "name", r.Name, MaxName)
	tooLong(bad, "reason", r.Reason, MaxReason)
	switch {
	case !slices.Contains(Verdicts, r.Verdict):
		bad["verdict"] = fault.Msg("ruling.error.verdict")
	case r.Verdict == Refuse && r.Reason == "":
		bad["reason"] = fault.Msg("ruling.error.reason")
	case r.Verdict != Refuse:
		r.Reason = ""
	}
	add := func(c Condition) { r.Conditions = append(r.Conditions, c) }
	d.who(bad, add)
	d.what(bad, add)
	if err := d.departments(tx, bad, add); err != nil {
		return r, bad, err
	}
	if err := d.lists(tx, sc, bad, add); err != nil {
		return r, bad, err
	}
	slices.SortFunc(r.Conditions, func(a, b Condition) int { return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind) })
	if len(r.Conditions) == 0 && len(bad) == 0 {
		bad["conditions"] = fault.Msg("ruling.error.conditions")
	}
	return r, bad, nil
}

// who reads what is asked of the person.
func (d Draft) who(bad fault.Invalid, add func(Condition)) {
	switch d.Person {
	case "":
	case "member", "guest":
		add(Condition{Kind: Person, Values: []string{d.Person}})
	default:
		bad["person"] = fault.Msg("ruling.error.choice")
	}
	switch d.Network {
	case "":
	case Inside, Outside:
		add(Condition{Kind: Network, Values: []string{d.Network}})
	default:
		bad["network"] = fault.Msg("ruling.error.choice")
	}
	if text := strings.TrimSpace(d.Score); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n >= MaxScore {
			bad["score"] = fault.Msg("ruling.error.score", "Max", MaxScore-1)
		}
		add(Condition{Kind: Risk, N: n})
	}
}

// what reads what is asked of the words they wrote.
func (d Draft) what(bad fault.Invalid, add func(Condition)) {
	switch d.Words {
	case "":
	case "hit", "none":
		add(Condition{Kind: Words, Not: d.Words == "none"})
	default:
		bad["words"] = fault.Msg("ruling.error.choice")
	}
	if domains := words(strings.ToLower(strings.ReplaceAll(d.Domains, " ", ","))); len(domains) > 0 {
		for i, name := range domains {
			if domains[i] = strings.TrimPrefix(name, "@"); !domainName(domains[i]) {
				bad["domains"] = fault.Msg("asking.error.domain")
			}
		}
		few(bad, "domains", domains)
		add(Condition{Kind: Domain, Values: domains, Not: d.NotDomains})
	}
	if said := words(d.Says); len(said) > 0 {
		for _, w := range said {
			tooLong(bad, "says", w, MaxWord)
			if Plain(w) == "" {
				bad["says"] = fault.Msg("ruling.error.word", "Word", clip(w))
			}
		}
		few(bad, "says", said)
		add(Condition{Kind: Says, Values: said, Not: d.NotSays})
	}
	question, answers := strings.Join(strings.Fields(d.Question), " "), words(d.Answer)
	tooLong(bad, "question", question, 120)
	switch {
	case question == "" && len(answers) == 0:
	case question == "":
		bad["question"] = fault.Msg("ruling.error.question")
	case len(answers) == 0:
		bad["answer"] = fault.Msg("ruling.error.answer")
	case !slices.Contains(Ops, d.Op):
		bad["op"] = fault.Msg("ruling.error.choice")
	default:
		tooLong(bad, "answer", d.Answer, maxText)
		few(bad, "answer", answers)
		add(Condition{Kind: Reply, Label: question, Op: d.Op, Values: answers, Not: d.NotAnswer})
	}
}

func few(bad fault.Invalid, field string, all []string) {
	if len(all) > maxValues {
		bad[field] = fault.Msg("ruling.error.many", "Max", maxValues)
	}
}

func clip(text string) string {
	if r := []rune(text); len(r) > MaxWord {
		return string(r[:MaxWord]) + "…"
	}
	return text
}

// domainName takes what can stand after the @ of an address.
func domainName(name string) bool {
	ok := len(name) <= 253 && strings.Contains(name, ".") && !strings.Contains(name, "..") && strings.Trim(name, ".-") == name
	return ok && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' }) < 0
}

// departments finds those that were typed: a path, or a name that only one has.
func (d Draft) departments(tx *gorm.DB, bad fault.Invalid, add func(Condition)) error {
	var lines, last []string
	for line := range strings.Lines(d.Departments) {
		if line = path(line); line != "" {
			lines, last = append(lines, line), append(last, line[strings.LastIndex(line, "/")+1:])
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if few(bad, "departments", lines); bad["departments"].Key != "" {
		return nil
	}
	var found []struct {
		ID   int64
		Path string
	}
	if err := tx.Table("departments").Select("id", "path").Where("name IN ?", last).Order("id").Limit(2000).Find(&found).Error; err != nil {
		return fmt.Errorf("look for departments: %w", err)
	}
	paths := make([]string, len(found))
	for i, f := range found {
		paths[i] = f.Path
	}
	names, err := directory.Lineages(tx, paths)
	if err != nil {
		return err
	}
	c := Condition{Kind: Department, Not: d.NotDepartments}
	for _, line := range lines {
		var ids, exact []int64
		for _, f := range found {
			switch name := path(names[f.Path]); {
			case name == line:
				exact = append(exact, f.ID)
			case strings.HasSuffix("/"+name, "/"+line), strings.HasSuffix(line, "/"+name):
				ids = append(ids, f.ID)
			}
		}
		if len(exact) == 1 {
			ids = exact
		}
		switch {
		case len(ids) == 0 && len(exact) == 0:
			bad["departments"] = fault.Msg("ruling.error.department", "Name", clip(line))
		case len(ids)+len(exact) > 1 && len(ids) != 1:
			bad["departments"] = fault.Msg("ruling.error.department.many", "Name", clip(line))
		default:
			c.IDs = append(c.IDs, ids[0])
		}
	}
	slices.Sort(c.IDs)
	c.IDs = slices.Compact(c.IDs)
	add(c)
	return nil
}

// path is a department's path as people type it, with one kind of slash and no spaces around it.
func path(text string) string {
	parts := strings.Split(strings.NewReplacer("\uff0f", "/", "\\", "/", ">", "/").Replace(text), "/")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Trim(strings.Join(parts, "/"), "/")
}

// lists reads the chosen lists: those of the organisation and of the group.
func (d Draft) lists(tx *gorm.DB, sc Scope, bad fault.Invalid, add func(Condition)) error {
	c := Condition{Kind: OnList, Not: d.NotLists}
	for _, text := range d.Lists {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && !slices.Contains(c.IDs, id) {
			c.IDs = append(c.IDs, id)
		} else if strings.TrimSpace(text) != "" && err != nil {
			bad["lists"] = fault.Msg("ruling.error.choice")
		}
	}
	if len(c.IDs) == 0 {
		return nil
	}
	var there []int64
	if err := tx.Table("rule_lists").Where("id IN ? AND (group_id IS NULL OR group_id = ?)", c.IDs[:min(len(c.IDs), 100)], sc.ID()).Pluck("id", &there).Error; err != nil {
		return fmt.Errorf("look for lists: %w", err)
	}
	if len(there) != len(c.IDs) {
		bad["lists"] = fault.Msg("ruling.error.choice")
	}
	add(c)
	return nil
}

// DraftOf is the form that would change nothing; names has the departments.
func DraftOf(r Rule, names map[int64]string) Draft {
	d := Draft{Name: r.Name, Match: map[bool]string{true: "any", false: "all"}[r.AnyOf], Verdict: string(r.Verdict), Reason: r.Reason, Enabled: r.Enabled, Version: r.Version}
	for _, c := range r.Conditions {
		switch c.Kind {
		case Person:
			d.Person = c.Values[0]
		case Network:
			d.Network = c.Values[0]
		case Risk:
			d.Score = strconv.Itoa(c.N)
		case Words:
			d.Words = map[bool]string{true: "none", false: "hit"}[c.Not]
		case Domain:
			d.Domains, d.NotDomains = strings.Join(c.Values, "\n"), c.Not
		case Says:
			d.Says, d.NotSays = strings.Join(c.Values, "\n"), c.Not
		case Reply:
			d.Question, d.Op, d.Answer, d.NotAnswer = c.Label, c.Op, strings.Join(c.Values, "\n"), c.Not
		case Department:
			lines := make([]string, len(c.IDs))
			for i, id := range c.IDs {
				lines[i] = names[id]
			}
			d.Departments, d.NotDepartments = strings.Join(lines, "\n"), c.Not
		case OnList:
			for _, id := range c.IDs {
				d.Lists = append(d.Lists, strconv.FormatInt(id, 10))
			}
			d.NotLists = c.Not
		}
	}
	return d
}
