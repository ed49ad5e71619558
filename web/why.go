package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/paths"
	"doorplate/views"
)

// showWhy answers "why can I not?".
func (s *server) showWhy(c echo.Context) error {
	q := group.Question{Right: queryText(c, "right"), Group: queryText(c, "group"), Code: queryText(c, "code"), Department: queryNumber(c, "department")}
	a, err := s.Groups.Why(c.Request().Context(), actor(c), q)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Why(views.WhyProps{Answer: a, Asked: q}))
}

// whyRefused explains a refusal of a right on its page; nil when there is nothing to add.
func (s *server) whyRefused(c echo.Context, err error) *views.WhyProps {
	var no fault.Forbidden
	by, signedIn := c.Get(actorKey).(access.Actor)
	if !signedIn || !errors.As(err, &no) {
		return nil
	}
	q := group.Question{Right: no.Right}
	switch at := c.Path(); {
	case strings.HasPrefix(at, paths.Group):
		q.Group = c.Param("id")
	case strings.HasPrefix(at, paths.Code):
		q.Code = c.Param("id")
	case strings.HasPrefix(at, paths.Department):
		q.Department, _ = strconv.ParseInt(c.Param("id"), 10, 64)
	}
	a, err := s.Groups.Why(c.Request().Context(), by, q)
	if errors.Is(err, fault.NotFound) || errors.As(err, &no) {
		return nil // the refusal says what there is to say
	} else if err != nil {
		s.Log.WarnContext(c.Request().Context(), "explaining a refusal", "err", err)
		return nil
	}
	return &views.WhyProps{Answer: a, Asked: q}
}

// missing are those of the rights that the reader lacks for an object.
func missing(by access.Actor, o access.Object, rights ...access.Right) (lacked []access.Right) {
	for _, r := range rights {
		if !access.Can(by, r, o) {
			lacked = append(lacked, r)
		}
	}
	return lacked
}
