package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/directory"
	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) showOrganisation(c echo.Context) error {
	o, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	d := directory.OrganisationDraft{Name: o.Name, Timezone: o.Timezone, Language: o.Language}
	return render(c, http.StatusOK, views.SettingsOrganisation(views.OrganisationProps{Draft: d, BaseURL: s.Config.BaseURL, HasLogo: o.LogoFileID != nil}))
}

func (s *server) saveOrganisation(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	o, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	d := directory.OrganisationDraft{Name: o.Name, Timezone: o.Timezone, Language: o.Language}
	for name, field := range map[string]*string{"name": &d.Name, "organisation": &d.Name, "timezone": &d.Timezone, "language": &d.Language} {
		if typed, given := c.Request().PostForm[name]; given {
			*field = typed[0]
		}
	}
	err = s.Directory.SaveOrganisation(c.Request().Context(), actor(c), d)
	if bad, ok := complaints(c, err); ok {
		return render(c, http.StatusUnprocessableEntity, views.SettingsOrganisation(views.OrganisationProps{Draft: d, Errors: bad, BaseURL: s.Config.BaseURL, HasLogo: o.LogoFileID != nil}))
	}
	return s.done(c, err, "settings.saved", paths.SettingsOrg)
}

func (s *server) showPolicies(c echo.Context) error {
	return s.policiesPage(c, http.StatusOK, views.PoliciesProps{})
}

// policiesPage shows the policies and presets; what p brings along was typed and is wrong.
func (s *server) policiesPage(c echo.Context, status int, p views.PoliciesProps) error {
	policies, err := s.Directory.Policies(c.Request().Context())
	if err != nil {
		return err
	}
	values := policies.Texts()
	for name, typed := range p.Values {
		values[name] = typed
	}
	p.Values = values
	if p.Presets, err = s.Groups.Presets(c.Request().Context()); err != nil {
		return err
	}
	if p.Purges, err = s.Scans.Purges(c.Request().Context(), actor(c)); err != nil {
		return err
	}
	return render(c, status, views.SettingsPolicies(p))
}

func (s *server) savePolicies(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	values := map[string]string{}
	standard := directory.DefaultPolicies()
	for name := range standard.Texts() {
		typed, given := c.Request().PostForm[name]
		switch {
		case !given:
		case slices.Contains(typed, "on"): // a ticked box comes after its hidden "off"
			values[name] = "on"
		default:
			values[name] = strings.Join(typed, " ")
		}
	}
	id, err := s.Approvals.SavePolicies(c.Request().Context(), actor(c), s.Directory, values, c.FormValue("note"))
	if bad, ok := complaints(c, err); ok {
		return s.policiesPage(c, http.StatusUnprocessableEntity, views.PoliciesProps{Values: values, Errors: bad})
	}
	if id != 0 && err == nil {
		return s.done(c, nil, "second.done.retention", paths.To(paths.Approval, id))
	}
	return s.done(c, err, "settings.saved", paths.SettingsPolicies)
}

func (s *server) savePreset(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	d := group.PresetDraft{Capacity: c.FormValue("capacity"), Validity: c.FormValue("validity"), TotalCap: c.FormValue("total_cap"),
		DailyCap: c.FormValue("daily_cap"), Source: c.FormValue("source"), ValidityFixed: c.FormValue("validity_fixed") == "on"}
	ctx := c.Request().Context()
	err = s.Groups.SavePreset(ctx, actor(c), id, d, i18n.Lang(ctx) == i18n.English)
	if bad, ok := complaints(c, err); ok {
		return s.policiesPage(c, http.StatusUnprocessableEntity, views.PoliciesProps{PresetID: id, PresetDraft: d, PresetErrors: bad})
	}
	return s.done(c, err, "settings.saved", paths.SettingsPolicies)
}

func (s *server) showRoles(c echo.Context) error { return s.rolesPage(c, http.StatusOK, nil) }

func (s *server) rolesPage(c echo.Context, status int, bad map[string]string) error {
	supers, err := s.Directory.Supers(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	roles, err := s.Directory.Roles(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return render(c, status, views.SettingsRoles(views.RolesProps{Roles: roles, Supers: supers, Self: actor(c).MemberID, Rows: access.Overview(),
		Errors: bad, Phone: c.FormValue("phone")}))
}

// appointSuper appoints the second super admin at once; any further one waits for a second person.
func (s *server) appointSuper(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, member, phone := c.Request().Context(), actor(c), c.FormValue("member_id"), c.FormValue("phone")
	_, err := s.Directory.AppointSecondSuper(ctx, by, member, phone)
	if errors.Is(err, directory.ErrSecondPerson) {
		return s.askForSuper(c, approval.SuperAppoint)
	}
	if bad, ok := complaints(c, err); ok {
		return s.rolesPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "settings.super.appointed", paths.SettingsRoles)
}

func (s *server) removeSuper(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	return s.askForSuper(c, approval.SuperRemove)
}

func (s *server) askForSuper(c echo.Context, kind string) error {
	id, err := s.Approvals.AskForSuper(c.Request().Context(), actor(c), kind, c.FormValue("member_id"), c.FormValue("phone"), c.FormValue("note"))
	if bad, ok := complaints(c, err); ok {
		return s.rolesPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.asked(c, id, err)
}
