package group

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/fault"
)

// Series is a row of numbered groups that grows: when its newest group reaches
// Threshold per cent of its capacity the next one is made (req: D32).
type Series struct {
	ID        int64
	BaseName  string
	Threshold int
	NextNo    int
	CreatedBy *int64
	CreatedAt time.Time
	StoppedAt *time.Time // makes no further group
}

// TableName is for gorm.
func (Series) TableName() string { return "group_series" }

// DefaultThreshold leaves room for those who are on their way.
const DefaultThreshold = 90

// maxBase leaves a name room for its number.
const maxBase = MaxName - 7

// SeriesView is a series as the settings page of one of its groups shows it.
type SeriesView struct {
	Series
	Groups []Group
}

// series reads the series of a group, nil when it is in none.
func (s *Service) series(tx *gorm.DB, g Group) (*SeriesView, error) {
	if g.SeriesID == nil {
		return nil, nil
	}
	var v SeriesView
	if err := tx.Where("id = ?", *g.SeriesID).Take(&v.Series).Error; err != nil {
		return nil, fmt.Errorf("read the series: %w", err)
	}
	var err error
	if v.Groups, err = Siblings(tx, []int64{*g.SeriesID}); err != nil {
		return nil, err
	}
	return &v, fillEntries(tx, v.Groups, s.now())
}

// Siblings reads the groups of some series, by number, whatever became of them.
func Siblings(tx *gorm.DB, seriesIDs []int64) ([]Group, error) {
	var all []Group
	err := tx.Table("groups g").Select("g.*, d.path AS department_path, d.name AS department_name").
		Joins("JOIN departments d ON d.id = g.department_id").Where("g.series_id IN ?", seriesIDs).Order("g.series_id, g.series_no").Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read the groups of a series: %w", err)
	}
	return all, nil
}

// HoldSeries takes the rows of the series that some groups belong to until the
// transaction ends, in one order. Whoever may let somebody into a group does it
// before locking any group, so that a series grows once and nothing deadlocks:
// persons, series, groups, requests.
func HoldSeries(tx *gorm.DB, groupIDs []int64) error {
	var held []int64
	err := tx.Table("group_series").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where("id IN (SELECT series_id FROM groups WHERE id IN ?)", groupIDs).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold the series: %w", err)
	}
	return nil
}

