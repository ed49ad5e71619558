package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

const auditPage = 50

// auditAreas are the first words of actions, for the filter.
var auditAreas = []string{"auth", "member", "department", "import", "group", "code", "request", "join", "approval", "super", "organisation", "policies", "export", "scans"}

// listAudit shows the trail, newest first.
func (s *server) listAudit(c echo.Context) error {
	ctx, q := c.Request().Context(), c.QueryParams()
	loc := s.location(ctx)
	p := views.AuditProps{Areas: auditAreas, Who: queryText(c, "who"), Area: q.Get("area"), From: q.Get("from"), To: q.Get("to"),
		CanExport: access.Can(actor(c), access.FullExport, access.Object{})}
	f := audit.Filter{Actor: p.Who, ObjectKind: queryText(c, "kind"), ObjectID: queryText(c, "object")}
	if slices.Contains(auditAreas, p.Area) {
		f.Action = p.Area + "."
	}
	var badFrom, badTo bool
	f.From, badFrom = day(p.From, loc, 0)
	f.To, badTo = day(p.To, loc, 1)
	if badFrom || badTo {
		p.DateError = i18n.T(ctx, "audit.date.invalid")
	}
	f.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64) // anything else is the first page
	lines, err := s.Audit.List(ctx, actor(c), f, auditPage+1)
	if err != nil {
		return err
	}
	if p.State, err = s.Audit.State(ctx, actor(c)); err != nil {
		return err
	}
	if len(lines) > auditPage {
		lines = lines[:auditPage]
		p.Next = auditURL(q, strconv.FormatInt(lines[auditPage-1].ID, 10))
	}
	if f.Before > 0 {
		p.First = auditURL(q, "")
	}
	if f.ObjectID != "" && len(lines) > 0 {
		p.Object = lines[0].ObjectName
	}
	p.Lines = lines
	return render(c, http.StatusOK, views.Audit(p))
}

func auditURL(q url.Values, before string) string {
	return paths.With(paths.Audit, "who", q.Get("who"), "area", q.Get("area"), "from", q.Get("from"), "to", q.Get("to"),
		"kind", q.Get("kind"), "object", q.Get("object"), "before", before)
}

// day reads YYYY-MM-DD as that day's start in loc, shifted by days. Empty is no time.
func day(text string, loc *time.Location, shift int) (at time.Time, bad bool) {
	if text == "" {
		return time.Time{}, false
	}
	d, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil || d.Year() < 1970 || d.Year() > 9999 {
		return time.Time{}, true
	}
	return d.AddDate(0, 0, shift).UTC(), false
}
