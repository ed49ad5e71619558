package join

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/events"
	"doorplate/internal/group"
)

// sweep decides many requests with a fixed number of statements. What it leaves
// behind is what deciding them one after the other, in the order of ids, would
// leave: the same seats, memberships, entries, events and marks.
type sweep struct {
	s       *Service
	tx      *gorm.DB
	by      access.Actor
	d       Decision
	at      time.Time
	rows    map[int64]Listed
	results []Result
	won     []int64 // decided by statements for all
	let     []int64 // of these, who got a seat
	taken   map[int64]int
}

// decideMany is decide for thousands.
func (s *Service) decideMany(tx *gorm.DB, by access.Actor, d Decision, ids []int64) ([]Result, error) {
	w := sweep{s: s, tx: tx, by: by, d: d, at: s.now().UTC(), results: make([]Result, len(ids)), taken: map[int64]int{}}
	if err := w.hold(ids); err != nil {
		return nil, err
	}
	if err := w.judge(ids); err != nil {
		return nil, err
	}
	for _, step := range []func() error{w.settle, w.seat, w.follow} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w.results, w.record()
}

// hold locks persons, series, groups and requests, and reads the requests under it.
func (w *sweep) hold(ids []int64) (err error) {
	if err := holdAll(w.tx, ids); err != nil {
		return err
	}
	var held []int64
	err = w.tx.Table("join_requests").Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
		Where(w.among("id", ids)).Where("status = 'pending'").Order("id").Pluck("id", &held).Error
	if err != nil {
		return fmt.Errorf("hold requests: %w", err)
	}
	return w.read(ids)
}

// sweptColumns are the columns of a request that are needed to decide it: of
// thousands, every one more is felt.
const sweptColumns = "r.id, r.group_id, r.code_id, r.scan_id, r.member_id, r.guest_id, r.name, r.status, r.decided_at, r.rules_version"

// read is byIDs for thousands.
func (w *sweep) read(ids []int64) error {
	var rows []Listed
	if err := w.tx.Raw("SELECT "+sweptColumns+strings.TrimPrefix(listedColumns, "r.*")+listedFrom+" WHERE ?", w.among("r.id", ids)).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	w.rows = make(map[int64]Listed, len(rows))
	for _, r := range rows {
		w.rows[r.ID] = r
	}
	return nil
}

// among is "column is one of ids" with one argument, however many there are.
func (w *sweep) among(column string, ids []int64) clause.Expr {
	sql, arg := database.AnyOf(w.tx, column, database.Numbers("id", ids))
	return gorm.Expr(sql, arg)
}

// judge settles what becomes of each, against the seats that are left. Requests
// for a series are decided on the spot: the series may grow with each.
func (w *sweep) judge(ids []int64) error {
	rooms, inside, err := w.rooms(ids)
	if err != nil {
		return err
	}
	for i, id := range ids {
		row, there := w.rows[id]
		if !there {
			w.results[i] = Result{ID: id, Outcome: NotFound}
			continue
		}
		room := rooms[row.GroupID]
		if w.d.Approve && room.SeriesID != nil {
			if w.results[i], err = w.s.decideOne(w.tx, w.by, w.d, row); err != nil {
				return err
			}
			continue
		}
		out, open := row.result(w.by)
		if w.results[i] = out; !open {
			continue
		}
		if w.d.Approve && !inside[id] {
			if w.taken[row.GroupID] >= room.Left || room.Type == group.Internal && row.GuestID != nil {
				w.results[i].Outcome = Full
				continue
			}
			w.taken[row.GroupID]++
			w.let = append(w.let, id)
		}
		w.won = append(w.won, id)
		w.results[i].Outcome, w.results[i].By, w.results[i].At = Rejected, w.by.Name, w.at
		if w.d.Approve {
			w.results[i].Outcome = Approved
		}
	}
	return nil
}

// roomLeft is what a group that is held has left.
type roomLeft struct {
	ID       int64
	Type     string
	SeriesID *int64
	Left     int
}

// groups are those of the requests.
func (w *sweep) groups() []int64 {
	all := map[int64]bool{0: true} // no list is empty
	for _, r := range w.rows {
		all[r.GroupID] = true
	}
	return slices.Collect(maps.Keys(all))
}

