package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/paths"
	"doorplate/internal/rules"
	"doorplate/views"
)

// The handlers of rules serve the organisation and, where the address names
// one, a group.

func rulesAt(c echo.Context) string {
	if gid := c.Param("id"); gid != "" {
		return paths.To(paths.GroupRuling, gid)
	}
	return paths.Rules
}

// numbered reads a number of an address.
func numbered(c echo.Context, name string) (int64, error) {
	n, err := strconv.ParseUint(c.Param(name), 10, 63)
	if err != nil || n == 0 {
		return 0, fault.NotFound
	}
	return int64(n), nil
}

func (s *server) showRuling(c echo.Context) error {
	return s.rulingPage(c, http.StatusOK, views.RulingProps{})
}

// rulingPage shows all rules of a scope; p brings along what was typed.
func (s *server) rulingPage(c echo.Context, status int, p views.RulingProps) (err error) {
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	if p.Page, err = s.Rules.Page(ctx, by, gid); err != nil {
		return err
	}
	if c.QueryParam("try") != "" {
		trial, err := s.Joins.Try(ctx, by, gid, nil)
		if err != nil {
			return err
		}
		p.Trial = &trial
	}
	return render(c, status, views.Ruling(p))
}

func (s *server) newRule(c echo.Context) error {
	return s.rulePage(c, http.StatusOK, 0, views.RuleProps{}, &rules.Draft{Verdict: string(rules.Hold), Match: "all", Enabled: true})
}

func (s *server) showRule(c echo.Context) error {
	id, err := numbered(c, "rule")
	if err != nil {
		return err
	}
	return s.rulePage(c, http.StatusOK, id, views.RuleProps{}, nil)
}

// rulePage shows the form of one rule; typed is what a form brought along.
func (s *server) rulePage(c echo.Context, status int, id int64, p views.RuleProps, typed *rules.Draft) (err error) {
	if p.Page, err = s.Rules.Page(c.Request().Context(), actor(c), c.Param("id")); err != nil {
		return err
	}
	p.ID = id
	if id != 0 {
		r, err := p.ByID(id)
		if err != nil {
			return err
		}
		p.Draft = rules.DraftOf(r, p.Departments)
	}
	if typed != nil {
		p.Draft = *typed
	}
	return render(c, status, views.RuleForm(p))
}

func (s *server) createRule(c echo.Context) error { return s.keepRule(c, 0) }

func (s *server) saveRule(c echo.Context) error {
	id, err := numbered(c, "rule")
	if err != nil {
		return err
	}
	return s.keepRule(c, id)
}

// keepRule saves the rule, or only tries it out.
func (s *server) keepRule(c echo.Context, id int64) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, by, gid, d := c.Request().Context(), actor(c), c.Param("id"), ruleDraft(c)
	if c.FormValue("action") == "try" {
		return s.tryRule(c, id, d)
	}
	_, err := s.Rules.Save(ctx, by, gid, id, d)
	if bad, ok := complaints(c, err); ok {
		return s.rulePage(c, http.StatusUnprocessableEntity, id, views.RuleProps{Errors: bad}, &d)
	}
	if stale, ok := s.staleText(c, err); ok {
		return s.rulePage(c, http.StatusConflict, id, views.RuleProps{Stale: stale}, &d)
	}
	return s.done(c, err, "ruling.saved", rulesAt(c))
}

func (s *server) tryRule(c echo.Context, id int64, d rules.Draft) error {
	ctx, by, gid := c.Request().Context(), actor(c), c.Param("id")
	edited, err := s.Rules.Read(ctx, by, gid, id, d)
	if bad, ok := complaints(c, err); ok {
		return s.rulePage(c, http.StatusUnprocessableEntity, id, views.RuleProps{Errors: bad}, &d)
	}
	if err != nil {
		return err
	}
	trial, err := s.Joins.Try(ctx, by, gid, &edited)
	if err != nil {
		return err
	}
	return s.rulePage(c, http.StatusOK, id, views.RuleProps{Trial: &trial}, &d)
}

