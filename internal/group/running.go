package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/paths"
)

// States of a Reminder.
const (
	RunsOut   = "soon"    // the last image that works dies soon
	RanOut    = "expired" // no image works
	NoEntry   = "none"    // a new group of a series has no entry yet
	remindMax = 20
)

// Reminder is one group whose way in somebody should look after.
type Reminder struct {
	GID      string
	Group    string
	No       int // of the series, with NoEntry
	State    string
	Deadline *time.Time // when the last image dies, or died
	Waiting  int        // people who were let in and wait
	Path     string     // where to mend it
}

// RunningOut lists the groups that by may bring a new image for and that need
// one: nothing works, or nothing will by the policy's hours from now. The most
// urgent come first, twenty at most.
func (s *Service) RunningOut(ctx context.Context, by access.Actor) ([]Reminder, error) {
	tx, now := s.db.WithContext(ctx), s.now().UTC()
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return nil, err
	}
	where, args := tended(by)
	args = append([]any{now.Add(time.Duration(policies.UpstreamWarnHours) * time.Hour)}, args...)
	var groups []Group
	err = tx.Raw(`SELECT g.*, d.path AS department_path, d.name AS department_name FROM groups g JOIN departments d ON d.id = g.department_id
		WHERE g.status = 'active' AND (g.entry_kind = 'upstream' AND NOT EXISTS (SELECT 1 FROM entry_images i WHERE i.group_id = g.id AND `+worksSQL+`)
			OR g.entry_kind = 'none' AND g.series_id IS NOT NULL AND EXISTS (SELECT 1 FROM groups o WHERE o.series_id = g.series_id AND o.entry_kind <> 'none'))
		AND `+where+` ORDER BY g.id LIMIT ?`, append(args, 10*remindMax)...).Scan(&groups).Error
	if err != nil {
		return nil, fmt.Errorf("look for images that run out: %w", err)
	}
	if err := fillEntries(tx, groups, now); err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool {
		return g.EntryKind != EntryUpstream && !access.Can(by, access.GroupSettings, g.Object(false))
	})
	return remind(tx, groups, now)
}

func remind(tx *gorm.DB, groups []Group, now time.Time) ([]Reminder, error) {
	ids := make([]int64, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	waiting, err := waitingFor(tx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]Reminder, 0, len(groups))
	for _, g := range groups {
		all = append(all, g.reminder(now, waiting[g.ID]))
	}
	rank := map[string]int{RanOut: 0, NoEntry: 1, RunsOut: 2}
	slices.SortStableFunc(all, func(x, y Reminder) int {
		switch {
		case rank[x.State] != rank[y.State]:
			return rank[x.State] - rank[y.State]
		case x.Waiting != y.Waiting:
			return y.Waiting - x.Waiting
		case x.Deadline != nil && y.Deadline != nil:
			return x.Deadline.Compare(*y.Deadline)
		}
		return 0
	})
	return all[:min(len(all), remindMax)], nil
}

func (g Group) reminder(now time.Time, waiting int) Reminder {
	r := Reminder{GID: g.GID, Group: g.Name, Path: paths.To(paths.GroupEntry, g.GID)}
	if g.SeriesNo != nil {
		r.No = *g.SeriesNo
	}
	switch {
	case g.EntryKind != EntryUpstream:
		r.State, r.Path = NoEntry, paths.To(paths.GroupSettings, g.GID)+"#entry"
	case g.Way.Expired(now):
		r.State, r.Deadline, r.Waiting = RanOut, g.Way.ValidUntil, waiting
	default:
		r.State, r.Deadline = RunsOut, g.Way.Lasts
	}
	return r
}

// tended keeps the groups g whose image by may replace: GroupEntry in SQL.
func tended(by access.Actor) (string, []any) {
	where, args := access.Scope(by, access.GroupEntry, "d.path")
	ids := slices.Clone(by.Keeps)
	for id, duty := range maps.All(by.Duties) {
		if duty&access.Content != 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return where, args
	}
	return "(" + where + " OR g.id IN ?)", append(args, ids)
}
