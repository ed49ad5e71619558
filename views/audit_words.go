package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
)

// change is a detail with what it was before.
type change struct{ name, was, is string }

// details reads what an entry tells besides who, what and whom.
func details(raw string) map[string]any {
	var d map[string]any
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber() // an id is no 1.2e+07
	if decoder.Decode(&d) != nil {
		return nil
	}
	return d
}

func detailText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = detailText(p)
		}
		return strings.Join(parts, " ")
	}
	return fmt.Sprint(value)
}

// changes are the details that say what was and what is.
func changes(ctx context.Context, d map[string]any) (list []change) {
	for name := range d {
		was, there := d[name+"_was"]
		if !there || strings.HasSuffix(name, "_id") {
			continue
		}
		c := change{name, detailText(was), detailText(d[name])}
		if c.was != c.is {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b change) int { return strings.Compare(a.name, b.name) })
	for i, c := range list {
		list[i].was, list[i].is = changeValue(ctx, c.name, c.was), changeValue(ctx, c.name, c.is)
	}
	return list
}

func changeValue(ctx context.Context, name, value string) string {
	if value == "" {
		return t(ctx, "chain.nothing")
	}
	return clip(detailValue(ctx, name, value), 60)
}

// own are actions whose sentence needs more than who did what with which
// object, with the details it cannot do without.
var own = map[string][]string{
	"right.refused":       {"right"},
	"group.handover":      {"owner"},
	"group.rules":         {"version"},
	"group.duty.add":      {"member", "duty"},
	"group.duty.remove":   {"member", "duty"},
	"group.member.add":    {"member"},
	"group.member.remove": {"member"},
	"group.merge":         {"into_name", "into"},
	"group.absorb":        {"from_name", "from"},

	"department.head.add":      {"member"},
	"department.head.remove":   {"member"},
	"department.deputy.add":    {"member"},
	"department.deputy.remove": {"member"},
	"department.move":          {"from", "to"},
	"department.rename":        {"was"},
	"role.grant":               {"role", "department"},
	"role.withdraw":            {"role", "department"},
	"member.bulk.add":          {"department"},
	"member.bulk.remove":       {"department"},
	"member.bulk.move":         {"department"},
}

func says(action string, d map[string]any) bool {
	needs, special := own[action]
	return special && !slices.ContainsFunc(needs, func(n string) bool { return detailText(d[n]) == "" })
}

// sentence puts an entry into words, with who and object as they are given.
func sentence(ctx context.Context, l audit.Line, who, object string) string {
	d := details(l.Details)
	named := object
	if object != "" && l.ObjectKind != "organisation" {
		named = t(ctx, "chain.object", "Kind", kindName(ctx, l.ObjectKind), "Name", object)
	}
	all := changes(ctx, d)
	switch {
	case says(l.Action, d):
		return t(ctx, "chain.say."+l.Action, "Who", who, "Object", named, "Right", t(ctx, "right."+detailText(d["right"])),
			"Member", detailText(d["member"]), "Owner", detailText(d["owner"]), "Duty", detailValue(ctx, "duty", detailText(d["duty"])), "Version", detailText(d["version"]),
			"Into", detailText(d["into_name"]), "Source", detailText(d["from_name"]), "From", detailText(d["from"]), "To", detailText(d["to"]),
			"Was", detailText(d["was"]), "Role", detailText(d["role"]), "Department", detailText(d["department"]))
	case len(all) > 0 && object == "":
		return t(ctx, "chain.changes.plain", "Who", who, "Did", t(ctx, "audit.action."+l.Action), "Changes", changesText(ctx, all))
	case len(all) == 1:
		return t(ctx, "chain.change", "Who", who, "Object", named, "Field", detailName(ctx, all[0].name), "Was", all[0].was, "Is", all[0].is)
	case len(all) > 1:
		return t(ctx, "chain.changes", "Who", who, "Object", named, "Changes", changesText(ctx, all))
	case object == "" || selfMade(l):
		return t(ctx, "chain.plain", "Who", who, "Did", t(ctx, "audit.action."+l.Action))
	}
	return t(ctx, "chain.did", "Who", who, "Did", t(ctx, "audit.action."+l.Action), "Object", object)
}

func changesText(ctx context.Context, all []change) string {
	parts := make([]string, len(all))
	for i, c := range all {
		parts[i] = t(ctx, "chain.fromto", "Field", detailName(ctx, c.name), "Was", c.was, "Is", c.is)
	}
	return strings.Join(parts, t(ctx, "chain.semicolon"))
}

