package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/internal/qr"
	"doorplate/views"
)

// serialOf is the ":serial" of a copy; what no copy can have finds nothing.
func serialOf(c echo.Context) (int, error) {
	n, err := strconv.ParseUint(c.Param("serial"), 10, 31)
	if err != nil || n == 0 || n > code.MaxSerial {
		return 0, fault.NotFound
	}
	return int(n), nil
}

func (s *server) listCopies(c echo.Context) error {
	return s.renderCopies(c, http.StatusOK, views.CopiesProps{Count: "1"})
}

// renderCopies shows the page with what was typed into one of its forms.
func (s *server) renderCopies(c echo.Context, status int, p views.CopiesProps) (err error) {
	after := c.QueryParam("after")
	p.First = after == ""
	if p.Copies, err = s.Codes.Copies(c.Request().Context(), actor(c), publicID(c), c.QueryParam("show"), after); err != nil {
		return err
	}
	return render(c, status, views.Copies(p))
}

func copyForm(c echo.Context) code.CopyForm {
	return code.CopyForm{Count: c.FormValue("count"), Place: c.FormValue("place"), Custodian: c.FormValue("custodian"), Channel: c.FormValue("channel")}
}

func (s *server) addCopies(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	typed := copyForm(c)
	first, last, err := s.Codes.AddCopies(c.Request().Context(), actor(c), publicID(c), typed)
	if bad, ok := complaints(c, err); ok {
		return s.renderCopies(c, http.StatusUnprocessableEntity, views.CopiesProps{Typed: typed, Count: typed.Count, Wrong: bad})
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "copies.flash.added", "First", first, "Last", last, "Count", last-first+1)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.CodeCopies, publicID(c)))
}

func (s *server) copyAgain(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	n, err := s.Codes.CopyAgain(c.Request().Context(), actor(c), publicID(c))
	if err != nil {
		return err
	}
	s.flash(c, "ok", "copies.flash.again", "Count", n)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.CodeCopies, publicID(c)))
}

func (s *server) showCopy(c echo.Context) error {
	return s.renderCopy(c, http.StatusOK, nil, nil)
}

func (s *server) renderCopy(c echo.Context, status int, typed *code.CopyForm, bad map[string]string) error {
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	v, err := s.Codes.Copy(c.Request().Context(), actor(c), publicID(c), serial)
	if err != nil {
		return err
	}
	p := views.CopyProps{CopyView: v, Wrong: bad,
		Typed: code.CopyForm{Place: v.Line.Place, Custodian: v.Line.CustodianTyped()}}
	if v.Line.ChannelID != nil {
		p.Typed.Channel = strconv.FormatInt(*v.Line.ChannelID, 10)
	}
	if typed != nil {
		p.Typed = *typed
	}
	if p.Path, p.Side, err = drawn(v.CopyURL); err != nil {
		return err
	}
	return render(c, status, views.Copy(p))
}

// drawn is an address as the path of an SVG, in a box of side modules.
func drawn(address string) (path string, side int, err error) {
	matrix, err := qr.Encode(address, qr.M)
	if err != nil {
		return "", 0, err
	}
	path, side = matrix.SVGPath()
	return path, side, nil
}

func (s *server) editCopy(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	edit := code.CopyEdit{CopyForm: copyForm(c), DropPhoto: c.FormValue("photo_drop") == "on"}
	if edit.Photo, err = upload(c, "photo"); err != nil {
		return err
	}
	err = s.Codes.EditCopy(c.Request().Context(), actor(c), publicID(c), serial, edit)
	if bad, ok := complaints(c, err); ok {
		return s.renderCopy(c, http.StatusUnprocessableEntity, &edit.CopyForm, bad)
	}
	return s.done(c, err, "copies.flash.saved", paths.To(paths.CodeCopy, publicID(c), serial))
}

