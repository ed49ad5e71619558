package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

// presetOf is the reason of the list that was chosen; what is no number is none.
func presetOf(text string) int64 {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// flashUndo is flash for decisions, with the button that takes them back.
func (s *server) flashUndo(c echo.Context, results []join.Result, key string, args ...any) {
	n := note{Kind: "ok", Key: key, Args: map[string]any{}, Back: parseBack(c.FormValue("back")).Encode()}
	for i := 0; i+1 < len(args); i += 2 {
		n.Args[args[i].(string)] = args[i+1]
	}
	var latest time.Time
	for _, r := range results {
		if r.Decided() {
			n.Undo, latest = append(n.Undo, r.ID), r.At
		}
	}
	p, err := s.Directory.Policies(c.Request().Context())
	if err != nil || len(n.Undo) > maxLeft || p.UndoMinutes == 0 {
		n.Undo = nil // the button is a courtesy: the page of each request has one as well
	}
	n.Till = latest.Add(time.Duration(p.UndoMinutes) * time.Minute).Unix()
	s.leave(c, n)
}

// undoOf is the button of a note, while it would do anything.
func (s *server) undoOf(n note) *views.UndoProps {
	until := time.Unix(n.Till, 0)
	if len(n.Undo) == 0 || len(n.Undo) > maxLeft || !s.Now().Before(until) {
		return nil
	}
	return &views.UndoProps{IDs: n.Undo, Until: until, Back: n.Back}
}

// undoRequests takes decisions back, each on its own.
func (s *server) undoRequests(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ids := numbersOf(c.Request().PostForm["id"])
	if len(ids) == 0 || len(ids) > maxLeft {
		if err := access.Check(actor(c), access.RequestsDecide, access.Object{}); err != nil {
			return err
		}
		return fault.NotFound
	}
	done, err := s.undoEach(c, ids)
	if done == 0 && err != nil {
		return s.refuseUndo(c, ids, err)
	}
	if wantsJSON(c) {
		return c.JSON(http.StatusOK, map[string]any{"undone": done})
	}
	if done < len(ids) {
		s.flash(c, "warn", "deciding.flash.some", "Count", done, "Left", len(ids)-done)
	} else {
		s.flash(c, "ok", "deciding.flash.undone", "Count", done)
	}
	if c.FormValue("open") != "" && len(ids) == 1 {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.Request, ids[0]))
	}
	return c.Redirect(http.StatusSeeOther, toQueue(parseBack(c.FormValue("back"))))
}

// undoEach says how many were taken back, and why the last of the others was not.
func (s *server) undoEach(c echo.Context, ids []int64) (done int, last error) {
	for _, id := range ids {
		_, err := s.Joins.Undo(c.Request().Context(), actor(c), id, c.FormValue("why"))
		var conflict fault.Conflict
		switch {
		case err == nil:
			done++
		case len(ids) == 1, !errors.As(err, &conflict) && !errors.Is(err, fault.NotFound):
			return done, err
		default:
			last = err
		}
	}
	return done, last
}

func (s *server) refuseUndo(c echo.Context, ids []int64, err error) error {
	if bad, ok := complaints(c, err); ok && len(ids) == 1 {
		return s.askRequest(c, http.StatusUnprocessableEntity, ids[0], bad)
	}
	return err
}

func (s *server) listReasons(c echo.Context) error {
	return s.reasonsPage(c, http.StatusOK, views.ReasonsProps{})
}

func (s *server) reasonsPage(c echo.Context, status int, p views.ReasonsProps) (err error) {
	if p.All, err = s.Joins.AllReasons(c.Request().Context(), actor(c)); err != nil {
		return err
	}
	return render(c, status, views.SettingsReasons(p))
}

func typedReason(c echo.Context) join.ReasonDraft {
	return join.ReasonDraft{Decision: c.FormValue("decision"), TextZh: c.FormValue("text_zh"), TextEn: c.FormValue("text_en")}
}

func (s *server) addReason(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d := typedReason(c)
	err := s.Joins.AddReason(c.Request().Context(), actor(c), d)
	if bad, ok := complaints(c, err); ok {
		return s.reasonsPage(c, http.StatusUnprocessableEntity, views.ReasonsProps{Draft: d, Errors: bad})
	}
	return s.done(c, err, "settings.saved", paths.SettingsReasons)
}

// changeReason saves, moves or retires one.
func (s *server) changeReason(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by, d := c.Request().Context(), actor(c), typedReason(c)
	switch c.FormValue("action") {
	case "up", "down":
		err = s.Joins.MoveReason(ctx, by, id, c.FormValue("action") == "up")
	case "retire":
		err = s.Joins.RetireReason(ctx, by, id)
	default:
		err = s.Joins.SaveReason(ctx, by, id, d)
	}
	if bad, ok := complaints(c, err); ok {
		return s.reasonsPage(c, http.StatusUnprocessableEntity, views.ReasonsProps{Draft: d, EditID: id, Errors: bad})
	}
	return s.done(c, err, "settings.saved", paths.SettingsReasons)
}

func (s *server) showStay(c echo.Context) error {
	return s.stayPage(c, http.StatusOK, views.StayProps{})
}

func (s *server) stayPage(c echo.Context, status int, p views.StayProps) (err error) {
	if p.Stay, err = s.Joins.StayOf(c.Request().Context(), actor(c), c.Param("id"), c.Param("membership")); err != nil {
		return err
	}
	p.Now = s.Now()
	return render(c, status, views.GroupStay(p))
}

// changeStay gives somebody more or less time in a group, or says no to who asked.
func (s *server) changeStay(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid, membership := c.Request().Context(), actor(c), c.Param("id"), c.Param("membership")
	var err error
	flash := "deciding.stay.flash"
	switch c.FormValue("action") {
	case "refuse":
		flash, err = "deciding.stay.flash.refused", s.Joins.RefuseTime(ctx, by, gid, membership, c.FormValue("reason"))
	case "endless":
		err = s.Joins.SetUntil(ctx, by, gid, membership, "")
	default:
		err = s.Joins.SetUntil(ctx, by, gid, membership, orSpace(c.FormValue("until")))
	}
	if bad, ok := complaints(c, err); ok {
		return s.stayPage(c, http.StatusUnprocessableEntity, views.StayProps{Typed: c.FormValue("until"), Reason: c.FormValue("reason"), Wrong: bad})
	}
	return s.done(c, err, flash, paths.To(paths.Group, gid))
}

// orSpace keeps an empty day from meaning that there is no end: that is a button of its own.
func orSpace(day string) string {
	if day == "" {
		return "-"
	}
	return day
}

func (s *server) listAsking(c echo.Context) error {
	all, err := s.Joins.Asking(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.StaysAsking(all))
}

// askGroupTime asks for more time on the group's own page.
func (s *server) askGroupTime(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Joins.MoreTimeIn(c.Request().Context(), actor(c), gid, c.FormValue("note"))
	if bad, ok := complaints(c, err); ok {
		return s.groupPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "deciding.own.flash", paths.To(paths.Group, gid))
}

// askJoinTime asks for more time on the join page.
func (s *server) askJoinTime(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	err = s.Joins.MoreTime(c.Request().Context(), who, c.FormValue("note"))
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Wrong: told(c.Request().Context(), wrong)})
	} else if err != nil {
		return s.orScanAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

func (s *server) showStatistics(c echo.Context) error {
	months, err := strconv.Atoi(c.QueryParam("months"))
	if err != nil {
		months = 0
	}
	p, err := s.Joins.Statistics(c.Request().Context(), actor(c), months)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.RequestStatistics(p))
}
