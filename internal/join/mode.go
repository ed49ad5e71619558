package join

import "doorplate/internal/group"

// room is a group as this visit's code lets people into it: the code may have a
// join mode of its own. req: B24
func (v visit) room(g group.Group) group.Group {
	g.JoinMode = v.code.ModeIn(g)
	return g
}
