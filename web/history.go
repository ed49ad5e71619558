package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/scan"
	"doorplate/views"
)

// historyDays is the window of a history whose reader chose no dates, in days.
const historyDays = 30

// maxSerial is the highest number a printed copy can have.
const maxSerial = 1<<18 - 1

func (s *server) showCodeScans(c echo.Context) error {
	return s.showHistory(c, scan.Spot{Code: publicID(c)})
}

func (s *server) showGroupScans(c echo.Context) error {
	return s.showHistory(c, scan.Spot{Group: publicID(c)})
}

// showHistory shows the charts and the list of scans of a place. A filter that
// makes no sense answers 422 with the page and what is wrong with it.
func (s *server) showHistory(c echo.Context, at scan.Spot) error {
	ctx := c.Request().Context()
	typed := typedHistory(c)
	filter, wrong := s.historyFilter(c, typed)
	q := scan.Query{Filter: filter, A: typed.A, B: typed.B}
	if typed.Days == strconv.Itoa(scan.LongChart) {
		q.Days = scan.LongChart
	}
	p := views.HistoryProps{Typed: typed, Narrowed: narrowed(typed), First: filter.After == "" && filter.Before == ""}
	if typed.From == "" && typed.To == "" {
		q.From = s.firstDay(c)
		p.Since = q.From.Format(time.DateOnly)
	}
	var err error
	p.Report, err = s.Scans.Report(ctx, actor(c), at, q)
	var refused fault.Invalid
	if errors.As(err, &refused) {
		wrong["person"] = refused["person"]
	} else if err != nil {
		return err
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		if wantsJSON(c) {
			return wrong
		}
		status, p.Errors = http.StatusUnprocessableEntity, codeErrors(ctx, wrong)
	}
	if at.Code == "" {
		return render(c, status, views.GroupScans(p))
	}
	return render(c, status, views.CodeScans(p))
}

func typedHistory(c echo.Context) views.HistoryForm {
	oneOf := func(name string, known ...string) string {
		if v := c.QueryParam(name); slices.Contains(known, v) {
			return v
		}
		return ""
	}
	return views.HistoryForm{
		Outcome: oneOf("outcome", scan.Outcomes...), Device: oneOf("device", scan.Devices...), App: oneOf("app", scan.FilterApps...),
		Channel: queryText(c, "channel"), Copy: queryText(c, "copy"), Person: queryText(c, "person"), From: queryText(c, "from"), To: queryText(c, "to"),
		Days: oneOf("days", strconv.Itoa(scan.LongChart)), A: queryText(c, "a"), B: queryText(c, "b"),
	}
}

// narrowed reports whether anything was asked for.
func narrowed(f views.HistoryForm) bool {
	f.Days, f.A, f.B = "", "", ""
	return f != views.HistoryForm{}
}

// firstDay is the start of the window that is shown unasked.
func (s *server) firstDay(c echo.Context) time.Time {
	now := s.Now().In(s.location(c.Request().Context()))
	return time.Date(now.Year(), now.Month(), now.Day()-historyDays+1, 0, 0, 0, 0, now.Location())
}

// historyFilter reads what was typed; what makes no sense is named and left out.
func (s *server) historyFilter(c echo.Context, typed views.HistoryForm) (scan.Filter, fault.Invalid) {
	wrong := fault.Invalid{}
	loc := s.location(c.Request().Context())
	f := scan.Filter{Outcome: typed.Outcome, Channel: typed.Channel, Device: typed.Device, App: typed.App, Person: typed.Person,
		After: queryText(c, "after"), Before: queryText(c, "before")}
	if typed.Copy != "" {
		n, err := strconv.Atoi(typed.Copy)
		if err != nil || n < 1 || n > maxSerial {
			wrong["copy"] = fault.Msg("history.error.copy", "Max", maxSerial)
		} else {
			f.Copy = n
		}
	}
	var bad bool
	if f.From, bad = day(typed.From, loc, 0); bad {
		wrong["from"] = fault.Msg("history.error.date")
	}
	if f.To, bad = day(typed.To, loc, 1); bad {
		wrong["to"] = fault.Msg("history.error.date")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		wrong["to"] = fault.Msg("history.error.order")
	}
	return f, wrong
}

func (s *server) downloadScans(c echo.Context) error {
	return s.exportScans(c, scan.Spot{Code: publicID(c)})
}

func (s *server) downloadGroupScans(c echo.Context) error {
	return s.exportScans(c, scan.Spot{Group: publicID(c)})
}

// exportScans streams the scans of a place: all of them, or those that the
// same filter as on the page leaves.
func (s *server) exportScans(c echo.Context, at scan.Spot) error {
	typed := typedHistory(c)
	filter, wrong := s.historyFilter(c, typed)
	for name, known := range map[string]string{"outcome": typed.Outcome, "device": typed.Device, "app": typed.App} {
		if known == "" && queryText(c, name) != "" { // a slip must not hand out everything
			wrong[name] = fault.Msg("history.error.choice")
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	ctx := c.Request().Context()
	export, err := s.Scans.Export(ctx, actor(c), at, filter)
	if err != nil {
		return err
	}
	name := export.Place.GroupName
	if at.Code != "" {
		name += "-" + export.Place.Label
	}
	attach(c, name, publicID(c), ".csv")
	c.Response().Header().Set(echo.HeaderContentType, "text/csv; charset=utf-8")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return export.Write(ctx, c.Response())
}
