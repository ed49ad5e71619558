package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// AskingDraft is the form of what a group asks, as it was typed.
type AskingDraft struct {
	Invite, Last4 bool
	Question      string
	Answers       string // one a line
	Domains       string // separated by anything sensible
	Fields        []FieldDraft
	Version       int // of the form's origin; -1 = whatever is there
}

// FieldDraft is one row of the questionnaire's form. Without a label it is left out.
type FieldDraft struct {
	Key, Label, Kind, Options string
	Required                  bool
}

// Draft is the form that would change nothing.
func (a Asking) Draft() AskingDraft {
	d := AskingDraft{Invite: a.Invite, Last4: a.Last4, Question: a.Question, Answers: strings.Join(a.Answers, "\n"), Domains: strings.Join(a.Domains, " "), Version: a.Version}
	for _, f := range a.Fields {
		d.Fields = append(d.Fields, FieldDraft{Key: f.Key, Label: f.Label, Kind: f.Kind, Options: strings.Join(f.Options, "\n"), Required: f.Required})
	}
	return d
}

// check reads the draft over what was asked before; keys of known fields stay.
func (d AskingDraft) check(was Asking) (Asking, fault.Invalid) {
	bad := fault.Invalid{}
	a := Asking{Invite: d.Invite, Last4: d.Last4, Question: OneLine(d.Question), nextKey: was.nextKey, Version: was.Version}
	atMost(bad, "question", a.Question, MaxQuestion)
	a.Answers = checkAnswers(d, a.Question, bad)
	a.Domains = checkDomains(d.Domains, bad)
	for i, f := range d.Fields {
		if f, ok := f.check(fmt.Sprintf("field%d", i+1), bad); ok {
			known := slices.ContainsFunc(was.Fields, func(w Field) bool { return w.Key == f.Key && w.Kind == f.Kind })
			taken := slices.ContainsFunc(a.Fields, func(w Field) bool { return w.Key == f.Key })
			if !known || taken {
				f.Key = fmt.Sprintf("q%d", a.nextKey) // another question is another key: older answers keep theirs
				a.nextKey++
			}
			a.Fields = append(a.Fields, f)
		}
	}
	if len(a.Fields) > MaxFields {
		bad["fields"] = fault.Msg("asking.error.fields", "Max", MaxFields)
	}
	return a, bad
}

func checkAnswers(d AskingDraft, question string, bad fault.Invalid) []string {
	var all []string
	for line := range strings.Lines(Lines(d.Answers)) {
		if line = OneLine(line); Plain(line) != "" {
			all = append(all, line)
		}
		if utf8.RuneCountInString(line) > MaxAnswer {
			bad["answers"] = fault.Msg("asking.error.answer.long", "Max", MaxAnswer)
		}
	}
	switch {
	case len(all) > MaxAnswers:
		bad["answers"] = fault.Msg("asking.error.answers", "Max", MaxAnswers)
	case question != "" && len(all) == 0 && bad["answers"].Key == "":
		bad["answers"] = fault.Msg("asking.error.answers.none")
	case question == "" && len(all) > 0:
		bad["question"] = fault.Msg("asking.error.question.none")
	}
	return all
}

func checkDomains(text string, bad fault.Invalid) []string {
	var all []string
	for _, word := range strings.FieldsFunc(strings.ToLower(Narrow(text)), func(r rune) bool { return strings.ContainsRune(" \t\r\n,;、", r) }) {
		word = strings.TrimPrefix(word, "@")
		if !domainName(word) {
			bad["domains"] = fault.Msg("asking.error.domain")
			return nil
		}
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	if len(all) > MaxDomains {
		bad["domains"] = fault.Msg("asking.error.domains", "Max", MaxDomains)
	}
	return all
}

// domainName takes names of ASCII letters, digits and hyphens with a dot in them.
func domainName(name string) bool {
	if len(name) > maxDomain || !strings.Contains(name, ".") {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
				return false
			}
		}
	}
	return true
}

func (d FieldDraft) check(name string, bad fault.Invalid) (f Field, ok bool) {
	f = Field{Key: d.Key, Label: OneLine(d.Label), Kind: d.Kind, Required: d.Required}
	if f.Label == "" {
		if strings.TrimSpace(d.Options) != "" {
			bad[name] = fault.Msg("asking.error.field.label")
		}
		return f, false
	}
	if utf8.RuneCountInString(f.Label) > MaxFieldLabel {
		bad[name] = fault.Msg("asking.error.field.long", "Max", MaxFieldLabel)
	}
	if !slices.Contains(FieldKinds, f.Kind) {
		bad[name] = fault.Msg("asking.error.field.kind")
	}
	if f.Kind != FieldChoice {
		return f, true
	}
	for line := range strings.Lines(Lines(d.Options)) {
		if line = OneLine(line); line == "" || slices.Contains(f.Options, line) {
			continue
		}
		if f.Options = append(f.Options, line); utf8.RuneCountInString(line) > MaxOption {
			bad[name] = fault.Msg("asking.error.option.long", "Max", MaxOption)
		}
	}
	if n := len(f.Options); n < 2 || n > MaxOptions {
		bad[name] = fault.Msg("asking.error.options", "Max", MaxOptions)
	}
	return f, true
}

