package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views"
)

func (s *server) confirmRefresh(c echo.Context) error {
	return s.askRefresh(c, http.StatusOK, nil)
}

// askRefresh says what refreshing does; who may not do it is told so here already.
func (s *server) askRefresh(c echo.Context, status int, bad map[string]string) error {
	view, err := s.Codes.View(c.Request().Context(), actor(c), publicID(c))
	if err != nil {
		return err
	}
	if missing := view.Can.Regenerate.Missing; missing != "" {
		return fault.Forbidden{Right: missing}
	}
	return render(c, status, views.RefreshCode(views.RefreshProps{View: view, Wrong: bad,
		Typed: code.Renewal{ValidUntil: c.FormValue("valid_until"), Reason: c.FormValue("reason")}}))
}

func (s *server) refreshCode(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	err := s.Codes.Refresh(c.Request().Context(), actor(c), publicID(c),
		code.Renewal{ValidUntil: c.FormValue("valid_until"), Reason: c.FormValue("reason"), Generation: c.FormValue("generation")})
	if bad, ok := complaints(c, err); ok {
		return s.askRefresh(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "copies.flash.refreshed", paths.To(paths.Code, publicID(c)))
}

func (s *server) listPrints(c echo.Context) error {
	after := c.QueryParam("after")
	list, err := s.Codes.Prints(c.Request().Context(), actor(c), after)
	if err != nil {
		return err
	}
	by, may := actor(c), map[int64]bool{}
	for _, l := range list.Lines {
		may[l.ID] = access.Can(by, access.CodeRevoke, l.Object())
	}
	return render(c, http.StatusOK, views.Prints(views.PrintsProps{List: list, First: after == "", May: may}))
}

func (s *server) inspectCode(c echo.Context) error {
	q := c.QueryParam("q")
	i, err := s.Codes.Inspect(c.Request().Context(), actor(c), q)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Inspect(views.InspectProps{Inspection: i, Text: clipText(q, 300)}))
}

// adoptCodes adopts one or many, each on its own right, and says which not and why.
func (s *server) adoptCodes(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ids := c.Request().PostForm["id"]
	if len(ids) == 0 {
		return fault.Invalid{"id": fault.Msg("copies.error.adopt")}
	}
	done, left := 0, []views.NotAdopted{}
	results := s.Codes.AdoptMany(c.Request().Context(), actor(c), ids)
	for _, r := range results {
		switch why := s.explain(c.Request().Context(), r.Err); {
		case r.Err == nil:
			done++
		case why.ours || len(results) == 1:
			return r.Err // a failure of ours, or all there is to say
		default:
			left = append(left, views.NotAdopted{PublicID: r.PublicID, Label: r.Label, Why: why.words()})
		}
	}
	if len(left) == 0 {
		s.flash(c, "ok", "copies.flash.adopted", "Count", done)
		return c.Redirect(http.StatusSeeOther, paths.With(paths.Codes, "state", code.Orphans))
	}
	status := http.StatusOK
	if done == 0 {
		status = http.StatusConflict
	}
	return render(c, status, views.Adopted(done, left))
}

// words are what a list says of an error: what is wrong with the fields, else its text.
func (p problem) words() string {
	all := make([]string, 0, len(p.fields))
	for _, text := range p.fields {
		all = append(all, text)
	}
	if len(all) > 0 {
		return strings.Join(all, " ")
	}
	return p.text
}

// homeReminders is how many lines the dashboard's card shows.
const homeReminders = 8

func (s *server) fillReminders(ctx context.Context, a access.Actor, p *views.HomeProps) (err error) {
	p.Reminders, _, err = s.reminders(ctx, a, "", homeReminders)
	p.Reminders = p.Reminders[:min(len(p.Reminders), homeReminders)]
	return err
}

