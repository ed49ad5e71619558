package group

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// Stages of a group's life. The sources give it 6 to 18 months, with tasks for
// week 1, months 1 to 3 and months 3 to 6. req: C51
const (
	StageNew     = "new"
	StageGrowing = "growing"
	StageMature  = "mature"
	StageWinding = "winding"
)

// Stages lists them in their order.
var Stages = []string{StageNew, StageGrowing, StageMature, StageWinding}

// Ages at which the suggested stage changes, and what counts as quiet. req: C53
const (
	newDays     = 7
	growingDays = 90
	longDays    = 540 // 18 months: what the sources give a group at most
	QuietDays   = 14
	QuietScans  = 3 // fewer live scans than this in QuietDays, and nobody came in
)

// Checklist are the tasks of each stage. Texts: "operations.check."+item.
var Checklist = map[string][]string{
	StageNew:     {"new.welcome", "new.people", "new.print", "new.entry", "new.first"},
	StageGrowing: {"growing.duties", "growing.questions", "growing.channels", "growing.event", "growing.capacity"},
	StageMature:  {"mature.refresh", "mature.backup", "mature.members", "mature.deputy", "mature.purpose"},
	StageWinding: {"winding.tell", "winding.successor", "winding.records", "winding.prints", "winding.end"},
}

// Check is one task of a stage.
type Check struct {
	Item string
	By   string // who did it; "" = nobody yet
	At   time.Time
}

// Done reports whether somebody ticked it.
func (c Check) Done() bool { return !c.At.IsZero() }

// Lifecycle is what the page about a group's life shows.
type Lifecycle struct {
	Header
	Now       string // the stage: the chosen one, else Suggested
	Suggested string
	ChosenBy  string
	Days      int // since it was created
	Joins     int // in the last QuietDays
	Scans     int
	Quiet     bool
	Checks    map[string][]Check
}

// suggest is the stage that age and activity speak for.
func suggest(days int, quiet bool) string {
	switch {
	case days < newDays:
		return StageNew
	case days < growingDays:
		return StageGrowing
	case days >= longDays, quiet:
		return StageWinding
	}
	return StageMature
}

// Lifecycle reads it for those who may change the group's settings.
func (s *Service) Lifecycle(ctx context.Context, by access.Actor, gid string) (Lifecycle, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return Lifecycle{}, err
	}
	db := s.db.WithContext(ctx)
	_, o, err := find(db, by, gid)
	if err != nil {
		return Lifecycle{}, err
	}
	if err := access.Check(by, access.GroupSettings, o); err != nil {
		return Lifecycle{}, err
	}
	l := Lifecycle{Header: h, Now: h.Stage, Days: int(s.now().Sub(h.CreatedAt) / (24 * time.Hour))}
	if err := l.count(db, s.now()); err != nil {
		return l, err
	}
	if l.Suggested = suggest(l.Days, l.Quiet); l.Now == "" {
		l.Now = l.Suggested
	}
	if h.StageBy != nil && h.Stage != "" {
		if l.ChosenBy, err = nameOf(db, *h.StageBy); err != nil {
			return l, err
		}
	}
	l.Checks, err = checks(db, h.ID)
	return l, err
}

// count reads our own traces of the last two weeks; what is said in the chat is not among them.
func (l *Lifecycle) count(tx *gorm.DB, now time.Time) error {
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return err
	}
	since := now.UTC().AddDate(0, 0, -QuietDays)
	err = tx.Raw(`SELECT (SELECT count(*) FROM memberships WHERE group_id = ? AND joined_at >= ? AND source <> 'merge'),
		(SELECT CAST(coalesce(sum(s.live), 0) AS bigint) FROM codes c JOIN scan_days s ON s.code_id = c.id WHERE c.group_id = ? AND s.day >= ?)`,
		l.ID, since, l.ID, since.In(org.Location()).Format(time.DateOnly)).Row().Scan(&l.Joins, &l.Scans)
	if err != nil {
		return fmt.Errorf("count what happened lately: %w", err)
	}
	l.Quiet = l.Status == Active && l.Days >= QuietDays && l.Joins == 0 && l.Scans < QuietScans
	return nil
}

