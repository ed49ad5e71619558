package access

import "strings"

// Higher reports whether a stands above them over the department at path: a
// super admin above everybody, a head above whoever leads less of what is over it.
func (a Actor) Higher(them Actor, path string) bool {
	if a.Super || them.Super {
		return a.Super
	}
	mine, theirs := a.leadsFrom(path), them.leadsFrom(path)
	return mine != "" && (theirs == "" || len(mine) < len(theirs))
}

// leadsFrom is the topmost department that a leads over the one at path, "" for none.
func (a Actor) leadsFrom(path string) (top string) {
	for _, p := range a.led() {
		if path != "" && strings.HasPrefix(path, p) && (top == "" || len(p) < len(top)) {
			top = p
		}
	}
	return top
}
