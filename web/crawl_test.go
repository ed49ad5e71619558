package web_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"doorplate/internal/testkit"
)

// crawlLimit is how many addresses one reader visits: more than the furnished site has.
const crawlLimit = 2000

// furnish gives the small organisation something of every kind to look at.
// With latin set, all data is in Latin letters, so that any other is the program's own.
func (s *site) furnish(latin bool) []reader {
	s.t.Helper()
	readers := s.readers()
	now := s.clock.Now()
	s.things(s.w.Marketing, s.w.OtherHead, 0)
	s.things(s.w.RD, s.w.Super, 0)
	for _, r := range readers {
		s.own(r)
	}
	o := s.own(readers[3])
	external, code := s.room("客户群", "external", "open", s.w.Platform, 1)
	guest := s.insert("INSERT INTO guests (name, phone, created_at) VALUES ('访客', '+8613500000001', ?)", now)
	s.exec("INSERT INTO memberships (group_id, guest_id, code_id, source, joined_at) VALUES (?, ?, ?, 'code', ?)", external, guest, code, now)
	s.exec("UPDATE groups SET member_count = 1, owner_id = ? WHERE id = ?", s.w.Staff.MemberID, external)
	s.exec("UPDATE groups SET member_count = member_count + 1 WHERE gid = ?", o.gid)
	s.exec("INSERT INTO memberships (group_id, member_id, source, joined_at) SELECT id, ?, 'added', ? FROM groups WHERE gid = ?", s.w.OtherStaff.MemberID, now, o.gid)
	ended, _ := s.room("散了", "training", "off", s.w.Platform, 9)
	s.exec("UPDATE groups SET status = 'disbanded', disbanded_at = ?, disbanded_by = ?, disband_reason = 'x' WHERE id = ?", now, s.w.Super.MemberID, ended)
	past := now.AddDate(0, 0, -1)
	s.w.Code(s.t, s.db, external, "旧的", &past, s.w.Super.MemberID)
	s.w.Code(s.t, s.db, external, "无主的", nil, s.w.OtherStaff.MemberID)
	s.exec(`INSERT INTO import_rows (import_id, row_number, outcome, field, cause, original) VALUES (?, 2, 'refused', 'phone', '{"k":"import.cause.collision"}', '["x","1"]')`, o.run)
	if latin {
		for _, change := range []string{
			"organisation SET name = 'Morning Star'", "departments SET name = 'Department ' || id", "members SET name = 'Person ' || id",
			"groups SET name = 'Group ' || id, purpose = 'Testing'", "codes SET label = 'Hall'", "guests SET name = 'Visitor'",
			"join_requests SET name = 'Asker'", "waiting_list SET name = 'Waiter'", "approvals SET summary = 'Club', payload = replace(payload, '群', 'Club') WHERE kind = 'group.create.external'",
		} {
			s.exec("UPDATE " + change)
		}
	}
	super := s.as(s.w.Super) // leave traces in the trail
	for _, p := range [][]string{
		{"/groups/" + o.gid + "/duties", "member_id", fmt.Sprint(s.w.Staff.MemberID), "duty", "content"},
		{"/codes/" + o.code + "/suspend", "reason", "paint"}, {"/codes/" + o.code + "/resume"},
		{"/codes/" + o.code + "/regenerate", "reason", "lost"},
		{"/requests/decide", "id", fmt.Sprint(o.request), "decision", "reject", "reason", "later"},
		{"/contacts/members/" + fmt.Sprint(s.things(s.w.Platform, s.w.Head, 0).free) + "/depart", "reason", "moved"},
		{"/settings/roles/appoint", "member_id", fmt.Sprint(s.w.Head.MemberID)}, {"/exports", "what", "audit"},
	} {
		want(s.t, super.post(p[0], p[1:]...), 303)
	}
	if latin {
		s.exec("UPDATE members SET name = 'Person ' || id")
		s.exec("UPDATE groups SET name = 'Group ' || id, purpose = 'Testing'")
		s.exec("UPDATE codes SET label = 'Hall'")
		s.exec("UPDATE join_requests SET name = 'Asker'")
		s.exec("UPDATE waiting_list SET name = 'Waiter'")
		testkit.Unguard(s.t, s.db)
		s.exec("UPDATE audit_entries SET object_name = 'Thing', actor_name = 'Person', details = '{}' WHERE object_name LIKE '同事%' OR object_name LIKE '周岚%' OR actor_name LIKE '周岚%'")
		s.exec("UPDATE approvals SET summary = 'Club', payload = replace(payload, '群', 'Club') WHERE kind = 'group.create.external'")
	}
	slices.Reverse(readers) // who can end most comes last
	return readers
}

