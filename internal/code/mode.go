package code

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Modes are the join modes that a code may have of its own.
var Modes = []string{group.Open, group.Approval, group.Restricted, group.Off}

// modeSQL is Code.ModeIn of a code c and its group g.
const modeSQL = `CASE WHEN c.own_mode = '' OR g.join_mode = 'off' THEN g.join_mode ELSE c.own_mode END`

// ModeIn is how people get into g by this code: as the code says, else as the
// group does. A group that takes nobody by codes takes nobody by this one. req: B24
func (c Code) ModeIn(g group.Group) string {
	if c.OwnMode == "" || g.JoinMode == group.Off {
		return g.JoinMode
	}
	return c.OwnMode
}

// Fused reports whether the code needs approval at this moment because of how it
// is used. req: A21
func (c Code) Fused(now time.Time) bool { return c.FusedUntil != nil && c.FusedUntil.After(now) }

// issued is g as the rights to this code see it: a code that is open stays it
// when its group opens again, so it counts as open before.
func (c Code) issued(g group.Group) group.Group {
	if c.OwnMode != "" {
		g.JoinMode = c.OwnMode
	}
	return g
}

// loosens reports whether the code lets people into g more easily than g would:
// whoever makes such a code changes the group's settings, as far as it goes.
func (c Code) loosens(g group.Group) bool {
	rank := slices.Index(Modes, g.JoinMode)
	return c.OwnMode != "" && slices.Index(Modes, c.OwnMode) < rank || strings.Contains(c.OwnAsks, "-")
}

// checkMode lays the form's own mode and challenges over the code. Changing them
// takes the right to change the settings of every group the code leads to.
func (d desk) checkMode(c *Code, form Form, wrong fault.Invalid) error {
	mode, asks := form.OwnMode(), group.OwnAsks(form.Asks)
	if mode != "" && !slices.Contains(Modes, mode) {
		wrong["join_mode"] = fault.Msg("asking.error.mode")
		return nil
	}
	if mode == c.OwnMode && asks == c.OwnAsks {
		return nil
	}
	if err := maySettle(d.tx, d.by, d.group.ID, c.ID); err != nil {
		return err
	}
	c.OwnMode, c.OwnAsks = mode, asks
	return nil
}

// OwnMode is the mode that a form asks for, "" for that of the group.
func (f Form) OwnMode() string {
	if f.Mode == "group" {
		return ""
	}
	return f.Mode
}

// maySettle asks for the right to the settings of all groups behind a code.
func maySettle(tx *gorm.DB, by access.Actor, groupID, codeID int64) error {
	var ids []int64
	if err := tx.Raw("SELECT x.id FROM groups x WHERE x.status = 'active' AND "+behindSQL+" ORDER BY x.id", behind(groupID, codeID)...).Scan(&ids).Error; err != nil {
		return fmt.Errorf("look for the groups behind the code: %w", err)
	}
	for _, id := range ids {
		g, err := group.LoadByID(tx, id)
		if err != nil {
			return err
		}
		if !access.Can(by, access.GroupSettings, g.Object(false)) {
			return fault.Forbidden{Right: string(access.GroupSettings)}
		}
	}
	return nil
}

// mayLoosen is maySettle for somebody who takes on a code that lets people in
// more easily than its group does.
func mayLoosen(tx *gorm.DB, by access.Actor, f Facts) error {
	if f.OwnMode == "" && f.OwnAsks == "" {
		return nil
	}
	g, err := group.LoadByID(tx, f.GroupID)
	if err != nil || !f.loosens(g) {
		return err
	}
	return maySettle(tx, by, f.GroupID, f.ID)
}

// setModes makes the modes of the groups behind the code what they are by it.
func (c Code) setModes(all []Target, rooms map[int64][]group.Group) {
	for i := range all {
		all[i].JoinMode = c.ModeIn(all[i].Group)
	}
	for _, groups := range rooms {
		for i := range groups {
			groups[i].JoinMode = c.ModeIn(groups[i])
		}
	}
}
