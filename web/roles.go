package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

func roleDraft(c echo.Context) directory.RoleDraft {
	return directory.RoleDraft{Name: c.FormValue("name"), Rights: c.Request().PostForm["right"], Version: c.FormValue("version")}
}

func (s *server) newRole(c echo.Context) error {
	return render(c, http.StatusOK, views.Role(views.RoleProps{}))
}

func (s *server) createRole(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d := roleDraft(c)
	id, err := s.Directory.CreateRole(c.Request().Context(), actor(c), d)
	if bad, ok := complaints(c, err); ok {
		return render(c, http.StatusUnprocessableEntity, views.Role(views.RoleProps{Draft: d, Errors: bad}))
	}
	return s.done(c, err, "roles.flash.created", paths.To(paths.SettingsRole, id))
}

func (s *server) showRole(c echo.Context) error {
	return s.rolePage(c, http.StatusOK, views.RoleProps{})
}

// rolePage shows a role; what p brings along was typed and is wrong.
func (s *server) rolePage(c echo.Context, status int, p views.RoleProps) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	if p.Role, err = s.Directory.Role(ctx, by, id); err != nil {
		return err
	}
	if p.Errors == nil {
		p.Draft = p.Role.Draft()
	}
	if p.Holders, err = s.Directory.Holders(ctx, by, id); err != nil {
		return err
	}
	if p.Choose, err = s.chooser(c, "department_id", directory.Anywhere, false, p.Typed.Department); err != nil {
		return err
	}
	return render(c, status, views.Role(p))
}

func (s *server) saveRole(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	d := roleDraft(c)
	err = s.Directory.SaveRole(c.Request().Context(), actor(c), id, d)
	if bad, ok := complaints(c, err); ok {
		return s.rolePage(c, http.StatusUnprocessableEntity, views.RoleProps{Draft: d, Errors: bad})
	}
	return s.done(c, err, "settings.saved", paths.To(paths.SettingsRole, id))
}

func (s *server) confirmRoleDelete(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	r, err := s.Directory.Role(ctx, by, id)
	if err != nil {
		return err
	}
	holders, err := s.Directory.Holders(ctx, by, id)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.RoleDelete(views.RoleProps{Role: r, Holders: holders}))
}

func (s *server) deleteRole(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.done(c, s.Directory.DeleteRole(c.Request().Context(), actor(c), id), "roles.flash.deleted", paths.SettingsRoles)
}

func (s *server) grantRole(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", directory.Anywhere, false); err != nil {
		return err
	}
	typed := views.RoleGrantForm{Phone: c.FormValue("phone"), Department: c.FormValue("department_id")}
	err = s.Directory.GrantRole(c.Request().Context(), actor(c), id, c.FormValue("member_id"), typed.Phone, typed.Department)
	if bad, ok := complaints(c, err); ok {
		typed.Errors = bad
		return s.rolePage(c, http.StatusUnprocessableEntity, views.RoleProps{Typed: typed})
	}
	return s.done(c, err, "roles.flash.granted", paths.To(paths.SettingsRole, id)+"#holders")
}

func (s *server) withdrawRole(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	grant, err := strconv.ParseUint(c.Param("grant"), 10, 63)
	if err != nil {
		return fault.NotFound
	}
	err = s.Directory.WithdrawRole(c.Request().Context(), actor(c), id, int64(grant))
	return s.done(c, err, "roles.flash.withdrawn", paths.To(paths.SettingsRole, id)+"#holders")
}

func (s *server) changeDeputies(c echo.Context) error {
	return s.changeDepartment(c, "deputies", func(id int64) error {
		ctx, by, member, phone := c.Request().Context(), actor(c), c.FormValue("member_id"), c.FormValue("phone")
		switch c.FormValue("action") {
		case "add":
			return s.Directory.AddDeputy(ctx, by, id, member, phone)
		case "remove":
			return s.Directory.RemoveDeputy(ctx, by, id, member, phone)
		}
		if err := s.Directory.MayAppoint(ctx, by, id); err != nil {
			return err
		}
		return fault.Invalid{"action": fault.Msg("contacts.heads.action")}
	})
}

func (s *server) showAbsence(c echo.Context) error {
	return s.absencePage(c, http.StatusOK, views.AbsenceProps{})
}

func (s *server) absencePage(c echo.Context, status int, p views.AbsenceProps) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if p.AbsencePage, err = s.Directory.AbsencePage(ctx, actor(c), id); err != nil {
		return err
	}
	p.Today = s.Now().In(s.location(ctx)).Format(time.DateOnly)
	return render(c, status, views.MemberAbsence(p))
}

func (s *server) changeAbsence(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	if c.FormValue("action") == "end" {
		return s.done(c, s.Directory.EndAbsence(ctx, by, id), "roles.flash.back", paths.To(paths.MemberAbsence, id))
	}
	p := views.AbsenceProps{From: c.FormValue("from"), Until: c.FormValue("until")}
	err = s.Directory.SetAbsence(ctx, by, id, p.From, p.Until)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		p.Errors = told(ctx, wrong)
		return s.absencePage(c, http.StatusUnprocessableEntity, p)
	}
	return s.done(c, err, "roles.flash.absent", paths.To(paths.MemberAbsence, id))
}
