package access

import (
	"slices"
	"strings"
)

// Paths lists the departments for which, with all below them, a holds r as
// head, deputy or by a role; none lies below another. A super admin's reach is
// everything and not listed.
func (a Actor) Paths(r Right) []string {
	var paths []string
	if table[r].head != nil {
		paths = append(paths, a.led()...)
	}
	if Grantable(r) {
		for _, g := range a.Grants {
			if slices.Contains(g.Rights, r) {
				paths = append(paths, g.Path)
			}
		}
	}
	return topmost(paths)
}

// Holds reports whether a holds r for the department at path as super admin,
// head, deputy or by a role: what one does for a department, not for oneself.
func (a Actor) Holds(r Right, path string) bool {
	return a.Super && table[r].super != nil || a.Kind == System || path != "" && under(a.Paths(r), path)
}

// HoldsAny reports whether a holds r for any department.
func (a Actor) HoldsAny(r Right) bool {
	return a.Super && table[r].super != nil || a.Kind == System || len(a.Paths(r)) > 0
}

// Manages reports whether a looks after anything: as super admin, head, deputy,
// by a role or with a duty on a group.
func (a Actor) Manages() bool {
	return a.Super || a.Head() || len(a.Grants) > 0 || len(a.Duties) > 0
}

// Sees reports whether a may know of the department at path.
func (a Actor) Sees(path string) bool {
	return a.Super || a.Leads(path) || a.granted(path) || slices.Contains(a.Own, path)
}

// Seat is the department that a's work with r is counted to when it names none,
// for the audit trail; "" when it is the whole organisation's.
func (a Actor) Seat(r Right) string {
	if paths := a.Paths(r); !a.Super && len(paths) > 0 {
		return paths[0]
	}
	return ""
}

func (a Actor) granted(path string) bool {
	return path != "" && slices.ContainsFunc(a.Grants, func(g Grant) bool { return strings.HasPrefix(path, g.Path) })
}

// led lists the departments a leads, be it as a deputy.
func (a Actor) led() []string {
	paths := slices.Clone(a.Led)
	for _, s := range a.Acting {
		paths = append(paths, s.Path)
	}
	return paths
}

func under(paths []string, path string) bool {
	return path != "" && slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(path, p) })
}

// topmost drops what lies below another of the paths.
func topmost(paths []string) []string {
	var top []string
	for i, p := range paths {
		covered := slices.ContainsFunc(paths, func(q string) bool { return q != p && strings.HasPrefix(p, q) })
		if !covered && !slices.Contains(paths[:i], p) {
			top = append(top, p)
		}
	}
	return top
}

// Scope returns an SQL condition and its arguments that keep the rows for whose
// department path (the given column) a holds r as super admin, head, deputy or
// by a role.
func Scope(a Actor, r Right, column string) (string, []any) {
	if a.Super || a.Kind == System {
		return "1 = 1", nil
	}
	return below(a.Paths(r), column)
}

// Sight keeps the rows of the departments a leads or holds any role for, with
// all below them, and of those a belongs to: what a may know exists.
func Sight(a Actor, column string) (string, []any) {
	if a.Super || a.Kind == System {
		return "1 = 1", nil
	}
	paths := a.led()
	for _, g := range a.Grants {
		paths = append(paths, g.Path)
	}
	led, args := below(topmost(paths), column)
	if len(a.Own) == 0 {
		return led, args
	}
	return "(" + led + " OR " + column + " IN ?)", append(args, a.Own)
}

func below(paths []string, column string) (string, []any) {
	if len(paths) == 0 {
		return "1 = 0", nil
	}
	terms := make([]string, len(paths))
	args := make([]any, len(paths))
	for i, p := range paths {
		terms[i] = column + " LIKE ?"
		args[i] = p + "%"
	}
	return "(" + strings.Join(terms, " OR ") + ")", args
}
