package group

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// find reads a group and what the table of rights needs to know about it.
func find(tx *gorm.DB, by access.Actor, gid string) (Group, access.Object, error) {
	g, err := Load(tx, gid)
	if err != nil {
		return g, access.Object{}, err
	}
	joined := false
	if by.MemberID != 0 {
		if joined, err = Joined(tx, g.ID, Person{MemberID: &by.MemberID}); err != nil {
			return g, access.Object{}, fmt.Errorf("look up membership: %w", err)
		}
	}
	return g, g.objectFor(by, joined), nil
}

// lock is find with the group's row held until the transaction ends, and only
// for an active group: a disbanded one answers who ended it and when, once the
// asker turned out to have the right.
func lock(tx *gorm.DB, by access.Actor, right access.Right, gid string) (Group, error) {
	var row Group
	if !speakable.MatchString(gid) {
		return row, fault.NotFound
	}
	err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Select("id").Where("gid = ?", gid).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fault.NotFound
	} else if err != nil {
		return row, fmt.Errorf("lock group: %w", err)
	}
	g, o, err := find(tx, by, gid)
	if err != nil {
		return g, err
	}
	if err := movedIn(access.Check(by, right, o), right, o); err != nil {
		return g, err
	}
	if g.Status != Active {
		return g, disbanded(tx, g)
	}
	return g, nil
}

// disbanded is the conflict that names who disbanded g and when.
func disbanded(tx *gorm.DB, g Group) error {
	c := fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
	if g.DisbandedAt == nil || g.DisbandedBy == nil {
		return c
	}
	name, err := nameOf(tx, *g.DisbandedBy)
	if err != nil {
		return err
	}
	c.By, c.At = name, *g.DisbandedAt
	return c
}

// nameOf is a member's name, departed ones included.
func nameOf(tx *gorm.DB, memberID int64) (string, error) {
	var names []string
	if err := tx.Table("members").Where("id = ?", memberID).Pluck("name", &names).Error; err != nil {
		return "", fmt.Errorf("read a name: %w", err)
	}
	if len(names) == 0 {
		return "", nil
	}
	return names[0], nil
}

// audited is g as the audit trail names it.
func (g Group) audited() audit.Object { return audit.Object{Kind: "group", ID: g.GID, Name: g.Name} }

// Header is what every page about a group shows above its own content.
type Header struct {
	Group
	Lineage string // names of the departments from below the organisation down
	Can     Can
}

// Can is what the reader may do with a group; the domain asks again.
type Can struct {
	Convert, Series                                                                                           bool
	Rename, Settings, Entry, Move, Disband, HandOver, Duties, Roster, AddMembers, Codes, IssueCodes, Requests bool
}

func rights(by access.Actor, g Group, o access.Object) Can {
	can := func(r access.Right) bool { return access.Can(by, r, o) }
	live := g.Status == Active
	return Can{
		Series:  live && access.Decide(by, access.GroupCreate, o) == access.Allowed,
		Convert: live && g.Origin == ByUser && can(access.GroupConvert),
		Rename:  live && can(access.GroupRename), Settings: live && can(access.GroupSettings), Entry: live && can(access.GroupEntry),
		Move: live && access.Decide(by, access.GroupMove, o) == access.Allowed, Disband: live && can(access.GroupDisband),
		HandOver: live && can(access.GroupHandOver), Duties: live && can(access.GroupDuties),
		Roster: can(access.GroupRoster), AddMembers: live && can(access.MemberAdd),
		Codes: can(access.CodeDownload), IssueCodes: live && can(access.CodeTemporary), Requests: can(access.RequestsDecide),
	}
}

// ByID reads one group that by may know exists; any other is fault.NotFound.
func (s *Service) ByID(ctx context.Context, by access.Actor, gid string) (Header, error) {
	db := s.db.WithContext(ctx)
	g, o, err := find(db, by, gid)
	if err != nil {
		return Header{}, err
	}
	if err := access.Check(by, access.GroupSee, o); err != nil {
		return Header{}, err
	}
	lineages, err := Lineages(db, []string{g.DepartmentPath})
	if err != nil {
		return Header{}, err
	}
	if g.Way, err = Entry(db, g, s.now()); err != nil {
		return Header{}, err
	}
	return Header{Group: g, Lineage: lineages[g.DepartmentPath], Can: rights(by, g, o)}, nil
}
