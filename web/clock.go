package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/paths"
)

// saveGroupClock gives a group its own time to decide.
func (s *server) saveGroupClock(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.SetDueHours(c.Request().Context(), actor(c), gid, c.FormValue("due_hours"))
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, nil, bad)
	}
	return s.done(c, err, "clock.group.saved", paths.To(paths.Group, gid))
}
