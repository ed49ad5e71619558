package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/scan"
	"doorplate/views"
)

// traceScan shows what the engine says about a scan, recorded or made up. It is
// a question: nothing is recorded.
func (s *server) traceScan(c echo.Context) error {
	ctx := c.Request().Context()
	org, err := s.Directory.Organisation(ctx)
	if err != nil {
		return err
	}
	p := views.TraceProps{Now: s.Now().In(org.Location()), Typed: views.TraceForm{Ref: traceField(c, "ref"), Code: traceField(c, "code"), Person: traceField(c, "person"),
		SignedIn: c.QueryParam("signed") == "on", At: traceField(c, "from"), Address: traceField(c, "address"), Agent: traceField(c, "agent")}}
	if p.Typed.Ref == "" && c.QueryParam("ask") == "" {
		return render(c, http.StatusOK, views.Trace(p))
	}
	if err := s.askEngine(c, org, &p); err != nil {
		var wrong fault.Invalid
		if !errors.As(err, &wrong) || wantsJSON(c) {
			return err
		}
		p.Errors, _ = complaints(c, err)
		return render(c, http.StatusUnprocessableEntity, views.Trace(p))
	}
	return render(c, http.StatusOK, views.Trace(p))
}

// traceField is one typed text, bounded: it comes back on the page.
func traceField(c echo.Context, name string) string {
	return clipText(strings.TrimSpace(queryText(c, name)), 300)
}

func (s *server) askEngine(c echo.Context, org directory.Organisation, p *views.TraceProps) error {
	ctx, by := c.Request().Context(), actor(c)
	q := scan.Question{Ref: p.Typed.Ref, Code: p.Typed.Code, Person: p.Typed.Person, SignedIn: p.Typed.SignedIn, Address: p.Typed.Address, UserAgent: p.Typed.Agent}
	if p.Typed.At != "" && q.Ref == "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", p.Typed.At, org.Location())
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			return fault.Invalid{"from": fault.Msg("trace.error.at")}
		}
		q.At = at
	}
	t, err := s.Scans.Trace(ctx, by, q)
	if err != nil {
		return err
	}
	p.Trace = &t
	if t.Facts == nil || t.Outcome != scan.Live {
		return nil
	}
	var member *int64
	if t.Member != nil && t.Member.Status == directory.Active {
		member = &t.Member.ID
	}
	ahead, err := s.Joins.Outlook(ctx, by, t.Facts.PublicID, member)
	if err != nil {
		return err
	}
	p.Ahead = &ahead
	return nil
}

// mayTrace reports whether the visitor of a public page is signed in as somebody who may see traces.
func (s *server) mayTrace(c echo.Context) bool {
	if _, err := c.Cookie(s.cookieName(sessionCookie)); err != nil {
		return false
	}
	a, err := s.signedIn(c)
	return err == nil && access.Can(a, access.PolicyTrace, access.Object{})
}
