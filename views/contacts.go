package views

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"doorplate/internal/directory"
	"doorplate/internal/paths"
	"doorplate/views/ui"
)

// contactsCrumbs lead from the contacts down to a department the reader may open.
func contactsCrumbs(ctx context.Context, n *directory.Node, more ...ui.Crumb) []ui.Crumb {
	var below []ui.Crumb
	for ; n != nil; n = n.Parent {
		if n.Seen {
			below = append([]ui.Crumb{{Text: n.Name, Href: paths.To(paths.Department, n.ID)}}, below...)
		}
	}
	all := append(append([]ui.Crumb{{Text: t(ctx, "nav.contacts"), Href: paths.Contacts}}, below...), more...)
	if len(all) == 1 {
		return nil // the title says it already
	}
	all[len(all)-1].Href = ""
	return all
}

// opened says that the tree shows what is below n: where the reader unfolded
// it, on the way to the chosen department, and where n cannot be opened at all.
func (p ContactsProps) opened(n *directory.Node) bool {
	return !n.Seen || n.Open
}

// shown are the departments below n that the reader's tree has.
func (p ContactsProps) shown(n *directory.Node) []*directory.Node {
	var out []*directory.Node
	for _, c := range n.Children {
		if c.Seen || len(p.shown(c)) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// onTheWay says that n is the chosen department or above it.
func (p ContactsProps) onTheWay(n *directory.Node) bool {
	return p.Node != nil && strings.HasPrefix(p.Node.Path, n.Path)
}

// toggle is where the tree's arrow leads: the same page with n unfolded or
// folded; a department on the way to the chosen one is folded by going above it.
func (p ContactsProps) toggle(n *directory.Node) string {
	switch {
	case !n.Open:
		return p.unfolded(append(slices.Clone(p.Open), n.ID)) + "#n" + strconv.FormatInt(n.ID, 10)
	case !p.onTheWay(n):
		return p.unfolded(slices.DeleteFunc(slices.Clone(p.Open), func(id int64) bool { return id == n.ID })) + "#n" + strconv.FormatInt(n.ID, 10)
	case n.Parent != nil && n.Parent.Seen:
		return p.into(n.Parent)
	}
	return paths.Contacts
}

func (p ContactsProps) unfolded(open []int64) string {
	return p.here("q", p.Q, "view", p.view(), "open", joined(open))
}

// into is a department's page with the tree as it is.
func (p ContactsProps) into(n *directory.Node) string {
	return paths.With(paths.To(paths.Department, n.ID), "open", joined(p.Open))
}

func joined(ids []int64) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, ",")
}

// here is the address of this list, without its page.
func (p ContactsProps) here(pairs ...string) string {
	if p.Node != nil {
		return paths.With(paths.To(paths.Department, p.Node.ID), pairs...)
	}
	return paths.With(paths.Contacts, pairs...)
}

func (p ContactsProps) view() string {
	if p.Departed {
		return directory.Departed
	}
	return ""
}

func (p ContactsProps) next() string {
	if p.Page.Next == 0 {
		return ""
	}
	return p.here("q", p.Q, "view", p.view(), "open", joined(p.Open), "after", strconv.FormatInt(p.Page.Next, 10))
}

// summary is the sentence below the heading: who leads, how many, how far.
func (p ContactsProps) summary(ctx context.Context) string {
	if p.Department == nil {
		return t(ctx, "contacts.lead")
	}
	var parts []string
	if len(p.Department.Heads) > 0 {
		names := make([]string, len(p.Department.Heads))
		for i, h := range p.Department.Heads {
			names[i] = h.Name
		}
		parts = append(parts, t(ctx, "contacts.summary.heads", "Names", strings.Join(names, t(ctx, "contacts.comma"))))
	} else {
		parts = append(parts, t(ctx, "contacts.summary.nohead"))
	}
	if p.Department.SubtreeIsVisible {
		parts = append(parts, t(ctx, "contacts.summary.members", "Count", p.Node.Members))
		if n := p.Department.Below; n > 0 {
			parts = append(parts, t(ctx, "contacts.summary.departments", "Count", n))
		}
		parts = append(parts, t(ctx, "contacts.summary.groups", "Count", p.Department.Groups))
	}
	return strings.Join(parts, t(ctx, "contacts.dot"))
}
