package web

import (
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

// followJoin tells the page of somebody who waits that there is something new,
// and nothing else: the page fetches what the join cookie may see.
func (s *server) followJoin(c echo.Context) error {
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	first, err := s.Joins.Glance(ctx, who.Secret, who.SignedIn)
	if err != nil {
		return err
	}
	if !wantsStream(c) {
		return c.NoContent(http.StatusNoContent)
	}
	sub, err := s.oneStream(c, func(e events.Told) bool { return first.Concerns(e.Event) != join.NoConcern })
	if err != nil {
		return err
	}
	defer sub.Close()
	return s.listen(c, "join "+who.Secret, sub, func(st *stream) bool {
		return s.catchUp(st, who, lastEvent(c, "mark"))
	}, func(st *stream, heard []events.Told, lost bool) bool {
		return s.tellWaiting(st, who.Secret, first, heard, lost)
	})
}

// catchUp compares what the page shows with what is true.
func (s *server) catchUp(st *stream, who join.Visitor, seen string) bool {
	ctx, cancel := st.short()
	defer cancel()
	now, err := s.Joins.Glance(ctx, who.Secret, who.SignedIn)
	if err != nil {
		return false // the browser comes again by itself, and hears why
	}
	return seen == now.Mark || st.send("changed", now.Mark, "{}")
}

// tellWaiting says at once that there is something about this person; what it is
// the page asks for itself, with the cookie. A cookie that is over ends the stream.
func (s *server) tellWaiting(st *stream, secret string, g join.Glance, heard []events.Told, lost bool) bool {
	ctx, cancel := st.short()
	defer cancel()
	alive, err := s.Joins.Alive(ctx, secret)
	switch {
	case err != nil:
		return false
	case !alive:
		st.send("over", "", "{}")
		return false
	case lost || slices.ContainsFunc(heard, func(e events.Told) bool { return g.Concerns(e.Event) == join.Oneself }):
		return st.send("changed", "", "{}")
	}
	return st.send("place", "", "{}")
}

// addWord keeps one thing more that who waits wants to say.
func (s *server) addWord(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	_, err = s.Joins.AddWord(c.Request().Context(), who, c.FormValue("word"))
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Part: views.PartWord, Wrong: told(c.Request().Context(), wrong)})
	}
	if err != nil {
		return s.orScanAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}