func (s *server) showCopyPhoto(c echo.Context) error {
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	p, err := s.Codes.CopyPhoto(c.Request().Context(), actor(c), publicID(c), serial)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, p.ContentType, p.Content)
}

func (s *server) confirmRevokeCopy(c echo.Context) error {
	return s.askRevokeCopy(c, http.StatusOK, nil)
}

func (s *server) askRevokeCopy(c echo.Context, status int, bad map[string]string) error {
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	v, err := s.Codes.Copy(c.Request().Context(), actor(c), publicID(c), serial)
	if err != nil {
		return err
	}
	if !v.Can.Revoke {
		return fault.Forbidden{Right: string(access.CodeRevoke)}
	}
	return render(c, status, views.ConfirmCopy(views.ConfirmCopyProps{CopyView: v, Reason: c.FormValue("reason"), Wrong: bad}))
}

func (s *server) revokeCopy(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	err = s.Codes.RevokeCopy(c.Request().Context(), actor(c), publicID(c), serial, c.FormValue("reason"))
	if bad, ok := complaints(c, err); ok {
		return s.askRevokeCopy(c, http.StatusUnprocessableEntity, bad)
	} else if err != nil {
		return err
	}
	s.flash(c, "ok", "copies.flash.revoked", "Serial", serial)
	return c.Redirect(http.StatusSeeOther, paths.To(paths.CodeCopy, publicID(c), serial))
}

// removeCopy notes that a copy was taken down, or, with back, that it hangs again.
func (s *server) removeCopy(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	serial, err := serialOf(c)
	if err != nil {
		return err
	}
	back := c.FormValue("back") == "on"
	if err := s.Codes.RemoveCopy(c.Request().Context(), actor(c), publicID(c), serial, back); err != nil {
		return err
	}
	note, to := "copies.flash.removed", paths.To(paths.CodeCopy, publicID(c), serial)
	if back {
		note = "copies.flash.hangs"
	}
	if c.FormValue("list") == "on" {
		to = paths.CodePrints
	}
	s.flash(c, "ok", note, "Serial", serial)
	return c.Redirect(http.StatusSeeOther, to)
}

func (s *server) addChannel(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	typed := code.ChannelForm{Name: c.FormValue("channel_name"), Source: c.FormValue("utm_source"), Medium: c.FormValue("utm_medium"), Campaign: c.FormValue("utm_campaign")}
	err := s.Codes.AddChannel(c.Request().Context(), actor(c), publicID(c), typed)
	if bad, ok := complaints(c, err); ok {
		return s.renderCopies(c, http.StatusUnprocessableEntity, views.CopiesProps{Count: "1", Channel: typed, Wrong: bad})
	}
	return s.done(c, err, "copies.flash.channel", paths.To(paths.CodeCopies, publicID(c))+"#channels")
}

func channelID(c echo.Context) (int64, error) {
	n, err := strconv.ParseUint(c.Param("channel"), 10, 63)
	if err != nil || n == 0 {
		return 0, fault.NotFound
	}
	return int64(n), nil
}

func (s *server) showChannel(c echo.Context) error {
	id, err := channelID(c)
	if err != nil {
		return err
	}
	v, err := s.Codes.Channel(c.Request().Context(), actor(c), publicID(c), id)
	if err != nil {
		return err
	}
	p := views.ChannelProps{ChannelView: v}
	if v.Line.Link != "" {
		// What does not fit into a picture is still there as a link.
		if p.Path, p.Side, err = drawn(v.Line.Link); err != nil && !errors.Is(err, qr.ErrTooLong) {
			return err
		}
	}
	return render(c, http.StatusOK, views.Channel(p))
}

func (s *server) deleteChannel(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := channelID(c)
	if err != nil {
		return err
	}
	err = s.Codes.DeleteChannel(c.Request().Context(), actor(c), publicID(c), id)
	return s.done(c, err, "copies.flash.nochannel", paths.To(paths.CodeCopies, publicID(c))+"#channels")
}
