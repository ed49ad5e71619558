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
	"doorplate/internal/database"
	"doorplate/internal/group"
)

// PageSize is how many requests one page of the queue shows.
const PageSize = 50

// Filter narrows the queue. The zero value is everything that waits.
type Filter struct {
	Group   string // gid
	Decided bool   // the decided ones, newest first; else the pending ones, oldest first
	Kind    string // member, guest or "" for both
	Search  string // name, job number or the tail of a phone
	After   string // cursor of the last row seen
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
	RulesNow    int    // the version of the group's rules in force
	Proposer    string // the member who asked in this one's name
	Own         bool   // the reader's own request: somebody else decides
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
	coalesce((SELECT min(p.path) FROM member_departments md JOIN departments p ON p.id = md.department_id WHERE md.member_id = r.member_id), '') AS person_path` +
	listedFrom + ` LEFT JOIN codes c ON c.id = r.code_id WHERE r.id IN ?`

// foundFrom is the little of rowSQL that says which requests stand on a page.
const foundFrom = ` FROM join_requests r JOIN groups g ON g.id = r.group_id`

// Queue lists the requests that by may decide.
func (s *Service) Queue(ctx context.Context, by access.Actor, f Filter) (Queue, error) {
	tx := s.db.WithContext(ctx)
	where, args, err := mineByPlace(tx, by)
	if err != nil {
		return Queue{}, err
	}
	more, moreArgs, order := f.sql()
	from := foundFrom
	if f.Search != "" {
		from += " LEFT JOIN members m ON m.id = r.member_id"
	}
	// First which, then what they say: the plan of the one depends on who asks
	// and is made anew each time, so it is to be a small one.
	var ids []int64
	err = tx.Raw("SELECT r.id"+from+" WHERE "+where+more+order+" LIMIT ?", append(slices.Concat(args, moreArgs), PageSize+1)...).Scan(&ids).Error
	if err != nil {
		return Queue{}, fmt.Errorf("list requests: %w", err)
	}
	var rows []Row
	if len(ids) > 0 {
		if err := tx.Raw(rowSQL+order, ids).Scan(&rows).Error; err != nil {
			return Queue{}, fmt.Errorf("read requests: %w", err)
		}
	}
	q := Queue{Rows: rows}
	if len(ids) > PageSize && len(rows) > 0 {
		q.Rows = rows[:min(len(rows), PageSize)]
		q.Next = f.cursor(q.Rows[len(q.Rows)-1])
	}
	return q, finish(tx, by, q.Rows)
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
func (f Filter) sql() (string, []any, string) {
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
	if f.Group != "" {
		and("g.gid = ?", f.Group)
	}
	switch f.Kind {
	case "member":
		and("r.member_id IS NOT NULL")
	case "guest":
		and("r.guest_id IS NOT NULL")
	}
	if text := strings.TrimSpace(f.Search); text != "" {
		pattern := database.EscapeLike(strings.ToLower(text))
		and(`(lower(r.name) LIKE ? ESCAPE '\' OR lower(coalesce(m.job_number, '')) LIKE ? ESCAPE '\' OR (? AND r.phone LIKE ? ESCAPE '\'))`,
			"%"+pattern+"%", pattern+"%", len(text) >= 3 && strings.Trim(text, "0123456789") == "", "%"+pattern)
	}
	if at, id, ok := parseCursor(f.After); ok {
		if f.Decided {
			and("(r.decided_at < ? OR r.decided_at = ? AND r.id < ?)", at, at, id)
		} else {
			and("(r.created_at > ? OR r.created_at = ? AND r.id > ?)", at, at, id)
		}
	}
	return b.String(), args, order
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
