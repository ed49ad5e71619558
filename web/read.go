package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/qr"
)

// searchLength is the longest search that is looked for, in characters.
const searchLength = 60

// queryText is a search in the address, made safe for either database.
func queryText(c echo.Context, name string) string {
	text := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(c.QueryParam(name), ""), "\x00", ""))
	runes := []rune(text)
	return string(runes[:min(len(runes), searchLength)])
}

// queryNumber is a positive number in the address; anything else is 0.
func queryNumber(c echo.Context, name string) int64 {
	n, err := strconv.ParseInt(c.QueryParam(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// rowID is the number in the path; nonsense is what does not exist.
func rowID(c echo.Context) (int64, error) {
	n, err := strconv.ParseUint(c.Param("id"), 10, 63) // unsigned: "+1" is no address of anything
	if err != nil || n == 0 {
		return 0, fault.NotFound
	}
	return int64(n), nil
}

// upload reads a picture from a form, at most a byte more than is accepted; nil when there is none.
func upload(c echo.Context, field string) ([]byte, error) {
	header, err := c.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("find the upload: %w", err)
	}
	f, err := header.Open()
	if err != nil {
		return nil, fmt.Errorf("open the upload: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, qr.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the upload: %w", err)
	}
	return content, nil
}
