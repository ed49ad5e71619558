package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// Sum is what a group brings into another one that takes it over.
type Sum struct {
	Members  int // in it now
	Already  int // of them in the other one, too
	Guests   int // in it, asking or waiting
	Requests int // pending
	Doubled  int // of them of people who are in the other one by then, or have asked there
	Waiting  int // on its waiting list
	Room     int // free seats of the other one
}

// Coming is how many seats the people need.
func (s Sum) Coming() int { return s.Members - s.Already }

// Excess is how many of them do not fit.
func (s Sum) Excess() int { return max(0, s.Coming()-s.Room) }

// inThere holds for a row a whose person is in the group ?; asksThere for one
// whose person has asked there. They take the group's id twice each.
const (
	inThere = `(EXISTS (SELECT 1 FROM memberships b WHERE b.group_id = ? AND b.status = 'active' AND b.member_id = a.member_id)
		OR EXISTS (SELECT 1 FROM memberships b WHERE b.group_id = ? AND b.status = 'active' AND b.guest_id = a.guest_id))`
	asksThere = `(EXISTS (SELECT 1 FROM join_requests b WHERE b.group_id = ? AND b.status = 'pending' AND b.member_id = a.member_id)
		OR EXISTS (SELECT 1 FROM join_requests b WHERE b.group_id = ? AND b.status = 'pending' AND b.guest_id = a.guest_id))`
	waitsThere = `(EXISTS (SELECT 1 FROM waiting_list b WHERE b.group_id = ? AND b.ended_at IS NULL AND b.member_id = a.member_id)
		OR EXISTS (SELECT 1 FROM waiting_list b WHERE b.group_id = ? AND b.ended_at IS NULL AND b.guest_id = a.guest_id))`
)

// SumUp counts what from would bring into into.
func SumUp(tx *gorm.DB, from, into Group) (Sum, error) {
	s := Sum{Room: into.Capacity - into.MemberCount}
	a, b := from.ID, into.ID
	var rows []struct {
		Kind string
		N    int
	}
	err := tx.Raw(`SELECT 'member' AS kind, count(*) AS n FROM memberships a WHERE a.group_id = ? AND a.status = 'active'
		UNION ALL SELECT 'already', count(*) FROM memberships a WHERE a.group_id = ? AND a.status = 'active' AND `+inThere+`
		UNION ALL SELECT 'guest', count(*) FROM memberships a WHERE a.group_id = ? AND a.status = 'active' AND a.guest_id IS NOT NULL
		UNION ALL SELECT 'guest', count(*) FROM join_requests a WHERE a.group_id = ? AND a.status = 'pending' AND a.guest_id IS NOT NULL
		UNION ALL SELECT 'guest', count(*) FROM waiting_list a WHERE a.group_id = ? AND a.ended_at IS NULL AND a.guest_id IS NOT NULL
		UNION ALL SELECT 'request', count(*) FROM join_requests a WHERE a.group_id = ? AND a.status = 'pending'
		UNION ALL SELECT 'doubled', count(*) FROM join_requests a WHERE a.group_id = ? AND a.status = 'pending' AND (`+inThere+` OR `+inThere+` OR `+asksThere+`)
		UNION ALL SELECT 'waiting', count(*) FROM waiting_list a WHERE a.group_id = ? AND a.ended_at IS NULL`,
		a, a, b, b, a, a, a, a, a, b, b, a, a, b, b, a).Scan(&rows).Error
	if err != nil {
		return s, fmt.Errorf("sum up the group: %w", err)
	}
	to := map[string]*int{"member": &s.Members, "already": &s.Already, "guest": &s.Guests, "request": &s.Requests, "doubled": &s.Doubled, "waiting": &s.Waiting}
	for _, r := range rows {
		*to[r.Kind] += r.N
	}
	return s, nil
}

// Absorb moves people, requests and the waiting list of one group into another
// and disbands the first, which keeps its own list of members as it was. The
// caller holds persons, series and both groups, and has asked every rule.
func Absorb(tx *gorm.DB, by access.Actor, from, into Group, reason string, at time.Time) error {
	at = at.UTC()
	if err := absorbMembers(tx, from, into); err != nil {
		return err
	}
	if err := carryMembers(tx, from, into); err != nil {
		return err
	}
	if err := absorbRequests(tx, by, from, into, at); err != nil {
		return err
	}
	if err := absorbWaiting(tx, from, into, at); err != nil {
		return err
	}
	set := map[string]any{"status": Disbanded, "disbanded_at": at, "disbanded_by": by.MemberID, "disband_reason": reason, "merged_into_id": into.ID,
		"updated_at": at, "updated_by": by.MemberID, "version": from.Version + 1}
	if err := tx.Model(&Group{}).Where("id = ?", from.ID).Updates(set).Error; err != nil {
		return fmt.Errorf("end the merged group: %w", err)
	}
	return stopEmptySeries(tx, from, at)
}

// absorbMembers writes a membership in the new group for everybody who is not
// there yet. The code they came by stays with the old one, so that nobody is counted twice.
func absorbMembers(tx *gorm.DB, from, into Group) error {
	done := tx.Exec(`INSERT INTO memberships (group_id, member_id, guest_id, status, source, request_id, joined_at, until)
		SELECT ?, a.member_id, a.guest_id, 'active', 'merge', a.request_id, a.joined_at, a.until FROM memberships a
		WHERE a.group_id = ? AND a.status = 'active' AND NOT `+inThere+` ORDER BY a.joined_at, a.id`, into.ID, from.ID, into.ID, into.ID)
	if done.Error != nil {
		return fmt.Errorf("move the members: %w", done.Error)
	}
	seats := tx.Exec("UPDATE groups SET member_count = member_count + ? WHERE id = ? AND member_count + ? <= capacity", done.RowsAffected, into.ID, done.RowsAffected)
	if seats.Error != nil {
		return fmt.Errorf("take the seats: %w", seats.Error)
	}
	if seats.RowsAffected == 0 {
		return fault.Conflict{Message: fault.Msg("groups.error.full", "Count", into.Capacity)}
	}
	return nil
}

