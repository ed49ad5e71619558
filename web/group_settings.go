package web

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/group"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) showGroupSettings(c echo.Context) error {
	return s.settingsPage(c, http.StatusOK, nil, nil)
}

// settingsPage shows the settings, or what somebody just typed into them.
func (s *server) settingsPage(c echo.Context, status int, typed *group.Draft, bad map[string]string) error {
	return s.staleSettings(c, status, typed, bad, "")
}

// staleSettings is settingsPage with who saved first: sent again, what was typed is meant.
func (s *server) staleSettings(c echo.Context, status int, typed *group.Draft, bad map[string]string, stale string) error {
	g, err := s.Groups.Settings(c.Request().Context(), actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	if g.Status != group.Active {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.Group, g.GID))
	}
	d := group.DraftOf(g.Group, g.Location)
	if typed != nil {
		d = *typed
		if stale != "" {
			d.Version = g.Version
		}
	}
	numbers := group.Numbers{}
	if g.Can.Codes {
		if numbers, err = s.Groups.Numbers(c.Request().Context(), actor(c), g.GID); err != nil {
			return err
		}
	}
	var choose views.Chooser
	if g.Can.Move {
		if choose, err = s.chooser(c, "department_id", groupHomes(actor(c)), false, d.DepartmentID); err != nil {
			return err
		}
	}
	return render(c, status, views.GroupSettings(views.GroupSettingsProps{Settings: g, Numbers: numbers, Now: s.Now(), Stale: stale,
		Lacks: missing(actor(c), g.Object(false), access.GroupRename, access.GroupSettings, access.GroupHandOver, access.GroupDuties, access.GroupDisband),
		Form:  views.GroupFormProps{Draft: d, Errors: bad, Choose: choose, UpstreamDays: g.UpstreamDays, Group: &g}}))
}

func (s *server) saveGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	h, err := s.Groups.ByID(ctx, by, gid)
	if err != nil {
		return err
	}
	loc, err := s.Groups.Location(ctx)
	if err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", groupHomes(actor(c)), false); err != nil {
		return err
	}
	d, err := draft(c, group.DraftOf(h.Group, loc))
	if err != nil {
		return err
	}
	err = s.Groups.Save(ctx, by, gid, d)
	if errors.Is(err, group.ErrOpenNeedsSecond) {
		return s.askToOpen(c, gid, d)
	}
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, &d, bad)
	}
	if stale, ok := s.staleText(c, err); ok {
		return s.staleSettings(c, http.StatusConflict, &d, nil, stale)
	}
	return s.done(c, err, "groups.saved", paths.To(paths.Group, gid))
}

// askToOpen asks a second super admin for the opening and saves the rest of the form.
func (s *server) askToOpen(c echo.Context, gid string, d group.Draft) error {
	ctx, by := c.Request().Context(), actor(c)
	id, err := s.Approvals.AskToOpen(ctx, by, gid, c.FormValue("note"))
	var already approval.Already
	if err == nil || errors.As(err, &already) {
		if lost := s.Groups.SaveUnopened(ctx, by, gid, d); lost != nil {
			return lost
		}
	}
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, &d, bad)
	}
	return s.asked(c, id, err)
}

func (s *server) handOverGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.HandOver(c.Request().Context(), actor(c), gid, c.FormValue("member_id"), c.FormValue("phone"))
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, nil, map[string]string{"owner": bad["member_id"] + bad["phone"]})
	}
	return s.done(c, err, "groups.handedover", paths.To(paths.Group, gid))
}

func (s *server) changeDuties(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.ChangeDuty(c.Request().Context(), actor(c), gid, c.FormValue("member_id"), c.FormValue("phone"),
		c.FormValue("duty"), c.FormValue("action") != "remove")
	if bad, ok := complaints(c, err); ok {
		return s.settingsPage(c, http.StatusUnprocessableEntity, nil, map[string]string{"duty": bad["member_id"] + bad["phone"] + bad["duty"]})
	}
	return s.done(c, err, "groups.duty.changed", paths.To(paths.Group, gid))
}

func (s *server) confirmDisband(c echo.Context) error { return s.disbandPage(c, http.StatusOK, nil) }

// disbandPage asks once more, with what would happen in numbers.
func (s *server) disbandPage(c echo.Context, status int, bad map[string]string) error {
	h, numbers, err := s.Groups.Disbanding(c.Request().Context(), actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	return render(c, status, views.DisbandGroup(views.DisbandProps{Header: h, Numbers: numbers, Errors: bad,
		Reason: c.FormValue("reason"), Confirm: c.FormValue("confirm_name")}))
}

func (s *server) disbandGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	var confirm *string
	if typed, given := c.Request().PostForm["confirm_name"]; given {
		confirm = &typed[0]
	}
	err := s.Groups.Disband(c.Request().Context(), actor(c), gid, c.FormValue("reason"), confirm)
	if bad, ok := complaints(c, err); ok {
		return s.disbandPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "groups.disbanded", paths.To(paths.Group, gid))
}
