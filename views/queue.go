package views

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
)

// RowProps are some rows of the queue for a page that is open.
type RowProps struct {
	Rows   []join.Row
	Fresh  int         // new requests that the page's filters keep
	Result join.Result // of the press that asks for its row
	Back   string      // the filters of that page
	Now    time.Time
}

// show is the page anew, from the start.
func (p RowProps) show() string {
	if p.Back == "" {
		return paths.Requests
	}
	return paths.Requests + "?" + p.Back
}

// rowWords says what a press did to one request.
func (p RowProps) words(ctx context.Context) string {
	if p.Result.Decided() {
		return t(ctx, "requests.flash."+p.Result.Outcome, "Name", p.Result.Name, "Group", p.Result.Group)
	}
	return p.Result.Name + t(ctx, "queue.colon") + leftWords(ctx, p.Result)
}

// RunProps is one decision on many requests.
type RunProps struct{ join.RunView }

func (p RunProps) back() string {
	if p.Query == "" {
		return paths.Requests
	}
	return paths.Requests + "?" + p.Query
}

// decided is how many requests the run decided itself.
func (p RunProps) decided() int { return p.Outcomes[join.Approved] + p.Outcomes[join.Rejected] }

func (p RunProps) left() int { return p.Done - p.decided() }

// bare is the queue with no filter but the given ones; all keeps a default view away.
func (p RequestsProps) bare(pairs ...string) string {
	if p.HasDefault && len(pairs) == 0 {
		pairs = []string{"all", "1"}
	}
	return paths.With(paths.Requests, pairs...)
}

// current reports whether a view is what the page shows.
func (p RequestsProps) current(v join.SavedView) bool {
	_, query, _ := strings.Cut(p.link(), "?")
	now, err := url.ParseQuery(query)
	return err == nil && now.Encode() == v.Query && p.Filter.After == ""
}

// viewed reports whether the page shows one of the reader's own views.
func (p RequestsProps) viewed() bool {
	for _, v := range p.Views {
		if p.current(v) {
			return true
		}
	}
	return false
}

// further reports whether one of the filters that are folded away is set.
func (p RequestsProps) further() bool {
	f := p.Filter
	return f.Department != 0 || f.Code != "" || f.Age > 0 || f.Hinted || f.Answered != "" || f.Due != "" || p.Choose.Typed != ""
}

// ages are the days to filter by.
var ages = []int{1, 3, 7, 14}

// filterPairs are the filters as the address names them.
func filterPairs(f join.Filter) []string {
	on := func(set bool, value string) string {
		if set {
			return value
		}
		return ""
	}
	return []string{"group", f.Group, "department", on(f.Department != 0, strconv.FormatInt(f.Department, 10)), "code", f.Code, "kind", f.Kind,
		"age", on(f.Age > 0, strconv.Itoa(f.Age)), "due", f.Due, "hints", on(f.Hinted, "on"), "answered", f.Answered, "q", f.Search, "state", on(f.Decided, "decided")}
}

// pastWords says how the person's other requests ended.
func pastWords(ctx context.Context, all []join.Past) string {
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = t(ctx, "queue.past", "State", t(ctx, "requests.state."+p.Status), "Count", p.Count)
	}
	return strings.Join(words, t(ctx, "queue.comma"))
}

// refused is how many of them somebody rejected.
func refused(all []join.Past) (n int) {
	for _, p := range all {
		if p.Status == join.Rejected {
			n = p.Count
		}
	}
	return n
}

// groupsWords names the person's groups.
func groupsWords(ctx context.Context, r join.Row) string {
	text := strings.Join(r.GroupsIn, t(ctx, "queue.comma"))
	if r.GroupsN > len(r.GroupsIn) {
		text += t(ctx, "queue.groups.more", "Count", r.GroupsN-len(r.GroupsIn))
	}
	return text
}

// scanWords says with what the scan was made.
func scanWords(ctx context.Context, r join.Row) string {
	var parts []string
	for _, text := range []string{deviceText(ctx, scan.Line{Device: r.From.Device, App: r.From.App}), r.From.Address} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, t(ctx, "app.dot"))
}

// keyName is how texts call a key.
func keyName(key string) string {
	if key == "?" {
		return "help"
	}
	return key
}

// runGroupWords says what a run would do to one group.
func runGroupWords(ctx context.Context, p RunProps, g join.RunGroup) string {
	text := t(ctx, "queue.run.group", "Count", g.Count)
	if !p.Approve || g.Grows {
		return text
	}
	return text + t(ctx, "app.dot") + t(ctx, "queue.run.free", "Count", max(g.Free, 0))
}

// codeName names the code that the page is narrowed to.
func (p RequestsProps) codeName() string {
	if len(p.Rows) > 0 {
		return p.Rows[0].CodeLabel
	}
	return p.Filter.Code
}

// chooser is the choice of a department, in which none is all of them.
func (p RequestsProps) chooser(ctx context.Context) Chooser {
	c := p.Choose
	c.None = t(ctx, "queue.filter.department.all")
	return c
}

// answerLabel is the question of an answer; what has no question of its own is
// called by its kind.
func answerLabel(ctx context.Context, a join.Answer) string {
	if a.Label != "" && a.Kind != join.KindInvite {
		return a.Label
	}
	return t(ctx, "queue.answer."+answerKind(a.Kind))
}

// answerKind is the kind as texts call it: what a questionnaire asks has a question.
func answerKind(kind string) string {
	switch kind {
	case join.KindInvite, join.KindLast4, join.KindEmail:
		return kind
	}
	return join.KindQuestion
}

// answerText is what they said.
func answerText(ctx context.Context, a join.Answer) string {
	switch {
	case a.Kind == join.KindLast4:
		return t(ctx, "queue.answer.fits")
	case a.Kind == join.KindYesNo && (a.Value == "yes" || a.Value == "no"):
		return t(ctx, "queue.answer."+a.Value)
	case a.Kind == join.KindInvite && a.Label != "":
		return a.Label + t(ctx, "app.dot") + "…" + a.Value
	}
	return a.Value
}
