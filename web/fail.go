package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/views"
)

// problem is what a reader learns of an error, in either form of answer.
type problem struct {
	status int
	title  string
	text   string
	fields map[string]string
	after  time.Duration
	ours   bool // logged, with a reference
}

// fail is the one exit for errors: one page or problem+json, at most one log line.
func (s *server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		s.Log.ErrorContext(c.Request().Context(), "failed after the answer began", "path", c.Path(), "err", err)
		return
	}
	// The request's own time may be over; its error page must still be written.
	c.SetRequest(c.Request().WithContext(context.WithoutCancel(c.Request().Context())))
	s.noteRefused(c, err)
	p := s.explain(c.Request().Context(), err)
	reference := ""
	if p.ours {
		reference = requestID(c)
		s.Log.ErrorContext(c.Request().Context(), "request failed", "reference", reference, "method", c.Request().Method, "route", c.Path(), "err", err)
	}
	if p.after > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int((p.after+time.Second-1)/time.Second)))
	}
	if wantsJSON(c) {
		s.answerProblem(c, p, reference)
		return
	}
	props := views.ErrorProps{Title: p.title, Text: p.text, Reference: reference, SignedIn: c.Get(actorKey) != nil, Why: s.whyRefused(c, err)}
	if err := render(c, p.status, views.Error(props)); err != nil {
		s.Log.Error("rendering the error page", "err", err)
	}
}

// answerProblem writes RFC 9457.
func (s *server) answerProblem(c echo.Context, p problem, reference string) {
	body := map[string]any{"type": "about:blank", "title": p.title, "status": p.status, "detail": p.text}
	if reference != "" {
		body["instance"] = reference
	}
	if len(p.fields) > 0 {
		body["fields"] = p.fields
	}
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(p.status)
	if err := c.Echo().JSONSerializer.Serialize(c, body, ""); err != nil {
		s.Log.Error("writing problem+json", "err", err)
	}
}

// explain maps every kind of error to its status and its words.
func (s *server) explain(ctx context.Context, err error) problem {
	say := func(status int, key string, args ...any) problem {
		return problem{status: status, title: i18n.T(ctx, "error."+key+".title"), text: i18n.T(ctx, "error."+key+".text", args...)}
	}
	var (
		forbidden   fault.Forbidden
		conflict    fault.Conflict
		invalid     fault.Invalid
		many        fault.TooMany
		large       fault.TooLarge
		gone        fault.Gone
		unavailable fault.Unavailable
		he          *echo.HTTPError
	)
	switch {
	case errors.Is(err, fault.NotFound):
		return say(http.StatusNotFound, "notfound")
	case errors.As(err, &forbidden):
		return say(http.StatusForbidden, "forbidden", "Right", i18n.T(ctx, "right."+forbidden.Right))
	case errors.As(err, &conflict):
		return problem{status: http.StatusConflict, title: i18n.T(ctx, "error.conflict.title"), text: s.conflictText(ctx, conflict)}
	case errors.As(err, &invalid):
		p := problem{status: http.StatusUnprocessableEntity, title: i18n.T(ctx, "error.invalid.title"), fields: map[string]string{}}
		var lines []string
		for field, m := range invalid {
			p.fields[field] = text(ctx, m)
			lines = append(lines, p.fields[field])
		}
		p.text = i18n.T(ctx, "error.invalid.text", "Text", strings.Join(lines, " "))
		return p
	case errors.As(err, &many):
		p := say(http.StatusTooManyRequests, "toomany", "Text", text(ctx, many.Message), "Wait", waitWords(ctx, many.After))
		p.after = max(many.After, time.Second)
		return p
	case errors.As(err, &large):
		return say(http.StatusRequestEntityTooLarge, "toolarge", "Limit", fmt.Sprintf("%d MB", large.Limit>>20))
	case errors.As(err, &gone):
		return problem{status: http.StatusGone, title: i18n.T(ctx, "error.gone.title"), text: text(ctx, gone.Message)}
	case errors.As(err, &unavailable), errors.Is(err, context.DeadlineExceeded):
		p := say(http.StatusServiceUnavailable, "unavailable")
		p.ours, p.after = true, 5*time.Second
		return p
	case errors.Is(err, context.Canceled):
		return say(499, "badrequest") // the reader left; nobody sees this
	case errors.As(err, &he):
		return sayHTTP(say, he.Code)
	}
	p := say(http.StatusInternalServerError, "internal")
	p.ours = true
	return p
}

// waitWords rounds up: who comes back when it says so must not be refused again.
func waitWords(ctx context.Context, d time.Duration) string {
	if d <= 90*time.Second {
		return i18n.T(ctx, "wait.seconds", "Count", int((d+time.Second-1)/time.Second))
	}
	return i18n.T(ctx, "wait.minutes", "Count", int((d+time.Minute-1)/time.Minute))
}

// sayHTTP explains what the router refused by itself.
func sayHTTP(say func(int, string, ...any) problem, status int) problem {
	switch status {
	case http.StatusNotFound:
		return say(status, "notfound")
	case http.StatusMethodNotAllowed:
		return say(status, "method")
	case http.StatusUnauthorized:
		return say(status, "signin")
	case http.StatusForbidden:
		return say(status, "crossorigin")
	case http.StatusServiceUnavailable:
		return say(status, "setup")
	}
	return say(http.StatusBadRequest, "badrequest")
}

func (s *server) conflictText(ctx context.Context, c fault.Conflict) string {
	if c.By == "" {
		return text(ctx, c.Message)
	}
	at := c.At.In(s.location(ctx)).Format("15:04")
	return i18n.T(ctx, "error.conflict.by", "By", c.By, "At", at, "Text", text(ctx, c.Message))
}

// text is a message in the reader's language.
func text(ctx context.Context, m fault.Message) string {
	if m.Key == "" {
		return ""
	}
	return i18n.T(ctx, m.Key, m.Args...)
}

func acceptsJSON(accept string) bool {
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
