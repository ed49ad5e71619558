package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"doorplate/web"
)

const markup = probe + "<img src=x onerror=alert(1)>"

// stored are the columns that hold what somebody typed.
var stored = []string{"organisation.name", "departments.name", "members.name", "members.email", "members.departed_reason", "guests.name", "groups.name",
	"groups.purpose", "groups.disband_reason", "group_presets.name_zh", "group_presets.source", "codes.label", "codes.networks", "codes.revoke_reason",
	"join_requests.name", "join_requests.note", "join_requests.reason", "memberships.ended_reason", "imports.file_name",
	"approvals.reason", "sessions.user_agent", "sessions.address", "scans.device", "scans.app",
	"scans.utm_source", "scans.utm_campaign", "scans.channel", "join_sessions.name"}

// plant puts markup wherever a person's words are kept, past every check of the forms.
func (s *site) plant() {
	s.t.Helper()
	for _, at := range stored {
		table, column, _ := strings.Cut(at, ".")
		value := "?"
		if at == "departments.name" { // unique below one parent
			value = "CAST(? AS text) || CAST(id AS text)"
		}
		s.exec(fmt.Sprintf("UPDATE %s SET %s = %s", table, column, value), markup)
	}
	s.exec("UPDATE import_rows SET original = ?", `["`+strings.ReplaceAll(markup, `"`, `\"`)+`"]`)
	s.exec("UPDATE groups SET entry_kind = 'link', entry_url = 'javascript:alert(1)//<script>alert(1)</script>'")
}

// inert fails the test for a page in which something that was typed is markup.
func inert(t *testing.T, what string, b *browser, path string) {
	t.Helper()
	rec := b.get(path)
	if rec.Code == 303 || rec.Code == 404 || rec.Code == 403 && !strings.Contains(rec.Header().Get("Content-Type"), "html") {
		return
	}
	b.harmless(what+" "+path, rec)
	if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
		return
	}
	doc := page(t, rec)
	if n := doc.Find("script:not([src]), iframe, object, embed, base, [style]").Length(); n > 0 {
		t.Errorf("%s %s: %d elements that nobody wrote", what, path, n)
	}
	for _, e := range doc.Find("*").EachIter() {
		for _, a := range e.Nodes[0].Attr {
			name, value := strings.ToLower(a.Key), strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(name, "on") || strings.HasPrefix(value, "javascript:") && name != "value" || name == "srcdoc" {
				t.Errorf("%s %s: %s=%q", what, path, a.Key, a.Val)
			}
		}
	}
}

// Whatever is kept, no page runs it.
func TestStoredMarkupIsText(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p := s.props()
		room, code := s.room("开放群", "internal", "open", s.w.Platform, 9)
		guest, guestCode := s.room("外部群", "external", "approval", s.w.Platform, 9)
		in, asking, scanned := s.visitor().scan(code), s.visitor().scan(guestCode), s.visitor().scan(code)
		want(t, in.prove(s.w.StaffPhone), 303)
		want(t, asking.prove("+8613900000009", "name", markup, "note", markup), 303)
		s.exec("UPDATE codes SET validity = 'permanent', valid_until = NULL WHERE id = ?", guestCode)
		super := s.as(s.w.Super)
		want(t, super.post(fmt.Sprint("/contacts/members/", s.w.OtherStaff.MemberID, "/depart"), "reason", markup), 303)
		revoked, _ := s.door("approval")
		want(t, super.post("/groups/"+revoked+"/disband", "reason", markup, "confirm_name", "平台技术交流群"), 303)
		s.plant()
		super, head, staff := s.as(s.w.Super), s.as(s.w.Head), s.as(s.w.Staff)
		for what, b := range map[string]*browser{"super": super, "head": head, "staff": staff, "in": in, "asking": asking, "scanned": scanned, "nobody": s.visitor()} {
			for _, r := range web.Routes() {
				if r[0] == http.MethodGet && !strings.HasPrefix(r[1], "/join/:") && r[1] != "/metrics" {
					inert(t, what, b, p.path(r[1]))
				}
			}
			for _, at := range []string{"/groups?view=all", "/groups?status=disbanded", "/contacts?view=departed", "/requests?state=decided", "/approvals?view=over",
				"/join?step=phone", "/groups/" + revoked, fmt.Sprint("/contacts/members/", s.w.OtherStaff.MemberID, ""), "/j/nonsense", "/groups?q=" + "%3Cscript%3Ealert(1)%3C/script%3E"} {
				inert(t, what, b, at)
			}
		}
		// What is done now writes the names into the trail and into flashes.
		for _, at := range []string{"/groups/" + p.gid + "/codes", "/exports"} {
			super.post(at, "label", markup, "what", "audit")
		}
		super.post("/requests/decide", "id", p.request, "decision", "reject", "reason", markup)
		super.post("/groups/"+p.gid+"/members", "member_id", p.member)
		super.post("/groups/"+p.gid, "name", markup, "purpose", markup)
		for _, at := range []string{"/audit", "/groups/" + p.gid, "/requests", "/requests?state=decided", "/approvals", "/"} {
			inert(t, "afterwards", super, at)
		}
		_, _ = room, guest
	})
}

// The pages of refusal name the group, the organisation and whom to ask.
func TestRefusalsEscapeNames(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, code := s.door("approval")
		door := s.printed(code)
		s.plant()
		s.exec("UPDATE codes SET networks = ''")
		for _, set := range []string{"revoked_at = issued_at", "revoked_at = NULL, suspended_at = issued_at", "suspended_at = NULL, networks = '10.0.0.0/8'"} {
			s.exec("UPDATE codes SET " + set)
			inert(t, set, s.visitor(), door)
		}
		s.exec("UPDATE groups SET status = 'disbanded', disbanded_at = created_at")
		inert(t, "disbanded", s.visitor(), door)
	})
}

// A link of a group is one that a browser may follow.
func TestEntriesAreNoScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head := s.as(s.w.Head)
		for _, bad := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x",
			"//evil.example", "file:///etc/passwd", "blob:x", "https://", "http:evil", "https://a b"} {
			if rec := head.post("/groups", newGroup(s.w.RD, "entry_kind", "link", "entry_url", bad)...); rec.Code != 422 {
				t.Errorf("entry %q: %d, want 422", bad, rec.Code)
			}
		}
		for _, bad := range []string{"javascript:alert(1)", "data:text/html,x"} {
			if rec := head.send("/groups", drawn(t, bad), newGroup(s.w.RD, "entry_kind", "upstream")...); rec.Code == 303 {
				at := rec.Header().Get("Location")
				inert(t, bad, head, at)
				inert(t, bad, head, at+"/settings")
			}
		}
	})
}
