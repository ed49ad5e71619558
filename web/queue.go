package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

// filterNames are the filters of the queue as its address and its views name them.
var filterNames = []string{"group", "department", "code", "kind", "age", "due", "hints", "answered", "state", "q", "all"}

// readFilter reads the filters; what is no filter is none.
func readFilter(query url.Values) join.Filter {
	department, err := strconv.ParseInt(query.Get("department"), 10, 64)
	if err != nil || department < 0 {
		department = 0
	}
	age, err := strconv.Atoi(query.Get("age"))
	if err != nil || age < 0 {
		age = 0
	}
	f := join.Filter{Group: clipText(query.Get("group"), 50), Code: clipText(query.Get("code"), 50), Department: department, Age: min(age, 365), Hinted: query.Get("hints") == "on",
		Decided: query.Get("state") == "decided", Search: clipText(query.Get("q"), 100), After: query.Get("after")}
	if kind := query.Get("kind"); kind == "member" || kind == "guest" {
		f.Kind = kind
	}
	if due := query.Get("due"); due == "late" || due == "soon" || due == "up" {
		f.Due = due
	}
	if answered := query.Get("answered"); answered == "yes" || answered == "no" {
		f.Answered = answered
	}
	return f
}

// addViews reads the filters, the reader's own views and the departments to
// choose from. The bare address shows the default view.
func (s *server) addViews(c echo.Context, p *views.RequestsProps, query url.Values) (err error) {
	ctx, by := c.Request().Context(), actor(c)
	if p.Views, err = s.Joins.Views(ctx, by); err != nil {
		return err
	}
	for _, v := range p.Views {
		if v.IsDefault {
			p.HasDefault = true
			if len(query) == 0 && c.Request().Method == http.MethodGet {
				query = parseBack(v.Query)
			}
		}
	}
	p.Filter = readFilter(query)
	return s.addDepartments(c, p, query)
}

// addDepartments prepares the choice of a department; a name typed that means
// one department is that one.
func (s *server) addDepartments(c echo.Context, p *views.RequestsProps, query url.Values) error {
	ctx, by := c.Request().Context(), actor(c)
	within, typed := directory.Within(access.RequestsDecide), clipText(query.Get("department_text"), 400)
	if typed != "" {
		found, err := s.Directory.Find(ctx, by, within, typed)
		if err != nil {
			return err
		}
		if len(found) == 1 {
			p.Filter.Department, typed = found[0].ID, ""
		}
	}
	var chosen []int64
	if p.Filter.Department != 0 {
		chosen = []int64{p.Filter.Department}
	}
	choice, err := s.Directory.Choose(ctx, by, within, chosen, typed)
	p.Choose = views.Chooser{Chooser: choice, Field: "department", IDs: chosen}
	return err
}

// swapsRow reports whether a script wants the row of the one request anew instead of a page.
func swapsRow(c echo.Context, results []join.Result) bool {
	return c.Request().Header.Get("HX-Request") != "" && len(results) == 1
}

// answerRow is the row as it is now: 409 when it was not this press that decided it.
func (s *server) answerRow(c echo.Context, r join.Result) error {
	if r.Outcome == join.NotFound {
		return fault.NotFound
	}
	rows, _, err := s.Joins.Some(c.Request().Context(), actor(c), join.Filter{}, r.ID)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !r.Decided() {
		status = http.StatusConflict
	}
	return render(c, status, views.RequestRow(views.RowProps{Rows: rows, Result: r, Back: parseBack(c.FormValue("back")).Encode(), Now: s.Now()}))
}

// showRequestRows renders some rows as they are now, for a page that is open.
func (s *server) showRequestRows(c echo.Context) error {
	query := c.QueryParams()
	ids := numbersOf(query["id"])
	back := parseBack(query.Get("back"))
	fresh := numbersOf(query["new"])
	all := slices.Concat(ids[:min(len(ids), maxLeft)], fresh[:min(len(fresh), maxLeft)])
	rows, kept, err := s.Joins.Some(c.Request().Context(), actor(c), readFilter(back), all...)
	if err != nil {
		return err
	}
	p := views.RowProps{Back: back.Encode(), Now: s.Now()}
	for _, r := range rows {
		if !slices.Contains(fresh, r.ID) {
			p.Rows = append(p.Rows, r)
		} else if kept[r.ID] {
			p.Fresh++
		}
	}
	return render(c, http.StatusOK, views.RequestRows(p))
}

// saveRequestView keeps the filters of the page under a name.
func (s *server) saveRequestView(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	back := parseBack(c.FormValue("back"))
	back.Del("after")
	back.Del("all")
	v := join.SavedView{Name: c.FormValue("name"), Query: back.Encode(), IsDefault: c.FormValue("default") == "on"}
	return s.viewAnswer(c, s.Joins.SaveView(c.Request().Context(), actor(c), v), back)
}

func (s *server) changeRequestView(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.viewAnswer(c, s.Joins.ChangeView(c.Request().Context(), actor(c), id, c.FormValue("action")), parseBack(c.FormValue("back")))
}

// viewAnswer goes back to the queue, or shows it with what is wrong.
func (s *server) viewAnswer(c echo.Context, err error, back url.Values) error {
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askRequests(c, http.StatusUnprocessableEntity, views.RequestsProps{Wrong: told(c.Request().Context(), wrong), ViewName: c.FormValue("name")})
	}
	return s.done(c, err, "queue.view.flash", toQueue(back))
}

func toQueue(back url.Values) string {
	if len(back) == 0 {
		return paths.Requests
	}
	return paths.Requests + "?" + back.Encode()
}

// draftRun counts what the filters of the page find and asks before it is decided.
func (s *server) draftRun(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d, _, err := s.readDecision(c)
	back := parseBack(c.FormValue("back"))
	back.Del("after")
	var id int64
	if err == nil {
		id, err = s.Joins.DraftRun(c.Request().Context(), actor(c), readFilter(back), back.Encode(), d)
	}
	var wrong fault.Invalid
	if errors.As(err, &wrong) && !wantsJSON(c) {
		return s.askRequests(c, http.StatusUnprocessableEntity, views.RequestsProps{Wrong: told(c.Request().Context(), wrong)})
	} else if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.RequestRun, id))
}

func (s *server) showRun(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	v, err := s.Joins.RunByID(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return c.JSON(http.StatusOK, map[string]any{"state": v.State, "decision": v.Decision(), "total": v.Total, "done": v.Done, "outcomes": v.Outcomes})
	}
	return render(c, http.StatusOK, views.RequestRun(views.RunProps{RunView: v}))
}

func (s *server) startRun(c echo.Context) error { return s.onRun(c, s.Joins.StartRun, "") }

func (s *server) cancelRun(c echo.Context) error {
	return s.onRun(c, s.Joins.CancelRun, "queue.run.flash.cancelled")
}

// onRun does something with a run and goes back to its page.
func (s *server) onRun(c echo.Context, do func(ctx context.Context, by access.Actor, id int64) error, flash string) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if err := do(c.Request().Context(), actor(c), id); err != nil {
		return err
	}
	if flash != "" {
		s.flash(c, "ok", flash)
	}
	return c.Redirect(http.StatusSeeOther, paths.To(paths.RequestRun, id))
}
