package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

// Absence is when a member is away. Nothing is handed over or copied: while all
// heads of a department are away, its deputies have a head's rights there, asked
// anew at each request. The absent keep their own rights.
type Absence struct {
	MemberID int64 `gorm:"primaryKey"`
	StartsAt time.Time
	EndsAt   time.Time // exclusive
	SetBy    int64
	SetAt    time.Time
}

// On reports whether the absence runs at a moment.
func (a Absence) On(now time.Time) bool { return !a.StartsAt.After(now) && a.EndsAt.After(now) }

// absenceDays is the longest absence that can be announced.
const absenceDays = 366

// Covered is one department that an absent head leaves to others.
type Covered struct {
	ID     int64
	Title  string
	Heads  []string // the other heads, who stay
	Others []string // deputies, who stand in when no head stays
}

// AbsencePage is what the page about a head's absence says.
type AbsencePage struct {
	Member  Member
	Absence *Absence // running or to come
	Running bool
	Covers  []Covered
	Self    bool
}

// mayBeAway settles who may announce a member's absence: heads their own, super
// admins that of any head.
func mayBeAway(tx *gorm.DB, by access.Actor, id int64, read func(*gorm.DB, int64) (Member, error)) (Member, []place, error) {
	m, err := read(tx, id)
	if err != nil {
		return m, nil, err
	}
	places, err := placesOf(tx, id)
	if err != nil {
		return m, nil, err
	}
	if by.MemberID != id {
		if err := checkMember(by, access.HeadsAppoint, m, places); err != nil {
			return m, nil, err
		}
	}
	var leads []place
	for _, p := range places {
		if p.Leads {
			leads = append(leads, p)
		}
	}
	switch {
	case m.Status != Active:
		return m, nil, fault.Conflict{Message: fault.Msg("contacts.depart.already", "Name", m.Name)}
	case len(leads) == 0 && !by.Super:
		return m, nil, fault.Forbidden{Right: "absence.set"}
	}
	return m, leads, nil
}

// AbsencePage reads a head's absence and what follows from it.
func (s *Service) AbsencePage(ctx context.Context, by access.Actor, id int64) (AbsencePage, error) {
	db, now := s.db.WithContext(ctx), s.now().UTC()
	m, leads, err := mayBeAway(db, by, id, memberByID)
	if err != nil {
		return AbsencePage{}, err
	}
	p := AbsencePage{Member: m, Self: by.MemberID == id}
	var found []Absence
	if err := db.Where("member_id = ? AND ends_at > ?", id, now).Limit(1).Find(&found).Error; err != nil {
		return p, fmt.Errorf("read absence: %w", err)
	}
	if len(found) > 0 {
		p.Absence, p.Running = &found[0], found[0].On(now)
	}
	p.Covers, err = covers(db, id, leads)
	return p, err
}

func memberByID(tx *gorm.DB, id int64) (Member, error) {
	var m Member
	err := tx.Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, fault.NotFound
	} else if err != nil {
		return m, fmt.Errorf("load member: %w", err)
	}
	return m, nil
}

func covers(tx *gorm.DB, id int64, leads []place) ([]Covered, error) {
	ids, paths := make([]int64, len(leads)), make([]string, len(leads))
	for i, p := range leads {
		ids[i], paths[i] = p.ID, p.Path
	}
	titles, err := Lineages(tx, paths)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		DepartmentID int64
		Name         string
		Deputy       bool
	}
	err = tx.Raw(`SELECT x.department_id, m.name, x.deputy FROM (SELECT 1 = 0 AS deputy, department_id, member_id FROM department_heads
			UNION ALL SELECT 1 = 1, department_id, member_id FROM department_deputies) x
		JOIN members m ON m.id = x.member_id AND m.status = 'active'
		WHERE x.department_id IN ? AND x.member_id <> ? ORDER BY m.name, m.id`, ids, id).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read who stands in: %w", err)
	}
	all := make([]Covered, 0, len(leads))
	for _, p := range leads {
		c := Covered{ID: p.ID, Title: titles[p.Path]}
		for _, r := range rows {
			switch {
			case r.DepartmentID != p.ID:
			case r.Deputy:
				c.Others = append(c.Others, r.Name)
			default:
				c.Heads = append(c.Heads, r.Name)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// SetAbsence announces that a head is away from one day until another, both
// included, in the organisation's time zone. It replaces what was announced before.
func (s *Service) SetAbsence(ctx context.Context, by access.Actor, id int64, from, until string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, leads, err := mayBeAway(tx, by, id, lockMember)
		if err != nil {
			return err
		} else if len(leads) == 0 {
			return fault.Conflict{Message: fault.Msg("roles.absence.nohead", "Name", m.Name)}
		}
		a, err := s.parseAbsence(tx, from, until)
		if err != nil {
			return err
		}
		a.MemberID, a.SetBy, a.SetAt = id, by.MemberID, s.now().UTC()
		err = tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "member_id"}}, UpdateAll: true}).Create(&a).Error
		if err != nil {
			return fmt.Errorf("write absence: %w", err)
		}
		return s.trail.Record(tx, by, memberEvent("member.absence.set", m, leads[0].Path, map[string]any{
			"first_day": strings.TrimSpace(from), "last_day": strings.TrimSpace(until)}))
	})
}

func (s *Service) parseAbsence(tx *gorm.DB, from, until string) (Absence, error) {
	org, err := LoadOrganisation(tx)
	if err != nil {
		return Absence{}, err
	}
	loc := org.Location()
	now := s.now().In(loc)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, loc)
	wrong := fault.Invalid{}
	day := func(field, text string) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(text), loc)
		switch {
		case err != nil:
			wrong[field] = fault.Msg("roles.absence.error.date")
		case at.Before(today):
			wrong[field] = fault.Msg("roles.absence.error.past")
		}
		return at
	}
	first, last := day("from", from), day("until", until)
	if len(wrong) == 0 {
		switch {
		case last.Before(first):
			wrong["until"] = fault.Msg("roles.absence.error.order")
		case last.After(first.AddDate(0, 0, absenceDays-1)), first.After(today.AddDate(0, 0, absenceDays)):
			wrong["until"] = fault.Msg("roles.absence.error.long", "Days", absenceDays)
		}
	}
	return Absence{StartsAt: first.UTC(), EndsAt: last.AddDate(0, 0, 1).UTC()}, wrong.Or()
}

// EndAbsence says that a head is back: from the next request on their deputies
// have their rights no longer.
func (s *Service) EndAbsence(ctx context.Context, by access.Actor, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		m, leads, err := mayBeAway(tx, by, id, lockMember)
		if err != nil {
			return err
		} else if len(leads) == 0 {
			return fault.Conflict{Message: fault.Msg("roles.absence.nohead", "Name", m.Name)}
		}
		done := tx.Where("member_id = ? AND ends_at > ?", id, s.now().UTC()).Delete(&Absence{})
		if done.Error != nil {
			return fmt.Errorf("end absence: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("roles.absence.none", "Name", m.Name)}
		}
		return s.trail.Record(tx, by, memberEvent("member.absence.end", m, leads[0].Path, nil))
	})
}