// reminders collects what asks to be done, the most urgent first: groups whose
// way in dies, what is counted in one line, then one line for each code.
func (s *server) reminders(ctx context.Context, a access.Actor, after string, limit int) (lines []views.Reminder, next string, err error) {
	managing := access.Can(a, access.CodeDownload, access.Object{})
	if after == "" {
		if lines, err = s.entryReminders(ctx, a); err != nil || !managing {
			return lines, "", err
		}
		stale, err := s.Codes.StaleCount(ctx, a, views.CountLimit+1)
		if err != nil {
			return nil, "", err
		}
		if stale > 0 {
			lines = append(lines, views.StaleReminder(ctx, stale))
		}
		rounds, err := s.recertReminder(ctx, a)
		if err != nil {
			return nil, "", err
		}
		lines = append(rounds, lines...)
	}
	due, next, err := s.Codes.Due(ctx, a, after, max(1, limit-len(lines)))
	for _, d := range due {
		lines = append(lines, views.CodeReminder(ctx, d))
	}
	return lines, next, err
}

// entryReminders are lines for whoever may bring a new image, be it a plain custodian.
func (s *server) entryReminders(ctx context.Context, a access.Actor) (lines []views.Reminder, err error) {
	groups, err := s.Groups.RunningOut(ctx, a)
	for _, g := range groups {
		lines = append(lines, views.EntryReminder(ctx, g))
	}
	return lines, err
}

func (s *server) listReminders(c echo.Context) error {
	after := c.QueryParam("after")
	lines, next, err := s.reminders(c.Request().Context(), actor(c), after, code.PageSize)
	if err == nil && after == "" {
		lines, err = s.holderReminders(c.Request().Context(), actor(c), lines)
	}
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Reminders(views.RemindersProps{Lines: lines, Next: next, First: after == ""}))
}

// showGenuine is the page that says whether a print is ours: empty, or about the
// print that was just scanned, by the reference of the scan.
func (s *server) showGenuine(c echo.Context) error {
	ref := c.QueryParam("ref")
	if ref == "" {
		return s.askGenuine(c, http.StatusOK, views.GenuineProps{})
	}
	ctx := c.Request().Context()
	if err := s.Auth.AllowTyped(ctx, c.RealIP()); err != nil {
		return err
	}
	g, err := s.Codes.GenuineScan(ctx, clipText(ref, 40))
	if errors.Is(err, fault.NotFound) && !wantsJSON(c) {
		return s.askGenuine(c, http.StatusNotFound, views.GenuineProps{Unknown: true})
	} else if err != nil {
		return err
	}
	return s.sayGenuine(c, g)
}

func (s *server) checkGenuine(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := s.Auth.AllowTyped(ctx, c.RealIP()); err != nil {
		return err
	}
	g, err := s.Codes.GenuineTyped(ctx, c.FormValue("typed"))
	var wrong fault.Invalid
	switch {
	case err == nil:
		return s.sayGenuine(c, g)
	case wantsJSON(c):
		return err
	case errors.As(err, &wrong):
		return s.askGenuine(c, http.StatusUnprocessableEntity, views.GenuineProps{Wrong: told(ctx, wrong)["typed"]})
	case errors.Is(err, fault.NotFound):
		return s.askGenuine(c, http.StatusNotFound, views.GenuineProps{Wrong: i18n.T(ctx, "join.typed.unknown"), Unknown: true})
	}
	return err
}

func (s *server) askGenuine(c echo.Context, status int, p views.GenuineProps) error {
	org, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	p.Organisation, p.Typed = org.Name, c.FormValue("typed")
	return render(c, status, views.Genuine(p))
}

// sayGenuine shows no more of the group than the page of a scan would.
func (s *server) sayGenuine(c echo.Context, g code.Genuine) error {
	notice, err := s.Scans.Notice(c.Request().Context(), scan.Decision{Outcome: scan.Live, Facts: &g.Facts})
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Genuine(views.GenuineProps{Organisation: notice.Organisation, Notice: notice, Print: &g, Ref: clipText(c.QueryParam("ref"), 40)}))
}
