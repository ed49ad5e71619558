package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views"
)

// joinCookie leads back to one redeemed scan; here it only tells visitors apart.
const joinCookie = "doorplate_join"

// scanHeader carries the reference of the scan that an answer belongs to.
const scanHeader = "Doorplate-Scan"

// scanCode answers a scan of a printed code, after it was decided and recorded.
func (s *server) scanCode(c echo.Context) error {
	ctx := c.Request().Context()
	req, stop := s.scanRequest(c)
	d, err := s.Scans.Record(c.Request().Context(), req)
	stop()
	c.Response().Header().Set(scanHeader, d.Ref)
	if err != nil {
		s.Log.ErrorContext(ctx, "scan not recorded", "reference", d.Ref, "err", err)
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
		if wantsJSON(c) {
			s.answerProblem(c, s.explain(ctx, err), d.Ref)
			return nil
		}
		return render(c, http.StatusServiceUnavailable, views.NotRecorded(d.Ref, c.Request().URL.RequestURI()))
	}
	if d.Outcome == scan.Live {
		return c.Redirect(http.StatusSeeOther, paths.To(paths.JoinTicket, d.Ticket))
	}
	c.SetRequest(c.Request().WithContext(ctx)) // the time for the scan is over
	defer limitTime(c, scanTimeout)()
	ctx = c.Request().Context()
	notice, err := s.Scans.Notice(ctx, d)
	if err != nil {
		return err
	}
	if d.Outcome == scan.Bot {
		return render(c, http.StatusOK, views.Preview(notice.Organisation))
	}
	c.SetRequest(c.Request().WithContext(views.WithZone(ctx, notice.Location, s.Now())))
	return s.sendOn(c, req, d, notice)
}

// scanRequest reads what the browser sent. Only somebody with a session costs a
// look at the database, and a limit on the time for it and for the scan.
func (s *server) scanRequest(c echo.Context) (req scan.Request, stop func()) {
	r := c.Request()
	req = scan.Request{
		Token: c.Param("token"), Address: c.RealIP(), UserAgent: r.UserAgent(), Preview: r.Method == http.MethodHead || prefetched(r),
		UTMSource: c.QueryParam("utm_source"), UTMMedium: c.QueryParam("utm_medium"), UTMCampaign: c.QueryParam("utm_campaign"),
	}
	if ck, err := c.Cookie(s.cookieName(joinCookie)); err == nil {
		req.JoinCookie = ck.Value
	}
	if _, err := c.Cookie(s.cookieName(sessionCookie)); err != nil {
		return req, func() {}
	}
	stop = limitTime(c, scanTimeout)
	// Who cannot be told apart from a stranger now is asked on the join page.
	if a, err := s.signedIn(c); err == nil {
		req.MemberID = a.MemberID
	}
	return req, stop
}

// prefetched reports whether the browser fetches before anybody asked for the page.
func prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if value := strings.ToLower(r.Header.Get(name)); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

var scanStatus = map[string]int{
	scan.Unknown: http.StatusNotFound,
	scan.Expired: http.StatusGone, scan.Revoked: http.StatusGone, scan.Replaced: http.StatusGone, scan.Suspended: http.StatusGone, scan.Disbanded: http.StatusGone,
	scan.Network: http.StatusForbidden, scan.Audience: http.StatusForbidden, scan.Off: http.StatusForbidden,
	scan.Exhausted: http.StatusTooManyRequests, scan.Limited: http.StatusTooManyRequests,
}

// refuseScan is the page of a scan that is not let in. The join page uses it too,
// for an audience that is only known after identification.
func (s *server) refuseScan(c echo.Context, d scan.Decision, n scan.Notice) error {
	status := scanStatus[d.Outcome]
	if d.After > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(d.After.Seconds()))))
	}
	if wantsJSON(c) {
		title, words := views.RefusalWords(c.Request().Context(), d)
		s.answerProblem(c, problem{status: status, title: title, text: words, after: d.After.Round(time.Second)}, d.Ref)
		return nil
	}
	return render(c, status, views.Refusal(views.RefusalProps{Notice: n, Decision: d, Path: c.Request().URL.RequestURI(), Wait: waitTicket(c), Explain: s.mayTrace(c)}))
}
