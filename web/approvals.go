package web

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listApprovals(c echo.Context) error {
	over := c.QueryParam("view") == "over"
	after := queryNumber(c, "after")
	page, err := s.Approvals.List(c.Request().Context(), actor(c), over, after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Approvals(views.ApprovalsProps{Page: page, Over: over, First: after == 0, Super: actor(c).Super}))
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
	return render(c, status, views.Approval(views.ApprovalProps{Detail: d, Errors: bad, Reason: c.FormValue("reason")}))
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