// Whoever follows the links comes to no closed door, and every page is whole.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		for _, r := range s.furnish(false) {
			t.Run(r.name, func(t *testing.T) { s.crawl(t, s.as(r.Actor), 8, func(string, *goquery.Document) {}) })
		}
	})
}

// foreignText is any Chinese but the space that indents a choice.
var foreignText = regexp.MustCompile(`[\p{Han}\x{3001}-\x{303f}\x{ff00}-\x{ffef}]+`)

// theirOwn are words that English pages quote: what a list may say.
var theirOwn = strings.NewReplacer("是 / yes", "yes", "是 or 否", "yes or no")

func TestEnglishPagesAreEnglish(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		for _, r := range s.furnish(true) {
			t.Run(r.name, func(t *testing.T) {
				b := s.as(r.Actor)
				b.lang = "en"
				s.crawl(t, b, 3, func(at string, doc *goquery.Document) {
					if lang := doc.Find("html").AttrOr("lang", ""); lang != "en" {
						t.Errorf("%s: lang = %q", at, lang)
					}
					doc.Find("[lang^=zh]").Remove()
					html, err := doc.Html()
					if found := foreignText.FindAllString(theirOwn.Replace(html), 5); err != nil || len(found) > 0 {
						t.Errorf("%s says %q", at, found)
					}
				})
			})
		}
	})
}

// thing is a part of an address that names one of many: a number, or an id.
var thing = regexp.MustCompile(`^(\d+|[\w-]{11,})$`)

// word is a value of a query that chooses a view, not a thing.
var word = regexp.MustCompile(`^[a-z_]{1,12}$`)

// shape is what an address has in common with those of other things of its kind.
func shape(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	parts := strings.Split(u.Path, "/")
	for i, part := range parts {
		if thing.MatchString(part) {
			parts[i] = "*"
		}
	}
	query := u.Query()
	for name, values := range query {
		if !word.MatchString(values[0]) {
			query.Set(name, "*")
		}
	}
	return strings.Join(parts, "/") + "?" + query.Encode()
}

// crawl follows the links from the dashboard, to each kind of page as many times
// as each says, then presses every button it saw empty-handed.
func (s *site) crawl(t *testing.T, b *browser, each int, look func(at string, doc *goquery.Document)) {
	todo, known, buttons := []string{"/"}, map[string]bool{"/": true}, map[string]button{}
	kinds := map[string]int{}
	add := func(from, to string) {
		if to == "" || known[to] || strings.HasPrefix(to, "/static/") {
			return
		}
		known[to] = true
		if kind := shape(to); kinds[kind] < each {
			kinds[kind]++
			todo = append(todo, to)
		}
	}
	pages := 0
	for ; len(todo) > 0 && pages < crawlLimit; pages++ {
		at := todo[0]
		todo = todo[1:]
		rec := b.get(at)
		if rec.Code == 303 {
			add(at, local(at, rec.Header().Get("Location")))
			continue
		}
		if rec.Code != 200 {
			t.Errorf("%s: %d", at, rec.Code)
			continue
		}
		if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
			continue
		}
		doc := page(t, rec)
		for _, fault := range unfinished(rec, doc) {
			t.Errorf("%s: %s", at, fault)
		}
		doc.Find("a[href]").Each(func(_ int, a *selection) { add(at, local(at, a.AttrOr("href", ""))) })
		doc.Find("img[src]").Each(func(_ int, a *selection) { add(at, local(at, a.AttrOr("src", ""))) })
		doc.Find("form").Each(func(_ int, f *selection) {
			action := local(at, f.AttrOr("action", at))
			if strings.EqualFold(f.AttrOr("method", "get"), "post") {
				const enabled = "button:not([disabled])"
				if f.Find(enabled).Length()+doc.Find(enabled+`[form="`+f.AttrOr("id", "-")+`"]`).Length() > 0 {
					buttons[action] = button{at, hiddenFields(f)}
				}
			} else {
				add(at, action)
			}
		})
		look(at, doc)
	}
	if pages < 15 || len(todo) > 0 {
		t.Errorf("%d pages, %d left", pages, len(todo))
	}
	s.press(t, b, buttons)
}

