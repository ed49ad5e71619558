package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/operations"
	"doorplate/internal/paths"
	"doorplate/views"
)

// newBatch is the form for many groups at once, filled from a preset or a group
// that there is.
func (s *server) newBatch(c echo.Context) error {
	if err := group.MayCreateMany(actor(c)); err != nil {
		return err
	}
	o := operations.Order{Type: group.Internal, JoinMode: group.Approval, From: "1"}
	if like := queryText(c, "like"); like != "" {
		h, err := s.Groups.ByID(c.Request().Context(), actor(c), like)
		if err != nil {
			return err
		}
		base, no := group.SplitNumber(h.Name)
		o.Type, o.DepartmentID, o.Capacity, o.Purpose, o.JoinMode = h.Type, strconv.FormatInt(h.DepartmentID, 10), strconv.Itoa(h.Capacity), h.Purpose, h.JoinMode
		o.Pattern, o.From = base+" {n}", strconv.Itoa(no+1)
	}
	return s.batchForm(c, http.StatusOK, o, nil)
}

func (s *server) batchForm(c echo.Context, status int, o operations.Order, bad map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	p := views.BatchFormProps{Order: o, Errors: bad, Super: by.Super}
	var err error
	if p.Choose, err = s.chooser(c, "department_id", groupHomes(by), false, o.DepartmentID); err != nil {
		return err
	}
	if p.Presets, err = s.Groups.Presets(ctx); err != nil {
		return err
	}
	if chosen := queryNumber(c, "preset"); bad == nil && chosen > 0 {
		for _, preset := range p.Presets {
			if preset.ID == chosen {
				p.Order.Type, p.Order.Capacity, p.Preset = preset.Type, strconv.Itoa(preset.Capacity), preset.ID
			}
		}
	}
	if p.Recent, err = s.Operations.Recent(ctx, by); err != nil {
		return err
	}
	return render(c, status, views.BatchForm(p))
}

func (s *server) startBatch(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	_, file, err := importFile(c)
	if err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", groupHomes(actor(c)), false); err != nil {
		return err
	}
	o := operations.Order{Names: c.FormValue("names"), Pattern: c.FormValue("pattern"), From: c.FormValue("from"), Count: c.FormValue("count"),
		Type: c.FormValue("type"), DepartmentID: c.FormValue("department_id"), Capacity: c.FormValue("capacity"), Purpose: c.FormValue("purpose"),
		JoinMode: c.FormValue("join_mode"), Owner: strings.TrimSpace(c.FormValue("owner")), Code: c.FormValue("code"), File: file}
	id, err := s.Operations.Start(c.Request().Context(), actor(c), o)
	if bad, ok := complaints(c, err); ok {
		return s.batchForm(c, http.StatusUnprocessableEntity, o, bad)
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.GroupBatch, id))
}

func (s *server) downloadBatchTemplate(c echo.Context) error {
	ctx := c.Request().Context()
	return sendCSV(c, "groups", i18n.T(ctx, "operations.batch.template.file"), operations.Template(i18n.Lang(ctx)))
}

// showBatch is the preview of a draft, or what became of each group.
func (s *server) showBatch(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	r, err := s.Operations.ByID(ctx, by, id)
	if err != nil {
		return err
	}
	if r.State == operations.Done {
		return render(c, http.StatusOK, views.BatchResult(r))
	}
	p, err := s.Operations.Preview(ctx, by, id)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.BatchPreview(p))
}

func (s *server) createBatch(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	err = s.Operations.Create(c.Request().Context(), actor(c), id)
	return s.done(c, err, "operations.batch.done", paths.To(paths.GroupBatch, id))
}

// showSelect is the list of groups with a box at each; what is chosen stays
// chosen over pages and searches.
func (s *server) showSelect(c echo.Context) error { return s.selectPage(c, http.StatusOK, "") }

func (s *server) selectPage(c echo.Context, status int, wrong string) error {
	ctx, by := c.Request().Context(), actor(c)
	f, view := groupFilter(c)
	f.Disbanded = false
	page, err := s.Groups.List(ctx, by, f)
	if err != nil {
		return err
	}
	picked, err := s.Operations.Picked(ctx, by)
	if err != nil {
		return err
	}
	page.Lines = slices.DeleteFunc(page.Lines, func(l group.Line) bool { return !l.Manages })
	return render(c, status, views.SelectGroups(views.SelectProps{Page: page, View: view, Stage: f.Stage, Q: f.Q, After: f.After, Picked: picked, Wrong: wrong}))
}