func checks(tx *gorm.DB, groupID int64) (map[string][]Check, error) {
	var rows []struct {
		Item   string
		Name   string
		DoneAt time.Time
	}
	err := tx.Raw("SELECT k.item, coalesce(m.name, '') AS name, k.done_at FROM group_checks k LEFT JOIN members m ON m.id = k.done_by WHERE k.group_id = ?", groupID).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read the checklist: %w", err)
	}
	out := map[string][]Check{}
	for stage, items := range Checklist {
		for _, item := range items {
			c := Check{Item: item}
			for _, r := range rows {
				if r.Item == item {
					c.By, c.At = r.Name, r.DoneAt
				}
			}
			out[stage] = append(out[stage], c)
		}
	}
	return out, nil
}

// SetStage names the stage of a group; "" goes by age and activity again.
func (s *Service) SetStage(ctx context.Context, by access.Actor, gid, stage string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		if stage != "" && !slices.Contains(Stages, stage) {
			return fault.Invalid{"stage": fault.Msg("operations.stage.error")}
		}
		if stage == g.Stage {
			return nil
		}
		now := s.now().UTC()
		if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"stage": stage, "stage_by": by.MemberID, "stage_at": now}).Error; err != nil {
			return fmt.Errorf("set the stage: %w", err)
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.stage", Object: g.audited(), DepartmentPath: g.DepartmentPath,
			Details: map[string]any{"stage": stage, "stage_was": g.Stage}})
	})
}

// Tick marks a task of the checklist done, or not done again. The first who
// ticks it stays its name.
func (s *Service) Tick(ctx context.Context, by access.Actor, gid, item string, done bool) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		if !known(item) {
			return fault.Invalid{"item": fault.Msg("operations.check.error")}
		}
		row, action := groupCheck{GroupID: g.ID, Item: item, DoneBy: &by.MemberID, DoneAt: s.now().UTC()}, "group.check.done"
		changed := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if !done {
			changed, action = tx.Where("group_id = ? AND item = ?", g.ID, item).Delete(&groupCheck{}), "group.check.undone"
		}
		if changed.Error != nil {
			return fmt.Errorf("tick a task: %w", changed.Error)
		}
		if changed.RowsAffected == 0 {
			return nil // as wished already
		}
		return s.trail.Record(tx, by, audit.Event{Action: action, Object: g.audited(), DepartmentPath: g.DepartmentPath, Details: map[string]any{"item": item}})
	})
}

func known(item string) bool {
	for _, items := range Checklist {
		if slices.Contains(items, item) {
			return true
		}
	}
	return false
}

type groupCheck struct {
	GroupID int64
	Item    string
	DoneBy  *int64
	DoneAt  time.Time
}

func (groupCheck) TableName() string { return "group_checks" }

// quietSQL holds for a group g without joins and with hardly any scans; its
// arguments are the moment QuietDays ago, twice, and its day.
const quietSQL = `(g.created_at <= ? AND NOT EXISTS (SELECT 1 FROM memberships q WHERE q.group_id = g.id AND q.joined_at >= ? AND q.source <> 'merge')
	AND (SELECT coalesce(sum(s.live), 0) FROM codes c JOIN scan_days s ON s.code_id = c.id WHERE c.group_id = g.id AND s.day >= ?) < 3)`

// byStage keeps the groups of a stage, or, with "quiet", those with low activity.
func (f Filter) byStage(query *gorm.DB, now time.Time, loc *time.Location) *gorm.DB {
	days := func(n int) time.Time { return now.UTC().AddDate(0, 0, -n) }
	quiet := []any{days(QuietDays), days(QuietDays), days(QuietDays).In(loc).Format(time.DateOnly)}
	switch {
	case f.Stage == "quiet":
		return query.Where(quietSQL, quiet...)
	case !slices.Contains(Stages, f.Stage):
		return query
	}
	args := append([]any{f.Stage, days(newDays), days(growingDays), days(longDays)}, quiet...)
	return query.Where(`(g.stage = ? OR g.stage = '' AND CASE WHEN g.created_at > ? THEN 'new' WHEN g.created_at > ? THEN 'growing'
		WHEN g.created_at <= ? OR `+quietSQL+` THEN 'winding' ELSE 'mature' END = ?)`, append(args, f.Stage)...)
}
