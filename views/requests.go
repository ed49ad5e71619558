package views

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views/ui"
)

// RequestsProps is the queue.
type RequestsProps struct {
	join.Queue
	Filter join.Filter
	Groups []join.Choice
	Left   []join.Result     // what the last press could not decide
	Wrong  map[string]string // by field
	Chosen []int64           // ticked when the form came back
	Reason string            // as typed
	Now    time.Time

	Reasons    []join.Reason // to choose from
	Preset     int64         // the one chosen
	Statistics bool          // the reader may see how decisions went
	Stays      bool          // and who asks to stay longer

	Views      []join.SavedView
	HasDefault bool    // the bare address shows one of them
	ViewName   string  // as typed
	Choose     Chooser // of a department
}

// filtered reports whether anything but the state narrows the queue.
func (p RequestsProps) filtered() bool {
	return p.Filter.Group != "" || p.Filter.Kind != "" || p.Filter.Search != "" || p.further()
}

// link is the queue with some filters changed; pairs are name, value, …
func (p RequestsProps) link(pairs ...string) string {
	all := filterPairs(p.Filter)
	for i := 0; i+1 < len(pairs); i += 2 {
		for j := 0; j+1 < len(all); j += 2 {
			if all[j] == pairs[i] {
				all[j+1] = pairs[i+1]
			}
		}
		if pairs[i] == "after" {
			all = append(all, "after", pairs[i+1])
		}
	}
	return paths.With(paths.Requests, all...)
}

// back is what the form says about the page it stands on.
func (p RequestsProps) back() string {
	_, query, _ := strings.Cut(p.link("after", p.Filter.After), "?")
	return query
}

func (p RequestsProps) chosen(id int64) bool { return slices.Contains(p.Chosen, id) }

// choices is the groups to filter by, with the chosen one whatever its state.
func (p RequestsProps) choices() []join.Choice {
	if p.Filter.Group == "" || slices.ContainsFunc(p.Groups, func(c join.Choice) bool { return c.GID == p.Filter.Group }) {
		return p.Groups
	}
	name := p.Filter.Group
	if len(p.Rows) > 0 {
		name = p.Rows[0].GroupName
	}
	return append([]join.Choice{{GID: p.Filter.Group, Name: name}}, p.Groups...)
}

// RequestProps is one request, opened.
type RequestProps struct {
	join.Detail
	Decide  DecideProps
	UndoWhy string // as typed
	Now     time.Time
}

func (p RequestProps) page(ctx context.Context) Page {
	return Page{Title: t(ctx, "requests.one.title", "Name", p.Name), Nav: "requests", Crumbs: []ui.Crumb{
		{Text: t(ctx, "requests.title"), Href: paths.Requests}, {Text: fmt.Sprintf("R-%d", p.ID)}}}
}

// canDecide reports whether the reader may press the buttons here.
func (p RequestProps) canDecide() bool { return p.State() == join.Pending && !p.Own }

// who is the second line under an applicant's name.
func who(ctx context.Context, r join.Row) string {
	if r.Guest() {
		return t(ctx, "requests.guest") + t(ctx, "app.dot") + MaskPhone(r.Phone)
	}
	parts := []string{r.Department, r.JobNumber}
	if r.Department == "" {
		parts = parts[1:]
	}
	if r.JobNumber == "" {
		parts = parts[:len(parts)-1]
	}
	if r.Phone != "" {
		parts = append(parts, MaskPhone(r.Phone))
	}
	return strings.Join(parts, t(ctx, "app.dot"))
}

// waited is how long a request has been waiting.
func waited(ctx context.Context, now, since time.Time) string {
	return t(ctx, "requests.waited", "Left", timeLeft(ctx, max(now.Sub(since), 0)))
}

// stateBadge is the class of a request's state.
func stateBadge(state string) string {
	switch state {
	case join.Expired:
		return "timeout"
	case join.Cancelled:
		return "closed"
	}
	return state
}

// leftWords says why one request was not decided.
func leftWords(ctx context.Context, r join.Result) string {
	if r.Outcome != join.Already {
		return t(ctx, "requests.left."+r.Outcome, "Group", r.Group)
	}
	done := t(ctx, "requests.done."+r.Status)
	switch {
	case r.By != "" && !r.At.IsZero():
		return t(ctx, "requests.left.by", "By", r.By, "At", when(ctx, r.At), "Done", done)
	case !r.At.IsZero():
		return t(ctx, "requests.left.at", "At", when(ctx, r.At), "Done", done)
	}
	return done
}
