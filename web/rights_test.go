package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/paths"
	"doorplate/web"
)

// line is what the page "Who may do what" says about one route. own has the
// answers for super admin, head, staff and a group admin with the review duty
// on things of 平台组; foreign has those for head, staff and group admin on
// things of 市场部, "" when the route names no thing. y is allowed, a number the
// status of the refusal. open routes answer everybody alike: nobody, then
// anybody signed in.
type line struct {
	route        string
	at           func(things) []any
	fields       func(things) []string
	own, foreign string
	open         string
}

const (
	all    = "y y y y"
	admins = "y y 403 403"
	review = "y y 403 y"
	supers = "y 403 403 403"
	hidden = "404 404 404"
)

func atDepartment(o things) []any { return []any{o.department} }

func atMember(o things) []any { return []any{o.member} }

func atRun(o things) []any { return []any{o.run} }

func atGroup(o things) []any { return []any{o.gid} }

func atSeat(o things) []any { return []any{o.gid, o.seat} }

func atRule(o things) []any { return []any{o.gid, o.rule} }

func atRoster(o things) []any { return []any{o.gid, o.roster} }

func atRule0(o things) []any { return []any{o.rule0} }

func atRoster0(o things) []any { return []any{o.roster0} }

func atRuled(o things) []any { return []any{o.ruled} }

func atInvites(o things) []any { return []any{o.gid, o.invites} }

func atWaiter(o things) []any { return []any{o.gid, o.waiter} }

func atRemoved(o things) []any { return []any{o.gid, o.removed} }

func atStarted(o things) []any { return []any{o.started} }

func atImage(o things) []any { return []any{o.gid, o.image} }

func atCode(o things) []any { return []any{o.code} }

func atCase(o things) []any { return []any{o.report} }

func atCopy(o things) []any { return []any{o.code, 1} }

func atChannel(o things) []any { return []any{o.code, o.channel} }

func atRequest(o things) []any { return []any{o.request} }

func atMine(o things) []any { return []any{o.mine} }

func atExport(o things) []any { return []any{o.export} }

func atGone(o things) []any { return []any{o.gone} }

func atBulk(o things) []any { return []any{o.bulk} }

func atPrint(o things) []any { return []any{o.print} }

func atRole(o things) []any { return []any{o.role} }

func atGrant(o things) []any { return []any{o.role, o.grant} }

func atRound(o things) []any { return []any{o.round} }

func atHook(o things) []any    { return []any{o.hook} }
func atMessage(o things) []any { return []any{o.message} }
func atPreset(o things) []any  { return []any{o.preset} }

func atBatch(o things) []any { return []any{o.batch} }

func atEntry(o things) []any     { return []any{o.entry} }
func atReason(things) []any      { return []any{1} } // those that every organisation starts with
func atView(o things) []any      { return []any{o.view} }
func atDecisions(o things) []any { return []any{o.decisions} }

// sends are fields that hold for whatever thing.
func sends(pairs ...string) func(things) []string {
	return func(things) []string { return pairs }
}

func named(o things) string { return fmt.Sprintf("新的%d", o.n) }

func sendsMember(o things) []string {
	return []string{"name", named(o), "phone", fmt.Sprintf("137%08d", o.n), "department_id", fmt.Sprint(o.department)}
}

func sendsGroup(o things) []string {
	return []string{"name", named(o), "type", "internal", "department_id", fmt.Sprint(o.department), "capacity", "20", "purpose", "测试", "join_mode", "approval"}
}

func sendsFree(o things) []string { return []string{"member_id", fmt.Sprint(o.free)} }

var why = sends("reason", "测试")

func TestEveryRouteHasItsLine(t *testing.T) {
	var known []string
	for _, l := range lines {
		known = append(known, l.route)
	}
	for _, r := range web.Routes() {
		if i := slices.Index(known, r[0]+" "+r[1]); i < 0 {
			t.Errorf("%v: each new route gets its line in the test of rights", r)
		} else {
			known = slices.Delete(known, i, i+1)
		}
	}
	if len(known) > 0 {
		t.Errorf("lines without a route, or twice: %v", known)
	}
}

// walk makes the line's request about o.
func (b *browser) walk(l line, o things) *httptest.ResponseRecorder {
	b.t.Helper()
	method, pattern, _ := strings.Cut(l.route, " ")
	parts := strings.Split(pattern, "/")
	var ids []any
	if l.at != nil {
		ids = l.at(o)
	}
	for i, p := range parts {
		if strings.HasPrefix(p, ":") {
			parts[i] = "nonsense"
			if len(ids) > 0 {
				parts[i], ids = fmt.Sprint(ids[0]), ids[1:]
			}
		}
	}
	path := strings.Join(parts, "/")
	var pairs []string
	if l.fields != nil {
		pairs = l.fields(o)
	}
	if method == http.MethodGet {
		return b.get(paths.With(path, pairs...))
	}
	return b.post(path, pairs...)
}

