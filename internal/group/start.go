package group

import (
	"fmt"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

// startsOnly reports whether by could make a group like o only as one that a
// member of its department starts. req: A17, D13
func startsOnly(by access.Actor, o access.Object) bool {
	if access.Can(by, access.GroupCreate, o) {
		return false
	}
	o.UserStarted = true
	return access.Can(by, access.GroupCreate, o)
}

// Object is the planned group as the table of rights sees it.
func (p Plan) Object(path string) access.Object {
	return access.Object{Path: path, External: p.Type == External, Training: p.Type == Training, UserStarted: p.origin() == ByUser}
}

func (p Plan) origin() string {
	if p.Origin == ByUser {
		return ByUser
	}
	return ByAdmin
}

// verdict says whether by may make the planned group at once, and as what.
func (s *Service) verdict(tx *gorm.DB, by access.Actor, department directory.Department, p *Plan) (access.Verdict, error) {
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return access.Denied, err
	}
	if err := policies.MayMake(by); err != nil {
		return access.Denied, err
	}
	if startsOnly(by, p.Object(department.Path)) {
		p.Origin = ByUser
	}
	return access.Decide(by, access.GroupCreate, p.Object(department.Path)), nil
}

// Starts reports whether by could make groups only as their starter: the form is
// then the short one.
func Starts(by access.Actor) bool {
	return access.Can(by, access.GroupCreate, access.Object{}) && !access.Can(by, access.GroupCreate, access.Object{External: true})
}

// settle makes the starter of a group its owner, its first member and the one
// who has every duty, until they share them.
func (s *Service) settle(tx *gorm.DB, author access.Actor, g *Group) error {
	g.OwnerID = &author.MemberID
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Update("owner_id", author.MemberID).Error; err != nil {
		return fmt.Errorf("make the starter the owner: %w", err)
	}
	for _, duty := range Duties {
		if err := tx.Create(&groupDuty{GroupID: g.ID, MemberID: author.MemberID, Duty: duty}).Error; err != nil {
			return fmt.Errorf("give the starter a duty: %w", err)
		}
	}
	got, err := Admit(tx, &Membership{GroupID: g.ID, MemberID: &author.MemberID, Source: "added"}, s.now())
	if err == nil && got != Admitted {
		err = fault.Invalid{"capacity": fault.Msg("groups.error.capacity", "Max", MaxCapacity)}
	}
	g.MemberCount = 1
	return err
}
