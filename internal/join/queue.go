package join

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/group"
	"doorplate/internal/rules"
)

// PageSize is how many requests one page of the queue shows.
const PageSize = 50

// Filter narrows the queue. The zero value is everything that waits.
type Filter struct {
	Group      string // gid
	Department int64  // groups of it and of all below it
	Code       string // public id
	Decided    bool   // the decided ones, newest first; else the pending ones, oldest first
	Kind       string // member, guest or "" for both
	Age        int    // has waited so many days or more
	Hinted     bool   // has hints
	Due        string // late: past its time, soon: within a day, up: escalated
	Answered   string // yes: there is a note or an answer, no: there is neither
	Search     string // name, its pinyin, job number or the tail of a phone
	After      string // cursor of the last row seen

	among []int64 // of these alone
}

// Row is one line of the queue.
type Row struct {
	Listed
	CodeLabel   string
	JobNumber   string
	PersonPath  string // path of the applicant's first department; "" for guests
	Department  string // the same in words
	Capacity    int
	MemberCount int
	SeriesID    *int64 // of a numbered series, whose next group takes whom this one cannot
	JoinMode    string
	RulesNow    int         // the version of the group's rules in force
	Ruling      *Ruling     `gorm:"-"` // what the rules said; nil when nobody asked them
	Hits        []rules.Hit `gorm:"-"` // words of the lists in what the applicant wrote
	Proposer    string      // the member who asked in this one's name
	Own         bool        // the reader's own request: somebody else decides
	Above       string      // the department whose heads it went to; "" = none, or the super admins
	CopyPlace   string      // where the copy that was scanned hangs
	From        From        `gorm:"embedded;embeddedPrefix:scan_"`
	Facts       `gorm:"-"`
	UndoUntil   time.Time `gorm:"-"` // the reader may take the decision back till then; zero = not at all
}

// Guest reports whether the applicant is outside the directory.
func (r Row) Guest() bool { return r.GuestID != nil }

// GroupFull reports whether an approval would find no seat.
func (r Row) GroupFull() bool { return r.SeriesID == nil && r.MemberCount >= r.Capacity }

// State is the request's state as people should read it: what waits for a
// group that has ended waits for nothing.
func (r Row) State() string {
	if r.Status == Pending && r.GroupStatus != group.Active {
		return Cancelled
	}
	return r.Status
}

// Queue is one page of requests.
type Queue struct {
	Rows []Row
	Next string // cursor of the next page; "" when this is the last
}

// Choice is one group to filter by.
type Choice struct {
	GID  string `gorm:"column:gid"`
	Name string
}

const rowSQL = `SELECT ` + listedColumns + `, coalesce(c.label, '') AS code_label, coalesce(m.job_number, '') AS job_number, g.capacity, g.member_count, g.series_id, g.join_mode, g.rules_version AS rules_now,
	coalesce((SELECT pm.name FROM members pm WHERE pm.id = r.proposed_by), '') AS proposer,
	coalesce((SELECT min(p.path) FROM member_departments md JOIN departments p ON p.id = md.department_id WHERE md.member_id = r.member_id), '') AS person_path,
	coalesce((SELECT ed.name FROM departments ed WHERE ed.id = r.escalated_to), '') AS above,
	coalesce(k.place, '') AS copy_place, sc.at AS scan_at, coalesce(sc.ref, '') AS scan_ref, coalesce(sc.address, '') AS scan_address,
	coalesce(sc.device, '') AS scan_device, coalesce(sc.app, '') AS scan_app` +
	listedFrom + ` LEFT JOIN codes c ON c.id = r.code_id LEFT JOIN scans sc ON sc.id = r.scan_id
	LEFT JOIN code_copies k ON k.code_id = r.code_id AND k.serial = r.copy_serial AND r.copy_serial > 0 WHERE r.id IN ?`

// Queue lists the requests that by may decide.
func (s *Service) Queue(ctx context.Context, by access.Actor, f Filter) (Queue, error) {
	tx := s.db.WithContext(ctx)
	ids, err := s.matching(tx, by, f, PageSize+1)
	if err != nil {
		return Queue{}, err
	}
	rows, err := s.dress(tx, by, ids[:min(len(ids), PageSize)])
	q := Queue{Rows: rows}
	if len(ids) > PageSize && len(rows) > 0 {
		q.Next = f.cursor(rows[len(rows)-1])
	}
	return q, err
}

