package code

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"doorplate/internal/group"
)

// Door is one target as a visitor meets it: a group, or the groups of its
// series. Room is the one that takes people now.
type Door struct {
	Rooms  []group.Group // all, by number, whatever their state
	Room   *group.Group  // nil when none takes anybody
	Grows  bool          // the series makes another group when the rooms are full
	Weight int
	For    string // path of the department it is for; "" = for nobody in particular
	Own    bool
}

// Open reports whether somebody could get in, at once or into a group that is still to be made.
func (d Door) Open() bool { return d.Room != nil }

// LeadsOn reports whether the code may lead to more than its own group.
func LeadsOn(c Code, own group.Group) bool {
	return c.Route != RouteOne && c.Route != "" || own.SeriesID != nil
}

// Doors reads the groups behind a code, its own first. With RouteOne that is
// its own group, or the series this is in.
func Doors(tx *gorm.DB, c Code, own group.Group) ([]Door, error) {
	all := []Target{{Group: own, Weight: 1, Own: true}}
	if c.Route != RouteOne {
		var err error
		if all, err = targets(tx, c.ID, usableSQL); err != nil {
			return nil, err
		}
	}
	series, rooms, err := seriesOf(tx, all)
	if err != nil {
		return nil, err
	}
	c.setModes(all, rooms)
	doors := make([]Door, 0, len(all))
	seen := map[int64]bool{}
	for _, t := range all {
		d := Door{Rooms: []group.Group{t.Group}, Weight: t.Weight, For: t.ForPath, Own: t.Own}
		if t.SeriesID == nil {
			if t.Status == group.Active && t.JoinMode != group.Off && t.MemberCount < t.Capacity {
				d.Room = &d.Rooms[0]
			}
		} else if seen[*t.SeriesID] {
			continue
		} else {
			seen[*t.SeriesID] = true
			d.enlarge(series[*t.SeriesID], rooms[*t.SeriesID])
		}
		doors = append(doors, d)
	}
	return doors, nil
}

// enlarge makes a door that of a series. When all its rooms are full and it
// grows, the newest stands for the one that will be made.
func (d *Door) enlarge(s group.Series, rooms []group.Group) {
	d.Rooms, d.Room, d.Grows = rooms, s.Room(rooms), s.Grows(rooms)
	if d.Room != nil || !d.Grows {
		return
	}
	for n := len(rooms) - 1; n >= 0; n-- {
		if rooms[n].Status == group.Active {
			d.Room = &rooms[n]
			return
		}
	}
}

func seriesOf(tx *gorm.DB, all []Target) (map[int64]group.Series, map[int64][]group.Group, error) {
	var ids []int64
	for _, t := range all {
		if t.SeriesID != nil {
			ids = append(ids, *t.SeriesID)
		}
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var rows []group.Series
	if err := tx.Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read the series: %w", err)
	}
	groups, err := group.Siblings(tx, ids)
	if err != nil {
		return nil, nil, err
	}
	series, rooms := map[int64]group.Series{}, map[int64][]group.Group{}
	for _, s := range rows {
		series[s.ID] = s
	}
	for _, g := range groups {
		rooms[*g.SeriesID] = append(rooms[*g.SeriesID], g)
	}
	return series, rooms, nil
}

// Pick chooses among the doors that fit by the code's rule; nil when none fits.
// seed is the visitor's own number: the same one chooses the same door as long
// as the same doors fit. departments are the paths of the visitor's departments.
func Pick(route string, doors []Door, fits func(Door) bool, seed uint64, departments []string) *Door {
	var open []*Door
	for i := range doors {
		if fits(doors[i]) {
			open = append(open, &doors[i])
		}
	}
	if len(open) == 0 {
		return nil
	}
	switch route {
	case RouteLeast:
		return least(open)
	case RouteDepartment:
		return nearest(open, departments)
	case RouteWeight:
		return weighted(open, seed)
	}
	return open[0]
}

// least is the door of which the smallest share is taken; the first of equals.
func least(open []*Door) *Door {
	best := open[0]
	for _, d := range open[1:] {
		if int64(d.Room.MemberCount)*int64(best.Room.Capacity) < int64(best.Room.MemberCount)*int64(d.Room.Capacity) {
			best = d
		}
	}
	return best
}

// nearest is the door for a department of the visitor, or for the closest one
// above it; without any it is the code's own, or the first that is for nobody in particular.
func nearest(open []*Door, departments []string) *Door {
	var best *Door
	for _, d := range open {
		for _, path := range departments {
			if d.For != "" && strings.HasPrefix(path, d.For) && (best == nil || len(d.For) > len(best.For)) {
				best = d
			}
		}
	}
	if best != nil {
		return best
	}
	for _, d := range open {
		if d.Own || d.For == "" {
			return d
		}
	}
	return nil
}

func weighted(open []*Door, seed uint64) *Door {
	total := uint64(0)
	for _, d := range open {
		total += uint64(max(d.Weight, 1))
	}
	at := seed % total
	for _, d := range open {
		if at < uint64(max(d.Weight, 1)) {
			return d
		}
		at -= uint64(max(d.Weight, 1))
	}
	return open[0]
}

// Still is the room of a door for a visit that was led to the group with this
// id before: that very group while it has a seat, else the one that takes people now.
func (d Door) Still(id int64) *group.Group {
	for i, g := range d.Rooms {
		if g.ID == id && g.Status == group.Active && g.JoinMode != group.Off && g.MemberCount < g.Capacity {
			return &d.Rooms[i]
		}
	}
	return d.Room
}
