package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/auth"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) showSetup(c echo.Context) error {
	return s.askSetup(c, http.StatusOK, views.SetupProps{Timezone: s.Config.Timezone, Language: i18n.Lang(c.Request().Context())})
}

// askSetup shows the first-run page to whoever holds the token.
func (s *server) askSetup(c echo.Context, status int, p views.SetupProps) error {
	p.Token = c.Param("token")
	if err := s.Auth.CheckSetup(c.Request().Context(), p.Token); err != nil {
		return err
	}
	p.FormKey, p.DemoKey = s.formKey(c), s.formKey(c)
	p.BaseURL, p.Loopback = s.Config.BaseURL, s.Config.Loopback()
	p.Zones = s.zones(p.Timezone)
	return render(c, status, views.Setup(p))
}

func (s *server) submitSetup(c echo.Context) error {
	return s.once(c, s.setUp, func(c echo.Context) error {
		p := typedSetup(c, s.Config.Timezone)
		p.Again = true
		return s.askSetup(c, http.StatusUnprocessableEntity, p)
	})
}

// typedSetup is the form as it was filled in, without the password.
func typedSetup(c echo.Context, zone string) views.SetupProps {
	p := views.SetupProps{Organisation: c.FormValue("organisation"), Timezone: c.FormValue("timezone"), Language: c.FormValue("language"),
		Name: c.FormValue("name"), Phone: c.FormValue("phone")}
	if p.Timezone == "" {
		p.Timezone = zone
	}
	if p.Language == "" {
		p.Language = i18n.Lang(c.Request().Context())
	}
	return p
}

func (s *server) setUp(c echo.Context) error {
	p := typedSetup(c, s.Config.Timezone)
	session, err := s.Auth.SetUp(c.Request().Context(), c.Param("token"), auth.FirstRun{
		Organisation: p.Organisation, Timezone: p.Timezone, Language: p.Language,
		Name: p.Name, Phone: p.Phone, Password: c.FormValue("password"),
	}, from(c))
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		p.Wrong = told(c.Request().Context(), wrong)
		return s.askSetup(c, http.StatusUnprocessableEntity, p)
	} else if err != nil {
		return err
	}
	return s.enter(c, session)
}

// enter opens the console with a new session.
func (s *server) enter(c echo.Context, session string) error {
	if err := s.startSession(c, session); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Home)
}

// demoTimeout is for filling thousands of rows on a slow disk.
const demoTimeout = 25 * time.Second

func (s *server) submitSetupDemo(c echo.Context) error {
	return s.once(c, s.setUpDemo, func(c echo.Context) error {
		p := typedSetup(c, s.Config.Timezone)
		p.Again = true
		return s.askSetup(c, http.StatusUnprocessableEntity, p)
	})
}

func (s *server) setUpDemo(c echo.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), demoTimeout)
	defer cancel()
	c.SetRequest(c.Request().WithContext(ctx))
	session, err := s.Auth.SetUpDemo(ctx, c.Param("token"), s.Demo, from(c))
	if err != nil {
		return err
	}
	return s.enter(c, session)
}

// commonZones are offered at first run; the configured one always is.
var commonZones = []string{
	"Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul", "Asia/Urumqi", "Asia/Bangkok",
	"Asia/Kolkata", "Asia/Dubai", "Europe/Moscow", "Europe/Berlin", "Europe/Paris", "Europe/London", "UTC", "America/Sao_Paulo",
	"America/New_York", "America/Chicago", "America/Los_Angeles", "Australia/Sydney", "Pacific/Auckland",
}

func (s *server) zones(chosen string) []views.Zone {
	names := slices.Clone(commonZones)
	for _, name := range []string{s.Config.Timezone, chosen} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var out []views.Zone
	for _, name := range names {
		if loc, err := time.LoadLocation(name); err == nil && name != "" {
			out = append(out, views.Zone{Name: name, Offset: s.Now().In(loc).Format("UTC-07:00")})
		}
	}
	return out
}
