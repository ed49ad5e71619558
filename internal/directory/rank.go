package directory

import (
	"fmt"
	"slices"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// Whoever changes a member's phone can sign in as that member. So the account
// of somebody who leads, stands in or holds a role beyond the actor's own
// headships is only a super admin's business: access.Actor.Outranks, asked of rows.

// above reports whether somebody at these places is out of by's hands.
func above(by access.Actor, places []place) bool {
	return slices.ContainsFunc(places, func(p place) bool {
		return p.Beyond || (p.Leads || p.Held) && !by.LeadsOwn(p.Path)
	})
}

// loadHeld reads which of the people are deputies or hold roles, and where.
func loadHeld(tx *gorm.DB, people []*person) error {
	ids, byID := make([]int64, len(people)), make(map[int64]*person, len(people))
	for i, who := range people {
		ids[i], byID[who.id] = who.id, who
	}
	deputy, arg := database.AnyOf(tx, "member_id", database.Numbers("", ids))
	holder, _ := database.AnyOf(tx, "rg.member_id", database.Numbers("", ids))
	var facts []struct {
		Beyond                 bool
		MemberID, DepartmentID int64
	}
	err := tx.Raw(`SELECT 1 = 0 AS beyond, member_id, department_id FROM department_deputies WHERE `+deputy+`
		UNION ALL SELECT EXISTS (SELECT 1 FROM role_rights rr WHERE rr.role_id = rg.role_id AND rr.right_name IN ?), rg.member_id, rg.department_id
		FROM role_grants rg WHERE `+holder, arg, access.BeyondHeads(), arg).Scan(&facts).Error
	if err != nil {
		return fmt.Errorf("read members' roles: %w", err)
	}
	for _, f := range facts {
		who := byID[f.MemberID]
		who.held, who.beyond = append(who.held, f.DepartmentID), who.beyond || f.Beyond
	}
	return nil
}

// outranks reports whether the row's author may touch who.
func (p *planner) outranks(who *person) bool {
	return !who.beyond && !slices.ContainsFunc(slices.Concat(who.held, who.leads), func(id int64) bool {
		n := p.tree.Node(id)
		return n == nil || !p.by.LeadsOwn(n.Path)
	})
}

// mayHang settles whether by may hang n below parent: they need the right there
// too, and must not win rights over n that way. One out of sight is answered
// like one that does not exist.
func mayHang(by access.Actor, n, parent Department) error {
	switch {
	case by.Super:
		return nil
	case !by.Sees(parent.Path):
		return fault.Invalid{"parent_id": fault.Msg("contacts.department.parent.unknown")}
	case !by.Holds(access.DepartmentsEdit, parent.Path), by.Gains(n.Path, parent.Path):
		return fault.Invalid{"parent_id": fault.Msg("roles.move.reach", "Name", parent.Name)}
	}
	return nil
}
