package web

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

// exportTime is what writing one export may take.
const exportTime = 10 * time.Minute

// showAuditExport shows the form; who may not export is told which right is missing.
func (s *server) showAuditExport(c echo.Context) error {
	if !access.Can(actor(c), access.FullExport, access.Object{}) {
		return fault.Forbidden{Right: string(access.FullExport)}
	}
	return render(c, http.StatusOK, views.Export(views.ExportProps{What: "audit"}))
}

func (s *server) requestExport(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := s.Approvals.AskForExport(c.Request().Context(), actor(c), c.FormValue("what"))
	if bad, ok := complaints(c, err); ok {
		return render(c, http.StatusUnprocessableEntity, views.Export(views.ExportProps{What: c.FormValue("what"), Error: bad["what"]}))
	}
	return s.done(c, err, "approvals.done.asked", paths.To(paths.Approval, id))
}

// downloadApprovalFile streams an approved export to its author.
func (s *server) downloadApprovalFile(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	f, err := s.Approvals.Fetch(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, f.ContentType)
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	if c.Request().Method == http.MethodHead {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), exportTime)
	defer cancel()
	return f.Write(ctx, c.Response())
}
