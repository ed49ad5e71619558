package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// returnShown is how long the page of somebody who came back lists what they had.
const returnShown = 30 * 24 * time.Hour

// Return says who made somebody active again and what they had held: nothing
// of it came back by itself.
type Return struct {
	At     time.Time
	By     string
	Reason string
	Items  []Restorable
}

// Restorable is one thing a departure took away. Done says that the member has
// it again, Gone that it is no longer there, Can that the reader may give it back.
type Restorable struct {
	Kind            string // as in departure_items
	GID             string `gorm:"column:gid"` // of the group
	DepartmentID    int64
	Name            string
	Path            string
	Done, Gone      bool
	Seen, Can       bool
	GroupID         int64
	External, Users bool
}

// Reactivate takes a departure back: the person may sign in again and belongs
// where they belonged. What they held stays ended; the page offers each thing.
// A phone or job number that somebody else has since is a fault.Conflict.
func (s *Service) Reactivate(ctx context.Context, by access.Actor, id int64, reason string) error {
	reason = prose(reason)
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, places, err := s.returning(tx, by, id)
		if err != nil {
			return err
		}
		switch {
		case reason == "":
			return fault.Invalid{"reason": fault.Msg("people.reactivate.reason.missing")}
		case tooLong(reason, reasonLimit):
			return fault.Invalid{"reason": fault.Msg("contacts.depart.reason.long", "Limit", reasonLimit)}
		}
		if err := numbersFree(tx, by, m); err != nil {
			return err
		}
		return s.reactivate(tx, by, m, places, reason)
	})
}

// MayReactivate answers whether by may do it, and what stands in the way.
func (s *Service) MayReactivate(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, _, err := s.returning(tx, by, id)
		if err != nil {
			return err
		}
		return numbersFree(tx, by, m)
	})
}

// returning locks a departed member and settles whether by may take them back.
func (s *Service) returning(tx *gorm.DB, by access.Actor, id int64) (Member, []place, error) {
	if _, err := lockOrganisation(tx); err != nil {
		return Member{}, nil, err
	}
	m, err := lockMember(tx, id)
	if err != nil {
		return m, nil, err
	}
	places, err := placesOf(tx, id)
	if err != nil {
		return m, nil, err
	}
	if err := checkMember(by, access.MemberDepart, m, places); err != nil {
		return m, nil, err
	}
	if m.Status == Departed {
		return m, places, nil
	}
	c := fault.Conflict{Message: fault.Msg("people.reactivate.already", "Name", m.Name)}
	var last []struct {
		ReactivatedAt *time.Time
		Name          string
	}
	err = tx.Raw(`SELECT d.reactivated_at, m.name FROM departures d JOIN members m ON m.id = d.reactivated_by WHERE d.member_id = ? ORDER BY d.id DESC LIMIT 1`, id).Scan(&last).Error
	if err != nil {
		return m, nil, fmt.Errorf("who took the departure back: %w", err)
	}
	if len(last) > 0 && last[0].ReactivatedAt != nil {
		c.By, c.At = last[0].Name, *last[0].ReactivatedAt
	}
	return m, places, c
}

// numbersFree refuses somebody whose phone or job number an active member has.
func numbersFree(tx *gorm.DB, by access.Actor, m Member) error {
	wrong := fault.Invalid{}
	if err := checkTwins(tx, by, fields{Phone: m.Phone, JobNumber: jobOf(m)}, m.ID, wrong); err != nil {
		return err
	}
	for _, field := range []string{"phone", "job_number"} {
		if why, taken := wrong[field]; taken {
			return fault.Conflict{Message: fault.Message{Key: "people.reactivate." + why.Key, Args: why.Args}}
		}
	}
	return nil
}

func (s *Service) reactivate(tx *gorm.DB, by access.Actor, m Member, places []place, reason string) error {
	now := s.now().UTC()
	err := tx.Model(&Member{}).Where("id = ? AND status = 'departed'", m.ID).Updates(map[string]any{"status": Active, "departed_at": nil,
		"departed_by": nil, "departed_reason": "", "super_admin": false, "updated_at": now}).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return fault.Conflict{Message: fault.Msg("contacts.member.taken")}
	} else if err != nil {
		return fmt.Errorf("make active again: %w", err)
	}
	own := slices.DeleteFunc(slices.Clone(places), func(p place) bool { return !p.Own })
	if len(own) == 0 { // the departments they were in are gone
		if err := tx.Exec("INSERT INTO member_departments (member_id, department_id) SELECT ?, id FROM departments WHERE parent_id IS NULL", m.ID).Error; err != nil {
			return fmt.Errorf("give a department: %w", err)
		}
	}
	done := tx.Model(&departure{}).Where("member_id = ? AND reactivated_at IS NULL", m.ID).Updates(map[string]any{
		"reactivated_at": now, "reactivated_by": by.MemberID, "reactivate_reason": reason})
	if done.Error != nil {
		return fmt.Errorf("close the departure: %w", done.Error)
	}
	path := ""
	if len(own) > 0 {
		path = own[0].Path
	}
	return s.trail.Record(tx, by, memberEvent("member.reactivate", m, path, map[string]any{"reason": reason}))
}

