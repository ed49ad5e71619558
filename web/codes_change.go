package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) confirmRevoke(c echo.Context) error {
	return s.renderConfirm(c, http.StatusOK, "revoke", nil)
}

func (s *server) confirmRegenerate(c echo.Context) error {
	return s.renderConfirm(c, http.StatusOK, "regenerate", nil)
}

// renderConfirm asks before the code is ended; who may not do it is told so here already.
func (s *server) renderConfirm(c echo.Context, status int, kind string, wrong fault.Invalid) error {
	ctx := c.Request().Context()
	view, err := s.Codes.View(ctx, actor(c), publicID(c))
	if err != nil {
		return err
	}
	missing := view.Can.Regenerate.Missing
	if kind == "revoke" {
		missing = ""
		if !view.Can.Revoke {
			missing = string(access.CodeRevoke)
		}
	}
	if missing != "" {
		return fault.Forbidden{Right: missing}
	}
	return render(c, status, views.ConfirmCode(views.ConfirmCodeProps{View: view, Kind: kind, Reason: c.FormValue("reason"), Wrong: codeErrors(ctx, wrong)}))
}

func (s *server) revokeCode(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id := publicID(c)
	err := s.Codes.Revoke(c.Request().Context(), actor(c), id, c.FormValue("reason"))
	return s.ended(c, "revoke", id, err)
}

func (s *server) regenerateCode(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	fresh, err := s.Codes.Regenerate(c.Request().Context(), actor(c), publicID(c), c.FormValue("reason"))
	return s.ended(c, "regenerate", fresh, err)
}

// ended answers a form that ends a code: the code to look at next, the form
// again with what is wrong, or the error.
func (s *server) ended(c echo.Context, kind, id string, err error) error {
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.renderConfirm(c, http.StatusUnprocessableEntity, kind, wrong)
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "codes.flash."+kind)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Code, id))
}

func (s *server) suspendCode(c echo.Context) error {
	return s.switchCode(c, s.Codes.Suspend, "codes.flash.suspend")
}

func (s *server) resumeCode(c echo.Context) error {
	return s.switchCode(c, s.Codes.Resume, "codes.flash.resume")
}

func (s *server) adoptCode(c echo.Context) error {
	return s.switchCode(c, s.Codes.Adopt, "codes.flash.adopt")
}

func (s *server) switchCode(c echo.Context, do func(ctx context.Context, by access.Actor, publicID, reason string) error, done string) error {
	if err := form(c); err != nil {
		return err
	}
	if err := do(c.Request().Context(), actor(c), publicID(c), c.FormValue("reason")); err != nil {
		return err
	}
	s.flash(c, "ok", done)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.Code, publicID(c)))
}
