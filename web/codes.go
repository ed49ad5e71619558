package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/qr"
	"doorplate/views"
)

// publicID is the ":id" of a group or a code. Both are base64url; anything else
// is no id of ours and finds nothing.
func publicID(c echo.Context) string {
	id := c.Param("id")
	foreign := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if strings.ContainsFunc(id, foreign) {
		return ""
	}
	return id
}

func (s *server) listCodes(c echo.Context) error {
	by := actor(c)
	view, after := c.QueryParam("state"), c.QueryParam("after")
	list, err := s.Codes.All(c.Request().Context(), by, view, after)
	if err != nil {
		return err
	}
	stale, err := s.Codes.StaleCount(c.Request().Context(), by, views.CountLimit+1)
	if err != nil {
		return err
	}
	adopt, err := s.Codes.Adoptable(c.Request().Context(), by, list.Items)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Codes(views.CodesProps{List: list, View: view, First: after == "", Stale: stale,
		Adopt:    adopt,
		CanIssue: access.Can(by, access.CodeTemporary, access.Object{})}))
}

func (s *server) listGroupCodes(c echo.Context) error {
	after := c.QueryParam("after")
	page, err := s.Codes.OfGroup(c.Request().Context(), actor(c), publicID(c), after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.GroupCodes(views.GroupCodesProps{OfGroup: page, First: after == ""}))
}

// codeErrors puts what is wrong with each field into the reader's words.
func codeErrors(ctx context.Context, wrong fault.Invalid) map[string]string {
	words := map[string]string{}
	for field, message := range wrong {
		words[field] = text(ctx, message)
	}
	return words
}

func (s *server) showCode(c echo.Context) error { return s.codePage(c, http.StatusOK, "") }

// codePage shows one code; wrong is a complaint about its fuse.
func (s *server) codePage(c echo.Context, status int, wrong string) error {
	ctx, by, id := c.Request().Context(), actor(c), publicID(c)
	view, err := s.Codes.View(ctx, by, id)
	if err != nil {
		return err
	}
	activity, err := s.Scans.Activity(ctx, by, id)
	if err != nil {
		return err
	}
	matrix, err := qr.Encode(view.URL, qr.M)
	if err != nil {
		return err
	}
	p := views.CodeProps{View: view, Activity: activity, Loopback: s.Config.Loopback(), Plain: !s.Config.HTTPS()}
	p.Path, p.Side = matrix.SVGPath()
	if p.Generations, err = s.Codes.Generations(ctx, by, id); err != nil {
		return err
	}
	if p.Fuse, err = s.Fuse.Of(ctx, by, view.Facts); err != nil {
		return err
	}
	p.FuseWrong = wrong
	return render(c, status, views.Code(p))
}