// absorbRequests closes those whose person is in by now or has asked there
// before, and moves the others.
func absorbRequests(tx *gorm.DB, by access.Actor, from, into Group, at time.Time) error {
	a, b := from.ID, into.ID
	for _, one := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE join_requests AS a SET status = 'approved', decided_at = ?, decided_by = ? WHERE a.group_id = ? AND a.status = 'pending' AND " + inThere,
			[]any{at, by.MemberID, b, b, b}},
		{"UPDATE join_requests AS a SET status = 'cancelled', decided_at = ? WHERE a.group_id = ? AND a.status = 'pending' AND (" + inThere + " OR " + asksThere + ")",
			[]any{at, a, b, b, b, b}},
		{"UPDATE join_requests SET group_id = ? WHERE group_id = ? AND status = 'pending'", []any{b, a}},
	} {
		if err := tx.Exec(one.sql, one.args...).Error; err != nil {
			return fmt.Errorf("move the requests: %w", err)
		}
	}
	return nil
}

func absorbWaiting(tx *gorm.DB, from, into Group, at time.Time) error {
	a, b := from.ID, into.ID
	for _, one := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE waiting_list AS a SET ended_at = ?, ended_how = 'in' WHERE a.group_id IN ? AND a.ended_at IS NULL AND " + inThere, []any{at, []int64{a, b}, b, b}},
		{"UPDATE waiting_list AS a SET ended_at = ?, ended_how = 'over' WHERE a.group_id = ? AND a.ended_at IS NULL AND " + waitsThere, []any{at, a, b, b}},
		{"UPDATE waiting_list SET group_id = ? WHERE group_id = ? AND ended_at IS NULL", []any{b, a}},
	} {
		if err := tx.Exec(one.sql, one.args...).Error; err != nil {
			return fmt.Errorf("move the waiting list: %w", err)
		}
	}
	return nil
}

// stopEmptySeries ends the growing of a series whose last living group went.
func stopEmptySeries(tx *gorm.DB, g Group, at time.Time) error {
	if g.SeriesID == nil {
		return nil
	}
	err := tx.Exec(`UPDATE group_series SET stopped_at = ? WHERE id = ? AND stopped_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.series_id = group_series.id AND g.status = 'active')`, at, *g.SeriesID).Error
	if err != nil {
		return fmt.Errorf("stop the series: %w", err)
	}
	return nil
}

// HoldPeople keeps everybody who is in a group, asks or waits employed until
// the transaction ends. It comes before every other lock.
func HoldPeople(tx *gorm.DB, groupID int64) error {
	var held []int64
	err := tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).
		Where(`id IN (SELECT member_id FROM memberships WHERE group_id = ? AND status = 'active'
			UNION SELECT member_id FROM join_requests WHERE group_id = ? AND status = 'pending'
			UNION SELECT member_id FROM waiting_list WHERE group_id = ? AND ended_at IS NULL)`, groupID, groupID, groupID).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold the people of a group: %w", err)
	}
	return nil
}

// HoldGroups takes several groups until the transaction ends, in one order. It comes after HoldSeries.
func HoldGroups(tx *gorm.DB, ids ...int64) error {
	var held []int64
	err := tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id IN ?", ids).Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold the groups: %w", err)
	}
	return nil
}

// Find reads a group, whatever its state, for somebody who holds every one of the
// rights on it. It locks nothing: within HoldGroups it is the truth.
func Find(tx *gorm.DB, by access.Actor, gid string, rights ...access.Right) (Group, error) {
	g, o, err := find(tx, by, gid)
	if err != nil {
		return g, err
	}
	for _, r := range rights {
		if err := movedIn(access.Check(by, r, o), r, o); err != nil {
			return g, err
		}
	}
	return g, nil
}

// movedIn names the cause where a group's origin is what stands against disbanding it.
func movedIn(err error, r access.Right, o access.Object) error {
	var missing fault.Forbidden
	if r == access.GroupDisband && o.MovedIn && errors.As(err, &missing) {
		return fault.Forbidden{Right: string(r) + ".created"}
	}
	return err
}

// Over is the conflict of a group that is disbanded, with who did it and when; nil for a living one.
func Over(tx *gorm.DB, g Group) error {
	if g.Status == Active {
		return nil
	}
	return disbanded(tx, g)
}

// Audited is g as the audit trail names it.
func (g Group) Audited() audit.Object { return g.audited() }

// IDsOf reads the numbers of groups by their public names; unknown ones are left out.
func IDsOf(tx *gorm.DB, gids []string) (map[string]int64, error) {
	out := map[string]int64{}
	gids = slices.DeleteFunc(slices.Clone(gids), func(gid string) bool { return !speakable.MatchString(gid) })
	if len(gids) == 0 {
		return out, nil
	}
	var rows []struct {
		ID  int64
		GID string `gorm:"column:gid"`
	}
	if err := tx.Table("groups").Select("id", "gid").Where("gid IN ?", gids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("look for groups: %w", err)
	}
	for _, r := range rows {
		out[r.GID] = r.ID
	}
	return out, nil
}
