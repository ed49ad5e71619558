package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/views"
)

// followConsole tells an open console page which requests changed, by number,
// and that there are messages. It names nothing that the reader may not see,
// and reads the reader's rights anew each time it has something to say.
func (s *server) followConsole(c echo.Context) error {
	session, err := s.session(c)
	if err != nil {
		return err
	}
	a, err := s.signedIn(c)
	if errors.Is(err, fault.NotFound) {
		return echo.NewHTTPError(http.StatusUnauthorized) // a browser does not try again
	} else if err != nil {
		return err
	}
	if !wantsStream(c) {
		return c.NoContent(http.StatusNoContent)
	}
	f := &console{server: s, session: session.ID}
	f.who.Store(&a)
	sub, err := s.oneStream(c, func(e events.Told) bool { return consoleEvent(*f.who.Load(), e) != "" })
	if err != nil {
		return err
	}
	defer sub.Close()
	return s.listen(c, "console "+session.ID, sub, func(st *stream) bool { return f.hello(st, c) }, f.tell)
}

type console struct {
	*server
	session string
	who     atomic.Pointer[access.Actor] // the hub reads it
}

// consoleEvent is what an event is called on a page of a's; "" when it is none of a's business.
func consoleEvent(a access.Actor, e events.Told) string {
	switch {
	case e.Kind == events.Notice:
		if e.MemberID != nil && *e.MemberID == a.MemberID {
			return "notices"
		}
	case e.RequestID != nil && e.GroupID != nil && strings.HasPrefix(e.Kind, "request."):
		g := group.Group{ID: *e.GroupID, DepartmentPath: e.Path, Type: e.Type, Origin: e.Origin}
		if access.Can(a, access.RequestsDecide, g.Object(false)) {
			return "requests"
		}
	}
	return ""
}

// hello catches up from where the browser left off, or from when the page was made.
func (f *console) hello(st *stream, c echo.Context) bool {
	ctx, cancel := st.short()
	defer cancel()
	after, since := int64(0), time.Time{}
	if id, err := strconv.ParseInt(lastEvent(c, "after"), 10, 64); err == nil {
		after = id
	} else if ms, err := strconv.ParseInt(c.QueryParam("since"), 10, 64); err == nil && ms > 0 {
		since = time.UnixMilli(ms).Add(-5 * time.Second) // a fact is older than its commit
	}
	if after <= 0 && since.IsZero() {
		return true
	}
	missed, more, err := f.Hub.Since(ctx, after, since)
	if err != nil {
		return false
	}
	return f.tell(st, missed, more)
}

// tell writes what concerns the reader. A session that ended or a reader without
// any right left ends the stream.
func (f *console) tell(st *stream, heard []events.Told, lost bool) bool {
	ctx, cancel := st.short()
	defer cancel()
	a, err := f.Auth.ActorOf(ctx, f.session)
	if errors.Is(err, fault.NotFound) {
		st.send("over", "", "{}")
		return false
	} else if err != nil {
		return false
	}
	f.who.Store(&a)
	if lost {
		return st.send("reload", "", "{}")
	}
	ids, last, notices := concerning(a, heard)
	if len(ids) > 0 && !st.send("requests", last, idsJSON(ids)) {
		return false
	}
	return !notices || st.send("notices", last, "{}")
}

func concerning(a access.Actor, heard []events.Told) (ids []int64, last string, notices bool) {
	for _, e := range heard {
		switch consoleEvent(a, e) {
		case "requests":
			ids = append(ids, *e.RequestID)
			last = number(e.ID)
		case "notices":
			notices, last = true, number(e.ID)
		}
	}
	return ids, last, notices
}

func idsJSON(ids []int64) string {
	raw, err := json.Marshal(map[string][]int64{"ids": ids})
	if err != nil {
		return `{"ids":[]}` // numbers always marshal
	}
	return string(raw)
}

// showCounts answers with the figures that stand in the navigation.
func (s *server) showCounts(c echo.Context) error {
	a, err := s.signedIn(c)
	if errors.Is(err, fault.NotFound) {
		return echo.NewHTTPError(http.StatusUnauthorized)
	} else if err != nil {
		return err
	}
	counts, err := s.counts(c.Request().Context(), a)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, counts)
}

// counts are texts, as the navigation shows them; "" where there is nothing.
func (s *server) counts(ctx context.Context, a access.Actor) (map[string]string, error) {
	out := map[string]string{}
	if access.Can(a, access.RequestsDecide, access.Object{}) {
		n, err := s.Joins.Waiting(ctx, a, views.CountLimit+1)
		if err != nil {
			return nil, err
		}
		out["requests"] = views.Count(n)
	}
	if access.Can(a, access.ApprovalsSee, access.Object{}) {
		n, err := s.Approvals.Waiting(ctx, a, views.CountLimit+1)
		if err != nil {
			return nil, err
		}
		out["approvals"] = views.Count(n)
	}
	return out, nil
}
