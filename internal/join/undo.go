package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Made is one decision that was made on a request, be it that it was taken back.
type Made struct {
	ID           int64
	RequestID    int64
	GroupID      int64
	Outcome      string // Approved or Rejected
	DecidedBy    *int64
	Rule         string
	DecidedAt    time.Time
	Waited       int64 // seconds
	Reason       string
	ReasonID     *int64
	ReasonZh     string
	ReasonEn     string
	ReasonFree   string
	IntoGroupID  *int64
	GrantedUntil *time.Time
	UndoneAt     *time.Time
	UndoneBy     *int64
	UndoneWhy    string
}

// TableName is for gorm.
func (Made) TableName() string { return "request_decisions" }

const stageUnjoined = "unjoined"

// undoing is one decision about to be taken back, with everything it touched held.
type undoing struct {
	s    *Service
	tx   *gorm.DB
	by   access.Actor
	row  Listed
	last Made
	stay *group.Membership // that the approval gave
	at   time.Time
}

// Undo takes the last decision on a request back, as if it had not been made: the
// request waits again, whoever was let in by it is out and their seat is free.
// The decider may for as long as the policy says, and so may a higher head or a
// super admin. What has gone on since (somebody left, asked again, the group
// ended) is a fault.Conflict and nothing is touched.
func (s *Service) Undo(ctx context.Context, by access.Actor, id int64, why string) (out Result, err error) {
	if why = strings.TrimSpace(why); utf8.RuneCountInString(why) > MaxReason {
		return out, fault.Invalid{"why": fault.Msg("requests.error.reason.long", "Max", MaxReason)}
	}
	err = s.followed(ctx, func(tx *gorm.DB) error {
		u := undoing{s: s, tx: tx, by: by, at: s.now().UTC()}
		for _, step := range []func() error{func() error { return u.hold(id) }, u.check, u.back, u.leave, u.wait} {
			if err := step(); err != nil {
				return err
			}
		}
		out = Result{ID: id, Outcome: Pending, Name: u.row.Name, Group: u.row.GroupName}
		return u.record(why)
	})
	return out, err
}

// hold locks the person, the series, the groups and the request, and reads what is true then.
func (u *undoing) hold(id int64) error {
	before, err := u.read(id)
	if err != nil {
		return err
	}
	var held []int64
	if u.row.MemberID != nil {
		if err := u.tx.Table("members").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ?", *u.row.MemberID).Pluck("id", &held).Error; err != nil {
			return fmt.Errorf("hold the applicant: %w", err)
		}
	}
	if err := group.HoldSeries(u.tx, before); err != nil {
		return err
	}
	if err := u.tx.Table("groups").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id IN ?", before).Order("id").Pluck("id", &held).Error; err != nil {
		return fmt.Errorf("hold the groups: %w", err)
	}
	if err := u.tx.Table("join_requests").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", id).Pluck("id", &held).Error; err != nil {
		return fmt.Errorf("hold the request: %w", err)
	}
	after, err := u.read(id)
	if err == nil && !slices.Equal(before, after) {
		return errFollowed // merged meanwhile: other groups than those that are held
	}
	return err
}

// read reads the request and its last decision, and says which groups they are about.
func (u *undoing) read(id int64) ([]int64, error) {
	rows, err := byIDs(u.tx, []int64{id})
	if err != nil {
		return nil, err
	}
	row, there := rows[id]
	if !there {
		return nil, fault.NotFound
	}
	u.row, u.stay = row, nil
	if err := u.mayDecide(); err != nil {
		return nil, err
	}
	var made []Made
	if err := u.tx.Where("request_id = ?", id).Order("id DESC").Limit(1).Find(&made).Error; err != nil {
		return nil, fmt.Errorf("read the decision: %w", err)
	}
	if u.last = (Made{}); len(made) > 0 {
		u.last = made[0]
	}
	var stays []group.Membership
	if err := u.tx.Where("request_id = ? AND ended_reason <> 'undone' AND ? = 'approved'", id, u.last.Outcome).Order("id").Find(&stays).Error; err != nil {
		return nil, fmt.Errorf("read the membership: %w", err)
	}
	groups := []int64{row.GroupID}
	for i := range stays {
		if groups = append(groups, stays[i].GroupID); u.stay == nil || stays[i].Status == group.Active {
			u.stay = &stays[i]
		}
	}
	return unique(groups), nil
}

func (u *undoing) mayDecide() error {
	joined, err := joins(u.tx, u.by, u.row.GroupID)
	if err != nil {
		return err
	}
	return access.Check(u.by, access.RequestsDecide, u.row.groupObject(joined))
}

