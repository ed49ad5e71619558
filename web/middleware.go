package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/internal/secret"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// recover turns a panic into one logged 500 page.
func (s *server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}()
		return next(c)
	}
}

const requestIDKey = "request-id"

// identify gives the request a reference that its log line and its error page share.
func (s *server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := secret.Token(6)
		c.Set(requestIDKey, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func requestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

// harden sets the headers every answer carries.
func (s *server) harden(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderContentSecurityPolicy, policy)
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		h.Set(echo.HeaderReferrerPolicy, "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if s.Config.HTTPS() {
			h.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
		}
		if !strings.HasPrefix(c.Request().URL.Path, "/static/") {
			h.Set(echo.HeaderCacheControl, "no-store")
		}
		return next(c)
	}
}

// clean takes out of the query what no database stores as text, NUL and broken
// UTF-8, so that no handler has to think of it. A path with either leads nowhere,
// but a garbled token is a scan like any other and is kept as one.
func (s *server) clean(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if !utf8.ValidString(u.Path) || strings.ContainsRune(u.Path, 0) {
			if !strings.HasPrefix(u.Path, strings.TrimSuffix(paths.Scan, ":token")) {
				return fault.NotFound
			}
			u.Path, u.RawPath = strings.ReplaceAll(strings.ToValidUTF8(u.Path, "\uFFFD"), "\x00", "\uFFFD"), ""
		}
		if strings.Contains(u.RawQuery, "%") || !utf8.ValidString(u.RawQuery) {
			q := u.Query()
			if cleanValues(q) {
				u.RawQuery = q.Encode()
			}
		}
		return next(c)
	}
}

// cleanValues mends the values in place and reports whether there was need.
func cleanValues(all url.Values) (changed bool) {
	for _, values := range all {
		for i, v := range values {
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(v, "\uFFFD"), "\x00", "")
			changed = changed || values[i] != v
		}
	}
	return changed
}

// cookieName prefixes a cookie under https, so that no sibling host can set it.
func (s *server) cookieName(name string) string {
	if s.Config.HTTPS() {
		return "__Host-" + name
	}
	return name
}

// cookie makes a cookie of ours; maxAge below zero deletes it.
func (s *server) cookie(name, value string, maxAge time.Duration) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.Config.HTTPS(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(maxAge / time.Second)}
	if maxAge < 0 {
		c.MaxAge = -1
	}
	return c
}

const langCookie = "doorplate_lang"

// pickLanguage puts the reader's language into the request's context.
func (s *server) pickLanguage(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		chosen := ""
		if ck, err := c.Cookie(s.cookieName(langCookie)); err == nil {
			chosen = ck.Value
		}
		lang := i18n.Pick(chosen, c.Request().Header.Get("Accept-Language"))
		c.SetRequest(c.Request().WithContext(i18n.With(c.Request().Context(), lang)))
		c.Response().Header().Add(echo.HeaderVary, "Accept-Language")
		return next(c)
	}
}

// limitBody refuses bodies over the route's limit with 413 before they are read
// into memory, be their length announced or not.
func limitBody(limit int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			sent := r.Body
			if r.ContentLength > limit {
				drain(r, sent)
				return fault.TooLarge{Limit: limit}
			}
			r.Body = http.MaxBytesReader(c.Response(), sent, limit)
			defer dropUploads(c)
			err := next(c)
			var over *http.MaxBytesError
			var large fault.TooLarge
			if errors.As(err, &over) {
				err = fault.TooLarge{Limit: limit}
			}
			if errors.As(err, &large) {
				drain(r, sent)
			}
			return err
		}
	}
}

// drainLimit bounds what is read of a refused body.
const drainLimit = 128 << 20

// drain reads a refused body to its end: most clients write all of it before
// they read, and would see a broken connection instead of the answer. Who asks
// first (Expect: 100-continue) waits for the answer.
func drain(r *http.Request, body io.Reader) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= drainLimit {
		io.Copy(io.Discard, io.LimitReader(body, drainLimit)) // the answer is the same if it breaks off
	}
}

// dropUploads removes what was spooled to disk. net/http only does so for the
// request it made itself, and ours is a copy with another context.
func dropUploads(c echo.Context) {
	if spooled := c.Request().MultipartForm; spooled != nil {
		_ = spooled.RemoveAll() // the system's own sweep is the second chance
	}
}

// form parses the body once and turns what is wrong with it into an answer.
// The time for the database starts anew: a phone may take long to send a file.
func form(c echo.Context) error {
	r := c.Request()
	var err error
	if strings.HasPrefix(r.Header.Get(echo.HeaderContentType), "multipart/") {
		err = r.ParseMultipartForm(1 << 20)
	} else {
		r.Body = http.MaxBytesReader(c.Response(), r.Body, bodyLimit) // larger limits are for files, which are spooled
		err = r.ParseForm()
	}
	renewTime(c)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return fault.TooLarge{Limit: over.Limit}
	}
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
	}
	cleanValues(r.PostForm)
	for field, values := range r.PostForm {
		r.Form[field] = values
	}
	return nil
}

// sameOrigin refuses cross-origin state changes with 403; scripts without
// Origin and Sec-Fetch-Site pass.
func (s *server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.crossOrigin.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden).SetInternal(err)
		}
		return next(c)
	}
}

// clientAddress is the peer, or, behind trusted proxies, the last entry of
// X-Forwarded-For that is not one of them.
func (s *server) clientAddress(r *http.Request) string {
	peer := addressOf(r.RemoteAddr)
	if !s.trusted(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := addressOf(strings.TrimSpace(hops[i]))
		if hop == "" {
			break
		}
		peer = hop
		if !s.trusted(hop) {
			break
		}
	}
	return peer
}

// addressOf normalises "host:port", "host" and "[v6]:port" to a bare address, "" when it is none.
func addressOf(text string) string {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

func (s *server) trusted(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, p := range s.Config.ProxyPrefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// location is the organisation's time zone, or UTC while the database does not answer.
func (s *server) location(ctx context.Context) *time.Location {
	o, err := s.Directory.Organisation(ctx)
	if err != nil {
		return time.UTC
	}
	return o.Location()
}