// Some are those of the requests that by may decide on, whatever became of
// them, and which of them the filter keeps: for rows of a page that is open.
func (s *Service) Some(ctx context.Context, by access.Actor, f Filter, ids ...int64) (rows []Row, kept map[int64]bool, err error) {
	tx := s.db.WithContext(ctx)
	kept = map[int64]bool{}
	if ids = unique(ids); len(ids) == 0 || len(ids) > MaxBatch {
		return nil, kept, nil
	}
	where, args := mine(by)
	var seen []int64
	err = tx.Raw(`SELECT r.id FROM join_requests r JOIN groups g ON g.id = r.group_id JOIN departments d ON d.id = g.department_id WHERE r.id IN ? AND `+where+" ORDER BY r.id",
		append([]any{ids}, args...)...).Scan(&seen).Error
	if err != nil || len(seen) == 0 {
		return nil, kept, err
	}
	f.After, f.among = "", seen
	match, err := s.matching(tx, by, f, len(seen))
	if err != nil {
		return nil, kept, err
	}
	for _, id := range match {
		kept[id] = true
	}
	rows, err = s.dress(tx, by, seen)
	return rows, kept, err
}

// matching are the ids of the requests that the filter keeps, in its order.
func (s *Service) matching(tx *gorm.DB, by access.Actor, f Filter, limit int) (ids []int64, err error) {
	from, args, order, err := s.matchingSQL(tx, by, f)
	if err != nil {
		return nil, err
	}
	if err := tx.Raw("SELECT r.id"+from+order+" LIMIT ?", append(args, limit)...).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return ids, nil
}

// matchingSQL is everything of that statement after its columns. The plan
// depends on who asks and is made anew each time, so it is a small one.
func (s *Service) matchingSQL(tx *gorm.DB, by access.Actor, f Filter) (from string, args []any, order string, err error) {
	where, args, err := mineByGroup(tx, by)
	if err != nil {
		return "", nil, "", err
	}
	more, moreArgs, order, err := f.sql(tx, s.now())
	return " FROM join_requests r JOIN groups g ON g.id = r.group_id WHERE " + where + more, slices.Concat(args, moreArgs), order, err
}

// dress reads what a page shows of some requests, in the order of ids: a fixed
// number of statements, however many they are.
func (s *Service) dress(tx *gorm.DB, by access.Actor, ids []int64) ([]Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []Row
	if err := tx.Raw(rowSQL, ids).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	at := make(map[int64]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(rows, func(a, b Row) int { return at[a.ID] - at[b.ID] })
	if err := finish(tx, by, rows); err != nil {
		return nil, err
	}
	if err := s.addUndo(tx, by, rows); err != nil {
		return nil, err
	}
	if err := addFacts(tx, by, rows); err != nil {
		return nil, err
	}
	return rows, s.addRulings(tx, rows)
}

// finish fills in what one statement for all rows is cheaper for.
func finish(tx *gorm.DB, by access.Actor, rows []Row) error {
	paths := make([]string, 0, len(rows))
	for _, r := range rows {
		if r.PersonPath != "" {
			paths = append(paths, r.PersonPath)
		}
	}
	names, err := group.Lineages(tx, paths)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Department = names[rows[i].PersonPath]
		rows[i].Own = rows[i].MemberID != nil && by.Kind == access.Member && *rows[i].MemberID == by.MemberID
	}
	return nil
}

