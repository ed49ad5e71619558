package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/paths"
	"doorplate/web"
)

// things is one of everything, in one department.
type things struct {
	n                                      int
	department, member, request, run, seat int64
	gid, code                              string
	mine, theirs, export                   int64 // approvals: the reader's own, a head's, the reader's granted export
	preset, print                          int64
	channel                                int64  // of the code; its copy has the serial 1
	above                                  int64  // the department above
	free                                   int64  // a member who is in no group
	waiter                                 int64  // who waits for a seat
	image                                  int64  // of the group's chat
	removed                                int64  // a stay that the reader has just ended
	started                                string // a group that a member started
	role, grant                            int64  // a custom role, held by free
	entry                                  int64  // of the audit trail
	round                                  int64  // in which heads confirm
	gone, bulk                             int64  // a departed member; the author's bulk edit
	batch                                  int64  // of new groups: a draft of the reader's own
	view, decisions                        int64  // of the queue: the author's view, and draft to decide many
}

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
func atMember(o things) []any     { return []any{o.member} }
func atRun(o things) []any        { return []any{o.run} }
func atGroup(o things) []any      { return []any{o.gid} }
func atSeat(o things) []any       { return []any{o.gid, o.seat} }
func atWaiter(o things) []any     { return []any{o.gid, o.waiter} }
func atRemoved(o things) []any    { return []any{o.gid, o.removed} }
func atStarted(o things) []any    { return []any{o.started} }
func atImage(o things) []any      { return []any{o.gid, o.image} }
func atCode(o things) []any       { return []any{o.code} }
func atCopy(o things) []any       { return []any{o.code, 1} }
func atChannel(o things) []any    { return []any{o.code, o.channel} }
func atRequest(o things) []any    { return []any{o.request} }
func atMine(o things) []any       { return []any{o.mine} }
func atExport(o things) []any     { return []any{o.export} }
func atGone(o things) []any       { return []any{o.gone} }
func atBulk(o things) []any       { return []any{o.bulk} }
func atPrint(o things) []any      { return []any{o.print} }
func atRole(o things) []any       { return []any{o.role} }
func atGrant(o things) []any      { return []any{o.role, o.grant} }
func atRound(o things) []any      { return []any{o.round} }
func atPreset(o things) []any     { return []any{o.preset} }
func atBatch(o things) []any      { return []any{o.batch} }
func atEntry(o things) []any      { return []any{o.entry} }
func atView(o things) []any       { return []any{o.view} }
func atDecisions(o things) []any  { return []any{o.decisions} }

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

// unique is shared by tests that run side by side.
var unique atomic.Int64

// insert runs an INSERT … RETURNING id.
func (s *site) insert(sql string, args ...any) (id int64) {
	s.t.Helper()
	if err := s.db.Raw(sql+" RETURNING id", args...).Scan(&id).Error; err != nil {
		s.t.Fatal(err)
	}
	return id
}

// colleague inserts a member of a department.
func (s *site) colleague(department int64) access.Actor {
	n := unique.Add(1)
	a := access.Actor{Kind: access.Member, Name: fmt.Sprintf("同事%d", n)}
	a.MemberID = s.insert("INSERT INTO members (name, phone, created_at, updated_at) VALUES (?, ?, ?, ?)", a.Name,
		fmt.Sprintf("+86136%08d", n), s.clock.Now(), s.clock.Now())
	s.exec("INSERT INTO member_departments (member_id, department_id) VALUES (?, ?)", a.MemberID, department)
	return a
}

