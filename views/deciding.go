package views

import (
	"context"
	"slices"
	"time"

	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views/ui"
)

// DecideProps is what the form of a decision offers and what was typed into it.
type DecideProps struct {
	Reasons []join.Reason
	Doors   []group.Group // other groups to let them into
	Reason  string
	Preset  int64
	Until   string
	Into    string
	Wrong   map[string]string // by field
}

// reasonsFor are the reasons for one decision.
func reasonsFor(all []join.Reason, decision string) (some []join.Reason) {
	for _, r := range all {
		if r.Decision == decision {
			some = append(some, r)
		}
	}
	return some
}

// unfolded reports whether what is rarely used was used.
func (p DecideProps) unfolded() bool {
	return p.Until != "" || p.Into != "" || p.Wrong["until"]+p.Wrong["into"] != ""
}

// English reports whether the reader's language is English.
func English(ctx context.Context) bool { return i18n.Lang(ctx) == i18n.English }

// toldText is what an applicant was told, in the reader's language.
func toldText(ctx context.Context, r join.Request) string { return r.Told(English(ctx)) }

// tomorrow is the first day that a stay can end on, for the calendar.
func tomorrow(ctx context.Context, now time.Time) string {
	return now.In(zoneOf(ctx).loc).Format(time.DateOnly)
}

// UndoProps are decisions that the reader may take back.
type UndoProps struct {
	IDs   []int64
	Until time.Time
	Back  string // the filters of the queue
	Open  bool   // the form stands on the request's own page
	Name  string // for readers of the screen, where several stand in a list
}

// ReasonsProps is the page that edits the reasons.
type ReasonsProps struct {
	All    []join.ReasonLine
	Draft  join.ReasonDraft
	EditID int64 // of the form that was refused; 0 = the one that adds
	Errors map[string]string
}

func (p ReasonsProps) offered(decision string) (all []join.ReasonLine) {
	for _, r := range p.All {
		if r.RetiredAt == nil && r.Decision == decision {
			all = append(all, r)
		}
	}
	return all
}

func (p ReasonsProps) retired() []join.ReasonLine {
	return slices.DeleteFunc(slices.Clone(p.All), func(r join.ReasonLine) bool { return r.RetiredAt == nil })
}

// StayProps is the page about one person's time in a group.
type StayProps struct {
	join.Stay
	Typed  string
	Reason string
	Wrong  map[string]string
	Now    time.Time
}

func (p StayProps) page(ctx context.Context) Page {
	return Page{Title: t(ctx, "deciding.stay.title", "Name", p.Name), Nav: "groups", Crumbs: []ui.Crumb{{Text: t(ctx, "nav.groups"), Href: paths.Groups},
		{Text: p.GroupName, Href: paths.To(paths.Group, p.GID)}, {Text: p.Name}}}
}

func (p StayProps) value(ctx context.Context) string {
	if p.Typed != "" {
		return p.Typed
	}
	if p.Until == nil {
		return ""
	}
	return p.Until.In(zoneOf(ctx).loc).Add(-time.Minute).Format(time.DateOnly)
}

// clock is a time of today, or the whole of it.
func clock(ctx context.Context, at time.Time) string {
	z := zoneOf(ctx)
	if at.In(z.loc).Format(time.DateOnly) == z.now.In(z.loc).Format(time.DateOnly) {
		return at.In(z.loc).Format("15:04")
	}
	return when(ctx, at)
}

// madeBy says who or what made a decision.
func madeBy(ctx context.Context, m join.MadeLine) string {
	switch {
	case m.Rule != "":
		return t(ctx, "deciding.made.rule", "Rule", m.Rule)
	case m.Decider != "":
		return m.Decider
	}
	return t(ctx, "deciding.made.system")
}
