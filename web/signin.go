package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/auth"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

// challengeCookie binds a sign-in code to the browser that asked for it. It
// outlives the code, so that a late try is told so.
const (
	challengeCookie = "doorplate_challenge"
	challengeLife   = 30 * time.Minute
)

func (s *server) showLogin(c echo.Context) error {
	if in, err := s.alreadyIn(c); in || err != nil {
		return err
	}
	return s.askLogin(c, http.StatusOK, views.LoginProps{WithPassword: c.QueryParam("with") == "password"})
}

// alreadyIn sends somebody who is signed in to the console.
func (s *server) alreadyIn(c echo.Context) (bool, error) {
	_, err := s.signedIn(c)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, c.Redirect(http.StatusSeeOther, paths.Home)
}

func (s *server) submitLogin(c echo.Context) error {
	return s.once(c, s.beginSignIn, func(c echo.Context) error {
		return s.askLogin(c, http.StatusUnprocessableEntity, views.LoginProps{Again: true})
	})
}

// askLogin shows the first step with what was typed.
func (s *server) askLogin(c echo.Context, status int, p views.LoginProps) error {
	org, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	p.Organisation, p.FormKey, p.Next = org.Name, s.formKey(c), nextOf(c)
	p.Phone = c.FormValue("phone")
	p.WithPassword = p.WithPassword || c.FormValue("password") != ""
	return render(c, status, views.Login(p))
}

// nextOf is where the person wanted to go; "" for the front page.
func nextOf(c echo.Context) string {
	if next := paths.Local(c.FormValue("next")); next != paths.Home {
		return next
	}
	return ""
}

// beginSignIn answers a number that nobody has like any other.
func (s *server) beginSignIn(c echo.Context) error {
	if in, err := s.alreadyIn(c); in || err != nil {
		return err
	}
	ctx, previous := c.Request().Context(), s.challengeOf(c)
	phone, ok := directory.ParsePhone(c.FormValue("phone"))
	if !ok && c.FormValue("resend") != "" {
		var err error
		if phone, err = s.Auth.ChallengePhone(ctx, auth.ForSignIn, previous); err != nil {
			return err
		}
		ok = phone != ""
	}
	switch {
	case !ok:
		return s.finishSignIn(c, "", fault.Invalid{"phone": fault.Msg("auth.phone.wrong")}, s.refuseLogin)
	case c.FormValue("password") != "":
		session, err := s.Auth.WithPassword(ctx, phone, c.FormValue("password"), from(c))
		return s.finishSignIn(c, session, err, s.refuseLogin)
	}
	challenge, cause, err := s.Auth.Begin(ctx, auth.SignIn{Phone: phone, Address: c.RealIP(), Lang: i18n.Lang(ctx), Previous: previous})
	if err != nil {
		s.noteLimit(c, phone, err)
		return err
	}
	if cause != "" {
		s.logRefusal(c, auth.Refusal{Cause: cause, Phone: phone})
	}
	// For every number alike: what it takes must not tell who has an account.
	s.noteSignIn(c, auth.Attempt{Phone: phone, Cause: cause})
	c.SetCookie(s.cookie(challengeCookie, challenge, challengeLife))
	return c.Redirect(http.StatusSeeOther, paths.With(paths.LoginVerify, "next", nextOf(c)))
}

func (s *server) refuseLogin(c echo.Context, wrong fault.Invalid) error {
	return s.askLogin(c, http.StatusUnprocessableEntity, views.LoginProps{Wrong: told(c.Request().Context(), wrong)})
}

// told puts each field's message into the reader's language.
func told(ctx context.Context, wrong fault.Invalid) map[string]string {
	out := make(map[string]string, len(wrong))
	for field, m := range wrong {
		out[field] = text(ctx, m)
	}
	return out
}

// logRefusal tells IT the cause that the person must not learn.
func (s *server) logRefusal(c echo.Context, r auth.Refusal) {
	s.Log.WarnContext(c.Request().Context(), "sign-in refused", "cause", r.Cause, "phone", views.MaskPhone(r.Phone), "address", c.RealIP())
}

