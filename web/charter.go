package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/paths"
	"doorplate/views"
)

// charterDraft lays the charter's fields that the form has over those there are.
func charterDraft(c echo.Context, d *group.CharterDraft) {
	sent := c.Request().PostForm
	for name, field := range map[string]*string{"tier": &d.Tier, "welcome": &d.Welcome} {
		if typed, given := sent[name]; given {
			*field = typed[0]
		}
	}
	for name, field := range map[string]*bool{"announcement": &d.Announcement, "real_name": &d.RealName, "ask_company": &d.AskCompany,
		"members_invite": &d.MembersInvite, "archive": &d.Archive} {
		if typed, given := sent[name]; given {
			*field = slices.Contains(typed, "on") // a ticked box comes after its hidden "off"
		}
	}
}

// staleText is the sentence of a conflict about an older form; false for any other error.
func (s *server) staleText(c echo.Context, err error) (string, bool) {
	var conflict fault.Conflict
	if !errors.As(err, &conflict) || wantsJSON(c) || conflict.Key != "groups.error.stale" && conflict.Key != "charter.error.rules.stale" {
		return "", false
	}
	return s.conflictText(c.Request().Context(), conflict), true
}

// aside reads what a group's page says beyond who is in.
func (s *server) aside(ctx context.Context, by access.Actor, p *views.GroupProps) (err error) {
	p.Aside, err = s.Groups.Aside(ctx, by, p.Header)
	return err
}

func (s *server) showRules(c echo.Context) error {
	return s.rulesPage(c, http.StatusOK, views.RulesProps{})
}

// rulesPage shows the rules; what p brings along was typed.
func (s *server) rulesPage(c echo.Context, status int, p views.RulesProps) error {
	page, err := s.Groups.Rules(c.Request().Context(), actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	p.RulesPage = page
	if status != http.StatusOK {
		p.Text, p.Again = c.FormValue("rules"), c.FormValue("again") == "on"
	} else if page.Rules != nil {
		p.Text = page.Rules.Text
	}
	return render(c, status, views.GroupRules(p))
}

func (s *server) saveRules(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	version, err := strconv.Atoi(c.FormValue("version"))
	if err != nil || version < 0 {
		version = -1
	}
	gid := c.Param("id")
	err = s.Groups.SaveRules(c.Request().Context(), actor(c), gid, c.FormValue("rules"), version, c.FormValue("again") == "on")
	if bad, ok := complaints(c, err); ok {
		return s.rulesPage(c, http.StatusUnprocessableEntity, views.RulesProps{Errors: bad})
	}
	if stale, ok := s.staleText(c, err); ok {
		return s.rulesPage(c, http.StatusConflict, views.RulesProps{Stale: stale})
	}
	return s.done(c, err, "charter.rules.saved", paths.To(paths.GroupRules, gid))
}

func (s *server) acceptRules(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.AcceptRules(c.Request().Context(), actor(c), gid, c.FormValue("rules"))
	return s.done(c, err, "charter.rules.thanks", paths.To(paths.Group, gid))
}

func (s *server) confirmConvert(c echo.Context) error {
	h, err := s.Groups.Converting(c.Request().Context(), actor(c), c.Param("id"))
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.ConvertGroup(h))
}

func (s *server) convertGroup(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.Convert(c.Request().Context(), actor(c), gid)
	return s.done(c, err, "charter.convert.done", paths.To(paths.Group, gid))
}

func (s *server) confirmHandOver(c echo.Context) error {
	v, err := s.Groups.HandingOver(c.Request().Context(), actor(c), c.Param("id"), queryText(c, "q"), queryText(c, "member_id"))
	var nobody fault.Invalid
	if errors.As(err, &nobody) && !wantsJSON(c) {
		return fault.NotFound
	}
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.HandOver(v))
}

func (s *server) confirmRemoveMember(c echo.Context) error {
	h, who, err := s.Groups.Removing(c.Request().Context(), actor(c), c.Param("id"), c.Param("membership"))
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.RemoveMember(views.RemoveMemberProps{Header: h, Removal: who}))
}

func (s *server) restoreMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Groups.Restore(c.Request().Context(), actor(c), gid, c.Param("membership"))
	return s.done(c, err, "charter.undo.done", paths.To(paths.Group, gid))
}

func (s *server) proposeMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	err := s.Joins.Propose(c.Request().Context(), actor(c), gid, c.FormValue("member_id"), c.FormValue("phone"))
	if bad, ok := complaints(c, err); ok {
		return s.groupPage(c, http.StatusUnprocessableEntity, map[string]string{"propose": bad["phone"] + bad["member_id"]})
	}
	return s.done(c, err, "charter.propose.done", paths.To(paths.Group, gid))
}

// holderReminders adds the large groups in which too few share the work.
func (s *server) holderReminders(ctx context.Context, by access.Actor, lines []views.Reminder) ([]views.Reminder, error) {
	groups, err := s.Groups.Understaffed(ctx, by)
	for _, g := range groups {
		lines = append(lines, views.HolderReminder(ctx, g))
	}
	return lines, err
}