// rooms reads the seats that are left, and which of the applicants are in already.
func (w *sweep) rooms(ids []int64) (map[int64]roomLeft, map[int64]bool, error) {
	rooms, inside := map[int64]roomLeft{}, map[int64]bool{}
	if !w.d.Approve {
		return rooms, inside, nil
	}
	var all []roomLeft
	err := w.tx.Raw(`SELECT id, type, series_id, CASE WHEN status = 'active' THEN capacity - member_count ELSE 0 END AS "left" FROM groups
		WHERE id IN ?`, w.groups()).Scan(&all).Error
	if err != nil {
		return nil, nil, fmt.Errorf("read the seats: %w", err)
	}
	for _, r := range all {
		rooms[r.ID] = r
	}
	// One look at an index each: a join is planned by statistics that know nothing of those who have just come.
	stay := func(person string) string {
		return `SELECT r.id FROM join_requests r WHERE ? AND (SELECT i.id FROM memberships i WHERE i.group_id = r.group_id AND i.` + person + ` = r.` + person +
			` AND i.` + person + ` IS NOT NULL AND i.status = 'active' LIMIT 1) IS NOT NULL`
	}
	var in []int64
	err = w.tx.Raw(stay("member_id")+" UNION ALL "+stay("guest_id"), w.among("r.id", ids), w.among("r.id", ids)).Scan(&in).Error
	if err != nil {
		return nil, nil, fmt.Errorf("look for memberships: %w", err)
	}
	for _, id := range in {
		inside[id] = true
	}
	return rooms, inside, nil
}

// settle is settle for all: they are held, so that each is still pending.
func (w *sweep) settle() error {
	if len(w.won) == 0 {
		return nil
	}
	done := w.tx.Model(&Request{}).Where(w.among("id", w.won)).Where("status = ?", Pending).Updates(w.d.columns(w.by, w.at))
	if done.Error != nil {
		return fmt.Errorf("decide requests: %w", done.Error)
	}
	return exactly("decide requests", done.RowsAffected, len(w.won))
}

// exactly undoes a transaction whose statement met other rows than it was made for.
func exactly(what string, got int64, want int) error {
	if got != int64(want) {
		return fmt.Errorf("%s: %d rows, want %d", what, got, want)
	}
	return nil
}

// seat is Admit for all.
func (w *sweep) seat() error {
	if len(w.let) == 0 {
		return nil
	}
	done := w.tx.Exec(`INSERT INTO memberships (group_id, member_id, guest_id, status, source, code_id, request_id, joined_at, rules_version)
		SELECT group_id, member_id, guest_id, 'active', 'code', code_id, id, ?, rules_version FROM join_requests WHERE ? ORDER BY id`, w.at, w.among("id", w.let))
	if done.Error != nil {
		return fmt.Errorf("write memberships: %w", done.Error)
	}
	if err := exactly("write memberships", done.RowsAffected, len(w.let)); err != nil {
		return err
	}
	groups := slices.Sorted(maps.Keys(w.taken))
	counts := make([]int64, len(groups))
	for i, id := range groups {
		counts[i] = int64(w.taken[id])
	}
	v, args := database.Values(w.tx, database.Numbers("id", groups), database.Numbers("n", counts))
	done = w.tx.Exec(`UPDATE groups SET member_count = member_count + v.n FROM `+v+` WHERE groups.id = v.id AND groups.status = 'active' AND member_count + v.n <= capacity`, args...)
	if done.Error != nil {
		return fmt.Errorf("take seats: %w", done.Error)
	}
	if err := exactly("take seats", done.RowsAffected, len(groups)); err != nil {
		return err
	}
	return w.endWaits(groups)
}

// endWaits takes those who are in now off the waiting lists.
func (w *sweep) endWaits(groups []int64) error {
	for _, person := range []string{"member_id", "guest_id"} {
		err := w.tx.Exec(`UPDATE waiting_list SET ended_at = ?, ended_how = 'in' WHERE group_id IN ? AND ended_at IS NULL
			AND (SELECT i.id FROM memberships i WHERE i.group_id = waiting_list.group_id AND i.`+person+` = waiting_list.`+person+` AND i.`+person+` IS NOT NULL
				AND i.status = 'active' LIMIT 1) IS NOT NULL`, w.at, groups).Error
		if err != nil {
			return fmt.Errorf("end waits: %w", err)
		}
	}
	return nil
}

// follow says who got in, to those whom the database has told of the decisions.
func (w *sweep) follow() error {
	if len(w.let) == 0 {
		return nil
	}
	err := w.tx.Exec(`INSERT INTO events (kind, group_id, request_id, member_id, guest_id, code_id, at)
		SELECT ?, group_id, id, member_id, guest_id, code_id, ? FROM join_requests WHERE ? ORDER BY id`, events.Joined, w.at, w.among("id", w.let)).Error
	if err != nil {
		return fmt.Errorf("say who got in: %w", err)
	}
	return nil
}

// record writes an entry for each, and last the marks of their scans.
func (w *sweep) record() error {
	var entries []audit.Event
	var scans []int64
	for _, r := range w.results {
		if !r.Decided() {
			continue
		}
		row := w.rows[r.ID]
		entries = append(entries, row.event(w.d))
		if r.Outcome == Approved && row.ScanID != nil {
			scans = append(scans, *row.ScanID)
		}
	}
	if err := w.s.trail.RecordAll(w.tx, w.by, entries); err != nil || len(scans) == 0 {
		return err
	}
	return w.s.marks.Stage(w.tx, stageJoined, scans...)
}