// held reads the series of a group that the caller holds. Should a group have
// become part of one since (nobody else could have told), waiting for it now
// could deadlock: it is left alone, and nil.
func held(tx *gorm.DB, groupID int64) (*Series, error) {
	var rows []Series
	err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE", Options: "SKIP LOCKED"}).
		Where("id = (SELECT series_id FROM groups WHERE id = ?)", groupID).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read the series: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// LetIn is Admit for a group that may be one of a series: when it is full the
// next of the series takes the person (m says which), and the series grows
// when that is due. The caller has called HoldSeries.
func LetIn(tx *gorm.DB, trail *audit.Trail, m *Membership, at time.Time) (Admission, error) {
	got, err := letIn(tx, trail, m, at)
	if err != nil || got != Admitted {
		return got, err
	}
	return got, events.Publish(tx, events.Event{Kind: events.Joined, GroupID: &m.GroupID, RequestID: m.RequestID, MemberID: m.MemberID, GuestID: m.GuestID, CodeID: m.CodeID, At: at.UTC()})
}

func letIn(tx *gorm.DB, trail *audit.Trail, m *Membership, at time.Time) (Admission, error) {
	got, err := Admit(tx, m, at)
	if err != nil || got == AlreadyIn {
		return got, err
	}
	series, err := held(tx, m.GroupID)
	if err != nil || series == nil {
		return got, err
	}
	if got == NoSeat {
		g, err := series.roomOrNext(tx, trail, at)
		if err != nil || g == nil || m.GuestID != nil && !g.Admits() {
			return NoSeat, err
		}
		m.GroupID = g.ID
		if got, err = Admit(tx, m, at); err != nil || got != Admitted {
			return got, err
		}
	}
	return got, series.growIfDue(tx, trail, at)
}

// GrowIfDue makes the next group of g's series when the newest one has reached
// the threshold, for who lets people in without LetIn. The caller has called HoldSeries.
func GrowIfDue(tx *gorm.DB, trail *audit.Trail, groupID int64, at time.Time) error {
	series, err := held(tx, groupID)
	if err != nil || series == nil {
		return err
	}
	return series.growIfDue(tx, trail, at)
}

// NextRoom is the group of a series that takes newcomers now, made if need be;
// nil when the series takes nobody. The caller has called HoldSeries.
func NextRoom(tx *gorm.DB, trail *audit.Trail, groupID int64, at time.Time) (*Group, error) {
	series, err := held(tx, groupID)
	if err != nil || series == nil {
		return nil, err
	}
	return series.roomOrNext(tx, trail, at)
}

// Grows reports whether the series can make another group after these.
func (s Series) Grows(groups []Group) bool {
	newest := newest(groups)
	return s.StoppedAt == nil && newest != nil && newest.JoinMode != Off
}

// Room is the group of a series that takes newcomers: the newest that is below
// the threshold, else the newest with a free seat; nil when all are full.
func (s Series) Room(groups []Group) *Group {
	var free *Group
	for n := len(groups) - 1; n >= 0; n-- {
		g := &groups[n]
		if g.Status != Active || g.JoinMode == Off || g.MemberCount >= g.Capacity {
			continue
		}
		if !s.due(*g) {
			return g
		}
		if free == nil {
			free = g
		}
	}
	return free
}

func (s Series) due(g Group) bool { return g.MemberCount*100 >= g.Capacity*s.Threshold }

// newest is the active group with the highest number.
func newest(groups []Group) *Group {
	for n := len(groups) - 1; n >= 0; n-- {
		if groups[n].Status == Active {
			return &groups[n]
		}
	}
	return nil
}

func (s Series) roomOrNext(tx *gorm.DB, trail *audit.Trail, at time.Time) (*Group, error) {
	groups, err := Siblings(tx, []int64{s.ID})
	if err != nil {
		return nil, err
	}
	if g := s.Room(groups); g != nil || !s.Grows(groups) {
		return g, nil
	}
	return s.next(tx, trail, *newest(groups), at)
}

func (s Series) growIfDue(tx *gorm.DB, trail *audit.Trail, at time.Time) error {
	groups, err := Siblings(tx, []int64{s.ID})
	if err != nil || !s.Grows(groups) || !s.due(*newest(groups)) {
		return err
	}
	_, err = s.next(tx, trail, *newest(groups), at)
	return err
}

// next makes the group after like, with its settings and its people in charge.
// A link or an image belongs to one real chat, so the new one starts without.
func (s *Series) next(tx *gorm.DB, trail *audit.Trail, like Group, at time.Time) (*Group, error) {
	// The number is taken on the row itself: what was read before is not to be trusted with it.
	var no int
	if err := tx.Raw("UPDATE group_series SET next_no = next_no + 1 WHERE id = ? RETURNING next_no - 1", s.ID).Scan(&no).Error; err != nil {
		return nil, fmt.Errorf("take the next number: %w", err)
	}
	s.NextNo = no + 1
	at = at.UTC()
	g := Group{GID: newGID(), Name: fmt.Sprintf("%s %d", s.BaseName, no), Type: like.Type, Origin: like.Origin, DepartmentID: like.DepartmentID,
		OwnerID: like.OwnerID, Purpose: like.Purpose, Capacity: like.Capacity, JoinMode: like.JoinMode, EntryKind: EntryNone, Status: Active,
		CreatedBy: s.CreatedBy, CreatedAt: at, UpdatedAt: at, Version: 1, EntryCustodianID: like.EntryCustodianID, SeriesID: &s.ID, SeriesNo: &no, Charter: like.Charter}
	g.RulesVersion, g.RulesDue, g.Asks = 0, 0, like.Asks
	if like.EntryKind == EntryUpstream {
		g.EntryKind = EntryUpstream // with an empty pool: people wait on the list for the first image
	}
	if err := tx.Create(&g).Error; err != nil {
		return nil, fmt.Errorf("create the next group: %w", err)
	}
	err := tx.Exec("INSERT INTO group_duties (group_id, member_id, duty) SELECT ?, member_id, duty FROM group_duties WHERE group_id = ?", g.ID, like.ID).Error
	if err != nil {
		return nil, fmt.Errorf("copy the duties: %w", err)
	}
	g.DepartmentPath, g.DepartmentName = like.DepartmentPath, like.DepartmentName
	if err := CopyRules(tx, like, &g, at); err != nil {
		return nil, err
	}
	if err := copyAsking(tx, like, g, at); err != nil {
		return nil, err
	}
	e := g.Created()
	e.Details["series"], e.Details["no"], e.Details["after"] = s.BaseName, no, like.GID
	return &g, trail.Record(tx, access.Background("series"), e)
}

// SplitNumber takes the number off a name: "北区客户群 3" is 北区客户群 and 3.
// A name without one is number 1.
func SplitNumber(name string) (base string, no int) {
	base = strings.TrimRightFunc(name, func(r rune) bool { return r >= '0' && r <= '9' })
	n, err := strconv.Atoi(name[len(base):])
	base = strings.TrimRightFunc(base, unicode.IsSpace)
	if err != nil || n < 1 || n > 9999 || base == "" {
		return name, 1
	}
	return base, n
}

// StartSeries makes the group the first of a numbered series, or changes and
// resumes the series it is in. Who may do it could create such groups at once.
func (s *Service) StartSeries(ctx context.Context, by access.Actor, gid, base, threshold string) error {
	return s.onSeries(ctx, by, access.GroupCreate, gid, func(tx *gorm.DB, g Group) error {
		bad := fault.Invalid{}
		base = OneLine(base)
		if n := utf8.RuneCountInString(base); n == 0 {
			bad["base"] = fault.Msg("groups.error.name.empty")
		} else if n > maxBase {
			bad["base"] = fault.Msg("groups.error.name.long", "Max", maxBase, "Have", n)
		}
		per, err := strconv.Atoi(strings.TrimSpace(threshold))
		if strings.TrimSpace(threshold) == "" {
			per, err = DefaultThreshold, nil
		}
		if err != nil || per < 1 || per > 100 {
			bad["threshold"] = fault.Msg("live.series.error.threshold")
		}
		if err := bad.Or(); err != nil {
			return err
		}
		if err := s.startSeries(tx, by, &g, base, per); err != nil {
			return err
		}
		event := audit.Event{Action: "group.series.start", Object: g.audited(), DepartmentPath: g.DepartmentPath, Details: map[string]any{"base": base, "threshold": per}}
		if err := s.trail.Record(tx, by, event); err != nil {
			return err
		}
		return GrowIfDue(tx, s.trail, g.ID, s.now())
	})
}

func (s *Service) startSeries(tx *gorm.DB, by access.Actor, g *Group, base string, threshold int) error {
	if g.SeriesID != nil {
		err := tx.Model(&Series{}).Where("id = ?", *g.SeriesID).Updates(map[string]any{"base_name": base, "threshold": threshold, "stopped_at": nil}).Error
		if err != nil {
			return fmt.Errorf("change the series: %w", err)
		}
		return nil
	}
	_, no := SplitNumber(g.Name)
	series := Series{BaseName: base, Threshold: threshold, NextNo: no + 1, CreatedAt: s.now().UTC()}
	if by.MemberID != 0 {
		series.CreatedBy = &by.MemberID
	}
	if err := tx.Create(&series).Error; err != nil {
		return fmt.Errorf("start the series: %w", err)
	}
	g.SeriesID, g.SeriesNo = &series.ID, &no
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(map[string]any{"series_id": series.ID, "series_no": no}).Error; err != nil {
		return fmt.Errorf("number the group: %w", err)
	}
	return nil
}

// StopSeries ends the growing. The groups there are stay a series: who comes
// to a full one is led to another.
func (s *Service) StopSeries(ctx context.Context, by access.Actor, gid string) error {
	return s.onSeries(ctx, by, access.GroupMove, gid, func(tx *gorm.DB, g Group) error {
		if g.SeriesID == nil {
			return fault.Conflict{Message: fault.Msg("live.series.error.none")}
		}
		done := tx.Model(&Series{}).Where("id = ? AND stopped_at IS NULL", *g.SeriesID).Update("stopped_at", s.now().UTC())
		if done.Error != nil {
			return fmt.Errorf("stop the series: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("live.series.error.stopped")}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "group.series.stop", Object: g.audited(), DepartmentPath: g.DepartmentPath})
	})
}

// onSeries holds the series and the group for somebody who has the right to such
// a group without anybody's word: to create one for what makes more of them, to
// move it for what ends that, which a closed creation must not keep from anybody.
func (s *Service) onSeries(ctx context.Context, by access.Actor, right access.Right, gid string, do func(*gorm.DB, Group) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := holdSeriesOf(tx, gid); err != nil {
			return err
		}
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		if access.Decide(by, right, g.Object(true)) != access.Allowed {
			return fault.Forbidden{Right: string(right)}
		}
		return do(tx, g)
	})
}

// holdSeriesOf is HoldSeries by a group's public name; an unknown one holds nothing.
func holdSeriesOf(tx *gorm.DB, gid string) error {
	if !speakable.MatchString(gid) {
		return fault.NotFound
	}
	var ids []int64
	if err := tx.Table("groups").Where("gid = ?", gid).Pluck("id", &ids).Error; err != nil {
		return fmt.Errorf("look for the group: %w", err)
	}
	if len(ids) == 0 {
		return fault.NotFound
	}
	return HoldSeries(tx, ids)
}
