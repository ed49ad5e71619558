package group

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// ErrOpenNeedsSecond says that the group may be opened only with a second super
// admin's word, since a permanent code without an audience hangs. Nothing was saved.
var ErrOpenNeedsSecond = errors.New("group: opening it needs a second super admin's approval")

// CheckOpening asks whether author may still open the group, with a second
// person's word: fault.Conflict when it is over or open already.
func (s *Service) CheckOpening(tx *gorm.DB, author access.Actor, gid string) (Group, error) {
	g, err := lock(tx, author, access.GroupSettings, gid)
	if err != nil {
		return g, err
	}
	if g.JoinMode == Open {
		return g, fault.Conflict{Message: fault.Msg("second.error.open.already", "Name", g.Name)}
	}
	p := Plan{Name: g.Name, Type: g.Type, Purpose: g.Purpose, JoinMode: Open, DepartmentID: g.DepartmentID, Capacity: g.Capacity, EntryKind: g.EntryKind, EntryURL: g.EntryURL}
	err = s.allowed(tx, author, g, p, map[string]any{"join_mode": Open}, directory.Department{ID: g.DepartmentID, Path: g.DepartmentPath})
	if errors.Is(err, ErrOpenNeedsSecond) {
		return g, nil // whose word there is
	}
	return g, err
}

// OpenIn opens the group on behalf of author, with a second super admin's word.
// The caller records the event.
func (s *Service) OpenIn(tx *gorm.DB, author access.Actor, gid string) (audit.Event, error) {
	g, err := s.CheckOpening(tx, author, gid)
	if err != nil {
		return audit.Event{}, err
	}
	set := map[string]any{"join_mode": Open}
	event := g.settingsEvent(set)
	set["version"], set["updated_at"], set["updated_by"] = g.Version+1, s.now().UTC(), author.MemberID
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Updates(set).Error; err != nil {
		return audit.Event{}, fmt.Errorf("open the group: %w", err)
	}
	return event, nil
}

// SaveUnopened is Save with the joining left as it is: what remains of a draft
// whose opening waits for a second person.
func (s *Service) SaveUnopened(ctx context.Context, by access.Actor, gid string, d Draft) error {
	g, err := Load(s.db.WithContext(ctx), gid)
	if err != nil {
		return err
	}
	d.JoinMode = g.JoinMode
	return s.Save(ctx, by, gid, d)
}
