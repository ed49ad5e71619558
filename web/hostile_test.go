package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"doorplate/web"
)

// hostile are the values that every parameter and every field is fed with.
var hostile = []string{
	"a\x00b", "\xff\xfe\x80", strings.Repeat("长", 5000), "😀\u202egnp.exe", probe + "<img src=x onerror=alert(1)>", "=cmd|' /C calc'!A0",
	"-1", "0", "99999999999999999999", "9223372036854775807", "%00", "../../etc/passwd", "' OR 1=1 --", "a\r\nSet-Cookie: x=1", " ", "[]{}%_\\",
}

// parameters are all that any handler reads from an address.
var parameters = []string{"q", "department", "view", "after", "type", "status", "preset", "state", "size", "with", "utm_source", "utm_medium",
	"utm_campaign", "step", "next", "back", "group", "kind", "who", "area", "from", "to", "object", "before", "id", "reason", "phone", "name",
	"password", "resend", "outcome", "copy", "device", "app", "person", "days", "a", "b", "fix", "followed", "member_id", "send", "dry_run", "channel", "parent_id", "lang", "code", "what",
	"format", "margin", "ecc", "logo", "paper", "grid", "copies", "copy", "count", "cols", "rows", "margin_x", "gap_y", "ref", "show", "address", "agent", "signed", "ask", "followed", "dead", "image", "list", "tier", "actor", "action", "thing", "open", "all", "into", "stage", "like", "batch", "months", "try"}

// leaks are words that only a Go or SQL error says.
var leaks = []string{"SQLSTATE", "sql:", "gorm", "strconv.", "invalid byte sequence", "no such table", "no such column", "goroutine ", "constraint failed", "unmarshal", ".go:", "‹"}

// harmless fails the test for an answer that is a failure of ours, tells of the inside or runs what it was sent.
func (b *browser) harmless(what string, rec *httptest.ResponseRecorder) {
	b.t.Helper()
	body := rec.Body.String()
	if rec.Code >= 500 {
		b.t.Errorf("%s: %d", what, rec.Code)
	}
	if rec.Header().Get("Content-Type") == "application/problem+json" || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		return
	}
	for _, leak := range leaks {
		if strings.Contains(body, leak) {
			b.t.Errorf("%s: the page says %q", what, leak)
		}
	}
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
		b.t.Errorf("%s: markup is not escaped", what)
	}
	if strings.Contains(rec.Header().Get("Set-Cookie"), "x=1") {
		b.t.Errorf("%s: a line break reached the headers", what)
	}
}

// fuzzAll feeds every parameter at once, each with another value; turn shifts
// the values, so that over the routes every parameter meets all of them.
func (s *site) fuzzAll(b *browser, path string, turn int) {
	all := url.Values{}
	for i, name := range parameters {
		all.Set(name, hostile[(turn+i)%len(hostile)])
	}
	b.harmless(fmt.Sprintf("GET %s, turn %d", path, turn), b.get(path+"?"+all.Encode()))
}

func TestHostileParameters(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		p, super, visitor := s.props(), s.as(s.w.Super), s.visitor()
		for i, r := range web.Routes() {
			if r[0] != http.MethodGet || r[1] == "/metrics" {
				continue
			}
			path := p.path(r[1])
			for turn := range 2 {
				s.fuzzAll(super, path, i+turn*5)
			}
			s.fuzzAll(visitor, path, i)
			super.harmless("GET "+path+"?%zz", super.get(path+"?%zz&;=%"))
		}
	})
}

