package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/internal/scan"
	"doorplate/views"
)

const waitKey = "waiting ticket"

// waitTicket is the way from the page of this refused scan to the waiting list; "" when there is none.
func waitTicket(c echo.Context) string {
	ticket, _ := c.Get(waitKey).(string)
	return ticket
}

// sendOn does what the code's terms say about those whom its limits turn away,
// after the scan was recorded as what it was: on to somewhere else, or the page
// that says why, perhaps with a place on the waiting list.
func (s *server) sendOn(c echo.Context, req scan.Request, d scan.Decision, n scan.Notice) error {
	on, err := s.Scans.Onward(c.Request().Context(), req, d, c.QueryParam(scan.Followed) != "")
	switch {
	case err != nil:
		return err
	case on.URL != "":
		return c.Redirect(http.StatusFound, on.URL)
	case on.Ticket != "":
		c.Set(waitKey, on.Ticket)
	}
	return s.refuseScan(c, d, n)
}

// offerOther finds the door of the other group that a code names for those who find its own full.
func (s *server) offerOther(c echo.Context, p *views.JoinProps) error {
	f := p.Code
	if p.State != join.StateFull || p.Late != "" || f.Fallback != code.ToGroup || f.FallbackGroupID == nil {
		return nil
	}
	token, ok, err := s.Codes.LiveCodeOf(c.Request().Context(), *f.FallbackGroupID, c.RealIP(), p.Person.MemberID)
	if err == nil && ok {
		p.Onward = paths.With(paths.To(paths.Scan, token), scan.Followed, "1")
	}
	return err
}

// unlockDoor compares a typed password before anything else of the form is used
// up. Without one the page asks for it as long as it needs it.
func (s *server) unlockDoor(c echo.Context) error {
	password := c.FormValue("password")
	if password == "" {
		return nil
	}
	ctx, secret := c.Request().Context(), s.joinSecret(c)
	lock, locked, err := s.Joins.Lock(ctx, secret)
	if err != nil || !locked {
		return err
	}
	fits, err := s.Auth.DoorPassword(ctx, lock.Code, c.RealIP(), password, lock.Hash)
	if err != nil {
		return err
	}
	if !fits {
		return fault.Invalid{"password": fault.Msg("terms.error.password.wrong")}
	}
	return s.Joins.Unlock(ctx, secret, lock)
}

func (s *server) joinWaitingList(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	err := s.unlockDoor(c)
	if err == nil {
		err = s.waitForSeat(c)
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askJoin(c, http.StatusUnprocessableEntity, views.JoinProps{Wrong: told(c.Request().Context(), wrong)})
	}
	return s.orScanAgain(c, err)
}

func (s *server) waitForSeat(c echo.Context) error {
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	v, err := s.Joins.Wait(c.Request().Context(), who)
	if err != nil {
		return err
	}
	if v.Barred != "" {
		return s.barVisit(c, v)
	}
	c.SetCookie(s.cookie(joinCookie, who.Secret, join.PendingLife))
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

// leaveWaitingList is no error for somebody who is not on it: the page says what is true.
func (s *server) leaveWaitingList(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	who, err := s.visitor(c)
	if err != nil {
		return err
	}
	if err := s.Joins.Leave(c.Request().Context(), who); err != nil {
		return s.orScanAgain(c, err)
	}
	return c.Redirect(http.StatusSeeOther, paths.Join)
}

func (s *server) listWaiters(c echo.Context) error {
	ctx, by, gid := c.Request().Context(), actor(c), publicID(c)
	list, err := s.Joins.Waiters(ctx, by, gid, queryNumber(c, "after"))
	if err != nil {
		return err
	}
	p := views.WaitersProps{Waiters: list, First: c.QueryParam("after") == ""}
	if p.Header, err = s.Groups.ByID(ctx, by, gid); err != nil {
		return err
	}
	if p.Header.Can.Codes {
		if p.Numbers, err = s.Groups.Numbers(ctx, by, gid); err != nil {
			return err
		}
	}
	return render(c, http.StatusOK, views.GroupWaiters(p))
}

func (s *server) admitWaiter(c echo.Context) error {
	id, err := waiterID(c)
	if err != nil {
		return err
	}
	err = s.Joins.LetIn(c.Request().Context(), actor(c), publicID(c), id)
	return s.done(c, err, "waiting.flash.admit", paths.To(paths.GroupWaiting, publicID(c)))
}

func (s *server) removeWaiter(c echo.Context) error {
	id, err := waiterID(c)
	if err != nil {
		return err
	}
	err = s.Joins.Dismiss(c.Request().Context(), actor(c), publicID(c), id)
	return s.done(c, err, "waiting.flash.remove", paths.To(paths.GroupWaiting, publicID(c)))
}

func waiterID(c echo.Context) (int64, error) {
	if err := form(c); err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(c.Param("waiter"), 10, 64)
	if err != nil || c.Param("waiter") != strconv.FormatInt(id, 10) {
		return 0, fault.NotFound
	}
	return id, nil
}
