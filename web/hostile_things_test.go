package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
)

// props are one of everything, for the parameters of paths.
type props struct {
	s                              *site
	gid, code, request             string
	department, member, membership string
	run, approval, preset, waiter  string
	print, image, channel, round   string
	invites, rule, roster          string
	batch, view, decisions         string
	report                         string
	role, grant                    string
	entry                          string
	hook, message                  string
}

func (s *site) props() props {
	s.t.Helper()
	room, code := s.room("平台技术交流群", "internal", "approval", s.w.Platform, 500)
	s.exec("INSERT INTO memberships (group_id, member_id, status, source, joined_at) VALUES (?, ?, 'active', 'code', ?)", room, s.w.OtherStaff.MemberID, s.clock.Now())
	s.exec("UPDATE groups SET member_count = 1 WHERE id = ?", room)
	p := props{s: s, request: s.asks(room, s.w.Staff, "note"), department: fmt.Sprint(s.w.Platform), member: fmt.Sprint(s.w.Staff.MemberID),
		membership: fmt.Sprint(s.count("SELECT id FROM memberships")), preset: fmt.Sprint(s.count("SELECT min(id) FROM group_presets"))}
	p.waiter = fmt.Sprint(s.insert("INSERT INTO waiting_list (group_id, member_id, name, phone, created_at) VALUES (?, ?, '候补', '+8613600000009', ?)",
		room, s.colleague(s.w.Platform).MemberID, s.clock.Now()))
	s.db.Raw("SELECT gid FROM groups WHERE id = ?", room).Scan(&p.gid)
	s.db.Raw("SELECT public_id FROM codes WHERE id = ?", code).Scan(&p.code)
	p.invites = fmt.Sprint(s.insert("INSERT INTO invite_batches (group_id, label, seed, quantity, max_uses, created_at) VALUES (?, 'fair', 'x', 1, 1, ?)", room, s.clock.Now()))
	p.rule = fmt.Sprint(s.insert("INSERT INTO decision_rules (group_id, position, name, conditions, verdict, enabled, created_at, updated_at) VALUES (?, 1, '规则', '[{\"kind\":\"words\"}]', 'hold', ?, ?, ?)", room, true, s.clock.Now(), s.clock.Now()))
	p.roster = fmt.Sprint(s.insert("INSERT INTO rule_lists (group_id, name, updated_at) VALUES (?, '名单', ?)", room, s.clock.Now()))
	codeID := s.count("SELECT id FROM codes WHERE public_id = ?", p.code)
	p.report = fmt.Sprint(s.insert("INSERT INTO cases (code_id, reports, opened_at, last_at) VALUES (?, 1, ?, ?)", codeID, s.clock.Now(), s.clock.Now()))
	s.exec("INSERT INTO case_reports (case_id, category, at) VALUES (?, 'other', ?)", p.report, s.clock.Now())
	file := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('x', 'image/png', ?, ?)", []byte("png"), s.clock.Now())
	s.image(room, file, "https://c.example/1", 1, s.clock.Now().AddDate(0, 0, 5))
	p.image = fmt.Sprint(s.count("SELECT id FROM entry_images"))
	super := s.as(s.w.Super)
	want(s.t, super.post("/codes/"+p.code+"/channels", "channel_name", "展台", "utm_source", "fair"), 303)
	p.channel = fmt.Sprint(s.count("SELECT id FROM code_channels"))
	want(s.t, super.post("/codes/"+p.code+"/copies", "count", "2", "place", "门", "channel", p.channel), 303)
	rec := super.importFile("姓名,手机\n李雷,139\n", "dry_run", "on")
	want(s.t, rec, 303)
	s.importWork()
	p.run = last(rec)
	p.print = fmt.Sprint(s.insert(`INSERT INTO print_runs (created_by, params, state, file_name, created_at) VALUES (?, '{}', 'running', 'x.zip', ?)`,
		s.w.Super.MemberID, s.clock.Now()))
	rec = super.post("/groups/batches", "names", "甲", "department_id", p.department, "type", "internal", "purpose", "x")
	want(s.t, rec, 303)
	p.batch = last(rec)
	role := p.s.insert("INSERT INTO roles (name, created_at, updated_at) VALUES ('发码员', ?, ?)", s.clock.Now(), s.clock.Now())
	s.exec("INSERT INTO role_rights (role_id, right_name) VALUES (?, 'code.temporary')", role)
	p.role, p.grant = fmt.Sprint(role), fmt.Sprint(s.insert(`INSERT INTO role_grants (role_id, member_id, department_id, granted_by, granted_at)
		VALUES (?, ?, ?, ?, ?)`, role, s.w.OtherStaff.MemberID, s.w.Marketing, s.w.Super.MemberID, s.clock.Now()))
	p.round = fmt.Sprint(s.round())
	p.view = fmt.Sprint(s.insert("INSERT INTO request_views (member_id, name, query, created_at) VALUES (?, '访客', 'kind=guest', ?)", s.w.Super.MemberID, s.clock.Now()))
	p.decisions = fmt.Sprint(s.insert("INSERT INTO request_runs (created_by, approve, total, created_at) VALUES (?, ?, 1, ?)", s.w.Super.MemberID, true, s.clock.Now()))
	rec = super.post("/exports", "what", "members")
	want(s.t, rec, 303)
	p.approval = last(rec)
	p.entry = fmt.Sprint(s.count("SELECT min(id) FROM audit_entries"))
	hook, message := s.noticed(s.w.Super)
	p.hook, p.message = fmt.Sprint(hook), fmt.Sprint(message)
	return p
}

func last(rec *httptest.ResponseRecorder) string {
	at := rec.Header().Get("Location")
	return at[strings.LastIndex(at, "/")+1:]
}

// path fills a pattern with ids that exist.
func (p props) path(pattern string) string {
	id := map[string]string{"members": p.member, "departments": p.department, "import": p.run, "groups": p.gid, "codes": p.code, "cases": p.report,
		"requests": p.request, "batches": p.batch, "approvals": p.approval, "audit": p.entry, "presets": p.preset, "prints": p.print, "rounds": p.round, "roles": p.role, "webhooks": p.hook, "messages": p.message,
		"views": p.view, "runs": p.decisions, "reasons": "1"}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		switch part {
		case ":id":
			parts[i] = id[parts[i-1]]
		case ":membership":
			parts[i] = p.membership
		case ":image":
			parts[i] = p.image
		case ":channel":
			parts[i] = p.channel
		case ":serial":
			parts[i] = "1"
		case ":grant":
			parts[i] = p.grant
		case ":batch":
			parts[i] = p.invites
		case ":rule":
			parts[i] = p.rule
		case ":list":
			parts[i] = p.roster
		case ":waiter":
			parts[i] = p.waiter
		case ":token", ":ticket":
			parts[i] = "nonsense"
		case "*":
			parts[i] = "css/app.css"
		}
	}
	return strings.Join(parts, "/")
}