// things makes one of everything in a department. What belongs to a person and
// not to a department (an import, an approval) belongs to author; reviewer, if
// any, has the review duty on the group.
func (s *site) things(department int64, author access.Actor, reviewer int64) things {
	s.t.Helper()
	now, member := s.clock.Now(), s.colleague(department)
	groupID, codeID := s.room("群", "internal", "approval", department, 50)
	o := things{n: int(unique.Load()), department: department, member: member.MemberID, free: s.colleague(department).MemberID, gid: s.gid(groupID)}
	file := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('', 'image/png', ?, ?)", []byte("x"), now)
	s.exec("UPDATE groups SET member_count = 1, entry_kind = 'upstream' WHERE id = ?", groupID)
	o.image = s.image(groupID, file, fmt.Sprintf("https://weixin.example/g/%d", unique.Load()), 1, now.AddDate(0, 0, 7))
	o.seat = s.insert("INSERT INTO memberships (group_id, member_id, joined_at) VALUES (?, ?, ?)", groupID, o.member, now)
	o.removed = s.insert("INSERT INTO memberships (group_id, member_id, status, joined_at, ended_at, ended_reason, ended_by) VALUES (?, ?, 'ended', ?, ?, 'removed', ?)",
		groupID, s.colleague(department).MemberID, now, now, author.MemberID)
	started, _ := s.room("发起的群", "internal", "approval", department, 50)
	s.exec("UPDATE groups SET origin = 'user' WHERE id = ?", started)
	o.started = s.gid(started)
	if reviewer != 0 {
		s.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'review')", groupID, reviewer)
	}
	if err := s.db.Raw("SELECT public_id FROM codes WHERE id = ?", codeID).Scan(&o.code).Error; err != nil {
		s.t.Fatal(err)
	}
	s.exec("INSERT INTO scans (ref, at, code_id, outcome, address, channel) VALUES (?, ?, ?, 'live', '192.0.2.7', 'door')", fmt.Sprintf("ref%d", unique.Load()), now, codeID)
	o.channel = s.insert("INSERT INTO code_channels (code_id, name, utm_source, created_at) VALUES (?, 'door', 'weibo', ?)", codeID, now)
	photo := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('', 'image/jpeg', ?, ?)", []byte("x"), now)
	s.exec("INSERT INTO code_copies (code_id, serial, place, photo_file_id, printed_at, printed_as, created_at) VALUES (?, 1, 'Hall', ?, ?, '{\"group\":\"Old\"}', ?)", codeID, photo, now, now)
	o.request = s.insert("INSERT INTO join_requests (group_id, code_id, member_id, name, phone, created_at) VALUES (?, ?, ?, '同事', '+8613600000000', ?)",
		groupID, codeID, o.free, now)
	o.waiter = s.insert("INSERT INTO waiting_list (group_id, code_id, member_id, name, phone, created_at) VALUES (?, ?, ?, '候补', '+8613600000009', ?)",
		groupID, codeID, s.colleague(department).MemberID, now)
	o.run = s.insert(`INSERT INTO imports (created_by, file_name, content, header, state, dry_run, created_at, finished_at)
		VALUES (?, 'list.csv', ?, '["name","phone"]', 'done', ?, ?, ?)`, author.MemberID, []byte("name,phone\n"), true, now, now)
	s.exec("INSERT INTO import_files (import_id, content) VALUES (?, ?)", o.run, []byte("name,phone\nEve,13600000007\n"))
	s.exec("UPDATE imports SET file_id = id, rows_total = 1 WHERE id = ?", o.run)
	zip := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('', 'application/zip', ?, ?)", []byte("PK"), now)
	o.print = s.insert(`INSERT INTO print_runs (created_by, params, state, done, total, file_id, file_name, created_at, finished_at)
		VALUES (?, '{"Format":"svg","Look":{"Size":512,"Margin":4,"ECC":"M"},"Lang":"zh-CN"}', 'done', 1, 1, ?, 'codes.zip', ?, ?)`, author.MemberID, zip, now, now)
	o.view = s.insert("INSERT INTO request_views (member_id, name, query, created_at) VALUES (?, ?, 'kind=guest', ?)", author.MemberID, fmt.Sprint("v", unique.Load()), now)
	o.decisions = s.insert("INSERT INTO request_runs (created_by, approve, total, created_at) VALUES (?, ?, 1, ?)", author.MemberID, true, now)
	s.exec("INSERT INTO request_run_items (run_id, position, request_id) VALUES (?, 1, ?)", o.decisions, o.request)
	o.batch = s.insert("INSERT INTO group_batches (kind, state, params, created_by, created_at) VALUES ('create', 'draft', '{}', ?, ?)", author.MemberID, now)
	s.exec("INSERT INTO group_batch_rows (batch_id, row_number, name, content) VALUES (?, 1, '群', ?)", o.batch,
		fmt.Sprintf(`{"Line":1,"Name":"Club","Type":"internal","Home":"%d","Capacity":"9","Purpose":"x","JoinMode":"approval"}`, department))
	logo := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('', 'image/png', ?, ?)", []byte("x"), now)
	s.exec("UPDATE organisation SET logo_file_id = ? WHERE id = 1", logo)
	ask := `INSERT INTO approvals (kind, payload, summary, department_id, status, requested_by, requested_at, expires_at, decided_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	plan := fmt.Sprintf(`{"Name":"群","Type":"external","DepartmentID":%d,"Capacity":20,"Purpose":"x","JoinMode":"approval","EntryKind":"none"}`, department)
	asker := author // a request that staff may know of is their head's
	if !author.Super && !author.Head() {
		asker = s.w.Head
	}
	o.mine = s.insert(ask, "group.create.external", plan, "群", department, "pending", asker.MemberID, now, now.AddDate(0, 0, 7), nil)
	o.export = s.insert(ask, "export", `{"What":"members"}`, "members", nil, "approved", author.MemberID, now, now.AddDate(0, 0, 7), now)
	o.theirs = o.mine
	if author.Super {
		o.theirs = s.insert(ask, "group.create.external", plan, "群", department, "pending", s.w.Head.MemberID, now, now.AddDate(0, 0, 7), nil)
	}
	o.role = s.insert("INSERT INTO roles (name, created_at, updated_at) VALUES (?, ?, ?)", fmt.Sprintf("Role %d", unique.Add(1)), now, now)
	s.exec("INSERT INTO role_rights (role_id, right_name) VALUES (?, 'code.download')", o.role)
	o.grant = s.insert("INSERT INTO role_grants (role_id, member_id, department_id, granted_by, granted_at) VALUES (?, ?, ?, ?, ?)",
		o.role, o.free, department, s.w.Super.MemberID, now)
	o.entry = s.entry(department)
	o.round = s.round()
	if err := s.db.Raw("SELECT parent_id FROM departments WHERE id = ?", department).Scan(&o.above).Error; err != nil {
		s.t.Fatal(err)
	}
	o.gone = s.colleague(department).MemberID
	s.exec("UPDATE members SET status = 'departed', departed_at = ? WHERE id = ?", now, o.gone)
	s.exec("INSERT INTO departures (member_id, effects, at) VALUES (?, '[]', ?)", o.gone, now)
	o.bulk = s.insert("INSERT INTO bulk_edits (created_by, action, results, at) VALUES (?, 'add', '[]', ?)", author.MemberID, now)
	if err := s.db.Raw("SELECT min(id) FROM group_presets").Scan(&o.preset).Error; err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *site) gid(groupID int64) (gid string) {
	s.t.Helper()
	if err := s.db.Raw("SELECT gid FROM groups WHERE id = ?", groupID).Scan(&gid).Error; err != nil {
		s.t.Fatal(err)
	}
	return gid
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

const refusalsAtOnce = 16

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

// image puts a chat's image into a group's pool.
func (s *site) image(groupID, file int64, url string, position int, until time.Time) int64 {
	s.t.Helper()
	return s.insert("INSERT INTO entry_images (group_id, file_id, url, position, valid_until, added_at) VALUES (?, ?, ?, ?, ?, ?)",
		groupID, file, url, position, until, s.clock.Now())
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
