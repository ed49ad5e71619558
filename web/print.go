package web

import (
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/internal/press"
	"doorplate/internal/qr"
	"doorplate/views"
)

// previewSize is how many pixels the preview of a picture has at most.
const previewSize = 640

// showPrint is the page about everything that can be printed of a code, with a
// preview of the picture as chosen.
func (s *server) showPrint(c echo.Context) error {
	ctx := c.Request().Context()
	plate, err := s.Press.Preview(ctx, actor(c), publicID(c))
	if err != nil {
		return err
	}
	p := views.PrintProps{Plate: plate, Loopback: s.Config.Loopback(), Plain: !s.Config.HTTPS(), Lang: i18n.Lang(ctx), ECC: c.QueryParam("ecc")}
	p.HasLogo, err = s.hasLogo(c)
	if err != nil {
		return err
	}
	look, err := press.ReadLook(c.QueryParam)
	status := http.StatusOK
	if err == nil {
		err = s.preview(c, &p, look)
	}
	if bad, ok := complaints(c, err); ok {
		p.Errors, status = bad, http.StatusUnprocessableEntity
		p.Look = press.DefaultLook()
		err = s.preview(c, &p, p.Look)
	}
	if err != nil {
		return err
	}
	return render(c, status, views.Print(p))
}

func (s *server) hasLogo(c echo.Context) (bool, error) {
	_, err := s.Press.Logo(c.Request().Context())
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// preview draws the chosen picture into the page; nothing is handed out.
func (s *server) preview(c echo.Context, p *views.PrintProps, look press.Look) error {
	p.Look = look
	if p.Plate.Now.Dead() {
		return nil
	}
	piece := p.Plate.Itself()
	if look.Copy > 0 {
		var found bool
		if piece, found = copyOf(p.Plate, look.Copy); !found {
			return fault.Invalid{"copy": fault.Msg("print.error.copy", "Serial", look.Copy)}
		}
	}
	p.Module = look.Module(piece.URL)
	small := look
	small.Size = min(look.Size, previewSize)
	picture, err := s.Press.Draw(c.Request().Context(), p.Plate, piece, "png", small)
	if err != nil {
		return err
	}
	p.Preview = "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
	for _, size := range views.PosterSizes {
		p.PosterModules = append(p.PosterModules, press.PosterModule(piece.URL, size))
	}
	if m, err := qr.Encode(piece.URL, qr.Q); err == nil {
		p.Modules = m.Size()
	}
	return nil
}

func copyOf(p code.Plate, serial int) (code.Piece, bool) {
	for _, piece := range p.Pieces {
		if piece.Serial == serial {
			return piece, true
		}
	}
	return code.Piece{}, false
}

// newPrint is the form for a zip of many codes.
func (s *server) newPrint(c echo.Context) error {
	return s.printForm(c, http.StatusOK, c.QueryParam, nil)
}

func (s *server) printForm(c echo.Context, status int, field func(string) string, bad map[string]string) error {
	ctx, by := c.Request().Context(), actor(c)
	p := views.NewPrintProps{Group: field("group"), State: field("state"), Field: field, Errors: bad}
	if p.Group != "" {
		page, err := s.Codes.OfGroup(ctx, by, p.Group, "")
		if err != nil {
			return err
		}
		p.GroupName = page.Group.Name
	}
	var err error
	if p.HasLogo, err = s.hasLogo(c); err != nil {
		return err
	}
	if p.Runs, err = s.Press.Runs(ctx, by); err != nil {
		return err
	}
	return render(c, status, views.NewPrint(p))
}

// startPrint leads to the zip itself, or, when it is large, to the page that
// shows how far it is.
func (s *server) startPrint(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	order, err := press.ReadOrder(c.FormValue, i18n.Lang(ctx))
	var id int64
	if err == nil {
		id, err = s.Press.Start(ctx, actor(c), order)
	}
	if bad, ok := complaints(c, err); ok {
		return s.printForm(c, http.StatusUnprocessableEntity, c.FormValue, bad)
	} else if err != nil {
		return err
	}
	if id != 0 {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.PrintRun, id))
	}
	pairs := []string{}
	for _, name := range []string{"group", "batch", "state", "format", "size", "margin", "ecc", "logo", "paper", "lang", "copies"} {
		pairs = append(pairs, name, c.FormValue(name))
	}
	return c.Redirect(http.StatusSeeOther, paths.With(paths.PrintZip, pairs...))
}

// downloadZip draws and streams a small zip.
func (s *server) downloadZip(c echo.Context) error {
	ctx := c.Request().Context()
	order, err := press.ReadOrder(c.QueryParam, i18n.Lang(ctx))
	if err != nil {
		return err
	}
	bundle, err := s.Press.Zip(ctx, actor(c), order)
	if err != nil {
		return err
	}
	nameFile(c, bundle.Title(), "codes", ".zip")
	c.Response().Header().Set(echo.HeaderContentType, "application/zip")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return bundle.Write(c.Response(), func(int) error { return nil })
}

func (s *server) showPrintRun(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	run, err := s.Press.RunByID(ctx, actor(c), id)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return c.JSON(http.StatusOK, map[string]any{"id": run.ID, "state": run.State, "done": run.Done, "total": run.Total})
	}
	if run.State == press.Running {
		c.Response().Header().Set("Refresh", "2") // works without script, and ends with the run
	}
	return render(c, http.StatusOK, views.PrintRun(views.PrintRunProps{Run: run, Now: s.Now()}))
}

func (s *server) downloadPrint(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	f, err := s.Press.Fetch(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	f.Name = f.Name[:len(f.Name)-len(".zip")]
	return sendFile(c, f, "codes", ".zip", "application/zip")
}

func (s *server) cancelPrint(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if err := s.Press.Cancel(c.Request().Context(), actor(c), id); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.PrintRun, id))
}
