package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/static"
)

// healthz says the process is alive.
func (s *server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says whether requests can be served: database reachable and migrated.
func (s *server) readyz(c echo.Context) error {
	if err := s.Ready(c.Request().Context()); err != nil {
		return c.String(http.StatusServiceUnavailable, "not ready\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

func (s *server) serveStatic(c echo.Context) error {
	static.Handler().ServeHTTP(c.Response(), c.Request())
	return nil
}

// switchLanguage remembers the language in a cookie for a year.
func (s *server) switchLanguage(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	lang := c.FormValue("lang")
	if slices.Contains(i18n.Languages, lang) {
		c.SetCookie(s.cookie(langCookie, lang, 365*24*time.Hour))
	}
	return c.Redirect(http.StatusSeeOther, paths.Local(c.FormValue("next")))
}
