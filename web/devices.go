package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listDevices(c echo.Context) error {
	session, err := s.session(c)
	if err != nil {
		return err
	}
	devices, err := s.Auth.Devices(c.Request().Context(), actor(c), session.ID)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Devices(views.DevicesProps{Devices: devices}))
}

// endDevice ends one session of the reader, or all but this one.
func (s *server) endDevice(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	session, err := s.session(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if c.FormValue("others") != "" {
		if err := s.Auth.EndOtherDevices(ctx, actor(c), session.ID); err != nil {
			return err
		}
		s.flash(c, "ok", "auth.devices.ended.others")
		return c.Redirect(http.StatusSeeOther, paths.SettingsDevices)
	}
	current, err := s.Auth.EndDevice(ctx, actor(c), c.FormValue("id"), session.ID)
	if err != nil {
		return err
	}
	if !current {
		s.flash(c, "ok", "auth.devices.ended")
		return c.Redirect(http.StatusSeeOther, paths.SettingsDevices)
	}
	session.ID = ""
	if err := session.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Login)
}