// rows is the whole content of the database but for sessions, whose times move by themselves, and what the trail says of refusals.
func (s *site) rows() map[string]string {
	s.t.Helper()
	var tables []string
	list := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if s.db.Name() == "postgres" {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	}
	if err := s.db.Raw(list).Scan(&tables).Error; err != nil {
		s.t.Fatal(err)
	}
	content := map[string]string{}
	for _, name := range tables {
		query := s.db.Table(name)
		switch name {
		case "sessions", "audit_unsealed":
			continue
		case "audit_entries":
			query = query.Where("action <> 'right.refused'")
		}
		var rows []map[string]any
		if err := query.Find(&rows).Error; err != nil {
			s.t.Fatal(err)
		}
		texts := make([]string, len(rows))
		for i, r := range rows {
			texts[i] = fmt.Sprint(r)
		}
		sort.Strings(texts)
		content[name] = strings.Join(texts, "\n")
	}
	return content
}

// refusals compares the database with what it was, after a number of requests that
// must leave no trace: looking at every row after each would take longer than all else.
type refusals struct {
	before map[string]string
	asked  []string
}

const refusalsAtOnce = 80

// noteRefusal notes one request, and looks when there are enough.
func (s *site) noteRefusal(r *refusals, what string) {
	s.t.Helper()
	if r.asked = append(r.asked, what); len(r.asked) == refusalsAtOnce {
		s.unchanged(r)
	}
}

// unchanged fails the test when a refused request left a trace.
func (s *site) unchanged(r *refusals) {
	s.t.Helper()
	for name, now := range s.rows() {
		if now != r.before[name] {
			s.t.Errorf("one of %q changed %s:\n%s", r.asked, name, now)
			r.before[name] = now
		}
	}
	r.asked = nil
}

// reader is one column of the page "Who may do what".
type reader struct {
	name string
	access.Actor
	reviews int64
}

func (s *site) readers() []reader {
	admin := s.colleague(s.w.Platform)
	return []reader{{"super admin", s.w.Super, 0}, {"head", s.w.Head, 0}, {"staff", s.w.Staff, 0}, {"group admin", admin, admin.MemberID}}
}

func (s *site) own(r reader) things { return s.things(s.w.Platform, r.Actor, r.reviews) }

func TestRights(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		s.nobody()
		for i, r := range s.readers() {
			t.Run(r.name, func(t *testing.T) {
				s := *s
				s.t = t
				s.denied(i, r)
				s.allowed(i, r)
			})
		}
	})
}

// nobody goes to every address without a session.
func (s *site) nobody() {
	own := s.things(s.w.Platform, s.w.Head, 0)
	trace := &refusals{before: s.rows()}
	defer s.unchanged(trace)
	for _, l := range lines {
		if l.open != "" {
			continue
		}
		rec := s.visitor().walk(l, own)
		next := "/"
		if method, _, _ := strings.Cut(l.route, " "); method == http.MethodGet {
			next = rec.Result().Header.Get("Location")
			next, _ = url.QueryUnescape(strings.TrimPrefix(next, "/login?next="))
			if next == "" || strings.Contains(next, ":") || !strings.HasPrefix(next, "/") {
				s.t.Errorf("nobody: %s: next = %q", l.route, next)
			}
		}
		if rec.Code != 303 || rec.Header().Get("Location") != "/login?next="+url.QueryEscape(next) {
			s.t.Errorf("nobody: %s: %d to %s", l.route, rec.Code, rec.Header().Get("Location"))
		}
		s.noteRefusal(trace, "nobody: "+l.route)
	}
}

// denied asks for everything that r may not do.
func (s *site) denied(column int, r reader) {
	own, foreign := s.own(r), s.things(s.w.Marketing, s.w.OtherHead, 0)
	b := s.as(r.Actor)
	trace := &refusals{before: s.rows()}
	defer s.unchanged(trace)
	ask := func(l line, o things, where, want string) {
		if want == "y" {
			return
		}
		if rec := b.walk(l, o); fmt.Sprint(rec.Code) != want {
			s.t.Errorf("%s, %s: %d, want %s", l.route, where, rec.Code, want)
		}
		s.noteRefusal(trace, l.route+", "+where)
	}
	for _, l := range lines {
		if l.own != "" {
			ask(l, own, "own", strings.Fields(l.own)[column])
		}
		if l.foreign != "" && column > 0 {
			ask(l, foreign, "foreign", strings.Fields(l.foreign)[column-1])
		}
	}
}

// allowed asks for everything that r may do, each time about new things.
func (s *site) allowed(column int, r reader) {
	for _, l := range lines {
		if l.open != "" {
			s.open(l, r)
			continue
		}
		if strings.Fields(l.own)[column] != "y" {
			continue
		}
		rec := s.as(r.Actor).walk(l, s.own(r))
		fits := rec.Code == 200
		if strings.HasPrefix(l.route, "POST") {
			fits = slices.Contains([]int{303, 409, 410, 422}, rec.Code)
		}
		if !fits || strings.HasPrefix(rec.Header().Get("Location"), "/login") {
			s.t.Errorf("%s, allowed: %d %s", l.route, rec.Code, rec.Header().Get("Location"))
		}
	}
}

func (s *site) open(l line, r reader) {
	want := strings.Fields(l.open)
	for i, b := range []*browser{s.visitor(), s.as(r.Actor)} {
		if rec := b.walk(l, things{}); fmt.Sprint(rec.Code) != want[i] {
			s.t.Errorf("%s, signed in %v: %d, want %s", l.route, i == 1, rec.Code, want[i])
		}
	}
}
