package join

import "doorplate/internal/group"

// room is a group as this visit's code lets people into it: the code may have a
// join mode of its own. req: B24
func (v visit) room(g group.Group) group.Group {
	g.JoinMode = v.code.ModeIn(g)
	v.fuse(&g)
	return g
}

// fuse raises an open group to approval while the code behaves oddly. req: A21
func (v visit) fuse(g *group.Group) {
	if g != nil && g.JoinMode == group.Open && v.code.Fused(v.moment) {
		g.JoinMode = group.Approval
	}
}

// fuseDoors does so with the groups behind all doors.
func (v visit) fuseDoors() {
	for _, d := range v.doors {
		for i := range d.Rooms {
			v.fuse(&d.Rooms[i])
		}
		v.fuse(d.Room)
	}
}