// selectGroups keeps the boxes of a page and goes where the pressed button leads.
func (s *server) selectGroups(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	typed := c.Request().PostForm
	f, view := groupFilter(c)
	to := paths.With(paths.GroupsSelect, "view", view, "stage", f.Stage, "q", f.Q)
	var err error
	switch c.FormValue("action") {
	case "all":
		err = s.Operations.PickAll(ctx, by, f)
	case "none":
		err = s.Operations.Unpick(ctx, by)
	default:
		err = s.Operations.Pick(ctx, by, typed["shown"], typed["id"])
	}
	if bad, ok := complaints(c, err); ok {
		return s.selectPage(c, http.StatusUnprocessableEntity, bad["id"])
	} else if err != nil {
		return err
	}
	switch c.FormValue("action") {
	case "next":
		to = paths.With(paths.GroupsSelect, "view", view, "stage", f.Stage, "q", f.Q, "after", c.FormValue("next"))
	case "act":
		to = paths.GroupsBulk
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func (s *server) showBulk(c echo.Context) error { return s.bulkPage(c, http.StatusOK, nil) }

// bulkPage shows the selection and what can be done with it; with a department,
// what moving it there would change.
func (s *server) bulkPage(c echo.Context, status int, bad map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	p := views.BulkProps{Errors: bad, Field: c.FormValue}
	var err error
	if p.Groups, err = s.Operations.Picked(ctx, by); err != nil {
		return err
	}
	to := ""
	if p.MayMove = group.MayCreateMany(by) == nil; p.MayMove {
		if to, err = s.chooseNewHome(c, &p); err != nil {
			return err
		}
	}
	if to != "" && len(p.Groups) > 0 && bad == nil {
		m, err := s.Operations.PreviewMove(ctx, by, p.Groups, to)
		if wrong, ok := complaints(c, err); ok {
			p.Errors, status = wrong, http.StatusUnprocessableEntity
		} else if err != nil {
			return err
		} else {
			p.Moving = &m
		}
	}
	return render(c, status, views.Bulk(p))
}

// chooseNewHome prepares the choice of where the selection goes and answers what
// was chosen, be it by typing: this form changes nothing yet and is read by GET.
func (s *server) chooseNewHome(c echo.Context, p *views.BulkProps) (to string, err error) {
	ctx, by := c.Request().Context(), actor(c)
	to, typed := queryText(c, "department"), queryText(c, "department"+typedSuffix)
	if to == "" && typed != "" {
		found, err := s.Directory.Find(ctx, by, groupHomes(by), typed)
		if err != nil {
			return "", err
		}
		if len(found) == 1 {
			to = strconv.FormatInt(found[0].ID, 10)
		}
	}
	if p.Choose, err = s.chooser(c, "department", groupHomes(by), false, to); err != nil || to != "" || typed == "" {
		return to, err
	}
	p.Choose.Chooser, err = s.Directory.Choose(ctx, by, groupHomes(by), nil, typed)
	return "", err
}

// changeGroups does one thing to the groups that the form names, else to the selection.
func (s *server) changeGroups(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	gids := slices.Clone(c.Request().PostForm["id"])
	if len(gids) == 0 {
		picked, err := s.Operations.Picked(ctx, by)
		if err != nil {
			return err
		}
		for _, g := range picked {
			gids = append(gids, g.GID)
		}
	}
	change := operations.Change{Kind: c.FormValue("action"), JoinMode: c.FormValue("join_mode"), Duty: c.FormValue("duty"),
		DepartmentID: c.FormValue("department_id"), Reason: c.FormValue("reason")}
	change.Phone = c.FormValue(change.Kind + "_phone")
	if typed, given := c.Request().PostForm["confirm_count"]; given {
		change.Confirm = &typed[0]
	}
	id, err := s.Operations.Change(ctx, by, gids, change)
	if bad, ok := complaints(c, err); ok {
		return s.bulkPage(c, http.StatusUnprocessableEntity, bad)
	} else if err != nil {
		return err
	}
	if change.Kind == operations.KindPrint {
		return c.Redirect(http.StatusSeeOther, paths.With(paths.PrintNew, "batch", strconv.FormatInt(id, 10), "format", "poster"))
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.GroupBatch, id))
}
