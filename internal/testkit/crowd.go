package testkit

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// Crowd is how large a made-up organisation is. Seats are memberships over all
// groups, Requests are the ones that wait; as many have been decided. With Levels
// the departments stand on as many levels, else on three.
type Crowd struct {
	Departments, Members, Groups, Seats, Requests, Codes, Copies, Audit, Days, Levels int
}

// BigCrowd is the size that the product promises to stay quick at.
var BigCrowd = Crowd{Departments: 3000, Members: 100_000, Groups: 5000, Seats: 1_000_000, Requests: 50_000, Codes: 5000, Copies: 4, Audit: 1_000_000, Days: 30}

// crowd writes the rows: a statement for each table, whatever the size.
type crowd struct {
	t    testing.TB
	db   *gorm.DB
	w    World
	c    Crowd
	base map[string]int64 // the number before the first of ours, by table
}

// Fill adds the crowd to w's organisation. A twentieth of the departments, and
// so of all groups, lies below w.Head; every department at the second level has
// a head. It ends with fresh planner statistics.
func (c Crowd) Fill(t testing.TB, db *gorm.DB, w World) {
	t.Helper()
	f := crowd{t: t, db: db, w: w, c: c, base: map[string]int64{}}
	for _, table := range []string{"departments", "members", "groups", "codes", "audit_entries"} {
		var base int64
		must(t, db.Raw("SELECT coalesce(max(id), 0) FROM "+table).Scan(&base).Error)
		f.base[table] = base
	}
	for _, step := range []func(){f.people, f.rooms, f.seats, f.asks, f.doors, f.trail} {
		step()
	}
	if !database.Postgres(db) {
		f.run("ANALYZE")
		return
	}
	for table := range f.base {
		f.run(fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%[1]s', 'id'), (SELECT max(id) FROM %[1]s))", table))
	}
	f.run("VACUUM ANALYZE")
}

// run executes a statement. {i} stands for the rows 0, 1, … of {n} many, {now}
// for the clock and {ago:x} for x seconds before it.
func (f crowd) run(sql string, n ...any) {
	f.t.Helper()
	ago := func(seconds string) string {
		if database.Postgres(f.db) {
			return "(timestamptz '" + f.w.now.UTC().Format("2006-01-02 15:04:05") + "+00' - (" + seconds + ") * interval '1 second')"
		}
		return "strftime('%Y-%m-%d %H:%M:%S+00:00', '" + f.w.now.UTC().Format("2006-01-02 15:04:05") + "', (-(" + seconds + ")) || ' seconds')"
	}
	rows := "(WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {n} - 1) SELECT i FROM s)"
	if database.Postgres(f.db) {
		rows = "(SELECT i FROM generate_series(0, {n} - 1) i)"
	}
	if len(n) > 0 {
		sql = strings.ReplaceAll(strings.ReplaceAll(sql, "{i}", rows), "{n}", fmt.Sprint(n[0]))
	}
	for name, value := range map[string]any{"{dep}": f.base["departments"], "{mem}": f.base["members"], "{grp}": f.base["groups"], "{cod}": f.base["codes"], "{aud}": f.base["audit_entries"],
		"{D}": f.c.Departments, "{M}": f.c.Members, "{G}": f.c.Groups, "{K}": f.c.Codes, "{root}": f.w.Root, "{rootpath}": f.w.RootPath, "{rd}": f.w.RD, "{rdpath}": f.w.RDPath,
		"{super}": f.w.Super.MemberID, "{head}": f.w.Head.MemberID} {
		sql = strings.ReplaceAll(sql, name, fmt.Sprint(value))
	}
	for {
		before, rest, found := strings.Cut(sql, "{ago:")
		if !found {
			break
		}
		what, after, _ := strings.Cut(rest, "}")
		sql = before + ago(what) + after
	}
	must(f.t, f.db.Exec(sql).Error)
}

// tops is how many departments stand right below the organisation; the last of them is w.RD.
const tops = 20

func (f crowd) people() {
	f.run(`INSERT INTO departments (id, parent_id, name, path, depth, created_at) SELECT {dep} + 1 + i, {root}, '部门' || i, '{rootpath}' || ({dep} + 1 + i) || '/', 1, {ago:0}
		FROM {i} s`, tops-1)
	f.run(`INSERT INTO departments (id, parent_id, name, path, depth, created_at) SELECT {dep} + `+fmt.Sprint(tops)+` + i,
		CASE WHEN i % 20 = 19 THEN {rd} ELSE {dep} + 1 + i % 20 END, '小组' || i,
		CASE WHEN i % 20 = 19 THEN '{rdpath}' ELSE '{rootpath}' || ({dep} + 1 + i % 20) || '/' END || ({dep} + `+fmt.Sprint(tops)+` + i) || '/', 2, {ago:0} FROM {i} s`, f.c.Departments-tops+1)
	f.deepen()
	f.run(`INSERT INTO members (id, job_number, name, phone, created_at, updated_at) SELECT {mem} + 1 + i, 'C' || i, '成员' || i, '+86139' || (10000000 + i), {ago:i}, {ago:i} FROM {i} s`, f.c.Members)
	f.run(`INSERT INTO guests (name, phone, created_at) SELECT '访客' || i, '+86138' || (20000000 + i), {ago:i} FROM {i} s`, f.c.Members/5)
	f.run("ANALYZE") // what counts the places of departments plans by it
	f.run(`INSERT INTO member_departments (member_id, department_id) SELECT {mem} + 1 + i, {dep} + 1 + i % {D} FROM {i} s`, f.c.Members)
	f.run(`INSERT INTO department_heads (department_id, member_id) SELECT {dep} + 1 + i, {mem} + 1 + i FROM {i} s`, tops-1)
}

// deepen hangs the departments below the tops on more levels: of a top's twentieth, the first stay where they are, and
// each that follows has three others below it. Those below the first top all stay: it is the wide one.
func (f crowd) deepen() {
	if f.c.Levels <= 3 {
		return
	}
	width := max(1, (f.c.Departments-tops)/20/(f.c.Levels-2))
	level := fmt.Sprintf("(d.id - {dep} - %d) / 20 / %d", tops, width)
	for depth := 3; depth < f.c.Levels; depth++ {
		at := depth - 2
		if depth == f.c.Levels-1 {
			level = fmt.Sprintf("CASE WHEN %s >= %d THEN %d END", level, at, at)
		}
		f.run(fmt.Sprintf(`UPDATE departments SET parent_id = u.id, depth = u.depth + 1, path = u.path || departments.id || '/' FROM departments d JOIN departments u
			ON u.id = {dep} + %[1]d + ((d.id - {dep} - %[1]d) %% 20) + 20 * (%[2]d + (((d.id - {dep} - %[1]d) / 20) %% %[3]d) / 3)
			WHERE departments.id = d.id AND d.id >= {dep} + %[1]d AND (d.id - {dep} - %[1]d) %% 20 > 0 AND %[4]s = %[5]d`, tops, (at-1)*width, width, level, at))
	}
}

func (f crowd) rooms() {
	f.run(`INSERT INTO groups (id, gid, name, type, department_id, purpose, capacity, member_count, join_mode, created_by, created_at, updated_at)
		SELECT {grp} + 1 + i, 'GC' || i, '群' || i, CASE i % 5 WHEN 0 THEN 'external' ELSE 'internal' END, {dep} + `+fmt.Sprint(tops)+` + i % ({D} - `+fmt.Sprint(tops)+`), '用途', 2000, 0,
		'approval', {super}, {ago:i * 6000}, {ago:i * 6000} FROM {i} s`, f.c.Groups)
	f.run(`UPDATE groups SET owner_id = {mem} + 100 + id % 1000 WHERE id > {grp}`)
}

// Seat s is the (s / groups)-th of the group s % groups; no two of a group are the same member.
func (f crowd) seats() {
	f.run(`INSERT INTO memberships (group_id, member_id, source, joined_at) SELECT {grp} + 1 + i % {G}, {mem} + 1 + (i % {G} * 31 + i / {G}) % {M}, 'code', {ago:(i * 37) % 63072000} FROM {i} s`, f.c.Seats)
	f.run("UPDATE groups SET member_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id) WHERE id > {grp}")
	// Two groups in three were confirmed, in the first of the rounds there may be.
	f.run(`INSERT INTO recert_marks (round_id, group_id, kind, members, codes, marked_by, marked_at) SELECT r.id, g.id, 'group', g.member_count, 1, {head}, r.due_at
		FROM groups g CROSS JOIN recert_rounds r WHERE g.id > {grp} AND g.id % 3 > 0 OR r.due_at < {ago:0} AND g.id > {grp}`)
	f.run(`INSERT INTO recert_marks (round_id, group_id, kind, item_id, marked_by, marked_at) SELECT r.id, g.id, 'code', g.id, {head}, r.due_at
		FROM groups g CROSS JOIN recert_rounds r WHERE g.id > {grp}`)
	f.run("UPDATE groups SET capacity = member_count WHERE id > {grp} AND id % 200 = 0 AND member_count > 0")
}

func (f crowd) asks() {
	f.run(`INSERT INTO join_requests (group_id, member_id, name, phone, created_at) SELECT {grp} + 1 + i % {G}, {mem} + 1 + (i % {G} * 17 + i / {G} + 500) % {M}, '申请人' || i, '+8613900000000', {ago:i * 60}
		FROM {i} s`, f.c.Requests)
	f.run(`INSERT INTO join_requests (group_id, member_id, name, phone, status, created_at, decided_at, decided_by) SELECT {grp} + 1 + i % {G}, {mem} + 1 + (i * 7) % {M}, '申请人' || i, '+8613900000000',
		'approved', {ago:i * 60 + 600}, {ago:i * 60}, {super} FROM {i} s`, f.c.Requests)
}

// One code in 400 is an orphan, one in 97 has expired; the prints say what they should.
func (f crowd) doors() {
	f.run(`INSERT INTO codes (id, public_id, group_id, label, validity, valid_until, issued_by, issued_at) SELECT {cod} + 1 + i, 'C' || (1000000000 + i), {grp} + 1 + i % {G}, '门' || i, '30d',
		CASE WHEN i % 97 = 1 THEN {ago:86400} ELSE {ago:-20 * 86400} END, CASE WHEN i % 400 = 2 THEN {mem} + 50 WHEN i % 20 = 19 THEN {head} ELSE {super} END, {ago:i * 60} FROM {i} s`, f.c.Codes)
	f.run("INSERT INTO code_counters (code_id, total) SELECT {cod} + 1 + i, 150 FROM {i} s", f.c.Codes)
	words := "json_object('organisation', o.name, 'group', g.name, 'department', coalesce(nullif(CASE WHEN u.depth = 0 THEN '' ELSE u.name || ' / ' END, ''), '') || d.name, 'until', c.valid_until)"
	if database.Postgres(f.db) {
		words = strings.Replace(words, "json_object", "json_build_object", 1)
	}
	f.run(`INSERT INTO code_copies (code_id, serial, place, printed_at, printed_as, created_at) SELECT c.id, 1 + i, '门口', {ago:86400}, CAST(`+words+` AS text), {ago:c.id * 60}
		FROM {i} s CROSS JOIN codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id JOIN departments u ON u.id = d.parent_id JOIN organisation o ON o.id = 1 WHERE c.id > {cod}`, f.c.Copies)
	f.run("UPDATE code_copies SET printed_as = replace(printed_as, '群', '旧') WHERE code_id > {cod} AND code_id % 300 = 0")
	for ago := range f.c.Days {
		day := f.w.now.AddDate(0, 0, -ago).Format("2006-01-02")
		f.run("INSERT INTO scan_days (code_id, day, live, mobile, h09) SELECT {cod} + 1 + i, '"+day+"', 5, 5, 5 FROM {i} s", f.c.Codes)
	}
}

func (f crowd) trail() {
	f.run(`INSERT INTO audit_entries (id, uid, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, department_path, mac)
		SELECT {aud} + 1 + s.i, 'u' || s.i, {ago:({aud} + 3000000 - s.i) * 10}, 'member', {mem} + 1 + s.i % 300, '成员' || (s.i % 300),
		CASE s.i % 8 WHEN 0 THEN 'group.create' WHEN 1 THEN 'code.issue' WHEN 2 THEN 'code.revoke' WHEN 3 THEN 'group.member.add' WHEN 4 THEN 'group.member.remove' WHEN 5 THEN 'request.decide' ELSE 'group.save' END,
		'group', 'GC' || (s.i % {G}), '群' || (s.i % {G}), d.path, '' FROM {i} s JOIN departments d ON d.id = {dep} + `+fmt.Sprint(tops)+` + s.i % ({D} - `+fmt.Sprint(tops)+`)`, f.c.Audit)
	f.run(`INSERT INTO audit_seals (seq, entry_id, previous, hash) SELECT 1 + i + (SELECT coalesce(max(seq), 0) FROM audit_seals), {aud} + 1 + i, 'p', 'h' FROM {i} s`, f.c.Audit)
}
