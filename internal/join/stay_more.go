package join

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// MoreTime asks, from the join page, for a longer stay: once, however often pressed.
func (s *Service) MoreTime(ctx context.Context, who Visitor, note string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		v, err := s.visit(tx, who.Secret, who.SignedIn)
		if err != nil {
			return err
		}
		if v.person == nil {
			return fault.Invalid{"phone": fault.Msg(WhoAreYou)}
		}
		return s.askTime(tx, v.actor(who), v.group, v.person.group(), note)
	})
}

// MoreTimeIn asks the same for a member of a group on its page.
func (s *Service) MoreTimeIn(ctx context.Context, by access.Actor, gid, note string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := group.Load(tx, gid)
		if err != nil {
			return err
		}
		joined, err := joins(tx, by, g.ID)
		if err != nil {
			return err
		}
		if err := access.Check(by, access.GroupSee, g.Object(joined)); err != nil {
			return err
		}
		if !joined {
			return fault.Forbidden{Right: "stays.ask"}
		}
		return s.askTime(tx, by, g, group.Person{MemberID: &by.MemberID}, note)
	})
}

func (s *Service) askTime(tx *gorm.DB, by access.Actor, g group.Group, p group.Person, note string) error {
	if note = strings.TrimSpace(note); utf8.RuneCountInString(note) > MaxNote {
		return fault.Invalid{"note": fault.Msg("join.error.note.long", "Max", MaxNote)}
	}
	stay, err := ownStay(tx, g.ID, p)
	switch {
	case err != nil:
		return err
	case stay == nil || stay.Until == nil:
		return fault.Conflict{Message: fault.Msg("deciding.stay.endless")}
	}
	now := s.now().UTC()
	done := tx.Exec("INSERT INTO stay_extensions (membership_id, group_id, note, asked_at) SELECT id, group_id, ?, ? FROM memberships WHERE id = ? AND status = 'active' ON CONFLICT DO NOTHING", note, now, stay.ID)
	if done.Error != nil {
		return fmt.Errorf("ask for more time: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return nil
	}
	fact := events.Event{Kind: events.StayAsked, GroupID: &g.ID, RequestID: stay.RequestID, MemberID: stay.MemberID, GuestID: stay.GuestID, CodeID: stay.CodeID, At: now}
	if by.Kind == access.Member {
		fact.ActorID = &by.MemberID
	}
	if err := events.Publish(tx, fact); err != nil {
		return err
	}
	return s.trail.Record(tx, by, audit.Event{Action: "group.member.asktime", Object: audit.Object{Kind: "group", ID: g.GID, Name: g.Name}, DepartmentPath: g.DepartmentPath})
}

// ownStay is somebody's time in a group; nil when they are not in it.
func ownStay(tx *gorm.DB, groupID int64, p group.Person) (*Stay, error) {
	where, id := "ms.member_id = ?", p.MemberID
	if id == nil {
		where, id = "ms.guest_id = ?", p.GuestID
	}
	var rows []Stay
	if err := tx.Raw(staySQL+"ms.group_id = ? AND ms.status = 'active' AND "+where, groupID, *id).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read a stay: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// StayIn is by's own time in a group, nil when they are not in it or it has no end.
func (s *Service) StayIn(ctx context.Context, by access.Actor, groupID int64) (*Stay, error) {
	if by.Kind != access.Member {
		return nil, nil
	}
	stay, err := ownStay(s.db.WithContext(ctx), groupID, group.Person{MemberID: &by.MemberID})
	if err != nil || stay == nil || stay.Until == nil {
		return nil, err
	}
	return stay, nil
}

// Asking lists who asks for more time in the groups that by decides on, those
// whose day comes first first.
func (s *Service) Asking(ctx context.Context, by access.Actor) (all []Stay, err error) {
	where, args := access.Scope(by, access.MemberAdd, "d.path")
	where, args = orReviewed(by, where, args)
	err = s.db.WithContext(ctx).Raw(staySQL+"ms.id IN (SELECT membership_id FROM stay_extensions WHERE outcome = '') AND ms.status = 'active' AND g.status = 'active' AND "+where+
		" ORDER BY ms.until, ms.id LIMIT ?", append(args, PageSize)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list who asks for more time: %w", err)
	}
	return all, nil
}

// addStay says of somebody who is in how long, and where they are when that is
// not the group they asked for.
func (s *Service) addStay(tx *gorm.DB, v visit, out *View) error {
	if out.State != StateIn && out.Request != nil && out.Request.Status == Approved && out.Request.IntoGroupID != nil {
		if err := s.elsewhere(tx, v, out); err != nil {
			return err
		}
	}
	if out.State != StateIn {
		return nil
	}
	stay, err := ownStay(tx, out.Group.ID, v.person.group())
	if err != nil || stay == nil {
		return err
	}
	out.Until, out.TimeAsked = stay.Until, stay.AskedAt != nil
	if stay.RequestID == nil {
		return nil
	}
	var asked Request
	err = tx.Where("id = ? AND into_group_id = ?", *stay.RequestID, out.Group.ID).Take(&asked).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read the request: %w", err)
	}
	out.Request = &asked
	g, err := group.LoadByID(tx, asked.GroupID)
	out.Instead = g.Name
	return err
}

// elsewhere shows the group that an approval led to, where the door itself does not lead there.
func (s *Service) elsewhere(tx *gorm.DB, v visit, out *View) error {
	in, err := group.Joined(tx, *out.Request.IntoGroupID, v.person.group())
	if err != nil || !in {
		return err
	}
	if v.group, err = group.LoadByID(tx, *out.Request.IntoGroupID); err != nil || v.group.Status != group.Active {
		return err
	}
	there, err := s.stateOf(tx, v)
	if err == nil && there.State == StateIn {
		*out = there
	}
	return err
}