// addReturn lists what somebody who came back used to hold.
func (s *Service) addReturn(db *gorm.DB, by access.Actor, d departure, p *Profile) error {
	if d.ReactivatedAt == nil || s.now().Sub(*d.ReactivatedAt) > returnShown {
		return nil
	}
	r := &Return{At: *d.ReactivatedAt, Reason: d.ReactivateReason}
	if d.ReactivatedBy != nil {
		var who Member
		if err := db.Select("name").Where("id = ?", *d.ReactivatedBy).Take(&who).Error; err != nil {
			return fmt.Errorf("who took the departure back: %w", err)
		}
		r.By = who.Name
	}
	p.Return = r
	return r.read(db, by, d)
}

func (r *Return) read(db *gorm.DB, by access.Actor, d departure) error {
	m := d.MemberID
	err := db.Raw(`SELECT i.kind, g.id AS group_id, g.gid, 0 AS department_id, g.name, d.path, g.status <> 'active' AS gone, g.type = 'external' AS external, g.origin = 'user' AS users,
			CASE i.kind WHEN 'membership' THEN EXISTS (SELECT 1 FROM memberships ms WHERE ms.group_id = g.id AND ms.member_id = ? AND ms.status = 'active')
				WHEN 'owner' THEN coalesce(g.owner_id, 0) = ? WHEN 'keeper' THEN coalesce(g.entry_custodian_id, 0) = ?
				ELSE EXISTS (SELECT 1 FROM group_duties x WHERE x.group_id = g.id AND x.member_id = ? AND x.duty = i.kind) END AS done
		FROM departure_items i JOIN groups g ON g.id = i.object_id JOIN departments d ON d.id = g.department_id
		WHERE i.departure_id = ? AND i.kind IN ('membership', 'owner', 'keeper', 'review', 'content', 'events')
		UNION ALL SELECT i.kind, 0, '', d.id, '', d.path, 1 = 0, 1 = 0, 1 = 0, EXISTS (SELECT 1 FROM department_heads h WHERE h.department_id = d.id AND h.member_id = ?)
		FROM departure_items i JOIN departments d ON d.id = i.object_id WHERE i.departure_id = ? AND i.kind = 'head'
		UNION ALL SELECT i.kind, 0, '', 0, '', '', 1 = 0, 1 = 0, 1 = 0, m.super_admin FROM departure_items i JOIN members m ON m.id = ? WHERE i.departure_id = ? AND i.kind = 'super'
		ORDER BY 1, 5, 2 LIMIT ?`, m, m, m, m, d.ID, m, d.ID, m, d.ID, leftLimit).Scan(&r.Items).Error
	if err != nil {
		return fmt.Errorf("read what was ended: %w", err)
	}
	return dressItems(db, by, r.Items)
}

// restoredBy is the right that gives a kind of thing back.
var restoredBy = map[string]access.Right{"membership": access.MemberAdd, "owner": access.GroupHandOver, "keeper": access.GroupSettings,
	"review": access.GroupDuties, "content": access.GroupDuties, "events": access.GroupDuties, "head": access.HeadsAppoint, "super": access.SupersAppoint}

func dressItems(db *gorm.DB, by access.Actor, items []Restorable) error {
	var paths []string
	for _, i := range items {
		if i.Kind == "head" {
			paths = append(paths, i.Path)
		}
	}
	titles, err := Lineages(db, paths)
	if err != nil {
		return err
	}
	for n, i := range items {
		if i.Kind == "head" {
			items[n].Name = titles[i.Path]
		}
		items[n].Seen = i.Kind == "super" && by.Super || i.Path != "" && sees(by, i.Path) || by.Duties[i.GroupID] != 0 && i.GroupID != 0
		items[n].Can = !i.Done && !i.Gone && access.Can(by, restoredBy[i.Kind], access.Object{Path: i.Path, GroupID: i.GroupID, External: i.External, UserStarted: i.Users})
	}
	return nil
}

// Right names what a reader who cannot give it back lacks.
func (i Restorable) Right() string { return string(restoredBy[i.Kind]) }
