package views

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/rules"
	"doorplate/views/ui"
)

// RulingProps is the page of the rules of the organisation or of a group.
type RulingProps struct {
	rules.Page
	Errors  map[string]string
	Words   *string // as typed, when they could not be kept
	Name    string  // of the list that is being made
	People  string
	Trial   *join.Trial
	Warning string
}

// RuleProps is the form of one rule, with what it would have done.
type RuleProps struct {
	rules.Page
	ID     int64 // 0 = a new one
	Draft  rules.Draft
	Errors map[string]string
	Stale  string
	Trial  *join.Trial
}

// ruledAt is the address of a scope's rules.
func ruledAt(p rules.Page) string {
	if p.Group == nil {
		return paths.Rules
	}
	return paths.To(paths.GroupRuling, p.Group.GID)
}

func rulingTitle(ctx context.Context, p rules.Page) string {
	if p.Group == nil {
		return t(ctx, "ruling.title")
	}
	return t(ctx, "ruling.of", "Name", p.Group.Name)
}

func rulingPage(ctx context.Context, p rules.Page, last string) Page {
	out := Page{Title: rulingTitle(ctx, p), Nav: "settings", Crumbs: []ui.Crumb{{Text: t(ctx, "nav.settings"), Href: paths.SettingsOrg}}}
	if p.Group != nil {
		out.Nav, out.Crumbs = "groups", groupCrumbs(ctx, ui.Crumb{Text: p.Group.Name, Href: paths.To(paths.Group, p.Group.GID)},
			ui.Crumb{Text: t(ctx, "groups.tab.settings"), Href: paths.To(paths.GroupSettings, p.Group.GID)})
	}
	here := ui.Crumb{Text: t(ctx, "ruling.title")}
	if last != "" {
		here.Href, out.Title = ruledAt(p), last
		out.Crumbs = append(out.Crumbs, here)
		here = ui.Crumb{Text: last}
	}
	out.Crumbs = append(out.Crumbs, here)
	return out
}

// ruleSays puts each condition of a rule into words.
func ruleSays(ctx context.Context, p rules.Page, r rules.Rule) (all []string) {
	for _, c := range r.Conditions {
		key := "ruling.if." + string(c.Kind)
		if c.Kind == rules.Person || c.Kind == rules.Network {
			key += "." + c.Values[0]
		}
		if c.Kind == rules.Reply {
			key += "." + c.Op
		}
		if c.Not {
			key += ".not"
		}
		all = append(all, t(ctx, key, "What", conditionText(ctx, p, c), "Label", c.Label, "Count", c.N))
	}
	return all
}

func conditionText(ctx context.Context, p rules.Page, c rules.Condition) string {
	names := slices.Clone(c.Values)
	for _, id := range c.IDs {
		name := p.Departments[id]
		if c.Kind == rules.OnList {
			if i := slices.IndexFunc(p.Lists, func(l rules.List) bool { return l.ID == id }); i >= 0 {
				name = p.Lists[i].Name
			}
		}
		if name == "" {
			name = t(ctx, "ruling.gone")
		}
		names = append(names, name)
	}
	return strings.Join(names, t(ctx, "ruling.or"))
}

// verdictBadge is the badge of what a rule does.
func verdictBadge(v rules.Verdict) string {
	return map[rules.Verdict]string{rules.Approve: "approved", rules.Refuse: "rejected", rules.Hold: "pending", rules.None: "closed"}[v]
}

// scoreWords says a score in words.
func scoreWords(ctx context.Context, all []rules.Point) string {
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = t(ctx, "ruling.point."+p.Name, "Count", p.Count) + " " + fmt.Sprintf("+%d", p.Points)
	}
	return strings.Join(parts, t(ctx, "ruling.and"))
}

// picked reports whether the draft has the list.
func (p RuleProps) picked(id int64) bool {
	return slices.Contains(p.Draft.Lists, strconv.FormatInt(id, 10))
}

// action is where the form goes.
func (p RuleProps) action() string {
	if p.ID == 0 {
		return ruledAt(p.Page)
	}
	return fmt.Sprintf("%s/%d", ruledAt(p.Page), p.ID)
}

func (p RuleProps) title(ctx context.Context) string {
	if p.ID == 0 {
		return t(ctx, "ruling.new")
	}
	return t(ctx, "ruling.edit")
}

// typedWords are the words of the form.
func (p RulingProps) typedWords() string {
	if p.Words != nil {
		return *p.Words
	}
	return p.Page.Words
}

// named is what a trial calls a request.
func named(ctx context.Context, r join.Tried) string {
	if !r.Shown {
		return t(ctx, "ruling.try.someone", "ID", r.ID)
	}
	return r.Name
}

// ruleOf names the rule of a verdict.
func ruleOf(r join.Tried) string {
	if r.Said.Rule == nil {
		return ""
	}
	return r.Said.Rule.Name
}

// hitIn are the hits that stand in one field.
func hitIn(hits []rules.Hit, field string) bool {
	return slices.ContainsFunc(hits, func(h rules.Hit) bool { return h.Field == field })
}

// hitWords names the words that were hit, each once.
func hitWords(ctx context.Context, hits []rules.Hit) string {
	var all []string
	for _, h := range hits {
		if !slices.Contains(all, h.Word) {
			all = append(all, h.Word)
		}
	}
	return strings.Join(all, t(ctx, "ruling.and"))
}

// Heed is what a form sends back to say that the warning was about this very reason.
func Heed(reason string) string {
	sum := sha256.Sum256([]byte(reason))
	return hex.EncodeToString(sum[:8])
}
