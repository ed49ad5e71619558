package join

import (
	"context"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// MaxCompany is in characters.
const MaxCompany = 60

// CheckRules reports whether a form agrees to the rules as they are now and
// leaves nothing open that is asked, before a code is used up for it. Where the person decides which group it will be,
// only the next page can ask. req: C31
func (s *Service) CheckRules(ctx context.Context, secret string, f Form) error {
	tx := s.db.WithContext(ctx)
	v, err := s.visit(tx, secret, nil)
	if err != nil || v.doors != nil {
		return err
	}
	rules, err := group.RulesOf(tx, v.group)
	if err != nil {
		return err
	}
	asks, err := group.AskingOf(tx, v.group)
	if err != nil {
		return err
	}
	bad := fault.Invalid{}
	if why := unread(rules, f); why != nil {
		bad["rules"] = *why
	}
	missing(asks.By(v.code.OwnAsks), f, bad)
	return bad.Or()
}

// unread is why a form does not count as agreeing; nil when it does.
func unread(rules *group.Rules, f Form) *fault.Message {
	switch {
	case rules == nil || rules.Token() == f.Rules:
		return nil
	case f.Rules == "":
		m := fault.Msg("charter.join.rules.missing")
		return &m
	}
	m := fault.Msg("charter.join.rules.changed", "Version", rules.Version)
	return &m
}

// addRules lays the rules beside what the page shows: the form asks for them,
// and who is in may be asked anew.
func (s *Service) addRules(tx *gorm.DB, v visit, out *View) (err error) {
	if out.State != StateForm && out.State != StateIn {
		return nil
	}
	if out.Rules, err = group.RulesOf(tx, v.group); err != nil || out.Rules == nil || out.State == StateForm {
		return err
	}
	_, due, err := group.Agreed(tx, v.group, v.person.group())
	if err == nil && !due {
		out.Rules = nil
	}
	return err
}

// wantsName reports whether a guest has to give a better name here. req: B31
func (v visit) wantsName() bool {
	return v.group.RealName && v.guest() && !group.RealName(v.person.Name)
}

// lacks is what the group asks for beyond the usual and the form does not give.
func (v visit) lacks(f Form, out View) fault.Invalid {
	bad := fault.Invalid{}
	if out.Step == StepName {
		bad["name"] = fault.Msg("charter.join.name.real")
	}
	if v.group.AskCompany && v.guest() && f.Company == "" {
		bad["company"] = fault.Msg("charter.join.company.missing")
	}
	if why := unread(out.Rules, f); why != nil {
		bad["rules"] = *why
	}
	missing(out.Asks, f, bad)
	return bad
}

func (f Form) checkCompany(wrong fault.Invalid) {
	if utf8.RuneCountInString(f.Company) > MaxCompany {
		wrong["company"] = fault.Msg("charter.error.long", "Max", MaxCompany, "Have", utf8.RuneCountInString(f.Company))
	}
}

// agree writes down that the person agreed to the rules that the page showed.
func (v visit) agree(tx *gorm.DB, who Visitor, out *View, s *Service) error {
	if out.Rules == nil {
		return nil
	}
	if err := out.Rules.Accept(tx, v.person.group(), v.person.Name, who.Address, s.now()); err != nil {
		return err
	}
	return s.trail.Record(tx, v.actor(who), audit.Event{Action: "group.rules.accept", DepartmentPath: v.group.DepartmentPath,
		Object: audit.Object{Kind: "group", ID: v.group.GID, Name: v.group.Name}, Details: map[string]any{"version": out.Rules.Version, "hash": out.Rules.Hash}})
}

// agreeAgain is the press of somebody who is in and was asked anew.
func (s *Service) agreeAgain(tx *gorm.DB, v visit, who Visitor, f Form, out *View) error {
	if out.Rules == nil || f.Rules == "" {
		return nil
	}
	if why := unread(out.Rules, f); why != nil {
		return fault.Invalid{"rules": *why}
	}
	err := v.agree(tx, who, out, s)
	out.Rules = nil
	return err
}

// version is the one that the person agrees to by this form; 0 where there are no rules.
func (v View) version() int {
	if v.Rules == nil {
		return 0
	}
	return v.Rules.Version
}

// Propose writes a request in the name of a colleague, where members may bring
// others in. Who may decide decides as always; rules are for the colleague to
// agree to.
func (s *Service) Propose(ctx context.Context, by access.Actor, gid, memberID, phone string) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return s.propose(tx, by, gid, memberID, phone)
	})
}

// company keeps what a guest said of where they come from.
func (v visit) company(r *Request, f Form) {
	if v.guest() {
		r.Company, r.RealName = f.Company, v.group.RealName
	}
}
