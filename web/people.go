package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

// moveDepartment moves what was shown in a preview; without one it leads there.
func (s *server) moveDepartment(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	if err := s.resolveDepartments(c, "parent_id", directory.Within(access.DepartmentsEdit), false); err != nil {
		return err
	}
	parent, err := formID(c, "parent_id")
	if c.FormValue("parent_id") == "?" {
		parent, err = -1, nil // typed, and not one department: the domain says whether it may be asked at all
	}
	if err != nil {
		return err
	}
	seen := c.FormValue("seen")
	if seen == "" {
		_, err = s.Directory.PreviewMove(ctx, by, id, parent)
		var wrong fault.Invalid
		if errors.As(err, &wrong) && !wantsJSON(c) {
			return s.contacts(c, http.StatusUnprocessableEntity, id, views.DepartmentForm{Which: "move", Errors: told(ctx, wrong)})
		} else if err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, paths.With(paths.To(paths.DepartmentMoveAsk, id), "parent_id", strconv.FormatInt(parent, 10)))
	}
	err = s.Directory.MoveAsSeen(ctx, by, id, parent, seen)
	var stale fault.Conflict
	if errors.As(err, &stale) && !wantsJSON(c) {
		return s.movePage(c, http.StatusConflict, id, parent, text(ctx, stale.Message))
	}
	return s.departmentAnswer(c, err, id, views.DepartmentForm{Which: "move"})
}

func (s *server) confirmMove(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.movePage(c, http.StatusOK, id, queryNumber(c, "parent_id"), "")
}

func (s *server) movePage(c echo.Context, status int, id, parent int64, note string) error {
	m, err := s.Directory.PreviewMove(c.Request().Context(), actor(c), id, parent)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.contacts(c, http.StatusUnprocessableEntity, id, views.DepartmentForm{Which: "move", Errors: told(c.Request().Context(), wrong)})
	} else if err != nil {
		return err
	}
	return render(c, status, views.MoveDepartment(views.MoveProps{Move: m, Note: note}))
}

func (s *server) confirmReturn(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.returnPage(c, http.StatusOK, id, "", nil)
}

func (s *server) returnPage(c echo.Context, status int, id int64, reason string, wrong map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	err := s.Directory.MayReactivate(ctx, by, id)
	var taken fault.Conflict
	if err != nil && (!errors.As(err, &taken) || wantsJSON(c)) {
		return err
	}
	p, readErr := s.Directory.Profile(ctx, by, id)
	if readErr != nil {
		return readErr
	}
	if p.Member.Status != directory.Departed {
		return err
	}
	props := views.ReturnProps{Profile: p, Reason: reason, Errors: wrong, Blocked: text(ctx, taken.Message)}
	return render(c, status, views.ConfirmReturn(props))
}

func (s *server) reactivateMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, reason := c.Request().Context(), c.FormValue("reason")
	err = s.Directory.Reactivate(ctx, actor(c), id, reason)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.returnPage(c, http.StatusUnprocessableEntity, id, reason, told(ctx, wrong))
	}
	return s.done(c, err, "people.flash.returned", paths.To(paths.Member, id))
}

// handToHeir gives one group of a departed member to the proposed owner and
// comes back to the receipt.
func (s *server) handToHeir(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, by := c.Request().Context(), actor(c)
	if _, err := s.Directory.Profile(ctx, by, id); err != nil {
		return err
	}
	err = s.Groups.HandOver(ctx, by, c.FormValue("group"), c.FormValue("heir"), "")
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		s.flash(c, "warn", "people.heir.gone")
		return c.Redirect(http.StatusSeeOther, paths.To(paths.Member, id))
	}
	return s.done(c, err, "people.flash.heir", paths.To(paths.Member, id))
}

// confirmBulk says what will happen to the chosen members, or to all that a
// search finds, before it happens.
func (s *server) confirmBulk(c echo.Context) error {
	if len(c.QueryParams()) == 0 { // the form's bare address chooses nobody
		return c.Redirect(http.StatusSeeOther, paths.Contacts)
	}
	ctx, by := c.Request().Context(), actor(c)
	b := directory.Bulk{Action: c.QueryParam("action"), IDs: numbersOf(c.QueryParams()["id"])}
	if c.QueryParam("all") == "on" {
		q := directory.Search{Query: queryText(c, "q"), Department: queryNumber(c, "department")}
		ids, err := s.Directory.Matching(ctx, by, q)
		if err != nil {
			return err
		}
		b.IDs = ids
	}
	if !slices.Contains(directory.BulkActions, b.Action) {
		b.Action = directory.BulkAdd
	}
	return s.peopleBulkPage(c, http.StatusOK, b, nil)
}

func (s *server) peopleBulkPage(c echo.Context, status int, b directory.Bulk, wrong map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	p := views.PeopleBulkProps{Bulk: b, Errors: wrong}
	chosen := ""
	if b.Department > 0 {
		chosen = strconv.FormatInt(b.Department, 10)
	}
	var err error
	if p.Choose, err = s.chooser(c, "department_id", directory.Within(access.MembersEdit), false, chosen); err != nil {
		return err
	}
	look := b
	if wrong != nil {
		look.Department, look.Reason = 0, ""
	}
	p.People, err = s.Directory.PreviewBulk(ctx, by, look)
	var refused fault.Invalid
	if errors.As(err, &refused) && !wantsJSON(c) {
		if p.Errors == nil {
			p.Errors, status = told(ctx, refused), http.StatusUnprocessableEntity
		}
	} else if err != nil {
		return err
	}
	return render(c, status, views.PeopleBulk(p))
}

func (s *server) editInBulk(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	if err := s.resolveDepartments(c, "department_id", directory.Within(access.MembersEdit), false); err != nil {
		return err
	}
	ctx := c.Request().Context()
	department, err := strconv.ParseInt(c.FormValue("department_id"), 10, 64)
	if err != nil {
		department = -1
	}
	b := directory.Bulk{Action: c.FormValue("action"), IDs: numbersOf(c.Request().PostForm["id"]), Department: department, Reason: c.FormValue("reason")}
	id, err := s.Directory.EditBulk(ctx, actor(c), b)
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.peopleBulkPage(c, http.StatusUnprocessableEntity, b, told(ctx, wrong))
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.BulkEdited, id))
}

func (s *server) showPeopleBulk(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	r, err := s.Directory.BulkRun(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.BulkDone(views.BulkDoneProps{BulkRun: r, Title: i18n.T(c.Request().Context(), "people.bulk."+r.Action)}))
}

// numbersOf are the ids in a list of them; nonsense is left out.
func numbersOf(texts []string) (ids []int64) {
	for _, text := range texts {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}
