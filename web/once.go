package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/auth"
	"doorplate/internal/fault"
)

// formKeyField is the hidden field of every public form; see formKey.
const formKeyField = "form_key"

// answerLimit is the largest page that is kept for a repeat.
const answerLimit = 64 << 10

// firstAnswerWait is how long a repeat waits for the first sending's answer.
const firstAnswerWait = 5 * time.Second

// formKey is a fresh one-time key for the hidden field form_key.
func (s *server) formKey(c echo.Context) string { return s.Auth.NewFormKey() }

// once works on a public form at most once per form_key: a double tap, the back
// button and a retry get the first answer again. Without a usable key rerender
// shows the form again: status 422, what was typed, a fresh key. Answers of 429
// and from 500 give the key back, for nothing happened. Use it as a handler's body:
//
//	func (s *server) submitLogin(c echo.Context) error { return s.once(c, s.signIn, s.askLoginAgain) }
func (s *server) once(c echo.Context, handle, rerender func(echo.Context) error) error {
	if err := form(c); err != nil {
		return err
	}
	key, print := c.Request().PostForm.Get(formKeyField), formPrint(c.Request())
	first, err := s.claimForm(c.Request().Context(), key, print)
	switch {
	case errors.Is(err, auth.ErrFormKey) && wantsJSON(c):
		return fault.Invalid{formKeyField: fault.Msg("auth.again")}
	case errors.Is(err, auth.ErrFormKey):
		return rerender(c)
	case err != nil:
		return err
	case first != nil:
		return replay(c, *first)
	}
	defer func() {
		if p := recover(); p != nil {
			s.settle(c, key, print, auth.Answer{Status: http.StatusInternalServerError})
			panic(p)
		}
	}()
	a := s.record(c, handle)
	s.settle(c, key, print, a)
	return send(c, a)
}

// settle keeps the answer for repeats, whatever becomes of the connection, or
// gives the key back.
func (s *server) settle(c echo.Context, key, print string, a auth.Answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), firstAnswerWait)
	defer cancel()
	var err error
	if a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError || len(a.Body) > answerLimit {
		err = s.Auth.ReleaseForm(ctx, key)
	} else {
		err = s.Auth.FinishForm(ctx, key, print, a)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "keeping a form's answer", "err", err)
	}
}

// claimForm asks for the key until the first sending is answered.
func (s *server) claimForm(ctx context.Context, key, print string) (*auth.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswerWait)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		a, err := s.Auth.ClaimForm(ctx, key, print)
		if !errors.Is(err, auth.ErrFormBusy) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return nil, fault.Unavailable{Err: err}
		case <-look.C:
		}
	}
}

// formPrint identifies where a form was sent and what was in it, but for the key.
func formPrint(r *http.Request) string {
	h := sha256.New()
	h.Write([]byte(r.URL.Path + "\n"))
	fields := maps.Clone(r.PostForm)
	delete(fields, formKeyField)
	h.Write([]byte(url.Values(fields).Encode()))
	return hex.EncodeToString(h.Sum(nil))
}

// recorder holds an answer back until it has been kept.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// kept names the headers that make up an answer; the others are set anew each time.
var kept = []string{echo.HeaderLocation, echo.HeaderContentType, echo.HeaderSetCookie, echo.HeaderRetryAfter}

// record runs handle, errors and all, and returns what it answered.
func (s *server) record(c echo.Context, handle func(echo.Context) error) auth.Answer {
	out := c.Response().Writer
	rec := &recorder{ResponseWriter: out, status: http.StatusOK}
	c.Response().Writer = rec
	defer func() { c.Response().Writer = out }()
	if err := handle(c); err != nil {
		s.fail(err, c)
	}
	a := auth.Answer{Status: rec.status, Header: map[string][]string{}, Body: rec.body.Bytes()}
	for _, name := range kept {
		if values := out.Header().Values(name); len(values) > 0 {
			a.Header[name] = slices.Clone(values)
		}
	}
	return a
}

// send writes a recorded answer; its headers are set already.
func send(c echo.Context, a auth.Answer) error {
	w := c.Response().Writer
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}

// replay answers a repeat like the first sending.
func replay(c echo.Context, a auth.Answer) error {
	for name, values := range a.Header {
		c.Response().Header()[name] = slices.Clone(values)
	}
	c.Response().WriteHeader(a.Status)
	_, err := c.Response().Write(a.Body)
	return err
}