func ruleDraft(c echo.Context) rules.Draft {
	sent := c.Request().PostForm
	on := func(name string) bool {
		typed := sent[name]
		return len(typed) > 0 && typed[len(typed)-1] == "on"
	}
	d := rules.Draft{Name: sent.Get("name"), Match: sent.Get("match"), Verdict: sent.Get("verdict"), Reason: sent.Get("reason"), Enabled: on("enabled") || !sent.Has("enabled"),
		Version: -1, Person: sent.Get("person"), Departments: sent.Get("departments"), Domains: sent.Get("domains"), Lists: sent["list"], Words: sent.Get("words"),
		Says: sent.Get("says"), Question: sent.Get("question"), Op: sent.Get("op"), Answer: sent.Get("answer"), Network: sent.Get("network"), Score: sent.Get("score"),
		NotDepartments: on("not_departments"), NotDomains: on("not_domains"), NotLists: on("not_lists"), NotSays: on("not_says"), NotAnswer: on("not_answer")}
	if version, err := strconv.Atoi(sent.Get("version")); err == nil && version >= 0 {
		d.Version = version
	}
	return d
}

func (s *server) arrangeRule(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := numbered(c, "rule")
	if err != nil {
		return err
	}
	err = s.Rules.Arrange(c.Request().Context(), actor(c), c.Param("id"), id, c.FormValue("action"))
	return s.ruled(c, err, "ruling.arranged", views.RulingProps{})
}

// ruled answers a change of the page: done, or the page again with what is wrong.
func (s *server) ruled(c echo.Context, err error, flash string, p views.RulingProps) error {
	if bad, ok := complaints(c, err); ok {
		p.Errors = bad
		p.Warning = bad["action"]
		return s.rulingPage(c, http.StatusUnprocessableEntity, p)
	}
	var conflict fault.Conflict
	if errors.As(err, &conflict) && !wantsJSON(c) {
		p.Warning = s.conflictText(c.Request().Context(), conflict)
		return s.rulingPage(c, http.StatusConflict, p)
	}
	return s.done(c, err, flash, rulesAt(c))
}

func (s *server) saveWords(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	typed := c.FormValue("words")
	err := s.Rules.SaveWords(c.Request().Context(), actor(c), c.Param("id"), typed)
	return s.ruled(c, err, "ruling.words.saved", views.RulingProps{Words: &typed})
}

// roster is what was pasted and what was uploaded, as one text.
func roster(c echo.Context) (string, error) {
	file, err := upload(c, "file")
	if err != nil {
		return "", err
	}
	if !utf8.Valid(file) {
		return "", fault.Invalid{"people": fault.Msg("ruling.error.file")}
	}
	return c.FormValue("people") + "\n" + string(file), nil
}

func (s *server) makeList(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	people, err := roster(c)
	if err == nil {
		_, err = s.Rules.MakeList(c.Request().Context(), actor(c), c.Param("id"), c.FormValue("list_name"), people)
	}
	return s.ruled(c, err, "ruling.list.made", views.RulingProps{Name: c.FormValue("list_name"), People: c.FormValue("people")})
}

func (s *server) changeList(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := numbered(c, "list")
	if err != nil {
		return err
	}
	people, err := roster(c)
	if err == nil {
		err = s.Rules.ChangeList(c.Request().Context(), actor(c), c.Param("id"), id, c.FormValue("action"), people)
	}
	return s.ruled(c, err, "ruling.list.changed", views.RulingProps{People: c.FormValue("people")})
}

// overturnRequest puts the reader's decision in the place of a rule's.
func (s *server) overturnRequest(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	outcome, err := "", s.warnOfWords(c, c.FormValue("reason"), []int64{id})
	if err == nil {
		outcome, err = s.Joins.Overturn(c.Request().Context(), actor(c), id, c.FormValue("reason"))
	}
	if bad, ok := complaints(c, err); ok {
		return s.askRequest(c, http.StatusUnprocessableEntity, id, bad)
	}
	return s.done(c, err, "ruling.overturned."+outcome, fmt.Sprintf("%s?state=decided", paths.Requests))
}

// warnOfWords stops a reason with a word of the lists once: the form that comes
// back sends it as it is. A form that does not ask for the warning gets none.
func (s *server) warnOfWords(c echo.Context, reason string, ids []int64) error {
	if c.FormValue("heed") == "" || c.FormValue("heed") == views.Heed(reason) || len(ids) == 0 {
		return nil
	}
	hits, err := s.Joins.WordsIn(c.Request().Context(), actor(c), reason, ids...)
	if err != nil || len(hits) == 0 {
		return err
	}
	return fault.Invalid{"reason": fault.Msg("ruling.warn.reason", "Words", strings.Join(hits, ", "))}
}