// check asks whether there is something to take back, whether by may and whether
// it still can be.
func (u *undoing) check() error {
	p, err := directory.LoadPolicies(u.tx)
	if err != nil {
		return err
	}
	switch {
	case u.last.ID == 0 || u.last.UndoneAt == nil && u.last.Outcome != u.row.Status:
		return fault.Conflict{Message: fault.Msg("deciding.undo.none")}
	case u.last.UndoneAt != nil:
		return u.undone()
	}
	if may, err := mayUndo(u.tx, u.by, u.row, u.last, u.at, nil); err != nil || !may {
		return either(err, fault.Forbidden{Right: "requests.undo"})
	}
	if !u.at.Before(u.last.DecidedAt.Add(time.Duration(p.UndoMinutes) * time.Minute)) {
		return fault.Conflict{Message: fault.Msg("deciding.undo.late", "Count", p.UndoMinutes), By: u.row.DeciderName, At: u.last.DecidedAt}
	}
	if u.row.GroupStatus != group.Active || u.row.MemberGone {
		return fault.Conflict{Message: fault.Msg("deciding.undo.over")}
	}
	return u.stillSo()
}

func either(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// undone says who was first to take it back.
func (u *undoing) undone() error {
	var names []string
	if u.last.UndoneBy != nil {
		if err := u.tx.Table("members").Where("id = ?", *u.last.UndoneBy).Pluck("name", &names).Error; err != nil {
			return fmt.Errorf("read who took it back: %w", err)
		}
	}
	return fault.Conflict{Message: fault.Msg("deciding.undo.already"), By: strings.Join(names, ""), At: *u.last.UndoneAt}
}

// stillSo reports what has gone on since the decision.
func (u *undoing) stillSo() error {
	column, person := "member_id", u.row.MemberID
	if person == nil {
		column, person = "guest_id", u.row.GuestID
	}
	var now struct{ Asked, Inside bool }
	err := u.tx.Raw(`SELECT EXISTS (SELECT 1 FROM join_requests WHERE group_id = ? AND `+column+` = ? AND status = 'pending') AS asked,
		EXISTS (SELECT 1 FROM memberships WHERE group_id = ? AND `+column+` = ? AND status = 'active' AND (request_id IS NULL OR request_id <> ?)) AS inside`,
		u.row.GroupID, *person, u.row.GroupID, *person, u.row.ID).Scan(&now).Error
	switch {
	case err != nil:
		return fmt.Errorf("look what has happened since: %w", err)
	case now.Asked:
		return fault.Conflict{Message: fault.Msg("deciding.undo.asked", "Name", u.row.Name)}
	case now.Inside:
		return fault.Conflict{Message: fault.Msg("deciding.undo.inside", "Name", u.row.Name)}
	case u.stay != nil && u.stay.Status != group.Active:
		return fault.Conflict{Message: fault.Msg("deciding.undo.gone", "Name", u.row.Name)}
	}
	return nil
}

// back makes the request wait again, and keeps the decision among those that were made.
func (u *undoing) back() error {
	clear := Decision{}.columns(access.Actor{}, u.at)
	clear["status"], clear["decided_at"], clear["decided_by"] = Pending, nil, nil
	done := u.tx.Model(&Request{}).Where("id = ? AND status = ?", u.row.ID, u.last.Outcome).Updates(clear)
	if done.Error != nil {
		return fmt.Errorf("reopen the request: %w", done.Error)
	}
	if done.RowsAffected != 1 {
		return fault.Conflict{Message: fault.Msg("deciding.undo.none")}
	}
	// The fact that this wrote says when the request was made: say when and by whom it was reopened.
	err := u.tx.Exec(`UPDATE events SET at = ?, actor_id = ? WHERE id = (SELECT e.id FROM events e WHERE e.request_id = ? AND e.kind = 'request.reopened' ORDER BY e.id DESC LIMIT 1)`,
		u.at, u.by.MemberID, u.row.ID).Error
	if err != nil {
		return fmt.Errorf("date the fact: %w", err)
	}
	return nil
}

// leave ends the stay that the approval gave and frees its seat.
func (u *undoing) leave() error {
	if u.stay == nil {
		return nil
	}
	done := u.tx.Exec("UPDATE memberships SET status = 'ended', ended_at = ?, ended_reason = 'undone', ended_by = ? WHERE id = ? AND status = 'active'", u.at, u.by.MemberID, u.stay.ID)
	if done.Error != nil {
		return fmt.Errorf("end the membership: %w", done.Error)
	}
	if err := exactly("end the membership", done.RowsAffected, 1); err != nil {
		return err
	}
	if err := u.tx.Exec("UPDATE groups SET member_count = member_count - 1 WHERE id = ?", u.stay.GroupID).Error; err != nil {
		return fmt.Errorf("free the seat: %w", err)
	}
	return closeExtension(u.tx, u.stay.ID, u.at)
}

// wait gives the place on the waiting list back that getting in had ended.
func (u *undoing) wait() error {
	if u.stay == nil {
		return nil
	}
	column, person := "member_id", u.row.MemberID
	if person == nil {
		column, person = "guest_id", u.row.GuestID
	}
	err := u.tx.Exec(`UPDATE waiting_list SET ended_at = NULL, ended_how = '' WHERE id = (SELECT w.id FROM waiting_list w
			WHERE w.group_id = ? AND w.`+column+` = ? AND w.ended_how = 'in' AND w.ended_at = (SELECT d.decided_at FROM request_decisions d WHERE d.id = ?) ORDER BY w.id DESC LIMIT 1)
		AND NOT EXISTS (SELECT 1 FROM waiting_list o WHERE o.group_id = ? AND o.`+column+` = ? AND o.ended_at IS NULL)`,
		u.stay.GroupID, *person, u.last.ID, u.stay.GroupID, *person).Error
	if err != nil {
		return fmt.Errorf("give the place on the waiting list back: %w", err)
	}
	return nil
}

func (u *undoing) record(why string) error {
	done := u.tx.Model(&Made{}).Where("id = ? AND undone_at IS NULL", u.last.ID).Updates(map[string]any{"undone_at": u.at, "undone_by": u.by.MemberID, "undone_why": why})
	if done.Error != nil {
		return fmt.Errorf("keep what was taken back: %w", done.Error)
	}
	if err := exactly("keep what was taken back", done.RowsAffected, 1); err != nil {
		return err
	}
	details := map[string]any{"group": u.row.GroupGID, "decision": u.last.Outcome, "decided_by": u.row.DeciderName}
	if u.last.Rule != "" {
		details["by_rule"] = u.last.Rule
	}
	if why != "" {
		details["reason"] = why
	}
	err := u.s.trail.Record(u.tx, u.by, audit.Event{Action: "request.undo", Object: u.row.object(), DepartmentPath: u.row.GroupPath, Details: details})
	if err != nil || u.stay == nil || u.row.ScanID == nil {
		return err
	}
	return u.s.marks.Stage(u.tx, stageUnjoined, *u.row.ScanID)
}

// mayUndo reports whether by is the decider, or stands above them over the
// group; what a rule decided is for whoever leads there. Nobody's own request is
// theirs to reopen. known keeps deciders that were read before.
func mayUndo(tx *gorm.DB, by access.Actor, r Listed, m Made, now time.Time, known map[int64]access.Actor) (bool, error) {
	switch {
	case r.MemberID != nil && by.Kind == access.Member && *r.MemberID == by.MemberID:
		return false, nil
	case m.DecidedBy == nil:
		return by.Higher(access.Actor{}, r.GroupPath), nil
	case *m.DecidedBy == by.MemberID, by.Super:
		return true, nil
	}
	them, read := known[*m.DecidedBy]
	if !read {
		var err error
		them, err = directory.LoadActor(tx, *m.DecidedBy, now)
		if err != nil && !errors.Is(err, fault.NotFound) { // who has left stands above nobody
			return false, err
		}
		if known != nil {
			known[*m.DecidedBy] = them
		}
	}
	return by.Higher(them, r.GroupPath), nil
}

// addUndo marks the rows whose decision by may still take back.
func (s *Service) addUndo(tx *gorm.DB, by access.Actor, rows []Row) error {
	var decided []int64
	now := s.now()
	for _, r := range rows {
		if (r.Status == Approved || r.Status == Rejected) && r.DecidedAt != nil && now.Sub(*r.DecidedAt) < 24*time.Hour && r.GroupStatus == group.Active && !r.MemberGone {
			decided = append(decided, r.ID)
		}
	}
	if len(decided) == 0 {
		return nil
	}
	p, err := directory.LoadPolicies(tx)
	if err != nil {
		return err
	}
	lasts, err := lastMade(tx, decided, now.Add(-time.Duration(p.UndoMinutes)*time.Minute))
	if err != nil {
		return err
	}
	known := map[int64]access.Actor{}
	for i := range rows {
		m, there := lasts[rows[i].ID]
		if !there {
			continue
		}
		may, err := mayUndo(tx, by, rows[i].Listed, m, now, known)
		if err != nil {
			return err
		}
		if may {
			rows[i].UndoUntil = m.DecidedAt.Add(time.Duration(p.UndoMinutes) * time.Minute)
		}
	}
	return nil
}

// lastMade are the decisions in force on some requests that were made after a moment.
func lastMade(tx *gorm.DB, ids []int64, after time.Time) (map[int64]Made, error) {
	var all []Made
	if err := tx.Where("request_id IN ? AND decided_at > ? AND undone_at IS NULL", ids, after.UTC()).Order("id").Find(&all).Error; err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	out := make(map[int64]Made, len(all))
	for _, m := range all {
		out[m.RequestID] = m
	}
	return out, nil
}
