package views

import (
	"context"

	"slices"
	"strconv"
	"strings"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
)

// termsFields is the part that the form for a new code and the page of a code's
// terms have in common.
type termsFields struct {
	code.Choices
	Choose    Chooser // the audience
	Group     group.Group
	Permanent code.Permission
	Typed     code.Form
	Wrong     map[string]string
	Preset    *group.Preset // the new code starts from
	Now       *code.View    // the code as it is; nil for a new one
}

// validity is the choice that is ticked.
func (p termsFields) validity() string {
	switch {
	case p.Typed.Validity != "":
		return p.Typed.Validity
	case p.Now != nil:
		return code.Keep
	}
	return code.Validities[0]
}

// fixed reports whether the end cannot be moved.
func (p termsFields) fixed() bool {
	return p.Now != nil && p.Now.ValidityFixed || p.Preset != nil && p.Preset.ValidityFixed
}

// offers reports whether a validity can be chosen at all.
func (p termsFields) offers(validity string) bool {
	return !p.fixed() || p.Preset != nil && p.Preset.Validity == validity
}

// risks are those of what is typed.
func (p termsFields) risks() []code.Risk {
	var was code.Code
	if p.Now != nil {
		was = p.Now.Code
	}
	return code.Risks(p.Typed.Draft(was, p.Now == nil && p.Permanent.Allowed() && !p.fixed()), p.Group.Type, orElse(p.Typed.OwnMode(), p.Group.JoinMode), p.Plain)
}

// OpeningSuffix is what the names of a row's fields end in: nothing for the first.
func OpeningSuffix(row int) string {
	if row == 1 {
		return ""
	}
	return strconv.Itoa(row)
}

// openingRows are the typed rows and one or two empty ones.
func (p termsFields) openingRows() []code.Opening {
	rows := slices.Clone(p.Typed.Opening)
	rows = append(rows, code.Opening{})
	if len(rows) < 2 {
		rows = append(rows, code.Opening{})
	}
	return rows[:min(len(rows), code.MaxOpenings)]
}

// hoursText says when a code is open: Mon–Fri 09:00–18:00; Sat 10:00–12:00.
func hoursText(ctx context.Context, h code.Hours) string {
	var parts []string
	for _, span := range h.Spans() {
		to := code.Clock(span.To)
		if span.To <= span.From {
			to = t(ctx, "terms.hours.next", "Time", to)
		}
		parts = append(parts, t(ctx, "terms.hours.span", "Days", daysText(ctx, span.Days), "From", code.Clock(span.From), "To", to))
	}
	switch {
	case h == "":
		return t(ctx, "terms.hours.always")
	case len(parts) == 0:
		return t(ctx, "terms.hours.never")
	}
	return strings.Join(parts, t(ctx, "terms.semicolon"))
}

// daysText names days of the week; three or more in a row are a range.
func daysText(ctx context.Context, days []int) string {
	if len(days) == 7 {
		return t(ctx, "terms.day.all")
	}
	var parts []string
	for i := 0; i < len(days); {
		last := i
		for last+1 < len(days) && days[last+1] == days[last]+1 {
			last++
		}
		if last-i < 2 {
			parts, i = append(parts, dayName(ctx, days[i])), i+1
			continue
		}
		parts, i = append(parts, t(ctx, "terms.day.range", "From", dayName(ctx, days[i]), "To", dayName(ctx, days[last]))), last+1
	}
	return strings.Join(parts, t(ctx, "codes.comma"))
}

func dayName(ctx context.Context, day int) string { return t(ctx, "terms.day."+strconv.Itoa(day)) }

// audienceText says who may scan.
func audienceText(ctx context.Context, v code.View) string {
	if !v.Narrow() {
		return t(ctx, "codes.facts.everybody")
	}
	var parts []string
	if len(v.Audiences) > 0 {
		parts = append(parts, t(ctx, "codes.facts.departments", "Names", strings.Join(v.Audiences, t(ctx, "codes.comma"))))
	}
	for _, role := range code.Roles {
		if v.HasRole(role) {
			parts = append(parts, t(ctx, "terms.role."+role))
		}
	}
	for _, n := range v.People {
		parts = append(parts, n.Name)
	}
	if len(parts) == 0 {
		return t(ctx, "terms.audience.nobody")
	}
	return strings.Join(parts, t(ctx, "terms.semicolon"))
}

