package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/directory"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) showLogo(c echo.Context) error {
	picture, err := s.Press.Logo(c.Request().Context())
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "image/png", picture)
}

func (s *server) saveLogo(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	picture, err := upload(c, "logo")
	if err != nil {
		return err
	}
	err = s.Press.SaveLogo(c.Request().Context(), actor(c), picture)
	if bad, ok := complaints(c, err); ok {
		o, err := s.Directory.Organisation(c.Request().Context())
		if err != nil {
			return err
		}
		d := directory.OrganisationDraft{Name: o.Name, Timezone: o.Timezone, Language: o.Language}
		return render(c, http.StatusUnprocessableEntity, views.SettingsOrganisation(views.OrganisationProps{Draft: d, BaseURL: s.Config.BaseURL,
			HasLogo: o.LogoFileID != nil, LogoError: bad["logo"]}))
	}
	return s.done(c, err, "print.logo.saved", paths.SettingsOrg)
}

func (s *server) removeLogo(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	err := s.Press.RemoveLogo(c.Request().Context(), actor(c))
	return s.done(c, err, "print.logo.removed", paths.SettingsOrg)
}