// sql returns the conditions beyond the scope, and the order.
func (f Filter) sql(tx *gorm.DB, now time.Time) (string, []any, string, error) {
	var b strings.Builder
	var args []any
	and := func(condition string, values ...any) {
		b.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	order := " ORDER BY r.created_at, r.id"
	if f.Decided {
		and("r.status <> 'pending' AND r.decided_at IS NOT NULL")
		order = " ORDER BY r.decided_at DESC, r.id DESC"
	} else {
		and("r.status = 'pending' AND g.status = 'active'")
	}
	if err := f.place(tx, and); err != nil {
		return "", nil, "", err
	}
	f.person(tx, and)
	if f.Age > 0 {
		and("r.created_at <= ?", now.UTC().AddDate(0, 0, -min(f.Age, 3650)))
	}
	f.due(now, and)
	if f.Hinted {
		and("r.hints <> 0")
	}
	switch f.Answered {
	case "yes":
		and("(r.note <> '' OR EXISTS (SELECT 1 FROM request_answers a WHERE a.request_id = r.id))")
	case "no":
		and("r.note = '' AND NOT EXISTS (SELECT 1 FROM request_answers a WHERE a.request_id = r.id)")
	}
	if f.among != nil {
		and("r.id IN ?", f.among)
	}
	if at, id, ok := parseCursor(f.After); ok {
		if f.Decided {
			and("(r.decided_at, r.id) < (?, ?)", at, id)
		} else {
			and("(r.created_at, r.id) > (?, ?)", at, id)
		}
	}
	return b.String(), args, order, nil
}

// place narrows to where people want in. Ids are read first, so that the
// planner knows how little one of them is.
func (f Filter) place(tx *gorm.DB, and func(string, ...any)) error {
	one := func(condition, sql string, value any) error {
		var ids []int64
		if err := tx.Raw(sql, value).Scan(&ids).Error; err != nil {
			return fmt.Errorf("read a filter: %w", err)
		}
		and(condition, append(ids, 0)[0])
		return nil
	}
	if f.Group != "" {
		if err := one("r.group_id = ?", "SELECT id FROM groups WHERE gid = ?", f.Group); err != nil {
			return err
		}
	}
	if f.Code != "" {
		if err := one("r.code_id = ?", "SELECT id FROM codes WHERE public_id = ?", f.Code); err != nil {
			return err
		}
	}
	if f.Department == 0 {
		return nil
	}
	var paths []string
	if err := tx.Raw("SELECT path FROM departments WHERE id = ?", f.Department).Scan(&paths).Error; err != nil {
		return fmt.Errorf("read a filter: %w", err)
	}
	if len(paths) == 0 {
		and("1 = 0")
		return nil
	}
	and("g.department_id IN (SELECT b.id FROM departments b WHERE b.path LIKE ?)", paths[0]+"%")
	return nil
}

// person narrows to who asks.
func (f Filter) person(tx *gorm.DB, and func(string, ...any)) {
	switch f.Kind {
	case "member":
		and("r.member_id IS NOT NULL")
	case "guest":
		and("r.guest_id IS NOT NULL")
	}
	if strings.TrimSpace(f.Search) != "" {
		text, args := found(tx, f.Search)
		and(text, args...)
	}
}

func (f Filter) cursor(last Row) string {
	at := last.CreatedAt
	if f.Decided {
		at = *last.DecidedAt
	}
	return strconv.FormatInt(at.UnixMicro(), 36) + "-" + strconv.FormatInt(last.ID, 36)
}

func parseCursor(text string) (at time.Time, id int64, ok bool) {
	left, right, found := strings.Cut(text, "-")
	micro, err := strconv.ParseInt(left, 36, 64)
	id, err2 := strconv.ParseInt(right, 36, 64)
	if !found || err != nil || err2 != nil || micro < 0 || micro > 1<<52 {
		return at, 0, false
	}
	return time.UnixMicro(micro).UTC(), id, true
}

// choiceLimit bounds the list of groups to filter by.
const choiceLimit = 50

// choiceDepth is how many of the oldest requests Choices looks through.
const choiceDepth = 1000

// Choices are the groups in by's scope with requests that wait longest.
func (s *Service) Choices(ctx context.Context, by access.Actor) ([]Choice, error) {
	where, args := mine(by)
	var all []Choice
	err := s.db.WithContext(ctx).Raw(`SELECT gid, name FROM (SELECT DISTINCT gid, name, id FROM (SELECT g.gid, g.name, g.id FROM join_requests r JOIN groups g ON g.id = r.group_id
			JOIN departments d ON d.id = g.department_id WHERE r.status = 'pending' AND g.status = 'active' AND `+where+`
			ORDER BY r.created_at, r.id LIMIT ?) w) x ORDER BY name, id LIMIT ?`, append(args, choiceDepth, choiceLimit)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list groups with requests: %w", err)
	}
	return all, nil
}