// fallbackText says what happens to those whom the code's limits turn away.
func fallbackText(ctx context.Context, v code.View) string {
	switch v.Fallback {
	case code.Redirect:
		return t(ctx, "terms.fallback.redirect.to", "URL", v.FallbackURL)
	case code.ToGroup:
		return t(ctx, "terms.fallback.group.to", "Group", v.FallbackGroup.Name)
	}
	return t(ctx, "terms.fallback."+v.Fallback)
}

// opensText is how long until a code opens, for the page of a refused scan.
func opensText(ctx context.Context, d scan.Decision) string {
	if d.After <= 0 || d.Cause != scan.NotYet && d.Cause != scan.Closed && d.Cause != scan.Daily {
		return ""
	}
	return t(ctx, "terms.opens", "Left", timeLeft(ctx, d.After))
}

// soon is how near an end must be for the join page to count down to it.
const soon = 7 * 24 * time.Hour

// endText counts down to the end of the code that was scanned. req: B29
func (p JoinProps) endText(ctx context.Context) string {
	until := p.Code.ValidUntil
	if until == nil || !until.After(p.Now) || until.Sub(p.Now) > soon || p.Late != "" {
		return ""
	}
	return t(ctx, "terms.ends", "Left", timeLeft(ctx, until.Sub(p.Now)), "At", when(ctx, *until))
}

// lateText says why a visit can only wait.
func (p JoinProps) lateText(ctx context.Context) string {
	return t(ctx, "scan.refused."+p.Late+".title")
}

// onwardURL is the other place for somebody who finds the group full; "" when there is none.
func (p JoinProps) onwardURL() string {
	if p.Late == "" && p.Code.Fallback == code.Redirect && httpOnly(p.Code.FallbackURL) {
		return p.Code.FallbackURL
	}
	return ""
}

// WaitersProps is one page of a group's waiting list.
type WaitersProps struct {
	join.Waiters
	Header  group.Header
	Numbers group.Numbers
	First   bool
}

func (p WaitersProps) pager() (back, onward string) {
	at := paths.To(paths.GroupWaiting, p.Header.GID)
	if !p.First {
		back = at
	}
	if p.Next != 0 {
		onward = paths.With(at, "after", strconv.FormatInt(p.Next, 10))
	}
	return back, onward
}

// standard marks the choice that nobody has to make.
func (p termsFields) standard(ctx context.Context) string {
	if p.Now != nil {
		return ""
	}
	return " " + t(ctx, "codes.field.validity.default")
}

func (p termsFields) passwordHint(ctx context.Context) string {
	if p.Now != nil && p.Now.PasswordHash != "" {
		return t(ctx, "terms.password.hint.keep", "Min", code.PasswordMin)
	}
	return t(ctx, "terms.password.hint", "Min", code.PasswordMin)
}

// groups are the groups to go on to, with the present one whatever became of it.
func (p termsFields) groups() []code.GroupChoice {
	if p.Now == nil || p.Now.FallbackGroup.GID == "" || slices.Contains(p.Groups, p.Now.FallbackGroup) {
		return p.Groups
	}
	return append([]code.GroupChoice{p.Now.FallbackGroup}, p.Groups...)
}

func speedText(ctx context.Context, n int) string {
	if n == 0 {
		return t(ctx, "terms.speed.none")
	}
	return t(ctx, "terms.speed.times", "Count", n, "Number", grouped(int64(n)))
}

// withFix is a form's address with the cure of a risk filled in.
func withFix(at, fix string) string {
	if strings.Contains(at, "?") {
		return at + "&fix=" + fix
	}
	return paths.With(at, "fix", fix)
}

// weak reports whether the code's page has a risk to name; the address has a note of its own there.
func weak(v code.View) bool {
	return slices.ContainsFunc(v.Risks, func(r code.Risk) bool { return r.Name != "plain" })
}
