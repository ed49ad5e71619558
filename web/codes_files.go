package web

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

const (
	defaultSize = 512
	minSize     = 128
	maxSize     = 2048
)

func (s *server) downloadPNG(c echo.Context) error {
	size := defaultSize
	if typed := c.QueryParam("size"); typed != "" {
		var err error
		if size, err = strconv.Atoi(typed); err != nil || size < minSize || size > maxSize {
			return fault.Invalid{"size": fault.Msg("codes.error.size", "Min", minSize, "Max", maxSize)}
		}
	}
	d, err := s.Codes.Download(c.Request().Context(), actor(c), publicID(c), "png", size)
	if err != nil {
		return err
	}
	matrix, err := qr.Encode(d.URL, qr.M)
	if err != nil {
		return err
	}
	picture, err := matrix.PNG(size)
	if err != nil {
		return err
	}
	attach(c, d.Group+"-"+d.Label, publicID(c), ".png")
	return c.Blob(http.StatusOK, "image/png", picture)
}

func (s *server) downloadSVG(c echo.Context) error {
	d, err := s.Codes.Download(c.Request().Context(), actor(c), publicID(c), "svg", 0)
	if err != nil {
		return err
	}
	matrix, err := qr.Encode(d.URL, qr.M)
	if err != nil {
		return err
	}
	attach(c, d.Group+"-"+d.Label, publicID(c), ".svg")
	return c.Blob(http.StatusOK, "image/svg+xml", matrix.SVG())
}

// attach names a download after its group and label, with a plain name beside
// it for programs that read ASCII only (RFC 6266, RFC 8187).
func attach(c echo.Context, name, plain, ending string) {
	c.Response().Header().Set(echo.HeaderContentDisposition,
		`attachment; filename="code-`+plain+ending+`"; filename*=UTF-8''`+encodeName(fileName(name)+ending))
}

// fileName keeps what every file system takes.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	runes := []rune(strings.Trim(name, " ._"))
	return strings.TrimRight(string(runes[:min(len(runes), 80)]), " .")
}

func encodeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		ch := name[i]
		switch {
		case ch >= '0' && ch <= '9', ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', strings.IndexByte("-._~", ch) >= 0:
			b.WriteByte(ch)
		default:
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(ch)+256, 16)[1:]))
		}
	}
	return b.String()
}
