package views

import (
	"context"
	"strconv"
	"strings"
	"time"

	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/paths"
)

type joinRefreshKey struct{}

// WithJoinRefresh makes joinPage load itself again every so often, without script.
func WithJoinRefresh(ctx context.Context, every time.Duration) context.Context {
	return context.WithValue(ctx, joinRefreshKey{}, every)
}

func joinRefresh(ctx context.Context) string {
	every, ok := ctx.Value(joinRefreshKey{}).(time.Duration)
	if !ok {
		return ""
	}
	return strconv.Itoa(int(every / time.Second))
}

// JoinProps is the join page: what is true, and what was typed.
type JoinProps struct {
	join.View
	FormKey  string
	Typed    JoinTyped
	Wrong    map[string]string // by field
	Again    bool              // the form came back without a usable key
	OnPhone  bool              // the visitor wants to give another number
	SignedIn bool              // the person is known by the console session alone
	Next     string            // for the language switch
	Now      time.Time
	Part     string // of the page of somebody who waits; "" = how it stands
	Onward   string // scan address of another group that is not full, when the code names one
}

// JoinTyped is what the visitor typed before the form came back.
type JoinTyped struct {
	Phone, Name, Note, Company, Code, Word string
	Field                                  func(name string) string // of any other field
}

func (p JoinProps) plate() PlateProps {
	return PlateProps{Organisation: p.Organisation, Group: p.Group.Name, Department: p.Department, Official: p.Group.Official(), Next: p.Next,
		Genuine: paths.With(paths.Genuine, "ref", p.ScanRef), Report: ReportOf(p.ScanRef)}
}

func (p JoinProps) step() join.Step {
	if p.Step == join.StepCode && p.OnPhone {
		return join.StepPhone
	}
	return p.Step
}

// title is the page's name in the browser.
func (p JoinProps) title(ctx context.Context) string {
	state := string(p.State)
	if p.State == join.StateForm && p.step() == join.StepCode {
		state = "code"
	}
	return t(ctx, "join.title."+state, "Group", p.Group.Name)
}

// decider is who decides, as a role: names come after identification.
func (p JoinProps) decider(ctx context.Context) string {
	if p.Group.JoinMode == group.Open {
		return t(ctx, "join.decider.nobody")
	}
	return p.contact(ctx)
}

// contact is whom to ask, by the same rule.
func (p JoinProps) contact(ctx context.Context) string {
	switch {
	case len(p.Deciders) > 0:
		return strings.Join(p.Deciders, t(ctx, "join.and"))
	case p.Person != nil, p.Department == "":
		return t(ctx, "join.decider.super")
	}
	return t(ctx, "join.decider.role", "Department", p.Department)
}

// submitText is what pressing the button does.
func (p JoinProps) submitText(ctx context.Context) string {
	if p.Group.JoinMode == group.Open {
		return t(ctx, "join.submit.open")
	}
	return t(ctx, "join.submit.ask")
}

// asksNote reports whether somebody will read a note.
func (p JoinProps) asksNote() bool { return p.Group.JoinMode != group.Open }

// timeLeft is how long a moment is away: two units at most.
func timeLeft(ctx context.Context, d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case days > 0:
		return t(ctx, "join.left.days", "Count", days, "Hours", hours)
	case hours > 0:
		return t(ctx, "join.left.hours", "Count", hours, "Minutes", minutes)
	}
	return t(ctx, "join.left.minutes", "Count", max(minutes, 1))
}

// httpOnly reports whether a link can be opened by a browser at all.
func httpOnly(link string) bool {
	return strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://")
}

func (p JoinProps) phoneHint(ctx context.Context) string {
	if p.Guests {
		return t(ctx, "join.phone.hint.guest")
	}
	return t(ctx, "join.phone.hint")
}
