package code

import (
	"fmt"

	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// gap is what a type asks of a code that leads to such a group and that c has
// not got: "end", "password" or nothing. req: D11, C29
func (c Code) gap(kind string) string {
	switch n := group.NatureOf(kind); {
	case n.CodeEnd && c.Validity == Permanent:
		return "end"
	case n.CodePassword && c.PasswordHash == "":
		return "password"
	}
	return ""
}

// checkNature refuses terms that the type of a group behind the code does not
// allow: what hangs already stays, the next form brings it into line. Who sends
// no password field at all was not asked: such a code is a Risk on its page.
func (d desk) checkNature(c Code, form Form, wrong fault.Invalid) error {
	kinds := []string{d.group.Type}
	if c.ID != 0 {
		var more []string
		if err := d.tx.Raw("SELECT DISTINCT x.type FROM groups x WHERE x.status = 'active' AND "+behindSQL, behind(d.group.ID, c.ID)...).Scan(&more).Error; err != nil {
			return fmt.Errorf("read the types behind the code: %w", err)
		}
		kinds = append(kinds, more...)
	}
	switch {
	case form.Password != "":
		c.PasswordHash = form.Password // hashed elsewhere
	case form.PasswordRemove:
		c.PasswordHash = ""
	}
	asked := form.PasswordAsked || form.PasswordRemove
	for _, kind := range kinds {
		if c.gap(kind) == "end" {
			wrong["validity"] = fault.Msg("charter.error.code.end")
		}
		if _, told := wrong["password"]; !told && asked && group.NatureOf(kind).CodePassword && c.PasswordHash == "" {
			wrong["password"] = fault.Msg("charter.error.code.password")
		}
	}
	return nil
}
