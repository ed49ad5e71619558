package code

import (
	"net/url"

	"doorplate/internal/group"
)

// What a press on a risk's cure fills in.
const (
	FixAudience = "audience"
	FixCap      = "cap"
	FixPassword = "password"
)

// Risk is one weakness of a code's terms, in words under "terms.risk."+Name.
// Fix is what Form.Fix fills in to cure it; "" when the form has no cure.
type Risk struct {
	Name  string
	Grave bool
	Fix   string
}

// Risks names what is weak about a code for a group. plain says that the base
// URL is not encrypted. req: A22
func Risks(c Code, kind, mode string, plain bool) (all []Risk) {
	open := mode == group.Open
	if c.Validity == Permanent && open && !c.narrows(kind) {
		all = append(all, Risk{"forever", true, FixAudience})
	}
	switch locked := c.PasswordHash != ""; {
	case kind != group.Internal && open && !locked && !c.Narrow():
		all = append(all, Risk{"strangers", true, FixPassword})
	case group.NatureOf(kind).CodePassword && !locked:
		all = append(all, Risk{"unlocked", false, FixPassword})
	}
	if kind == group.External && c.DailyCap == 0 && c.TotalCap == 0 {
		all = append(all, Risk{"uncapped", false, FixCap})
	}
	if plain {
		all = append(all, Risk{"plain", false, ""})
	}
	return all
}

func (s *Service) plain() bool {
	u, err := url.Parse(s.baseURL)
	return err == nil && u.Scheme != "https"
}

// risks are those of an existing code.
func (s *Service) risks(f Facts) []Risk {
	return Risks(f.Code, f.GroupType, f.JoinMode, s.plain())
}

// Draft is the code that a form describes, as far as Risks looks. An open
// group's form always counts as permanent: what will be chosen is not known yet.
func (f Form) Draft(was Code, mayBePermanent bool) Code {
	c := Code{Validity: f.Validity, Audience: first(f.Audience), AudienceRoles: first(f.Roles), AudiencePeople: first(f.Kept) + f.People,
		PasswordHash: was.PasswordHash + f.Password, DailyCap: was.DailyCap, TotalCap: was.TotalCap}
	if f.PasswordRemove {
		c.PasswordHash = f.Password
	}
	if f.Validity == Keep {
		c.Validity = was.Validity
	}
	if mayBePermanent {
		c.Validity = Permanent
	}
	c.DailyCap, c.TotalCap = typedCap(f.DailyCap), typedCap(f.TotalCap)
	return c
}

func typedCap(text string) int {
	if text == "" || text == "0" {
		return 0
	}
	return 1
}

func first(values []string) string {
	for _, v := range values {
		if v == RoleMember {
			return v
		}
	}
	if len(values) > 0 {
		return values[0]
	}
	return ""
}