func (s *server) challengeOf(c echo.Context) string {
	ck, err := c.Cookie(s.cookieName(challengeCookie))
	if err != nil {
		return ""
	}
	return ck.Value
}

// from is the browser as auth wants to know it.
func from(c echo.Context) auth.From {
	return auth.From{Address: c.RealIP(), Device: device(c.Request().UserAgent())}
}

// finishSignIn opens the console, or shows the form again for a refusal.
func (s *server) finishSignIn(c echo.Context, session string, err error, refuse func(echo.Context, fault.Invalid) error) error {
	var refusal auth.Refusal
	if errors.As(err, &refusal) {
		s.logRefusal(c, refusal)
		s.noteSignIn(c, auth.Attempt{Phone: refusal.Phone, Cause: refusal.Cause})
	} else {
		s.noteLimit(c, "", err)
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return refuse(c, wrong)
	} else if err != nil {
		return err
	}
	if err := s.startSession(c, session); err != nil {
		return err
	}
	c.SetCookie(s.cookie(challengeCookie, "", -1))
	return c.Redirect(http.StatusSeeOther, paths.Local(c.FormValue("next")))
}

func (s *server) showLoginVerify(c echo.Context) error {
	if in, err := s.alreadyIn(c); in || err != nil {
		return err
	}
	if s.challengeOf(c) == "" {
		return c.Redirect(http.StatusSeeOther, paths.With(paths.Login, "next", nextOf(c)))
	}
	return s.askCode(c, http.StatusOK, views.VerifyProps{})
}

func (s *server) submitLoginVerify(c echo.Context) error {
	return s.once(c, s.checkSignIn, func(c echo.Context) error {
		return s.askCode(c, http.StatusUnprocessableEntity, views.VerifyProps{Again: true})
	})
}

func (s *server) checkSignIn(c echo.Context) error {
	session, err := s.Auth.FinishWithCode(c.Request().Context(), s.challengeOf(c), c.FormValue("code"), from(c))
	return s.finishSignIn(c, session, err, func(c echo.Context, wrong fault.Invalid) error {
		return s.askCode(c, http.StatusUnprocessableEntity, views.VerifyProps{Wrong: told(c.Request().Context(), wrong)["code"]})
	})
}

// askCode shows the second step.
func (s *server) askCode(c echo.Context, status int, p views.VerifyProps) error {
	ctx := c.Request().Context()
	org, err := s.Directory.Organisation(ctx)
	if err != nil {
		return err
	}
	phone, err := s.Auth.ChallengePhone(ctx, auth.ForSignIn, s.challengeOf(c))
	if err != nil {
		return err
	}
	if phone != "" {
		p.Phone = views.MaskPhone(phone)
	}
	p.Organisation, p.FormKey, p.ResendKey, p.Next = org.Name, s.formKey(c), s.formKey(c), nextOf(c)
	p.Code = c.FormValue("code")
	return render(c, status, views.LoginVerify(p))
}

// logout ends the session, wherever it was opened from.
func (s *server) logout(c echo.Context) error {
	session, err := s.session(c)
	if err != nil {
		return err
	}
	if !session.IsNew {
		if err := s.Auth.SignOut(c.Request().Context(), session.ID, from(c)); err != nil {
			return err
		}
	}
	session.ID = ""
	if err := session.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Login)
}

func (s *server) showLoginLink(c echo.Context) error {
	ctx, token := c.Request().Context(), c.Param("token")
	name, err := s.Auth.LinkHolder(ctx, token)
	if err != nil {
		return err
	}
	org, err := s.Directory.Organisation(ctx)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.LoginLink(org.Name, name, token))
}

func (s *server) useLoginLink(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	session, err := s.Auth.WithLink(c.Request().Context(), c.Param("token"), from(c))
	if err != nil {
		return err
	}
	if err := s.startSession(c, session); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Home)
}
