package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/auth"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views"
)

// pendingReload is how often a waiting page looks again by itself.
var pendingReload = 20 * time.Second

func (s *server) joinSecret(c echo.Context) string {
	ck, err := c.Cookie(s.cookieName(joinCookie))
	if err != nil {
		return ""
	}
	return ck.Value
}

// redeemTicket trades the one-time ticket for the join cookie. A HEAD, which is
// a link preview's, must not use it up.
func (s *server) redeemTicket(c echo.Context) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	held := s.joinSecret(c)
	secret, err := s.Scans.Redeem(c.Request().Context(), c.Param("ticket"), held)
	if err != nil {
		return s.orScanAgain(c, err)
	}
	if secret != held {
		if err := s.Joins.CarryDraft(c.Request().Context(), held, secret); err != nil {
			return err
		}
		c.SetCookie(s.cookie(joinCookie, secret, join.CookieLife))
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

// orScanAgain answers a dead ticket or join cookie with a page that says what
// to do and offers no link: only a scan can renew one.
func (s *server) orScanAgain(c echo.Context, err error) error {
	var gone fault.Gone
	if !errors.As(err, &gone) || wantsJSON(c) {
		return err
	}
	org, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	return render(c, http.StatusGone, views.JoinAgain(org.Name, paths.Join))
}

// visitor is who stands at the door, as far as the browser shows.
func (s *server) visitor(c echo.Context) (join.Visitor, error) {
	who := join.Visitor{Secret: s.joinSecret(c), Address: c.RealIP(), Device: device(c.Request().UserAgent())}
	a, err := s.signedIn(c)
	switch {
	case errors.Is(err, fault.NotFound):
		return who, nil
	case err != nil:
		return who, err
	}
	who.SignedIn = &a.MemberID
	return who, nil
}

func (s *server) showJoin(c echo.Context) error {
	step := c.QueryParam("step")
	p := views.JoinProps{OnPhone: step == "phone"}
	if step == views.PartWord || step == views.PartWithdraw {
		p.Part = step
	}
	return s.askJoin(c, http.StatusOK, p)
}

// askJoin shows what is true now, with what was typed and what is wrong with it.
func (s *server) askJoin(c echo.Context, status int, p views.JoinProps) error {
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if p.View, err = s.Joins.At(c.Request().Context(), who.Secret, who.SignedIn); err != nil {
		return s.orScanAgain(c, err)
	}
	p.SignedIn = who.SignedIn != nil
	typed := typedOr(c, p.Draft)
	p.Typed = views.JoinTyped{Phone: c.FormValue("phone"), Name: typed("name"), Note: typed("note"), Company: typed("company"), Word: c.FormValue("word"), Field: typed}
	if p.Step == join.StepCode && p.Wrong["code"] == "" {
		p.Typed.Code = c.Request().PostForm.Get("code") // it was not used up
	}
	return s.renderJoin(c, status, p)
}

func (s *server) renderJoin(c echo.Context, status int, p views.JoinProps) error {
	if p.Barred != "" {
		return s.barVisit(c, p.View)
	}
	if err := s.offerOther(c, &p); err != nil {
		return err
	}
	p.FormKey, p.Next, p.Now = s.formKey(c), paths.Join, s.Now()
	if p.Request != nil {
		p.Request.Reason = p.Request.Told(views.English(c.Request().Context()))
	}
	ctx := views.WithJoinState(c.Request().Context(), string(p.State))
	if p.Live() && !(p.State == join.StatePending && p.Part != "") {
		ctx = views.WithJoinLive(ctx, p.Mark(), pendingReload)
	}
	c.SetRequest(c.Request().WithContext(ctx))
	return render(c, status, views.Join(p))
}

// barVisit answers like the scan itself would have, had it been known then.
func (s *server) barVisit(c echo.Context, v join.View) error {
	d := scan.Decision{Ref: v.ScanRef, At: s.Now(), Outcome: v.Barred, Cause: v.Barred, Facts: &v.Code}
	switch v.Barred {
	case scan.NotYet, scan.Closed:
		d.Outcome, d.After = scan.Off, v.Code.OpensIn(s.Now())
	case scan.Daily:
		d.Outcome = scan.Exhausted
	case scan.Copy:
		d.Outcome = scan.Revoked
	}
	notice, err := s.Scans.Notice(c.Request().Context(), d)
	if err != nil {
		return err
	}
	return s.refuseScan(c, d, notice)
}

func (s *server) submitJoin(c echo.Context) error {
	return s.once(c, s.takeJoinStep, func(c echo.Context) error {
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Again: true, OnPhone: c.FormValue("phone") != ""})
	})
}

