package scan

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/group"
)

// Spot names whose scans are asked for: one code by its public id, or all codes
// of a group by its gid. Exactly one is set.
type Spot struct{ Code, Group string }

// Place is a Spot that its reader may see.
type Place struct {
	PublicID  string // of the code; empty for a whole group
	Label     string
	GID       string
	GroupName string
	JoinMode  string
	Path      string // of the department
	Exports   bool   // the reader may take the scans away as a file
	Addresses bool   // the reader may see where scans came from, and search by job number
	Loc       *time.Location

	id int64 // of the code, else of the group
}

// place finds a spot for somebody who holds right there. A foreign one is fault.NotFound.
func place(tx *gorm.DB, by access.Actor, right access.Right, at Spot) (Place, error) {
	if at.Code == "" {
		return groupPlace(tx, by, right, at.Group)
	}
	f, err := code.Reach(tx, by, right, at.Code)
	if err != nil {
		return Place{}, err
	}
	return Place{PublicID: f.PublicID, Label: f.Label, GID: f.GroupGID, GroupName: f.GroupName, JoinMode: f.JoinMode, Path: f.DepartmentPath,
		Exports: access.Can(by, access.ScansExport, f.Object(false)), Addresses: by.Holds(access.ScansSee, f.DepartmentPath), Loc: f.Location(), id: f.ID}, nil
}

func groupPlace(tx *gorm.DB, by access.Actor, right access.Right, gid string) (Place, error) {
	g, err := group.Load(tx, gid)
	if err != nil {
		return Place{}, err
	}
	joined, err := group.Joined(tx, g.ID, group.Person{MemberID: &by.MemberID})
	if err != nil {
		return Place{}, fmt.Errorf("look up membership: %w", err)
	}
	if err := access.Check(by, right, g.Object(joined)); err != nil {
		return Place{}, err
	}
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return Place{}, err
	}
	return Place{GID: g.GID, GroupName: g.Name, JoinMode: g.JoinMode, Path: g.DepartmentPath,
		Exports: access.Can(by, access.ScansExport, g.Object(joined)), Addresses: by.Holds(access.ScansSee, g.DepartmentPath), Loc: org.Location(), id: g.ID}, nil
}

// whole reports whether the place is a group with all its codes.
func (p Place) whole() bool { return p.PublicID == "" }

// Open reports whether people get in without asking, so that nobody "requests".
func (p Place) Open() bool { return p.JoinMode == group.Open }

// of is the condition that a column holds the id of one of the place's codes.
func (p Place) of(column string) (string, []any) {
	if p.whole() {
		return column + " IN (SELECT id FROM codes WHERE group_id = ?)", []any{p.id}
	}
	return column + " = ?", []any{p.id}
}

// codes is of for the table of codes itself, known as c.
func (p Place) codes() string {
	if p.whole() {
		return "c.group_id = ?"
	}
	return "c.id = ?"
}

// audited is the place as the audit trail names it.
func (p Place) audited() audit.Object {
	if p.whole() {
		return audit.Object{Kind: "group", ID: p.GID, Name: p.GroupName}
	}
	return audit.Object{Kind: "code", ID: p.PublicID, Name: p.GroupName + " · " + p.Label}
}
