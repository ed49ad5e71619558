package web

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) showAsking(c echo.Context) error {
	return s.askingPage(c, http.StatusOK, views.AskingProps{}, nil)
}

// askingPage shows what the group asks; typed is what a form brought along.
func (s *server) askingPage(c echo.Context, status int, p views.AskingProps, typed *group.AskingDraft) error {
	var err error
	if p.AskingPage, err = s.Groups.Asking(c.Request().Context(), actor(c), c.Param("id")); err != nil {
		return err
	}
	p.Draft = p.AskingPage.Asking.Draft()
	if typed != nil {
		p.Draft = *typed
	}
	return render(c, status, views.GroupAsking(p))
}

func (s *server) saveAsking(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, gid := c.Request().Context(), c.Param("id")
	now, err := s.Groups.Asking(ctx, actor(c), gid)
	if err != nil {
		return err
	}
	d := now.Asking.Draft()
	askingDraft(c, &d)
	err = s.Groups.SaveAsking(ctx, actor(c), gid, d)
	if bad, ok := complaints(c, err); ok {
		return s.askingPage(c, http.StatusUnprocessableEntity, views.AskingProps{Errors: bad}, &d)
	}
	if stale, ok := s.staleText(c, err); ok {
		return s.askingPage(c, http.StatusConflict, views.AskingProps{Stale: stale}, &d)
	}
	return s.done(c, err, "asking.saved", paths.To(paths.GroupAsking, gid))
}

// askingDraft lays the fields that were sent over those there are.
func askingDraft(c echo.Context, d *group.AskingDraft) {
	sent := c.Request().PostForm
	for name, field := range map[string]*string{"question": &d.Question, "answers": &d.Answers, "domains": &d.Domains} {
		if sent.Has(name) {
			*field = sent.Get(name)
		}
	}
	for name, field := range map[string]*bool{"invite": &d.Invite, "last4": &d.Last4} {
		if typed, given := sent[name]; given {
			*field = slices.Contains(typed, "on")
		}
	}
	d.Version = -1
	if version, err := strconv.Atoi(sent.Get("version")); err == nil && version >= 0 {
		d.Version = version
	}
	if !sent.Has("field1_label") {
		return
	}
	d.Fields = nil
	for n := 1; n <= group.MaxFields; n++ {
		row := fmt.Sprintf("field%d_", n)
		d.Fields = append(d.Fields, group.FieldDraft{Key: sent.Get(row + "key"), Label: sent.Get(row + "label"), Kind: sent.Get(row + "kind"),
			Options: sent.Get(row + "options"), Required: sent.Get(row+"required") == "on"})
	}
}

func (s *server) showInvites(c echo.Context) error {
	return s.invitesPage(c, http.StatusOK, nil)
}

func (s *server) invitesPage(c echo.Context, status int, bad map[string]string) error {
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	batches, err := s.Joins.Invites(ctx, by, gid)
	if err != nil {
		return err
	}
	p := views.InvitesProps{Batches: batches, Errors: bad, Now: s.Now(),
		Typed: join.InviteDraft{Label: c.FormValue("label"), Quantity: c.FormValue("quantity"), Uses: c.FormValue("uses"), Until: c.FormValue("until")}}
	if p.AskingPage, err = s.Groups.Asking(ctx, by, gid); err != nil {
		return err
	}
	return render(c, status, views.GroupInvites(p))
}

func (s *server) makeInvites(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	gid := c.Param("id")
	id, err := s.Joins.MakeInvites(c.Request().Context(), actor(c), gid, join.InviteDraft{Label: c.FormValue("label"), Quantity: c.FormValue("quantity"),
		Uses: c.FormValue("uses"), Until: c.FormValue("until")})
	if bad, ok := complaints(c, err); ok {
		return s.invitesPage(c, http.StatusUnprocessableEntity, bad)
	}
	return s.done(c, err, "asking.batch.made", paths.To(paths.GroupInvites, gid)+fmt.Sprintf("#b%d", id))
}

func (s *server) inviteSheet(c echo.Context) (join.InviteSheet, error) {
	id, err := strconv.ParseInt(c.Param("batch"), 10, 64)
	if err != nil || c.Param("batch") != strconv.FormatInt(id, 10) {
		return join.InviteSheet{}, fault.NotFound
	}
	return s.Joins.InviteList(c.Request().Context(), actor(c), c.Param("id"), id)
}

// showInviteList is the list to print and cut.
func (s *server) showInviteList(c echo.Context) error {
	sheet, err := s.inviteSheet(c)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.InviteList(views.InviteListProps{InviteSheet: sheet, Now: s.Now()}))
}

// downloadInvites is the list as a file for a spreadsheet.
func (s *server) downloadInvites(c echo.Context) error {
	sheet, err := s.inviteSheet(c)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString("\ufeff")
	w := csv.NewWriter(&out)
	rows := [][]string{{"number", "code", "max_uses", "uses", "valid_until", "revoked"}}
	for _, i := range sheet.Codes {
		until, revoked := "", ""
		if i.ExpiresAt != nil {
			until = i.ExpiresAt.In(sheet.Location).Format(time.RFC3339)
		}
		if i.RevokedAt != nil {
			revoked = i.RevokedAt.In(sheet.Location).Format(time.RFC3339)
		}
		rows = append(rows, []string{strconv.Itoa(i.Number), i.Code, strconv.Itoa(i.MaxUses), strconv.Itoa(i.Uses), until, revoked})
	}
	if err := errors.Join(w.WriteAll(rows), w.Error()); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="invites-%d.csv"`, sheet.ID))
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", out.Bytes())
}

func (s *server) revokeInvites(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.Param("batch"), 10, 64)
	if err != nil || c.Param("batch") != strconv.FormatInt(id, 10) {
		return fault.NotFound
	}
	number := 0
	if text := c.FormValue("number"); text != "" {
		if number, err = strconv.Atoi(text); err != nil || number < 1 || number > join.MaxInvites {
			return fault.NotFound
		}
	}
	gid := c.Param("id")
	err = s.Joins.RevokeInvites(c.Request().Context(), actor(c), gid, id, number)
	if number > 0 && err == nil {
		return s.done(c, nil, "asking.batch.revoked.one", paths.To(paths.GroupInviteList, gid, id))
	}
	return s.done(c, err, "asking.batch.revoked", paths.To(paths.GroupInvites, gid))
}
