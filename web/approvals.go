package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/approval"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listApprovals(c echo.Context) error {
	f := approval.Filter{View: c.QueryParam("view"), Kind: c.QueryParam("kind"), Author: queryText(c, "q"), After: queryNumber(c, "after")}
	page, err := s.Approvals.List(c.Request().Context(), actor(c), f)
	if err != nil {
		return err
	}
	var read []int64
	for _, l := range page.Lines {
		if l.New && page.View == approval.Mine {
			read = append(read, l.ID)
		}
	}
	if err := s.noteSeen(c, read...); err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Approvals(views.ApprovalsProps{Page: page, Kind: f.Kind, Author: f.Author, First: f.After == 0}))
}

// noteSeen notes that the reader looked at outcomes, when somebody really looked.
func (s *server) noteSeen(c echo.Context, ids ...int64) error {
	if c.Request().Method != http.MethodGet || prefetched(c.Request()) {
		return nil
	}
	return s.Approvals.Seen(c.Request().Context(), actor(c), ids...)
}

func (s *server) showApproval(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.approvalPage(c, http.StatusOK, id, nil)
}

func (s *server) approvalPage(c echo.Context, status int, id int64, bad map[string]string) error {
	d, err := s.Approvals.ByID(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	if d.Own && d.SeenAt == nil {
		if err := s.noteSeen(c, id); err != nil {
			return err
		}
	}
	return render(c, status, views.Approval(views.ApprovalProps{Detail: d, Errors: bad, Reason: c.FormValue("reason"), NoteTyped: c.FormValue("note")}))
}

func (s *server) decideApproval(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.FormValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return fault.NotFound
	}
	decision := c.FormValue("decision")
	err = s.Approvals.Decide(c.Request().Context(), actor(c), id, decision, c.FormValue("reason"))
	if bad, ok := complaints(c, err); ok {
		return s.approvalPage(c, http.StatusUnprocessableEntity, id, bad)
	}
	note := "approvals.done.approved"
	if decision == "reject" {
		note = "approvals.done.rejected"
	}
	return s.done(c, err, note, paths.To(paths.Approval, id))
}

// explainApproval is the author's reason.
func (s *server) explainApproval(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	err = s.Approvals.Explain(c.Request().Context(), actor(c), id, c.FormValue("note"))
	if bad, ok := complaints(c, err); ok {
		return s.approvalPage(c, http.StatusUnprocessableEntity, id, bad)
	}
	return s.done(c, err, "second.done.explained", paths.To(paths.Approval, id))
}

// asked leads to the request that was just made, or to the one that waits for the same.
func (s *server) asked(c echo.Context, id int64, err error) error {
	var already approval.Already
	if errors.As(err, &already) && !wantsJSON(c) {
		return s.done(c, nil, "second.done.already", paths.To(paths.Approval, already.ID))
	}
	return s.done(c, err, "approvals.done.asked", paths.To(paths.Approval, id))
}

func (s *server) withdrawApproval(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	err = s.Approvals.Withdraw(c.Request().Context(), actor(c), id)
	return s.done(c, err, "approvals.done.withdrawn", paths.To(paths.Approval, id))
}