// Nonsense in the path is something that does not exist.
func TestHostilePaths(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		for _, r := range web.Routes() {
			if !strings.Contains(r[1], ":") || strings.HasPrefix(r[1], "/setup") {
				continue
			}
			for _, v := range append([]string{"x", "1e3", "+1", "0x1"}, hostile...) {
				if strings.HasPrefix(r[1], "/join/:") || r[1] == "/contacts/members/:id" && v == "new" {
					continue
				}
				path := regexp.MustCompile(`:\w+`).ReplaceAllLiteralString(r[1], url.PathEscape(v))
				rec := super.do(hostileRequest(r[0], path, url.Values{"decision": {"approve"}, "action": {"add"}, "reason": {"x"}}))
				super.harmless(r[0]+" "+path, rec)
				if rec.Code != 404 && !strings.HasPrefix(path, "/login/link/") {
					t.Errorf("%s %.80s: %d, want 404", r[0], path, rec.Code)
				}
			}
		}
		for _, v := range hostile {
			super.harmless("ticket", super.get("/join/"+url.PathEscape(v)))
			rec := super.get("/j/" + url.PathEscape(v))
			super.harmless("scan", rec)
			if rec.Code != 404 || rec.Header().Get("Doorplate-Scan") == "" {
				t.Errorf("a scan of %.20q: %d, reference %q", v, rec.Code, rec.Header().Get("Doorplate-Scan"))
			}
			super.harmless("path", super.get("/"+url.PathEscape(v)))
		}
	})
}

