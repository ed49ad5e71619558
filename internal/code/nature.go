package code

import (
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// checkNature refuses terms that the group's type does not allow: what hangs
// already stays, the next form brings it into line. req: D11, C29
func (d desk) checkNature(c Code, form Form, wrong fault.Invalid) {
	n := group.NatureOf(d.group.Type)
	if n.CodeEnd && c.Validity == Permanent {
		wrong["validity"] = fault.Msg("charter.error.code.end")
	}
	kept := c.PasswordHash != "" && !form.PasswordRemove
	if _, told := wrong["password"]; n.CodePassword && form.Password == "" && !kept && !told {
		wrong["password"] = fault.Msg("charter.error.code.password")
	}
}
