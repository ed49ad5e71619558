package web_test

import (
	"fmt"
	"sync/atomic"
	"time"

	"doorplate/internal/access"
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
	invites                                int64  // a batch of invite codes
	rule, roster, ruled                    int64  // of the group: a rule, a list; a request that a rule rejected
	rule0, roster0                         int64  // the same of the organisation
	image                                  int64  // of the group's chat
	removed                                int64  // a stay that the reader has just ended
	started                                string // a group that a member started
	role, grant                            int64  // a custom role, held by free
	entry                                  int64  // of the audit trail
	round                                  int64  // in which heads confirm
	gone, bulk                             int64  // a departed member; the author's bulk edit
	batch                                  int64  // of new groups: a draft of the reader's own
	view, decisions                        int64  // of the queue: the author's view, and draft to decide many
	report                                 int64  // a case about the code
	hook, message                          int64  // a webhook's endpoint, and a message to it
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
	o.report = s.insert("INSERT INTO cases (code_id, reports, opened_at, last_at) VALUES (?, 1, ?, ?)", codeID, now, now)
	s.exec("INSERT INTO case_reports (case_id, category, words, copy_serial, at) VALUES (?, 'overprint', 'x', 1, ?)", o.report, now)
	o.channel = s.insert("INSERT INTO code_channels (code_id, name, utm_source, created_at) VALUES (?, 'door', 'weibo', ?)", codeID, now)
	photo := s.insert("INSERT INTO files (sha256, content_type, content, created_at) VALUES ('', 'image/jpeg', ?, ?)", []byte("x"), now)
	s.exec("INSERT INTO code_copies (code_id, serial, place, photo_file_id, printed_at, printed_as, created_at) VALUES (?, 1, 'Hall', ?, ?, '{\"group\":\"Old\"}', ?)", codeID, photo, now, now)
	o.request = s.insert("INSERT INTO join_requests (group_id, code_id, member_id, name, phone, created_at) VALUES (?, ?, ?, '同事', '+8613600000000', ?)",
		groupID, codeID, o.free, now)
	o.waiter = s.insert("INSERT INTO waiting_list (group_id, code_id, member_id, name, phone, created_at) VALUES (?, ?, ?, '候补', '+8613600000009', ?)",
		groupID, codeID, s.colleague(department).MemberID, now)
	rule := "INSERT INTO decision_rules (group_id, position, name, conditions, verdict, enabled, created_at, updated_at) VALUES (?, 1, 'Rule', '[{\"kind\":\"words\"}]', 'hold', ?, ?, ?)"
	o.rule, o.rule0 = s.insert(rule, groupID, false, now, now), s.insert(rule, nil, false, now, now)
	roster := "INSERT INTO rule_lists (group_id, name, updated_at) VALUES (?, 'Roster', ?)"
	o.roster, o.roster0 = s.insert(roster, groupID, now), s.insert(roster, nil, now)
	o.ruled = s.insert("INSERT INTO join_requests (group_id, code_id, member_id, name, phone, created_at, status, decided_at, reason) VALUES (?, ?, ?, '同事', '+8613600000000', ?, 'rejected', ?, 'no')",
		groupID, codeID, s.colleague(department).MemberID, now, now)
	s.exec("INSERT INTO request_rulings (request_id, at, facts, verdict, rule_id, rule_name, outcome) VALUES (?, ?, '{}', 'refuse', ?, 'Rule', 'done')", o.ruled, now, o.rule)
	o.invites = s.insert("INSERT INTO invite_batches (group_id, label, seed, quantity, max_uses, created_at) VALUES (?, 'fair', 'x', 1, 1, ?)", groupID, now)
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
	o.hook, o.message = s.noticed(author)
	return o
}

func (s *site) gid(groupID int64) (gid string) {
	s.t.Helper()
	if err := s.db.Raw("SELECT gid FROM groups WHERE id = ?", groupID).Scan(&gid).Error; err != nil {
		s.t.Fatal(err)
	}
	return gid
}

// image puts a chat's image into a group's pool.
func (s *site) image(groupID, file int64, url string, position int, until time.Time) int64 {
	s.t.Helper()
	return s.insert("INSERT INTO entry_images (group_id, file_id, url, position, valid_until, added_at) VALUES (?, ?, ?, ?, ?, ?)",
		groupID, file, url, position, until, s.clock.Now())
}
