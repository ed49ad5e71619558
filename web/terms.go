package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

// newCode shows the form for a new code, filled from a preset and with the cure
// of a risk when the address names one.
func (s *server) newCode(c echo.Context) error { return s.renderIssue(c, http.StatusOK, nil, nil) }

func (s *server) issueCode(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "audience", directory.Anywhere, true); err != nil {
		return err
	}
	typed := termsForm(c.Request().PostForm, code.Form{})
	id, err := s.Codes.Issue(c.Request().Context(), actor(c), publicID(c), typed)
	if second := (code.NeedsSecond{}); errors.As(err, &second) {
		var asked int64
		if asked, err = s.Approvals.AskForCode(c.Request().Context(), actor(c), second.Plan, c.FormValue("note")); !invalid(err) {
			return s.asked(c, asked, err)
		}
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.renderIssue(c, http.StatusUnprocessableEntity, &typed, wrong)
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "codes.flash.issued")
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Code, id))
}

// renderIssue shows what was typed, else what the address asks for.
func (s *server) renderIssue(c echo.Context, status int, typed *code.Form, wrong fault.Invalid) error {
	ctx := c.Request().Context()
	page, err := s.Codes.IssueForm(ctx, actor(c), publicID(c))
	if err != nil {
		return err
	}
	p := views.IssueProps{IssueForm: page, Wrong: codeErrors(ctx, wrong)}
	chosen := c.QueryParam("preset")
	if typed != nil {
		p.Typed, chosen = *typed, typed.Preset
	}
	for i := range page.Presets {
		if chosen == strconv.FormatInt(page.Presets[i].ID, 10) {
			p.Preset = &page.Presets[i]
		}
	}
	if typed == nil {
		if p.Typed.Fallback = code.Message; p.Preset != nil {
			p.Typed = p.Typed.Start(*p.Preset, page.Permanent)
		}
		p.Typed = p.Typed.Fix(c.QueryParam("fix"), page.Group)
	}
	if p.Choose, err = s.chooser(c, "audience", directory.Anywhere, true, p.Typed.Audience...); err != nil {
		return err
	}
	return render(c, status, views.IssueCode(p))
}

func (s *server) showTerms(c echo.Context) error { return s.renderTerms(c, http.StatusOK, nil, nil) }

func (s *server) saveTerms(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, id := c.Request().Context(), actor(c), publicID(c)
	now, err := s.Codes.Terms(ctx, by, id)
	if err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "audience", directory.Anywhere, true); err != nil {
		return err
	}
	typed := termsForm(c.Request().PostForm, now.Form(now.FallbackGroup.GID))
	err = s.Codes.SaveTerms(ctx, by, id, typed)
	if second := (code.NeedsSecond{}); errors.As(err, &second) {
		var asked int64
		if asked, err = s.Approvals.AskForCode(ctx, by, second.Plan, c.FormValue("note")); !invalid(err) {
			return s.asked(c, asked, err)
		}
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.renderTerms(c, http.StatusUnprocessableEntity, &typed, wrong)
	}
	return s.done(c, err, "terms.saved", paths.To(paths.CodeTerms, id))
}

// invalid reports whether an error is about what was typed.
func invalid(err error) bool {
	var wrong fault.Invalid
	return errors.As(err, &wrong)
}

func (s *server) renderTerms(c echo.Context, status int, typed *code.Form, wrong fault.Invalid) error {
	ctx := c.Request().Context()
	page, err := s.Codes.Terms(ctx, actor(c), publicID(c))
	if err != nil {
		return err
	}
	p := views.TermsProps{Terms: page, Typed: page.Form(page.FallbackGroup.GID).Fix(c.QueryParam("fix"), page.Group), Wrong: codeErrors(ctx, wrong)}
	if typed != nil {
		p.Typed = *typed
	}
	if p.Choose, err = s.chooser(c, "audience", directory.Anywhere, true, p.Typed.Audience...); err != nil {
		return err
	}
	return render(c, status, views.CodeTerms(p))
}

// termsForm lays the fields that were sent over those there are. A browser says
// with "complete" that a box it does not send is not ticked; a script may send
// only what it wants changed.
func termsForm(sent url.Values, f code.Form) code.Form {
	for name, field := range map[string]*string{
		"label": &f.Label, "validity": &f.Validity, "valid_from": &f.ValidFrom, "valid_until": &f.ValidUntil, "daily_cap": &f.DailyCap,
		"total_cap": &f.TotalCap, "networks": &f.Networks, "audience_people": &f.People, "password": &f.Password, "benefit": &f.Benefit,
		"fallback": &f.Fallback, "fallback_url": &f.FallbackURL, "fallback_group": &f.FallbackGroup, "join_mode": &f.Mode, "preset": &f.Preset,
	} {
		if sent.Has(name) {
			*field = sent.Get(name)
		}
	}
	complete := sent.Get("complete") == "on"
	for name, field := range map[string]*[]string{"audience": &f.Audience, "audience_roles": &f.Roles, "audience_person": &f.Kept} {
		if sent.Has(name) || complete {
			*field = sent[name]
		}
	}
	if sent.Has("asks") {
		f.Asks = sent["asks"]
	}
	if rows, given := openings(sent); given || complete {
		f.Opening = rows
	}
	f.PasswordAsked = sent.Has("password")
	f.ConfirmPermanent = sent.Get("confirm_permanent") == "on"
	f.PasswordRemove = sent.Get("password_remove") == "on"
	if version, err := strconv.ParseInt(strings.TrimSpace(sent.Get("version")), 10, 64); err == nil {
		f.Version = version
	} else {
		f.Version = 0
	}
	return f
}

// openings reads the rows open_days, open_from, open_to; open_days2, … and says whether there was any.
func openings(sent url.Values) (rows []code.Opening, given bool) {
	for i := 1; i <= code.MaxOpenings; i++ {
		suffix := views.OpeningSuffix(i)
		given = given || sent.Has("open_days"+suffix) || sent.Has("open_from"+suffix) || sent.Has("open_to"+suffix)
		rows = append(rows, code.Opening{Days: sent["open_days"+suffix], From: strings.TrimSpace(sent.Get("open_from" + suffix)), To: strings.TrimSpace(sent.Get("open_to" + suffix))})
	}
	for len(rows) > 0 && len(rows[len(rows)-1].Days) == 0 && rows[len(rows)-1].From == "" && rows[len(rows)-1].To == "" {
		rows = rows[:len(rows)-1]
	}
	return rows, given
}