// takeJoinStep tells the step by the fields that are there: phone, then code,
// then whatever the person adds.
func (s *server) takeJoinStep(c echo.Context) error {
	typed := c.Request().PostForm
	err := s.unlockDoor(c)
	switch {
	case err != nil:
	case typed.Has("code") && (typed.Get("code") != "" || !typed.Has("phone")):
		err = s.proveAndJoin(c)
	case typed.Has("phone"):
		err = s.sendJoinCode(c)
	default:
		err = s.enterOrAsk(c, "")
	}
	if err != nil {
		if kept := s.keepDraft(c); kept != nil {
			err = errors.Join(err, kept)
		}
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && typed.Get("password") != "" && wrong["phone"].Key == join.WhoAreYou {
		return c.Redirect(http.StatusSeeOther, paths.Join) // the password was this step, the number is the next
	}
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Wrong: told(c.Request().Context(), wrong), OnPhone: wrong["phone"].Key != ""})
	}
	return s.orScanAgain(c, err)
}

// sendJoinCode answers every number alike; whether a message goes out is the domain's to say.
func (s *server) sendJoinCode(c echo.Context) error {
	ctx, secret := c.Request().Context(), s.joinSecret(c)
	phone, ok := directory.ParsePhone(c.FormValue("phone"))
	if !ok {
		return fault.Invalid{"phone": fault.Msg("auth.phone.wrong")}
	}
	plan, err := s.Joins.PlanCode(ctx, secret, phone)
	if err != nil {
		return err
	}
	challenge, err := s.Auth.SendCode(ctx, auth.CodeRequest{Purpose: auth.ForJoin, Phone: phone, MemberID: plan.MemberID, Address: c.RealIP(),
		Lang: i18n.Lang(ctx), Previous: plan.Previous, Deliver: plan.Deliver})
	if err != nil {
		return err
	}
	if err := s.Joins.KeepChallenge(ctx, secret, phone, challenge); err != nil {
		return err
	}
	if err := s.keepDraft(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

// proveAndJoin checks the code only when nothing else in the form is wrong: a
// code can be used once.
func (s *server) proveAndJoin(c echo.Context) error {
	ctx := c.Request().Context()
	if err := joinForm(c).Check(); err != nil {
		return err
	}
	if err := s.Joins.CheckRules(ctx, s.joinSecret(c), joinForm(c)); err != nil {
		return err
	}
	challenge, err := s.Joins.Challenge(ctx, s.joinSecret(c))
	if err != nil {
		return err
	}
	phone, _, err := s.Auth.CheckCode(ctx, auth.ForJoin, challenge, strings.TrimSpace(c.FormValue("code")), c.RealIP())
	if err != nil {
		return err
	}
	return s.enterOrAsk(c, phone)
}

func joinForm(c echo.Context) join.Form {
	return join.Form{Name: c.FormValue("name"), Note: c.FormValue("note"), Company: c.FormValue("company"), Rules: c.FormValue("rules"), Proofs: proofs(c)}
}

// enterOrAsk lets the visitor in or writes the request; proved is a number
// whose code has just been right.
func (s *server) enterOrAsk(c echo.Context, proved string) error {
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	who.Proved = proved
	v, err := s.Joins.Submit(c.Request().Context(), who, joinForm(c))
	switch {
	case err != nil:
		return err
	case v.Barred != "":
		return s.barVisit(c, v)
	case len(v.Lacks) > 0 && !wantsJSON(c):
		if err := s.keepDraft(c); err != nil {
			return err
		}
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Wrong: told(c.Request().Context(), v.Lacks)})
	case v.State == join.StatePending:
		c.SetCookie(s.cookie(joinCookie, who.Secret, join.PendingLife))
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

// withdrawRequest takes the request back; too late is no error: the page says
// what became of it.
func (s *server) withdrawRequest(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if _, err := s.Joins.Withdraw(c.Request().Context(), who); err != nil {
		return s.orScanAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

// showJoinEntry serves the upstream image to those who were let in, and to nobody else.
func (s *server) showJoinEntry(c echo.Context) error {
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	p, err := s.Joins.EntryPicture(c.Request().Context(), who.Secret, who.SignedIn)
	if err != nil {
		return s.orScanAgain(c, err)
	}
	return c.Blob(http.StatusOK, p.ContentType, p.Content)
}

func (s *server) showTypedCode(c echo.Context) error { return s.askTypedCode(c, http.StatusOK, "") }

// submitTypedCode leads to where scanning the code would have led.
func (s *server) submitTypedCode(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := s.Auth.AllowTyped(ctx, c.RealIP()); err != nil {
		return err
	}
	token, err := s.Codes.TokenOfTyped(ctx, c.FormValue("typed"))
	var wrong fault.Invalid
	switch {
	case err == nil:
		return c.Redirect(http.StatusSeeOther, paths.To(paths.Scan, token))
	case wantsJSON(c):
		return err
	case errors.As(err, &wrong):
		return s.askTypedCode(c, http.StatusUnprocessableEntity, told(ctx, wrong)["typed"])
	case errors.Is(err, fault.NotFound):
		return s.askTypedCode(c, http.StatusNotFound, i18n.T(ctx, "join.typed.unknown"))
	}
	return err
}

func (s *server) askTypedCode(c echo.Context, status int, wrong string) error {
	org, err := s.Directory.Organisation(c.Request().Context())
	if err != nil {
		return err
	}
	return render(c, status, views.TypedCode(views.TypedCodeProps{Organisation: org.Name, Typed: c.FormValue("typed"), Wrong: wrong}))
}
