package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/views"
)

// databaseTimeout bounds what one request may wait for the database; a black
// hole must become a 503, not a hanging page.
var databaseTimeout = 10 * time.Second

// renewKey holds the function that starts databaseTimeout anew.
const renewKey = "renew"

// renewed lives as long as one context and knows what another one knows.
type renewed struct {
	context.Context
	values context.Context
}

func (r renewed) Value(key any) any { return r.values.Value(key) }

// renewTime starts the database's time anew, for a handler that was busy with something else. The request has a new
// context afterwards.
func renewTime(c echo.Context) {
	if renew, ok := c.Get(renewKey).(func()); ok {
		renew()
	}
}

// limitTime bounds the request, and lets renewTime start the time anew. stop frees what it took.
func limitTime(c echo.Context, wait time.Duration) (stop func()) {
	whole := c.Request().Context()
	c.Set(wholeKey, whole)
	ctx, cancel := context.WithTimeout(whole, wait)
	c.SetRequest(c.Request().WithContext(ctx))
	c.Set(renewKey, func() {
		again, cancelAgain := context.WithTimeout(whole, wait)
		previous := cancel
		cancel = func() { cancelAgain(); previous() }
		c.SetRequest(c.Request().WithContext(renewed{again, c.Request().Context()}))
	})
	return func() { cancel() }
}

// scanTimeout is the same for a scan: whoever stands at a door does not wait.
const scanTimeout = 2 * time.Second

// guard opens a route: set-up done, somebody signed in, the coarse right held.
// The domain checks again, per object.
func (s *server) guard(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r.who == atTheDoor && s.isSetUp.Load() {
			return r.handle(s, c) // has its own patience, and needs the organisation only to refuse
		}
		wait := databaseTimeout
		if r.who == atTheDoor {
			wait = scanTimeout
		}
		defer limitTime(c, wait)()
		ctx := c.Request().Context()
		if r.who == public {
			return r.handle(s, c)
		}
		org, err := s.Directory.Organisation(ctx)
		if err != nil && r.who == atTheDoor {
			return r.handle(s, c) // fails too, with the reference of a scan
		}
		if err != nil {
			return fault.Unavailable{Err: err}
		}
		c.SetRequest(c.Request().WithContext(views.WithZone(ctx, org.Location(), s.Now())))
		s.isSetUp.Store(org.SetUpAt != nil)
		switch {
		case r.who == firstRun:
			return s.firstRun(c, org, r)
		case org.SetUpAt == nil:
			return echo.NewHTTPError(http.StatusServiceUnavailable)
		case r.who == anyone, r.who == atTheDoor:
			return r.handle(s, c)
		}
		return s.admit(c, org, r)
	}
}

// firstRun is over once the organisation is set up. A form may still come a
// second time: its handler gives the first answer again, or 404.
func (s *server) firstRun(c echo.Context, org directory.Organisation, r route) error {
	if org.SetUpAt != nil && r.method != http.MethodPost {
		return fault.NotFound
	}
	return r.handle(s, c)
}

// admit lets the signed-in through when the coarse right allows it.
func (s *server) admit(c echo.Context, org directory.Organisation, r route) error {
	a, err := s.signedIn(c)
	if errors.Is(err, fault.NotFound) {
		return s.sendToLogin(c)
	} else if err != nil {
		return err
	}
	a.Address, a.Device = c.RealIP(), device(c.Request().UserAgent())
	c.Set(actorKey, a)
	if err := s.dress(c, org, a); err != nil {
		return err
	}
	if r.right != "" && !access.Can(a, r.right, access.Object{}) {
		return fault.Forbidden{Right: string(r.right)}
	}
	c.Set(insideKey, true)
	return r.handle(s, c)
}

// insideKey says that the gate let the request through.
const insideKey = "inside"

func (s *server) sendToLogin(c echo.Context) error {
	if wantsJSON(c) {
		return echo.NewHTTPError(http.StatusUnauthorized)
	}
	next := paths.Home
	if c.Request().Method != http.MethodPost {
		next = c.Request().URL.RequestURI()
	}
	return c.Redirect(http.StatusSeeOther, paths.Login+"?next="+url.QueryEscape(paths.Local(next)))
}

// dress puts what surrounds every page into the context.
func (s *server) dress(c echo.Context, org directory.Organisation, a access.Actor) error {
	ctx := c.Request().Context()
	can := func(r access.Right) bool { return access.Can(a, r, access.Object{}) }
	chrome := views.Chrome{
		Organisation: org.Name, Name: a.Name, RoleKey: roleKey(a), Path: pagePath(c.Request()),
		CanRequests: can(access.RequestsDecide), CanCodes: can(access.CodeDownload), CanAudit: can(access.AuditRead),
		CanApprovals: can(access.ApprovalsSee), CanRecert: can(access.RecertSee), CanCases: can(access.CasesSee), CanSettings: can(access.OrganisationEdit),
		CanImport: can(access.MembersEdit), CanCreateGroup: can(access.GroupCreate), CanExport: can(access.FullExport), CanTrace: can(access.PolicyTrace),
		Flash: s.takeFlash(c),
	}
	if c.Request().Method == http.MethodGet && !wantsJSON(c) {
		var err error
		if chrome.Notices, err = s.Notices.Unread(ctx, a, views.CountLimit+1); err != nil {
			return err
		}
		if chrome.CanRequests {
			if chrome.Requests, err = s.Joins.Waiting(ctx, a, views.CountLimit+1); err != nil {
				return err
			}
		}
		if chrome.CanApprovals {
			if chrome.Approvals, err = s.Approvals.Waiting(ctx, a, views.CountLimit+1); err != nil {
				return err
			}
		}
	}
	c.SetRequest(c.Request().WithContext(views.WithChrome(ctx, chrome)))
	return nil
}

// pagePath is where the language switch leads back to: this page, or the one
// whose form was sent, for a form's address cannot be opened.
func pagePath(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return paths.Home
	}
	return paths.Local(from.RequestURI())
}

func roleKey(a access.Actor) string {
	switch {
	case a.Super:
		return "role.super"
	case len(a.Led) > 0:
		return "role.head"
	case a.Head():
		return "role.deputy"
	case len(a.Grants) > 0:
		return "role.custom"
	case len(a.Duties) > 0:
		return "role.owner"
	}
	return "role.staff"
}
