package web

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/fault"
	"doorplate/views"
)

// exportTime is what writing one export may take.
const exportTime = 10 * time.Minute

// showAuditExport shows the form; who may not export is told which right is missing.
func (s *server) showAuditExport(c echo.Context) error {
	if !access.Can(actor(c), access.FullExport, access.Object{}) {
		return fault.Forbidden{Right: string(access.FullExport)}
	}
	p := views.ExportProps{What: "audit", Formats: s.Approvals.Formats()}
	if gid := queryText(c, "group"); gid != "" {
		g, err := s.Groups.ByID(c.Request().Context(), actor(c), gid)
		if err != nil {
			return err
		}
		p.What, p.Group, p.GroupName = approval.Roster, g.GID, g.Name
	}
	return render(c, http.StatusOK, views.Export(p))
}

func (s *server) requestExport(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d := approval.ExportDraft{What: c.FormValue("what"), Format: c.FormValue("format"), Group: c.FormValue("group")}
	id, err := s.Approvals.AskForExport(c.Request().Context(), actor(c), d, c.FormValue("note"))
	if bad, ok := complaints(c, err); ok {
		return render(c, http.StatusUnprocessableEntity, views.Export(views.ExportProps{What: d.What, Format: d.Format, Formats: s.Approvals.Formats(), Note: c.FormValue("note"), Errors: bad}))
	}
	return s.asked(c, id, err)
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