// SaveAsking changes what the group asks of who wants in. A draft made from
// older settings is fault.Conflict with who changed them.
func (s *Service) SaveAsking(ctx context.Context, by access.Actor, gid string, d AskingDraft) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := lock(tx, by, access.GroupSettings, gid)
		if err != nil {
			return err
		}
		was, row, err := readAsking(tx, g.ID)
		if err != nil {
			return err
		}
		a, bad := d.check(was)
		if err := bad.Or(); err != nil {
			return err
		}
		if d.Version >= 0 && d.Version != was.Version {
			return staleAsking(tx, row)
		}
		return s.writeAsking(tx, by, g, was, a)
	})
}

func staleAsking(tx *gorm.DB, row askingRow) error {
	c := fault.Conflict{Message: fault.Msg("groups.error.stale"), At: row.UpdatedAt}
	if row.UpdatedBy == nil {
		return c
	}
	var err error
	c.By, err = nameOf(tx, *row.UpdatedBy)
	if err != nil {
		return err
	}
	return c
}

func (s *Service) writeAsking(tx *gorm.DB, by access.Actor, g Group, was, a Asking) error {
	row, err := a.row()
	if err != nil {
		return err
	}
	if old, err := was.row(); err != nil || old == row {
		return err
	}
	row.GroupID, row.Version, row.UpdatedAt = g.ID, was.Version+1, s.now().UTC()
	if by.MemberID != 0 {
		row.UpdatedBy = &by.MemberID
	}
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
		return fmt.Errorf("keep what the group asks: %w", err)
	}
	if err := tx.Model(&Group{}).Where("id = ?", g.ID).Update("asks", a.Any()).Error; err != nil {
		return fmt.Errorf("note that the group asks: %w", err)
	}
	return s.trail.Record(tx, by, audit.Event{Action: "group.asking", Object: g.audited(), DepartmentPath: g.DepartmentPath,
		Details: map[string]any{"asks": a.names(), "asks_was": was.names()}})
}

// names lists what is asked for the trail: no answers, no invite codes.
func (a Asking) names() []string {
	all := []string{}
	for name, is := range map[string]bool{AskInvite: a.Invite, AskLast4: a.Last4, AskQuestion: a.Question != "", AskEmail: len(a.Domains) > 0, AskFields: len(a.Fields) > 0} {
		if is {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// OwnCode is a code of the group that differs from it.
type OwnCode struct{ PublicID, Label, OwnMode, OwnAsks string }

// AskingPage is the page of a group's challenges.
type AskingPage struct {
	Header
	Asking Asking
	Own    []OwnCode // codes that differ
}

// Asking reads the page for those who may change it.
func (s *Service) Asking(ctx context.Context, by access.Actor, gid string) (AskingPage, error) {
	h, err := s.ByID(ctx, by, gid)
	if err != nil {
		return AskingPage{}, err
	}
	out, tx := AskingPage{Header: h}, s.db.WithContext(ctx)
	if err := access.Check(by, access.GroupSettings, h.Object(true)); err != nil {
		return out, err
	}
	if out.Asking, _, err = readAsking(tx, h.ID); err != nil {
		return out, err
	}
	err = tx.Raw(`SELECT public_id, label, own_mode, own_asks FROM codes WHERE group_id = ? AND revoked_at IS NULL AND (own_mode <> '' OR own_asks <> '')
		ORDER BY id DESC LIMIT 50`, h.ID).Scan(&out.Own).Error
	if err != nil {
		return out, fmt.Errorf("list the codes that differ: %w", err)
	}
	return out, nil
}

// checkOwnOpen refuses to make a group internal while a permanent code, open by
// its own mode, would keep nobody away any more: such a code takes a second
// super admin's word.
func checkOwnOpen(tx *gorm.DB, g Group, p Plan, bad fault.Invalid) error {
	var ids []int64
	err := tx.Table("codes").Where(`(group_id = ? OR id IN (SELECT code_id FROM code_targets WHERE group_id = ?)) AND validity = 'permanent' AND revoked_at IS NULL
		AND own_mode = 'open' AND audience_roles LIKE '%member%'`, g.ID, g.ID).Limit(1).Pluck("id", &ids).Error
	if err != nil {
		return fmt.Errorf("look for codes that are open by themselves: %w", err)
	}
	if len(ids) > 0 {
		bad["type"] = fault.Msg("asking.error.type.own")
	}
	return nil
}