// button is a form that sends something, found on a page.
type button struct {
	on     string
	hidden []string
}

func hiddenFields(f *selection) (pairs []string) {
	f.Find("input[type=hidden]").Each(func(_ int, e *selection) {
		pairs = append(pairs, e.AttrOr("name", ""), e.AttrOr("value", ""))
	})
	return pairs
}

// press sends every form without a word: it may be refused for that, but not for want of a right.
func (s *site) press(t *testing.T, b *browser, buttons map[string]button) {
	var actions []string
	for action := range buttons {
		if action != "/logout" && action != "/lang" && action != "/settings/devices/end" {
			actions = append(actions, action)
		}
	}
	last := func(a string) bool { return strings.HasSuffix(a, "/delete") || strings.HasSuffix(a, "/remove") }
	slices.SortFunc(actions, func(x, y string) int {
		if last(x) != last(y) {
			return map[bool]int{true: 1, false: -1}[last(x)]
		}
		return strings.Compare(x, y)
	})
	for _, action := range actions {
		if rec := b.post(action, buttons[action].hidden...); !slices.Contains([]int{303, 409, 410, 422}, rec.Code) {
			t.Errorf("%s on %s: %d", action, buttons[action].on, rec.Code)
		}
	}
}

// local is where a link leads on this site, "" when away from it.
func local(from, to string) string {
	base, err := url.Parse("http://door.example" + from)
	if err != nil {
		return ""
	}
	u, err := base.Parse(to)
	if err != nil || u.Host != base.Host || strings.HasPrefix(u.Path, "/j/") {
		return ""
	}
	return u.RequestURI()
}

// unfinished lists what a page lacks.
func unfinished(rec *httptest.ResponseRecorder, doc *goquery.Document) (faults []string) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if n := doc.Find("h1").Length(); n != 1 {
		say("%d h1", n)
	}
	if doc.Find("html").AttrOr("lang", "") == "" || strings.TrimSpace(doc.Find("head > title").Text()) == "" {
		say("no lang or no title")
	}
	if strings.Contains(rec.Body.String(), "‹") {
		say("a text is missing: %.60s", rec.Body.String()[strings.Index(rec.Body.String(), "‹"):])
	}
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *selection) {
		id := e.AttrOr("id", "")
		if ids[id] || id == "" {
			say("id %q twice", id)
		}
		ids[id] = true
	})
	doc.Find("input, select, textarea").Each(func(_ int, e *selection) {
		kind := e.AttrOr("type", "")
		if kind == "hidden" || kind == "submit" || kind == "button" {
			return
		}
		id := e.AttrOr("id", "")
		labels := doc.Find("label").FilterFunction(func(_ int, l *selection) bool { return id != "" && l.AttrOr("for", "") == id })
		if labels.AddSelection(e.Closest("label")).Length() == 0 && e.AttrOr("aria-label", "") == "" && e.AttrOr("aria-labelledby", "") == "" {
			say("%s %q has no label", goquery.NodeName(e), e.AttrOr("name", ""))
		}
	})
	doc.Find("[for], [aria-describedby], [aria-labelledby], [aria-controls]").Each(func(_ int, e *selection) {
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby", "aria-controls"} {
			for _, id := range strings.Fields(e.AttrOr(name, "")) {
				if !ids[id] {
					say("%s = %q leads to nothing", name, id)
				}
			}
		}
	})
	doc.Find("a, button").Each(func(_ int, e *selection) {
		if strings.TrimSpace(e.Text()) == "" && e.AttrOr("aria-label", "") == "" && e.Find("[alt]:not([alt='']), [aria-label], title").Length() == 0 {
			html, _ := goquery.OuterHtml(e)
			say("nameless: %.120s", html)
		}
	})
	if n := doc.Find("style, [style], script:not([src])").Length(); n > 0 {
		say("%d inline styles or scripts", n)
	}
	doc.Find("*").Each(func(_ int, e *selection) {
		for _, a := range e.Nodes[0].Attr {
			if strings.HasPrefix(a.Key, "on") {
				say("inline %s", a.Key)
			}
		}
	})
	return faults
}
