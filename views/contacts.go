package views

import (
	"context"
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

// opened says that the tree shows what is below n: on the way to the chosen
// department, and where the reader could not open n to see it.
func (p ContactsProps) opened(n *directory.Node) bool {
	if n.Parent == nil || !n.Seen {
		return true
	}
	return p.Node != nil && strings.HasPrefix(p.Node.Path, n.Path)
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

// toggle is where the tree's arrow leads: into n, or back above it.
func (p ContactsProps) toggle(n *directory.Node) string {
	switch {
	case !p.opened(n):
		return paths.To(paths.Department, n.ID)
	case n.Parent != nil && n.Parent.Seen:
		return paths.To(paths.Department, n.Parent.ID)
	}
	return paths.Contacts
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
	return p.here("q", p.Q, "view", p.view(), "after", strconv.FormatInt(p.Page.Next, 10))
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
		if n := len(p.Node.Children); n > 0 {
			parts = append(parts, t(ctx, "contacts.summary.departments", "Count", n))
		}
		parts = append(parts, t(ctx, "contacts.summary.groups", "Count", p.Department.Groups))
	}
	return strings.Join(parts, t(ctx, "contacts.dot"))
}

// indent draws a department's level in a list of choices.
func indent(n *directory.Node) string { return strings.Repeat("　", n.Depth) }
