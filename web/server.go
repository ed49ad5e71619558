// Package web is the HTTP face of Doorplate: routes, middleware, handlers.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"doorplate/internal/access"
	"doorplate/internal/approval"
	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/code"
	"doorplate/internal/config"
	"doorplate/internal/directory"
	"doorplate/internal/events"
	"doorplate/internal/fuse"
	"doorplate/internal/group"
	"doorplate/internal/join"
	"doorplate/internal/notify"
	"doorplate/internal/operations"
	"doorplate/internal/paths"
	"doorplate/internal/press"
	"doorplate/internal/recert"
	"doorplate/internal/rules"
	"doorplate/internal/scan"
)

// Deps is everything the handlers need. A missing field shows up at start, not
// at the first click.
type Deps struct {
	Config    config.Config
	Log       *slog.Logger
	Now       func() time.Time
	Trail     *audit.Trail
	Audit     *audit.Log
	Auth      *auth.Service
	Directory *directory.Service
	Groups    *group.Service
	Approvals *approval.Service
	Codes     *code.Service
	Scans     *scan.Service
	Joins     *join.Service
	Rules     *rules.Service
	Press     *press.Service
	Rounds    *recert.Service

	Operations *operations.Service
	Notices    *notify.Service
	Fuse       *fuse.Service
	Hub        *events.Hub // what open pages follow
	// Demo fills the empty database with the demo organisation.
	Demo func(ctx context.Context) error
	// Ready is nil when the database answers and is migrated.
	Ready func(ctx context.Context) error
}

type server struct {
	Deps
	crossOrigin *http.CrossOriginProtection
	meters      *meters
	isSetUp     atomic.Bool // seen once; it stays so
	streams     *streams
}

// New builds the handler for everything this server answers.
func New(d Deps) http.Handler {
	s := &server{Deps: d, crossOrigin: http.NewCrossOriginProtection(), meters: newMeters(d.Scans), streams: newStreams()}
	if err := s.crossOrigin.AddTrustedOrigin(d.Config.BaseURL); err != nil {
		panic(err) // config checked the base URL
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = s.clientAddress
	e.Pre(s.recover, s.identify, s.harden, s.pickLanguage, s.clean)
	e.Use(middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1400, Skipper: packed}))
	e.Use(s.unrouted)
	s.routes(e)
	return e
}

// packed leaves alone what is compressed already, and scans: they are answered
// with an address, and preparing to compress costs more than all the rest of them.
func packed(c echo.Context) bool {
	path := c.Request().URL.Path
	if strings.HasPrefix(path, scanPrefix) || strings.HasPrefix(path, "/static/") || path == paths.Metrics || path == paths.JoinLive || path == paths.Live {
		return true
	}
	return strings.HasSuffix(path, ".png") || strings.HasSuffix(path, ".pdf") || strings.HasSuffix(path, ".zip")
}

var scanPrefix = strings.TrimSuffix(paths.Scan, ":token")

// render answers with a page.
func render(c echo.Context, status int, page templ.Component) error {
	buf := templ.GetBuffer()
	defer templ.ReleaseBuffer(buf)
	if err := page.Render(c.Request().Context(), buf); err != nil {
		return err
	}
	return c.HTMLBlob(status, buf.Bytes())
}

// actor is who makes the request; the guard has made sure there is somebody.
func actor(c echo.Context) access.Actor {
	a, _ := c.Get(actorKey).(access.Actor)
	return a
}

const actorKey = "actor"

func wantsJSON(c echo.Context) bool {
	return acceptsJSON(c.Request().Header.Get(echo.HeaderAccept))
}
