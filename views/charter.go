package views

import (
	"context"
	"regexp"
	"strings"

	"doorplate/internal/code"
	"doorplate/internal/group"
	"doorplate/internal/paths"
	"doorplate/views/ui"
)

// Part is a piece of a text: a link when Href is set.
type Part struct{ Text, Href string }

// address is a web address in running text. It ends before what cannot stand in
// one as people write them, so that a sentence's full stop stays outside.
var address = regexp.MustCompile(`https?://[A-Za-z0-9][A-Za-z0-9.:-]*(?:/[A-Za-z0-9\-._~:/?#@!$&*+,;=%]*)?`)

// Links splits a plain text at its web addresses. Only http and https become
// links; everything else stays text, which the page escapes.
func Links(text string) []Part {
	var parts []Part
	for at := 0; at < len(text); {
		found := address.FindStringIndex(text[at:])
		if found == nil {
			return append(parts, Part{Text: text[at:]})
		}
		from, to := at+found[0], at+found[1]
		to = from + len(strings.TrimRight(text[from:to], ".,;:!?"))
		if from > at {
			parts = append(parts, Part{Text: text[at:from]})
		}
		parts = append(parts, Part{Text: text[from:to], Href: text[from:to]})
		at = to
	}
	return parts
}

// rulesSaid compares the version that a request agreed to with the one in force.
func rulesSaid(ctx context.Context, said, now int) string {
	switch {
	case said == 0:
		return t(ctx, "charter.request.rules.none", "Now", now)
	case now != 0 && said != now:
		return t(ctx, "charter.request.rules.old", "Version", said, "Now", now)
	}
	return t(ctx, "charter.request.rules.now", "Version", said)
}

// permanence is the right to a permanent code as far as the group's type goes.
func permanence(g group.Group, p code.Permission) code.Permission {
	if group.NatureOf(g.Type).CodeEnd {
		return code.Permission{Missing: "code.permanent.training"}
	}
	return p
}

// types are those the reader may choose from.
func (p GroupFormProps) types() []string {
	if p.Starts {
		return groupTypes[:1]
	}
	return groupTypes
}

// approvalsCrumb leads back to the list, for those who may see it.
func approvalsCrumb(ctx context.Context) ui.Crumb {
	if chrome(ctx).CanApprovals {
		return ui.Crumb{Text: t(ctx, "nav.approvals"), Href: paths.Approvals}
	}
	return ui.Crumb{Text: t(ctx, "nav.groups"), Href: paths.Groups}
}

// nameLabel asks for a guest's name as the group wants it.
func (p JoinProps) nameLabel(ctx context.Context) string {
	if p.Group.RealName {
		return t(ctx, "charter.join.name.guest")
	}
	return t(ctx, "join.name.optional")
}

// whyNotPermanent is why the choice is locked: the group's type, else the missing right.
func (p termsFields) whyNotPermanent(ctx context.Context) string {
	if group.NatureOf(p.Group.Type).CodeEnd {
		return t(ctx, "charter.error.code.end")
	}
	return whyNot(ctx, p.Permanent)
}

// HolderReminder is the line about a large group with too few people who share the work.
func HolderReminder(ctx context.Context, g group.Thin) Reminder {
	return Reminder{Text: t(ctx, "charter.remind.holders", "Group", g.Name, "Members", g.MemberCount, "Count", g.Holders),
		Href: paths.To(paths.GroupSettings, g.GID) + "#h-o"}
}
