package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/internal/recert"
	"doorplate/views"
)

func (s *server) listRecert(c echo.Context) error { return s.recertList(c, http.StatusOK, nil) }

// recertList shows the groups to confirm. bad are complaints about the date of a round.
func (s *server) recertList(c echo.Context, status int, bad map[string]string) error {
	all, after := c.QueryParam("view") == "all", c.QueryParam("after")
	list, err := s.Rounds.Due(c.Request().Context(), actor(c), all, after)
	if err != nil {
		return err
	}
	return render(c, status, views.Recert(views.RecertProps{List: list, All: all, First: after == "", Plans: access.Can(actor(c), access.RecertPlan, access.Object{}),
		Errors: bad, Typed: c.FormValue("due"), Now: s.Now()}))
}

func (s *server) listRounds(c echo.Context) error {
	after := queryNumber(c, "after")
	h, err := s.Rounds.History(c.Request().Context(), actor(c), after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.RecertRounds(views.RoundsProps{History: h, First: after == 0, Now: s.Now()}))
}

func (s *server) showRound(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	after := queryNumber(c, "after")
	r, err := s.Rounds.Record(c.Request().Context(), actor(c), id, c.QueryParam("view") == "missed", after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.RecertRound(views.RoundProps{Record: r, First: after == 0}))
}

// planRound starts a round now, or moves the date of one.
func (s *server) planRound(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	if c.FormValue("action") == "start" {
		return s.done(c, s.Rounds.Start(ctx, by), "recert.flash.started", paths.Recert)
	}
	id, err := strconv.ParseInt(c.FormValue("round"), 10, 64)
	if err != nil {
		return fault.NotFound
	}
	err = s.Rounds.Move(ctx, by, id, c.FormValue("was"), c.FormValue("due"))
	if bad, ok := complaints(c, err); ok {
		return s.recertList(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "recert.flash.moved", paths.Recert)
}

func (s *server) askRecert(c echo.Context) error { return s.recertPage(c, http.StatusOK, nil) }

// recertPage shows what is to be confirmed in one group.
func (s *server) recertPage(c echo.Context, status int, bad map[string]string) error {
	after := queryNumber(c, "after")
	p, err := s.Rounds.Pass(c.Request().Context(), actor(c), c.Param("id"), after)
	if err != nil {
		return err
	}
	return render(c, status, views.RecertGroup(views.PassProps{Pass: p, First: after == 0, Errors: bad}))
}

func (s *server) recertify(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, gid := c.Request().Context(), c.Param("id")
	result, err := s.Rounds.Confirm(ctx, actor(c), gid, decisions(c))
	if bad, ok := complaints(c, err); ok {
		return s.recertPage(c, http.StatusUnprocessableEntity, bad)
	}
	switch {
	case err != nil:
		return err
	case !result.Done:
		s.flash(c, "info", "recert.flash.part", "Confirmed", result.Confirmed, "Removed", result.Removed+result.Revoked)
		return c.Redirect(http.StatusSeeOther, paths.To(paths.GroupRecert, gid))
	case result.WasHeld:
		s.flash(c, "ok", "recert.flash.back")
	default:
		s.flash(c, "ok", "recert.flash.done", "Confirmed", result.Confirmed, "Removed", result.Removed+result.Revoked)
	}
	return c.Redirect(http.StatusSeeOther, paths.Recert)
}

// decisions reads the ticks: m and c are members and codes, the number that follows names the line.
func decisions(c echo.Context) recert.Decisions {
	d := recert.Decisions{Others: c.FormValue("others") == "on", RevokeBecause: i18n.T(c.Request().Context(), "recert.reason")}
	d.Round, _ = strconv.ParseInt(c.FormValue("round"), 10, 64)
	lists := map[byte]map[string]*[]int64{
		'm': {"confirm": &d.Keep, "remove": &d.Remove, "later": &d.Later},
		'c': {"confirm": &d.KeepCodes, "remove": &d.RevokeCodes, "later": &d.LaterCodes},
	}
	for name, values := range c.Request().PostForm {
		if len(name) < 2 || lists[name[0]] == nil || len(values) == 0 {
			continue
		}
		id, err := strconv.ParseInt(name[1:], 10, 64)
		if list := lists[name[0]][values[0]]; err == nil && list != nil {
			*list = append(*list, id)
		}
	}
	return d
}

// roundOf is what a group's page says of the round, where the reader may know.
func (s *server) roundOf(ctx context.Context, a access.Actor, g group.Group) (*recert.Note, error) {
	if !access.Can(a, access.CodeDownload, g.Object(false)) {
		return nil, nil
	}
	n, err := s.Rounds.Note(ctx, a, g)
	if err != nil || n.Round == nil {
		return nil, err
	}
	return &n, nil
}

// recertReminder is the line about groups that wait to be confirmed.
func (s *server) recertReminder(ctx context.Context, a access.Actor) ([]views.Reminder, error) {
	w, err := s.Rounds.Waiting(ctx, a, views.CountLimit+1)
	if err != nil || w.Count == 0 {
		return nil, err
	}
	return []views.Reminder{views.RecertReminder(ctx, w, s.Now())}, nil
}

// fillRecert adds the figure while a round is open.
func (s *server) fillRecert(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	w, err := s.Rounds.Waiting(ctx, a, views.CountLimit+1)
	if err != nil || w.Round == nil {
		return err
	}
	figure(ctx, p, "recert", min(w.Count, views.CountLimit), w.Count > views.CountLimit, paths.Recert)
	if w.Count > 0 {
		p.Figures[len(p.Figures)-1].Why = views.RecertWhen(ctx, *w.Round, s.Now())
	}
	return nil
}
