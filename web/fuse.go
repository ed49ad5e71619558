package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/fuse"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views"
)

// changeFuse lowers or extends a raise, or sets how a code's fuse trips.
func (s *server) changeFuse(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, id := c.Request().Context(), actor(c), publicID(c)
	var err error
	switch c.FormValue("action") {
	case "lower":
		err = s.Fuse.Lower(ctx, by, id)
	case "extend":
		err = s.Fuse.Extend(ctx, by, id)
	default:
		burst := 0
		if typed := strings.TrimSpace(c.FormValue("burst")); typed != "" {
			var wrong error
			if burst, wrong = strconv.Atoi(typed); wrong != nil {
				burst = -1
			}
		}
		err = s.Fuse.Set(ctx, by, id, fuse.Setting{Off: c.FormValue("off") == "on", Burst: burst})
	}
	if bad, ok := complaints(c, err); ok {
		return s.codePage(c, http.StatusUnprocessableEntity, bad["burst"])
	}
	return s.done(c, err, "fuse.saved", paths.To(paths.Code, id))
}

func (s *server) showReport(c echo.Context) error {
	return s.askReport(c, http.StatusOK, views.ReportProps{Ref: clipText(c.QueryParam("ref"), 40)})
}

// askReport shows the form, with what was typed and what is wrong with it.
func (s *server) askReport(c echo.Context, status int, p views.ReportProps) error {
	ctx := c.Request().Context()
	if p.Ref == "" {
		return fault.NotFound
	}
	if p.Case == 0 {
		if err := s.Auth.AllowTyped(ctx, c.RealIP()); err != nil {
			return err
		}
	}
	var err error
	if p.About, err = s.Fuse.About(ctx, p.Ref); err != nil {
		return err
	}
	notice, err := s.Scans.Notice(ctx, scan.Decision{Outcome: scan.Live, Facts: &p.About.Facts})
	if err != nil {
		return err
	}
	p.Plate = views.PlateProps{Organisation: notice.Organisation, Group: notice.Group, Department: notice.Department, Official: notice.Official,
		Next: views.ReportOf(p.Ref), Genuine: paths.With(paths.Genuine, "ref", p.Ref)}
	p.FormKey, p.Category, p.Words = s.formKey(c), c.FormValue("category"), c.FormValue("words")
	return render(c, status, views.Report(p))
}

func (s *server) sendReport(c echo.Context) error {
	return s.once(c, s.takeReport, func(c echo.Context) error {
		return s.askReport(c, http.StatusUnprocessableEntity, views.ReportProps{Ref: clipText(c.FormValue("ref"), 40), Again: true})
	})
}

func (s *server) takeReport(c echo.Context) error {
	ref := clipText(c.FormValue("ref"), 40)
	id, err := s.Fuse.Tell(c.Request().Context(), fuse.Report{Ref: ref, Category: c.FormValue("category"), Words: c.FormValue("words"), Address: c.RealIP()})
	if bad, ok := complaints(c, err); ok {
		return s.askReport(c, http.StatusUnprocessableEntity, views.ReportProps{Ref: ref, Wrong: bad})
	} else if err != nil {
		return err
	}
	return s.askReport(c, http.StatusOK, views.ReportProps{Ref: ref, Case: id})
}

func (s *server) listCases(c echo.Context) error {
	closed, after := c.QueryParam("state") == "closed", c.QueryParam("after")
	list, err := s.Fuse.Cases(c.Request().Context(), actor(c), closed, after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Cases(views.CasesProps{CaseList: list, Closed: closed, First: after == ""}))
}

func (s *server) showCase(c echo.Context) error { return s.casePage(c, http.StatusOK, nil) }

func (s *server) casePage(c echo.Context, status int, wrong map[string]string) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	d, err := s.Fuse.ByID(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	return render(c, status, views.Case(views.CaseProps{Detail: d, Wrong: wrong, Outcome: c.FormValue("outcome"), Note: c.FormValue("note")}))
}

// moveCase takes a case or closes it.
func (s *server) moveCase(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by, said := c.Request().Context(), actor(c), "fuse.case.saved"
	if c.FormValue("action") == "take" {
		err = s.Fuse.Take(ctx, by, id)
	} else {
		err = s.Fuse.Close(ctx, by, id, c.FormValue("outcome"), c.FormValue("note"))
	}
	if bad, ok := complaints(c, err); ok {
		return s.casePage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, said, paths.To(paths.Case, id))
}

// fillFuse shows the codes that are raised now and counts the cases that wait.
func (s *server) fillFuse(ctx context.Context, a access.Actor, p *views.HomeProps) (err error) {
	if !access.Can(a, access.CasesSee, access.Object{}) {
		return nil
	}
	if p.Raised, err = s.Fuse.Raised(ctx, a, homeList); err != nil {
		return err
	}
	n, err := s.Fuse.Waiting(ctx, a, views.CountLimit+1)
	if err != nil || n == 0 {
		return err
	}
	figure(ctx, p, "cases", min(n, views.CountLimit), n > views.CountLimit, paths.Cases)
	return nil
}
