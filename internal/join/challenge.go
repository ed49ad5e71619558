package join

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"doorplate/internal/fault"
	"doorplate/internal/group"
)

// Names of the form's fields for challenges. A questionnaire's are its keys.
const (
	FieldAnswer = "answer"
	FieldInvite = "invite_code"
	FieldLast4  = "phone_last4"
	FieldEmail  = "email"
)

// Bounds of what is typed for them, in characters.
const (
	MaxAnswer = 200
	maxInvite = 40
	maxLast4  = 20
	MaxEmail  = 254
)

// Proofs is what a visitor typed for the challenges of a group or a code.
type Proofs struct {
	Answer, Invite, Last4, Email string
	Fields                       map[string]string // of the questionnaire, by key
}

// guesses reports whether there is anything in it that can be right or wrong.
func (p Proofs) guesses() bool {
	return strings.TrimSpace(p.Answer+p.Invite+p.Last4) != ""
}

func (p Proofs) check(wrong fault.Invalid) {
	for field, typed := range map[string]string{FieldAnswer: p.Answer, FieldInvite: p.Invite, FieldLast4: p.Last4, FieldEmail: p.Email} {
		if most := map[string]int{FieldAnswer: MaxAnswer, FieldInvite: maxInvite, FieldLast4: maxLast4, FieldEmail: MaxEmail}[field]; utf8.RuneCountInString(typed) > most {
			wrong[field] = fault.Msg("charter.error.long", "Max", most, "Have", utf8.RuneCountInString(typed))
		}
	}
	for key, typed := range p.Fields {
		if n := utf8.RuneCountInString(typed); n > group.MaxFieldAnswer {
			wrong[key] = fault.Msg("charter.error.long", "Max", group.MaxFieldAnswer, "Have", n)
		}
	}
}

// addAsks lays what the form asks beside it.
func (s *Service) addAsks(tx *gorm.DB, v visit, out *View) error {
	if out.State != StateForm {
		return nil
	}
	a, err := group.AskingOf(tx, v.group)
	out.Asks = a.By(v.code.OwnAsks)
	return err
}

// missing is what the form leaves open or what cannot be an answer at all. It
// compares nothing, so it may say it as often as it likes.
func missing(a group.Asking, f Form, bad fault.Invalid) {
	need := func(asked bool, field, typed string) {
		if asked && strings.TrimSpace(typed) == "" {
			bad[field] = fault.Msg("asking.join.missing." + field)
		}
	}
	need(a.Invite, FieldInvite, f.Invite)
	need(a.Last4, FieldLast4, f.Last4)
	need(a.Question != "", FieldAnswer, f.Answer)
	switch email := group.Narrow(f.Email); {
	case len(a.Domains) == 0:
	case email == "":
		bad[FieldEmail] = fault.Msg("asking.join.missing.email")
	case !a.FitsDomain(email):
		bad[FieldEmail] = fault.Msg("asking.join.wrong.email", "Domains", strings.Join(a.Domains, ", "))
	}
	for _, q := range a.Fields {
		value, ok := q.Answer(f.Fields[q.Key])
		switch {
		case !ok:
			bad[q.Key] = fault.Msg("asking.join.wrong." + q.Kind)
		case value == "" && q.Required:
			bad[q.Key] = fault.Msg("asking.join.missing.field")
		}
	}
}

// compare asks of the guesses whether they are right. Whoever calls it has
// counted the try.
func (s *Service) compare(tx *gorm.DB, v visit, f Form, out *View, bad fault.Invalid) error {
	a := out.Asks
	if a.Question != "" && bad[FieldAnswer].Key == "" && !a.Accepts(f.Answer) {
		bad[FieldAnswer] = fault.Msg("asking.join.wrong.answer")
	}
	if a.Last4 && bad[FieldLast4].Key == "" && !strings.HasSuffix(v.person.Phone, last4(f.Last4)) {
		bad[FieldLast4] = fault.Msg("asking.join.wrong.last4")
	}
	if !a.Invite || bad[FieldInvite].Key != "" {
		return nil
	}
	invite, err := s.findInvite(tx, v, f.Invite)
	if err != nil {
		return err
	}
	if invite == nil {
		bad[FieldInvite] = fault.Msg("asking.join.wrong.invite")
	}
	out.invite = invite
	return nil
}

// last4 is what was typed as four digits in the usual width; anything else fits nothing.
func last4(typed string) string {
	digits := group.Narrow(typed)
	if len(digits) != 4 || strings.Trim(digits, "0123456789") != "" {
		return "-"
	}
	return digits
}

// guessed reports whether something in bad was compared and did not fit.
func guessed(bad fault.Invalid) bool {
	for field, key := range map[string]string{FieldAnswer: "asking.join.wrong.answer", FieldLast4: "asking.join.wrong.last4", FieldInvite: "asking.join.wrong.invite"} {
		if bad[field].Key == key {
			return true
		}
	}
	return false
}

// said is what the form answered, as it is kept with the request or the stay.
func said(a group.Asking, f Form, invite *Invite) (all []Answer) {
	add := func(asked bool, key, kind, label, value string) {
		if asked {
			all = append(all, Answer{FieldKey: key, Kind: kind, Label: label, Value: value})
		}
	}
	if invite != nil {
		add(a.Invite, FieldInvite, KindInvite, invite.Label, fmt.Sprintf("#%d", invite.Number))
	}
	add(a.Last4, FieldLast4, KindLast4, "", "")
	add(a.Question != "", FieldAnswer, KindQuestion, a.Question, group.OneLine(f.Answer))
	add(len(a.Domains) > 0, FieldEmail, KindEmail, "", group.Narrow(f.Email))
	for _, q := range a.Fields {
		value, _ := q.Answer(f.Fields[q.Key])
		add(value != "", q.Key, q.Kind, q.Label, value)
	}
	return all
}