// selfMade is true where people did something to themselves: no need to name them twice.
func selfMade(l audit.Line) bool {
	return l.ActorKind == "member" && l.ObjectKind == "member" && l.ObjectID == strconv.FormatInt(l.ActorID, 10)
}

func kindName(ctx context.Context, kind string) string {
	if key := "chain.kind." + kind; i18n.Has(i18n.Lang(ctx), key) {
		return t(ctx, key)
	}
	return kind
}

func areaName(ctx context.Context, area string) string {
	if key := "audit.area." + area; i18n.Has(i18n.Lang(ctx), key) {
		return t(ctx, key)
	}
	return area
}

func someone(ctx context.Context, l audit.Line) string {
	name := actorText(ctx, l)
	if name == "" {
		return t(ctx, "chain.someone")
	}
	if key := "chain.why." + l.ActorName; l.ActorKind == "system" && i18n.Has(i18n.Lang(ctx), key) {
		return t(ctx, "chain.why", "Why", t(ctx, key))
	}
	if whose := detailText(details(l.Details)["on_behalf_of"]); whose != "" {
		return t(ctx, "chain.behalf", "Who", name, "Whose", whose)
	}
	return name
}

// phrase is a piece of a sentence, with where it leads.
type phrase struct{ text, href string }

// The places of names in a sentence that is cut into phrases. Names are clean of them.
const (
	whoMark    = "\x01"
	objectMark = "\x02"
)

// auditPhrases is the sentence with links to everything about the person and the object.
func auditPhrases(ctx context.Context, l audit.Line) (parts []phrase) {
	who, object := phrase{text: someone(ctx, l)}, phrase{text: objectName(l)}
	if l.ActorKind == "member" && l.ActorID > 0 {
		who.href = paths.With(paths.Audit, "actor", strconv.FormatInt(l.ActorID, 10))
	}
	mark := ""
	if object.text != "" {
		mark = objectMark
	}
	if l.ObjectID != "" {
		object.href = ObjectHistory(l.ObjectKind, l.ObjectID)
	}
	rest := sentence(ctx, l, whoMark, mark)
	for rest != "" {
		at := strings.IndexAny(rest, whoMark+objectMark)
		if at < 0 {
			return append(parts, phrase{text: rest})
		}
		if at > 0 {
			parts = append(parts, phrase{text: rest[:at]})
		}
		if rest[at] == whoMark[0] {
			parts = append(parts, who)
		} else {
			parts = append(parts, object)
		}
		rest = rest[at+1:]
	}
	return parts
}

// ObjectHistory is the address of everything the trail says about one object.
func ObjectHistory(kind, id string) string {
	return paths.With(paths.Audit, "kind", kind, "object", id)
}

// auditRest is what the sentence leaves out of the details.
func auditRest(ctx context.Context, l audit.Line) string {
	d := details(l.Details)
	for name := range d {
		if _, there := d[name+"_was"]; there {
			delete(d, name)
			delete(d, name+"_was")
		}
	}
	if says(l.Action, d) {
		for _, used := range own[l.Action] {
			delete(d, used)
		}
	}
	if left := unspoken(l.Details, d); len(left) > 0 {
		d["changed"] = left
	} else {
		delete(d, "changed")
	}
	if l.Action == "right.refused" {
		delete(d, "route")
	}
	delete(d, "on_behalf_of") // stands with who did it
	raw, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	return auditDetails(ctx, string(raw))
}

// unspoken are the names of what was changed that neither the sentence nor
// another detail tells.
func unspoken(raw string, rest map[string]any) (left []any) {
	all := details(raw)
	names, _ := all["changed"].([]any)
	for _, n := range names {
		name := detailText(n)
		_, spoken := all[name+"_was"]
		_, told := rest[name]
		if !spoken && !told && !slices.Contains(bookkeeping, name) {
			left = append(left, n)
		}
	}
	return left
}

// bookkeeping are columns that change along with what people changed.
var bookkeeping = []string{"version", "updated_at", "updated_by", "entry_by", "created_department_id", "terms_by", "terms_at"}

// fact is one line of the table of details.
type fact struct{ name, value string }

// auditFacts are all details with their names in the reader's language.
func auditFacts(ctx context.Context, raw string) (facts []fact) {
	d := details(raw)
	names := make([]string, 0, len(d))
	for name := range d {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		facts = append(facts, fact{detailName(ctx, name), detailWords(ctx, name, d[name])})
	}
	return facts
}

// deviceWords names what an entry came from.
func deviceWords(ctx context.Context, device string) string {
	return browserWords(ctx, auth.BrowserOf(device))
}