func hostileRequest(method, path string, form url.Values) *http.Request {
	if method != http.MethodPost {
		return httptest.NewRequest(method, path, nil)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// fields are what each form sends when all is well. Those that end things come last.
func (p props) fields() [][]string {
	group := []string{"name", "群", "type", "internal", "department_id", p.department, "capacity", "10", "purpose", "用途", "join_mode", "approval",
		"tier", "核心", "welcome", "欢迎", "announcement", "on", "real_name", "on", "ask_company", "on", "members_invite", "on", "archive", "on",
		"entry_kind", "link", "entry_url", "https://chat.example/a", "entry_valid_until", "2027-01-01", "version", "1"}
	member := []string{"job_number", "", "name", "李雷", "phone", "13900000001", "email", "", "department_id", p.department, "head", "", "version", "1"}
	terms := []string{"label", "门", "validity", "until", "valid_until", "2026-12-12", "valid_from", "2026-12-01", "confirm_permanent", "on", "open_days", "1", "open_from", "09:00",
		"open_to", "18:00", "open_days2", "6", "open_from2", "22:00", "open_to2", "02:00", "daily_cap", "1", "total_cap", "2", "networks", "10.0.0.0/8", "audience", p.department,
		"audience_roles", "head", "audience_person", p.member, "audience_people", "DP0005", "password", "open sesame", "password_remove", "on", "benefit", "x", "fallback", "group",
		"fallback_url", "https://chat.example/a", "fallback_group", p.gid, "version", "", "complete", "on"}
	renewal := []string{"valid_until", "2026-12-12", "reason", "x", "generation", "1"}
	printed := []string{"count", "2", "place", "门", "custodian", "DP0005", "channel", p.channel}
	one := []string{"member_id", p.member, "phone", "", "action", "add", "duty", "review"}
	return [][]string{
		{"/groups/:id/images", "valid_until", "2026-12-12", "max_uses", "100"}, {"/groups/:id/images/:image", "action", "up", "max_uses", "100", "reason", "x"},
		{"/groups/:id/images/:image", "action", "", "max_uses", "100"}, {"/groups/:id/images/:image", "action", "dead", "reason", "x"},
		{"/recertify/rounds", "action", "start"}, {"/recertify/rounds", "action", "move", "round", p.round, "was", "2026-12-06", "due", "2026-12-12"},
		{"/groups/:id/recertify", "round", p.round, "m1", "confirm", "c1", "later", "others", "on"},
		{"/groups/:id/custodian", "member_id", p.member, "phone", ""}, {"/groups/:id/entry", "keep", "on"},
		{"/groups/:id/series", "action", "", "base", "群", "threshold", "90"}, {"/groups/:id/series", "action", "stop", "base", "", "threshold", ""},
		{"/codes/:id/targets", "action", "", "route", "order", "version", "1"}, {"/codes/:id/targets", "action", "add", "group", p.gid, "version", "1"},
		{"/codes/:id/targets", "action", "tune", "group", p.gid, "weight", "2", "department", p.department, "version", "1"},
		{"/codes/:id/targets", "action", "up", "group", p.gid, "version", "1"}, {"/codes/:id/targets", "action", "remove", "group", p.gid, "version", "1"},
		append([]string{"/codes/:id/copies"}, printed...), append([]string{"/codes/:id/copies/:serial", "photo", "", "photo_drop", ""}, printed[2:]...),
		{"/codes/:id/copies/again", "x", ""}, {"/codes/:id/copies/:serial/remove", "back", "", "list", ""}, {"/codes/:id/copies/:serial/revoke", "reason", "x"},
		{"/codes/:id/channels", "channel_name", "展台", "utm_source", "fair", "utm_medium", "a", "utm_campaign", "b"}, {"/codes/:id/channels/:channel/delete", "x", ""},
		append([]string{"/codes/:id/refresh"}, renewal...), {"/codes/adopt", "id", p.code}, {"/genuine", "typed", "AAAA"}, {"/report", "ref", "S-1", "category", "other", "words", "x"},
		{"/codes/:id/fuse", "action", "set", "burst", "300", "off", "on"}, {"/cases/:id", "action", "close", "outcome", "harmless", "note", "x"},
		append([]string{"/groups"}, group...), append([]string{"/groups/:id"}, group...),
		append([]string{"/contacts/members"}, member...), append([]string{"/contacts/members/:id"}, member...),
		{"/groups/:id/lifecycle", "action", "stage", "stage", "mature", "item", ""}, {"/groups/:id/lifecycle", "action", "done", "stage", "", "item", "new.print"},
		{"/groups/select", "action", "keep", "shown", p.gid, "id", p.gid, "next", "1"}, {"/groups/:id/merge", "into", p.gid, "reason", "x", "confirm_name", "x"},
		{"/groups/bulk", "action", "mode", "id", p.gid, "join_mode", "approval"}, {"/groups/bulk", "action", "owner", "id", p.gid, "owner_phone", "13900000001"},
		{"/groups/bulk", "action", "duty", "id", p.gid, "duty_phone", "13800000005", "duty", "review"}, {"/groups/bulk", "action", "move", "id", p.gid, "department_id", p.department},
		{"/groups/bulk", "action", "disband", "id", p.gid, "reason", "x", "confirm_count", "7"}, {"/groups/batches/:id/create", "x", ""},
		{"/groups/batches", "names", "甲", "pattern", "{n}", "from", "1", "count", "2", "type", "internal", "department_id", p.department, "capacity", "5", "purpose", "x",
			"join_mode", "approval", "owner", "", "code", "7d", "file", ""},
		{"/lang", "lang", "en", "next", "/groups"}, {"/contacts/departments", "name", "新", "parent_id", p.department},
		{"/contacts/departments/:id/rename", "name", "新"}, {"/contacts/departments/:id/move", "parent_id", fmt.Sprint(p.s.w.Root), "parent_id_text", "", "seen", ""},
		{"/contacts/departments/:id/move", "parent_id", fmt.Sprint(p.s.w.Root), "parent_id_text", "", "seen", "x"},
		{"/contacts/bulk", "action", "add", "id", p.member, "department_id", p.department, "department_id_text", "", "reason", "x"},
		{"/contacts/members/:id/reactivate", "reason", "x"}, {"/contacts/members/:id/heirs", "group", p.gid, "heir", p.member},
		append([]string{"/contacts/departments/:id/heads"}, one...), {"/contacts/members/:id/invite", "send", "1"},
		{"/contacts/import", "file", "", "dry_run", "on", "whole", "on", "ask", "on", "depart", "研发中心"},
		{"/contacts/import/:id/columns", "column_0", "name", "column_1", "phone"}, {"/contacts/import/:id/apply", "depart", "on", "reason", "x", "typed", "1"}, {"/contacts/import/:id/cancel", "x", ""},
		append([]string{"/groups/:id/owner"}, one...), append([]string{"/groups/:id/duties"}, one...), append([]string{"/groups/:id/members"}, one...),
		{"/groups/:id/automatic", "name", "规则", "match", "any", "verdict", "refuse", "reason", "不行", "enabled", "on", "person", "guest", "departments", "研发中心", "not_departments", "on",
			"domains", "example.com", "not_domains", "", "list", p.roster, "not_lists", "", "words", "hit", "says", "发票", "not_says", "on", "question", "几楼", "op", "is", "answer", "3", "not_answer", "",
			"network", "outside", "score", "30", "version", "0", "action", "try"},
		{"/groups/:id/automatic/:rule", "name", "规则", "verdict", "hold", "person", "guest", "action", "save"}, {"/rules", "name", "规则", "verdict", "hold", "words", "hit", "action", "save"},
		{"/groups/:id/automatic/:rule/arrange", "action", "down"}, {"/groups/:id/automatic/words", "words", "发票"}, {"/rules/words", "words", "spam"},
		{"/groups/:id/automatic/lists", "list_name", "名单", "people", "DP0005", "file", ""}, {"/groups/:id/automatic/lists/:list", "action", "add", "people", "13800000005", "file", ""},
		{"/rules/lists", "list_name", "名单", "people", "DP0005", "file", ""}, {"/rules/lists/:list", "action", "remove", "people", "DP0005", "file", ""},
		{"/rules/:rule", "name", "规则", "verdict", "hold", "words", "hit", "action", "try"}, {"/rules/:rule/arrange", "action", "up"}, {"/requests/:id/overturn", "reason", "x", "heed", "ask"},
		{"/groups/:id/clock", "due_hours", "4"},
		{"/groups/:id/rules", "rules", "互相尊重", "version", "0", "again", "on"},
		{"/groups/:id/asking", "invite", "on", "last4", "on", "question", "几楼？", "answers", "三楼", "domains", "example.com", "version", "0", "field1_key", "", "field1_label", "为什么", "field1_kind", "choice",
			"field1_options", "甲\n乙", "field1_required", "on"},
		{"/groups/:id/invites", "label", "展会", "quantity", "2", "uses", "1", "until", ""}, {"/groups/:id/invites/:batch/revoke", "number", ""}, {"/join/draft", "note", "x", "q1", "x"}, {"/groups/:id/rules/accept", "rules", "1"}, {"/groups/:id/convert", "x", ""},
		{"/groups/:id/members/:membership/restore", "x", ""}, append([]string{"/groups/:id/propose"}, one...),
		{"/groups/:id/codes", "label", "门", "validity", "until", "valid_until", "2026-12-12", "confirm_permanent", "on", "daily_cap", "1",
			"total_cap", "2", "networks", "10.0.0.0/8", "audience", p.department, "valid_from", "", "redirect", "", "preset", ""},
		append([]string{"/codes/:id/terms"}, terms...), {"/groups/:id/waiting/:waiter/admit", "x", ""}, {"/groups/:id/waiting/:waiter/remove", "x", ""},
		{"/join/wait", "password", ""}, {"/join/unwait", "x", ""},
		{"/codes/:id/suspend", "reason", "x"}, {"/codes/:id/resume", "reason", "x"}, {"/codes/:id/adopt", "reason", "x"},
		{"/requests/decide", "id", p.request, "decision", "reject", "reason", "x", "reason_preset", "", "until", "", "into", "", "back", "", "open", ""},
		{"/requests/decide", "id", p.request, "decision", "approve", "reason", "x", "reason_preset", "1", "until", "2027-01-01", "into", p.gid},
		{"/requests/undo", "id", p.request, "why", "x", "back", "", "open", "1"}, {"/groups/:id/time", "note", "x"}, {"/join/time", "note", "x"},
		{"/groups/:id/members/:membership/until", "until", "2027-01-01", "action", "extend"}, {"/groups/:id/members/:membership/until", "reason", "x", "action", "refuse"},
		{"/settings/reasons", "decision", "reject", "text_zh", "人满了", "text_en", "We are full"}, {"/settings/reasons/:id", "action", "save", "text_zh", "人满了", "text_en", "We are full"},
		{"/settings/reasons/:id", "action", "down"}, {"/settings/reasons/:id", "action", "retire"},
		{"/requests/views", "name", "x", "default", "on", "back", "kind=guest"}, {"/requests/views/:id", "action", "default", "back", ""},
		{"/requests/runs", "decision", "reject", "reason", "x", "back", "q=x"}, {"/requests/runs/:id/start", "x", ""}, {"/requests/runs/:id/cancel", "x", ""},
		{"/approvals/decide", "id", p.approval, "decision", "reject", "reason", "x"}, {"/exports", "what", "audit", "format", "csv", "group", "", "note", "x"}, {"/audit/verify", "x", ""},
		{"/settings/organisation", "name", "晨星", "timezone", "Asia/Shanghai", "language", "zh-CN"},
		append([]string{"/settings/policies"}, p.policies()...),
		{"/settings/policies/presets/:id", "capacity", "1", "validity", "7d", "total_cap", "", "daily_cap", "", "source", "x", "validity_fixed", "on"},
		append([]string{"/contacts/departments/:id/deputies"}, one...), {"/contacts/members/:id/absence", "action", "set", "from", "2026-12-01", "until", "2026-12-02"},
		{"/settings/roles", "name", "审计员", "right", "audit.read"}, {"/settings/roles/:id", "name", "发码员", "right", "code.temporary", "version", ""},
		{"/settings/roles/:id/grants", "member_id", p.member, "phone", "", "department_id", p.department},
		append([]string{"/settings/roles/appoint"}, one...), append([]string{"/settings/roles/remove"}, one...), {"/settings/devices/end", "id", "x", "others", ""},
		{"/prints", "group", "", "state", "live", "format", "png", "size", "512", "margin", "4", "ecc", "M", "logo", "", "paper", "a4", "lang", "zh", "copies", ""},
		{"/prints/:id/cancel", "x", ""}, {"/settings/organisation/logo", "logo", ""}, {"/settings/organisation/logo/remove", "x", ""},
		{"/s", "typed", "AAAA"}, {"/join", "phone", "13900000009", "code", "", "name", "x", "note", "x", "company", "x", "rules", "1", "answer", "", "invite_code", "", "password", "", "phone_last4", "", "email", "", "q1", ""},
		{"/join/withdraw", "x", ""}, {"/join/word", "word", "x"}, {"/login", "phone", "13900000009", "password", "", "next", "/", "resend", ""},
		{"/login/verify", "code", "123456", "next", "/"}, {"/login/link/:token", "x", ""}, {"/setup/:token", "organisation", "x", "timezone", "UTC", "name", "x", "phone", "1", "password", "x", "language", "en"},
		{"/setup/:token/demo", "x", ""}, {"/approvals/:id/note", "note", "x"}, {"/approvals/:id/withdraw", "x", ""},
		{"/codes/:id/regenerate", "reason", "x"}, {"/codes/:id/revoke", "reason", "x"}, {"/groups/:id/members/:membership/remove", "x", ""},
		{"/contacts/members/:id/depart", "reason", "x"}, {"/groups/:id/disband", "reason", "x", "confirm_name", "x"}, {"/contacts/departments/:id/delete", "x", ""},
		{"/notices/read", "id", "", "open", ""}, {"/notices/settings", "mail", "on", "sms", "on", "digest", "daily", "quiet_from", "22:00", "quiet_to", "07:00", "language", "en"},
		{"/settings/mail", "host", "smtp.example.com", "port", "587", "security", "tls", "username", "x", "password", "x", "sender", "door@example.com"}, {"/settings/mail/test", "x", ""},
		{"/settings/webhooks", "label", "x", "url", "https://hooks.example.com/", "kind", "request.approved"}, {"/settings/webhooks/:id/secret", "x", ""},
		{"/settings/webhooks/:id", "label", "x", "url", "https://hooks.example.com/", "kind", "request.approved", "enabled", "on"}, {"/settings/webhooks/:id/rotate", "x", ""},
		{"/settings/webhooks/:id/test", "x", ""}, {"/settings/messages/:id/retry", "back", ""}, {"/settings/messages/thaw", "x", ""}, {"/settings/webhooks/:id/delete", "x", ""},
		{"/settings/roles/:id/grants/:grant/withdraw", "x", ""}, {"/settings/roles/:id/delete", "x", ""},
		{"/logout", "x", ""},
	}
}

func (p props) policies() (pairs []string) {
	for _, e := range page(p.s.t, p.s.as(p.s.w.Super).get("/settings/policies")).Find(`form[action="/settings/policies"] [name]`).EachIter() {
		pairs = append(pairs, e.AttrOr("name", ""), e.AttrOr("value", ""))
	}
	return pairs
}

func TestHostileFields(t *testing.T) {
	bothAtOnce(t, func(t *testing.T, s *site) {
		p := s.props()
		forms := p.fields()
		for _, r := range web.Routes() {
			if r[0] == http.MethodPost && !slices.ContainsFunc(forms, func(f []string) bool { return f[0] == r[1] }) {
				t.Errorf("no form for POST %s in this test", r[1])
			}
		}
		turn := 0
		for _, f := range forms {
			path, fields := p.path(f[0]), f[1:]
			super := s.as(s.w.Super)
			for i := 0; i+1 < len(fields); i += 2 {
				// A sixth of the values each: all forms together send every value to many fields.
				for k := turn % 6; k < len(hostile); k += 6 {
					v := hostile[k]
					super.assault(f[0], path, with(fields, fields[i], v), fields[i], v)
				}
				turn++
			}
			for k := turn % 2; k < len(hostile); k += 2 {
				all := slices.Clone(fields)
				for i := 1; i < len(all); i += 2 {
					all[i] = hostile[k]
				}
				super.assault(f[0], path, all, "all", hostile[k])
			}
		}
		for _, at := range []string{"/", "/contacts", "/groups", "/groups?view=all", "/codes", "/requests", "/approvals", "/audit", "/settings/roles", "/settings/policies"} {
			super := s.as(s.w.Super)
			rec := super.get(at)
			want(t, rec, 200)
			super.harmless(at, rec)
		}
	})
}

// assault posts as a form, with what a public form carries, to somebody whom no limit stops.
func (b *browser) assault(route, path string, pairs []string, field, value string) {
	b.t.Helper()
	if route == "/login" || route == "/login/verify" || route == "/s" || route == "/genuine" || route == "/report" || strings.HasPrefix(route, "/join") {
		b.exec("DELETE FROM throttles")
	}
	if _, known := b.cookies["doorplate_session"]; !known {
		*b = *b.as(b.w.Super)
	}
	if route == "/login" || route == "/login/verify" || strings.HasPrefix(route, "/setup") || route == "/join" {
		pairs = append(slices.Clone(pairs), "form_key", b.deps.Auth.NewFormKey())
		visitor := b.visitor()
		visitor.harmless(fmt.Sprintf("POST %s, %s = %.20q, signed out", path, field, value), visitor.post(path, pairs...))
		pairs = with(pairs, "form_key", b.deps.Auth.NewFormKey())
	}
	b.harmless(fmt.Sprintf("POST %s, %s = %.20q", path, field, value), b.post(path, pairs...))
}

// What a browser says of itself is typed by somebody too.
func TestHostileHeaders(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.door("approval")
		door := s.printed(code)
		for _, v := range []string{"\xff\xfe", strings.Repeat("长", 5000), probe, "a\x01b", "' OR 1=1 --", "😀\u202e", "a\x00b"} {
			for _, name := range []string{"User-Agent", "Accept-Language", "X-Forwarded-For", "Referer", "Cookie", "Accept", "Content-Type", "Sec-Purpose"} {
				for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, door, nil), httptest.NewRequest(http.MethodGet, "/login", nil),
					hostileRequest(http.MethodPost, "/login", url.Values{"phone": {s.w.StaffPhone}, "form_key": {s.deps.Auth.NewFormKey()}})} {
					r.Header.Set(name, v)
					if name == "Cookie" {
						r.Header.Set(name, "doorplate_session="+v+"; doorplate_join="+v+"; doorplate_lang="+v+"; doorplate_left="+v+"; doorplate_flash="+v+"; doorplate_challenge="+v)
					}
					b := s.visitor()
					b.harmless(fmt.Sprintf("%s %s, %s: %.20q", r.Method, r.URL.Path, name, v), b.do(r))
					s.exec("DELETE FROM throttles")
				}
			}
		}
	})
}
