package join

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

func (s *Service) propose(tx *gorm.DB, by access.Actor, gid, memberID, phone string) error {
	m, unknown := directory.ActiveMember(tx.Clauses(clause.Locking{Strength: "SHARE"}), memberID, phone)
	g, err := group.Load(tx, gid)
	if err != nil {
		return err
	}
	var held []int64
	if err := tx.Table("groups").Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ?", g.ID).Pluck("id", &held).Error; err != nil {
		return fmt.Errorf("hold the group: %w", err)
	}
	if g, err = group.LoadByID(tx, g.ID); err != nil {
		return err
	}
	if err := mayPropose(tx, by, g); err != nil {
		return err
	}
	if unknown != nil {
		return unknown
	}
	in, err := group.Joined(tx, g.ID, group.Person{MemberID: &m.ID})
	if err != nil {
		return fmt.Errorf("look for the membership: %w", err)
	}
	if in {
		return fault.Conflict{Message: fault.Msg("groups.error.member.already", "Name", m.Name)}
	}
	r := Request{GroupID: g.ID, MemberID: &m.ID, Name: m.Name, Phone: m.Phone, Status: Pending, CreatedAt: s.now().UTC(), ProposedBy: &by.MemberID}
	if err := s.wind(tx, g, nil, &r); err != nil {
		return err
	}
	if err := s.sign(tx, code.Code{}, "", &r); err != nil {
		return err
	}
	done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&r)
	if done.Error != nil {
		return fmt.Errorf("write the request: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fault.Conflict{Message: fault.Msg("charter.propose.asked", "Name", m.Name)}
	}
	return s.trail.Record(tx, by, audit.Event{Action: "request.propose", Object: r.object(), DepartmentPath: g.DepartmentPath, Details: map[string]any{"group": g.GID}})
}

// mayPropose: members, where the group's switch and its type let them.
func mayPropose(tx *gorm.DB, by access.Actor, g group.Group) error {
	joined, err := joins(tx, by, g.ID)
	if err != nil {
		return err
	}
	if err := access.Check(by, access.GroupSee, g.Object(joined)); err != nil {
		return err
	}
	if g.Status != group.Active {
		return fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
	}
	if !joined || !g.MembersInvite || !group.NatureOf(g.Type).MayInvite {
		return fault.Forbidden{Right: "group.propose"}
	}
	return nil
}
