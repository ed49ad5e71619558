package web

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/fault"
)

// noteTime is what writing a refusal down may take: the answer waits for it.
const noteTime = 3 * time.Second

// objectKinds are the first words of addresses that name one thing.
var objectKinds = map[string]string{"groups": "group", "codes": "code", "members": "member", "departments": "department", "requests": "request",
	"approvals": "approval", "prints": "print", "import": "import", "presets": "preset"}

// noteRefused writes into the trail that somebody signed in lacks a right. It is
// the only place that does: every refusal of a right ends here.
func (s *server) noteRefused(c echo.Context, err error) {
	var forbidden fault.Forbidden
	a, signedIn := c.Get(actorKey).(access.Actor)
	if !errors.As(err, &forbidden) || !signedIn {
		return
	}
	r := audit.Refusal{Right: forbidden.Right, Route: c.Request().Method + " " + c.Path()}
	// Refused at the gate, the address is only what somebody typed: any number of them, and none need exist.
	if c.Get(insideKey) != nil {
		r.Object = addressed(c)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), noteTime)
	defer cancel()
	if err := s.Audit.Refused(ctx, a, r); err != nil {
		s.Log.ErrorContext(ctx, "writing a refusal into the audit trail", "right", r.Right, "route", r.Route, "err", err)
	}
}

// addressed is the thing that the request's address names.
func addressed(c echo.Context) audit.Object {
	parts := strings.Split(c.Path(), "/")
	for i, part := range parts {
		if kind := objectKinds[parts[max(i-1, 0)]]; part == ":id" && kind != "" {
			return audit.Object{Kind: kind, ID: c.Param("id")}
		}
	}
	return audit.Object{}
}

// noteSignIn writes down that somebody tried to sign in.
func (s *server) noteSignIn(c echo.Context, a auth.Attempt) {
	a.From = from(c)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), noteTime)
	defer cancel()
	if err := s.Auth.Note(ctx, a); err != nil {
		s.Log.ErrorContext(ctx, "writing a sign-in into the audit trail", "err", err)
	}
}

// noteLimit does so for one who tried too often.
func (s *server) noteLimit(c echo.Context, phone string, err error) {
	var many fault.TooMany
	if errors.As(err, &many) {
		s.noteSignIn(c, auth.Attempt{Phone: phone, Cause: "too many tries"})
	}
}
