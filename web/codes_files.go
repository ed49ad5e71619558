package web

import (
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/press"
)

// attach names a download after its group and label, with a plain name beside
// it for programs that read ASCII only (RFC 6266, RFC 8187).
func attach(c echo.Context, name, plain, ending string) {
	c.Response().Header().Set(echo.HeaderContentDisposition,
		`attachment; filename="code-`+plain+ending+`"; filename*=UTF-8''`+encodeName(fileName(name)+ending))
}

// fileName keeps what every file system takes.
func fileName(name string) string { return press.FileName(name) }

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
