package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

const auditPage = 50

// listAudit shows the trail, newest first.
func (s *server) listAudit(c echo.Context) error {
	ctx, q := c.Request().Context(), c.QueryParams()
	p := views.AuditProps{Kinds: audit.Kinds, PublicKey: s.Audit.PublicKey(),
		CanExport: access.Can(actor(c), access.FullExport, access.Object{}), CanVerify: access.Can(actor(c), access.OrganisationEdit, access.Object{})}
	var err error
	if p.Actions, err = s.Audit.Actions(ctx, actor(c)); err != nil {
		return err
	}
	f, err := s.auditFilter(c, &p)
	if err != nil {
		return err
	}
	if p.Page, err = s.Audit.Page(ctx, actor(c), f, auditPage); err != nil {
		return err
	}
	if p.State, err = s.Audit.State(ctx, actor(c)); err != nil {
		return err
	}
	if p.Page.Next > 0 {
		p.Next = auditURL(q, strconv.FormatInt(p.Page.Next, 10))
	}
	if f.Before > 0 {
		p.First = auditURL(q, "")
	}
	if len(p.Page.Lines) > 0 && f.ObjectID != "" {
		p.Object = p.Page.Lines[0].ObjectName
	} else if len(p.Page.Lines) > 0 && q.Get("actor") != "" {
		p.Person = p.Page.Lines[0].ActorName
	}
	return render(c, http.StatusOK, views.Audit(p))
}

// actionName is how an action, or an area with its dot, is written.
var actionName = regexp.MustCompile(`^[a-z_]{1,30}(\.[a-z_]{0,30}){1,4}$`)

// auditFilter reads the filter; what makes no sense does not narrow.
func (s *server) auditFilter(c echo.Context, p *views.AuditProps) (f audit.Filter, err error) {
	q := c.QueryParams()
	p.Filter = views.AuditFilter{Who: queryText(c, "who"), Action: q.Get("action"), Kind: q.Get("kind"), Thing: queryText(c, "thing"),
		Outcome: q.Get("outcome"), From: q.Get("from"), To: q.Get("to")}
	if area := q.Get("area"); area != "" && p.Filter.Action == "" {
		p.Filter.Action = area + "."
	}
	if actionName.MatchString(p.Filter.Action) {
		f.Action = p.Filter.Action
	}
	if slices.Contains(audit.Kinds, p.Filter.Kind) {
		f.ObjectKind, f.ObjectID = p.Filter.Kind, queryText(c, "object")
	}
	if f.ObjectID == "" {
		f.ObjectName = p.Filter.Thing
	}
	if slices.Contains([]string{audit.Done, audit.Refused, audit.Failed}, p.Filter.Outcome) {
		f.Outcome = p.Filter.Outcome
	}
	loc := s.location(c.Request().Context())
	var badFrom, badTo bool
	f.From, badFrom = day(p.Filter.From, loc, 0)
	f.To, badTo = day(p.Filter.To, loc, 1)
	if badFrom || badTo {
		p.DateError = i18n.T(c.Request().Context(), "audit.date.invalid")
	}
	f.Before = queryNumber(c, "before")
	return f, s.auditPeople(c, p.Filter.Who, &f)
}

// actorsMost is how many people of a name are looked for.
const actorsMost = 20

// auditPeople finds whom a name stands for, so that the trail is asked for
// numbers. People who left are found too.
func (s *server) auditPeople(c echo.Context, who string, f *audit.Filter) error {
	if id := queryNumber(c, "actor"); id > 0 {
		f.Actors = []int64{id}
		return nil
	}
	ctx := c.Request().Context()
	switch {
	case who == "":
		return nil
	case strings.EqualFold(who, i18n.T(ctx, "audit.system")):
		f.System = true
		return nil
	}
	f.Actors = []int64{}
	if id, err := strconv.ParseInt(who, 10, 64); err == nil && id > 0 {
		f.Actors = append(f.Actors, id)
	}
	for _, departed := range []bool{false, true} {
		found, err := s.Directory.Members(ctx, actor(c), directory.Search{Query: who, Departed: departed, Limit: actorsMost})
		if err != nil {
			return err
		}
		for _, m := range found.Rows {
			f.Actors = append(f.Actors, m.ID)
		}
	}
	return nil
}

func auditURL(q url.Values, before string) string {
	return paths.With(paths.Audit, "who", q.Get("who"), "actor", q.Get("actor"), "area", q.Get("area"), "action", q.Get("action"), "from", q.Get("from"), "to", q.Get("to"),
		"kind", q.Get("kind"), "object", q.Get("object"), "thing", q.Get("thing"), "outcome", q.Get("outcome"), "before", before)
}

// showAuditEntry shows one entry with its seal.
func (s *server) showAuditEntry(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	w, err := s.Audit.Entry(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.AuditEntry(w))
}

// verifyAudit has the whole chain verified; the page tells how far that is.
func (s *server) verifyAudit(c echo.Context) error {
	if err := s.Audit.AskVerify(c.Request().Context(), actor(c)); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, paths.Audit)
}

// downloadCheckpoint hands out the signed head of the chain.
func (s *server) downloadCheckpoint(c echo.Context) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	p, err := s.Audit.Checkpoint(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return attachment(c, "doorplate-checkpoint-"+strconv.FormatInt(p.Seq, 10)+".txt", p.Note)
}

// downloadAuditKey hands out what checkpoints are checked with.
func (s *server) downloadAuditKey(c echo.Context) error {
	return attachment(c, "doorplate-audit-key.txt", s.Audit.PublicKey()+"\n")
}

func attachment(c echo.Context, name, text string) error {
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
}

// day reads YYYY-MM-DD as that day's start in loc, shifted by days. Empty is no time.
func day(text string, loc *time.Location, shift int) (at time.Time, bad bool) {
	if text == "" {
		return time.Time{}, false
	}
	d, err := time.ParseInLocation(time.DateOnly, text, loc)
	if err != nil || d.Year() < 1970 || d.Year() > 9999 {
		return time.Time{}, true
	}
	return d.AddDate(0, 0, shift).UTC(), false
}
