package web

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/i18n"
	"doorplate/internal/press"
)

func (s *server) downloadPNG(c echo.Context) error { return s.downloadPicture(c, "png", "image/png") }

func (s *server) downloadSVG(c echo.Context) error {
	return s.downloadPicture(c, "svg", "image/svg+xml")
}

func (s *server) downloadPicture(c echo.Context, format, kind string) error {
	look, err := press.ReadLook(c.QueryParam)
	if err != nil {
		return err
	}
	f, err := s.Press.Picture(c.Request().Context(), actor(c), publicID(c), format, look)
	if err != nil {
		return err
	}
	return sendFile(c, f, "code-"+publicID(c), "."+format, kind)
}

func (s *server) downloadPoster(c echo.Context) error {
	ctx := c.Request().Context()
	look, err := press.ReadPoster(c.QueryParam, i18n.Lang(ctx))
	if err != nil {
		return err
	}
	f, err := s.Press.Poster(ctx, actor(c), publicID(c), look)
	if err != nil {
		return err
	}
	return sendFile(c, f, "poster-"+publicID(c), ".pdf", "application/pdf")
}

func (s *server) downloadLabels(c echo.Context) error {
	ctx := c.Request().Context()
	look, err := press.ReadLabels(c.QueryParam, i18n.Lang(ctx))
	if err != nil {
		return err
	}
	f, err := s.Press.Labels(ctx, actor(c), publicID(c), look)
	if err != nil {
		return err
	}
	f.Name = i18n.T(ctx, "print.labels.file", "Name", f.Name)
	return sendFile(c, f, "labels-"+publicID(c), ".pdf", "application/pdf")
}

// downloadSheet is the list of a department's codes.
func (s *server) downloadSheet(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	lang, err := press.ReadLang(c.QueryParam, i18n.Lang(c.Request().Context()))
	if err != nil {
		return err
	}
	f, err := s.Press.Sheet(c.Request().Context(), actor(c), id, lang)
	if err != nil {
		return err
	}
	return sendFile(c, f, "codes-"+strconv.FormatInt(id, 10), ".pdf", "application/pdf")
}

// sendFile answers with a file to save. plain is its name for programs that
// read ASCII only (RFC 6266, RFC 8187).
func sendFile(c echo.Context, f press.File, plain, ending, kind string) error {
	nameFile(c, f.Name, plain, ending)
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(f.Data)))
	return c.Blob(http.StatusOK, kind, f.Data)
}

func nameFile(c echo.Context, name, plain, ending string) {
	c.Response().Header().Set(echo.HeaderContentDisposition,
		fmt.Sprintf(`attachment; filename="%s%s"; filename*=UTF-8''%s`, plain, ending, encodeName(fileName(name)+ending)))
}
