package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

// leftCookie carries, for one page, the ids that a press could not decide.
const leftCookie = "doorplate_left"

// maxLeft bounds leftCookie.
const maxLeft = 100

func (s *server) listRequests(c echo.Context) error {
	left, err := s.Joins.Outcomes(c.Request().Context(), actor(c), s.takeLeft(c)...)
	if err != nil {
		return err
	}
	return s.askRequests(c, http.StatusOK, views.RequestsProps{Left: left})
}

// askRequests shows the queue with what was chosen and what is wrong with it.
func (s *server) askRequests(c echo.Context, status int, p views.RequestsProps) (err error) {
	ctx, by := c.Request().Context(), actor(c)
	query := c.QueryParams()
	if back := c.FormValue("back"); back != "" {
		query = parseBack(back)
	}
	if err := s.addViews(c, &p, query); err != nil {
		return err
	}
	if p.Queue, err = s.Joins.Queue(ctx, by, p.Filter); err != nil {
		return err
	}
	if p.Groups, err = s.Joins.Choices(ctx, by); err != nil {
		return err
	}
	if p.Reasons, err = s.Joins.Reasons(ctx); err != nil {
		return err
	}
	p.Preset, p.Statistics = presetOf(c.FormValue("reason_preset")), by.HoldsAny(access.RequestsDecide)
	p.Stays = access.Can(by, access.MemberAdd, access.Object{})
	p.Now, p.Reason = s.Now(), c.FormValue("reason")
	return render(c, status, views.Requests(p))
}

// parseBack keeps the filters a form came from, and nothing else.
func parseBack(back string) url.Values {
	given, err := url.ParseQuery(back)
	kept := url.Values{}
	for _, name := range append(filterNames, "after") {
		if v := given.Get(name); err == nil && v != "" {
			kept.Set(name, v)
		}
	}
	return kept
}

func clipText(text string, n int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	if r := []rune(text); len(r) > n {
		return string(r[:n])
	}
	return text
}

func (s *server) showRequest(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.askRequest(c, http.StatusOK, id, nil)
}

func (s *server) askRequest(c echo.Context, status int, id int64, wrong map[string]string) error {
	d, err := s.Joins.Open(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	p := views.RequestProps{Detail: d, UndoWhy: c.FormValue("why"), Now: s.Now(), Decide: views.DecideProps{Doors: d.Doors, Reason: c.FormValue("reason"),
		Preset: presetOf(c.FormValue("reason_preset")), Until: c.FormValue("until"), Into: c.FormValue("into"), Wrong: wrong}}
	if p.Decide.Reasons, err = s.Joins.Reasons(c.Request().Context()); err != nil {
		return err
	}
	return render(c, status, views.Request(p))
}

// decideRequests approves or rejects one or many; the contract fixes the answers.
func (s *server) decideRequests(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	d, ids, err := s.readDecision(c)
	if err != nil {
		return s.refuseDecision(c, ids, err)
	}
	if err := s.warnOfWords(c, d.Reason, ids); err != nil {
		return s.refuseDecision(c, ids, err)
	}
	results, err := s.Joins.Decide(ctx, actor(c), d, ids...)
	if err != nil {
		return s.refuseDecision(c, ids, err)
	}
	if len(results) == 1 && results[0].Outcome == join.Own {
		return fault.Forbidden{Right: "requests.own"}
	}
	if wantsJSON(c) {
		return c.JSON(http.StatusOK, map[string]any{"results": resultsJSON(results)})
	}
	if swapsRow(c, results) {
		return s.answerRow(c, results[0])
	}
	return s.answerDecision(c, results)
}

// readDecision reads the form. An id that is no number is a request that does not exist.
func (s *server) readDecision(c echo.Context) (d join.Decision, ids []int64, err error) {
	typed := c.Request().PostForm
	for _, text := range typed["id"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 0 {
			id = 0
		}
		ids = append(ids, id)
	}
	d = join.Decision{Approve: typed.Get("decision") == "approve", Reason: typed.Get("reason"), Preset: presetOf(typed.Get("reason_preset")),
		English: views.English(c.Request().Context()), Until: typed.Get("until"), Into: typed.Get("into")}
	if !d.Approve && typed.Get("decision") != "reject" {
		return d, ids, fault.Invalid{"decision": fault.Msg("requests.error.decision")}
	}
	return d, ids, nil
}

// refuseDecision shows the page the form came from again, with what was typed.
func (s *server) refuseDecision(c echo.Context, ids []int64, err error) error {
	if may := s.Joins.MayDecide(c.Request().Context(), actor(c), ids...); may != nil {
		return may
	}
	wrong, isWrong := err.(fault.Invalid)
	if !isWrong || wantsJSON(c) {
		return err
	}
	words := told(c.Request().Context(), wrong)
	if len(ids) == 1 && (c.FormValue("open") != "" || ids[0] == 0) {
		return s.askRequest(c, http.StatusUnprocessableEntity, ids[0], words)
	}
	return s.askRequests(c, http.StatusUnprocessableEntity, views.RequestsProps{Wrong: words, Chosen: ids})
}

func (s *server) answerDecision(c echo.Context, results []join.Result) error {
	var left []join.Result
	done := 0
	for _, r := range results {
		if r.Decided() {
			done++
		} else {
			left = append(left, r)
		}
	}
	switch {
	case len(results) == 1 && results[0].Outcome == join.NotFound:
		return fault.NotFound
	case done == 0:
		return s.askRequests(c, http.StatusConflict, views.RequestsProps{Left: left})
	case len(results) == 1:
		s.flashUndo(c, results, "requests.flash."+results[0].Outcome, "Name", results[0].Name, "Group", results[0].Group)
	default:
		s.flashUndo(c, results, "requests.flash.many", "Count", done)
	}
	s.keepLeft(c, left)
	to := paths.Requests
	if back := parseBack(c.FormValue("back")).Encode(); back != "" {
		to += "?" + back
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func (s *server) keepLeft(c echo.Context, left []join.Result) {
	if len(left) == 0 {
		return
	}
	ids := make([]string, 0, maxLeft)
	for _, r := range left[:min(len(left), maxLeft)] {
		ids = append(ids, strconv.FormatInt(r.ID, 10))
	}
	c.SetCookie(s.cookie(leftCookie, strings.Join(ids, "."), time.Minute))
}

// takeLeft reads the cookie once. Its ids are only ever looked up in the reader's scope.
func (s *server) takeLeft(c echo.Context) (ids []int64) {
	ck, err := c.Cookie(s.cookieName(leftCookie))
	if err != nil || c.Request().Method != http.MethodGet || wantsJSON(c) {
		return nil
	}
	c.SetCookie(s.cookie(leftCookie, "", -1))
	for _, text := range strings.SplitN(ck.Value, ".", maxLeft+1) {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && len(ids) < maxLeft {
			ids = append(ids, id)
		}
	}
	return ids
}

type resultJSON struct {
	ID      int64      `json:"id"`
	Outcome string     `json:"outcome"`
	By      string     `json:"by"`
	At      *time.Time `json:"at"`
}

func resultsJSON(results []join.Result) []resultJSON {
	out := make([]resultJSON, len(results))
	for i, r := range results {
		out[i] = resultJSON{ID: r.ID, Outcome: r.Outcome}
		if r.Decided() || r.Outcome == join.Already {
			out[i].By = r.By
			if !r.At.IsZero() {
				at := r.At.UTC()
				out[i].At = &at
			}
		}
	}
	return out
}
