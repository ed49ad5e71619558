package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/fault"
)

// Outcomes are what a code's history can be narrowed to, the most common first.
var Outcomes = []string{Live, Expired, Revoked, Replaced, Suspended, Disbanded, Exhausted, Limited, Network, Audience, Off, Bot}

// FilterApps are the apps a history can be narrowed to; other is every one that is not named.
var FilterApps = []string{"wechat", "wecom", "other"}

// Filter narrows a history. Zero fields do not, nor does a value that is none of the known ones.
type Filter struct {
	Outcome  string
	Channel  string
	Copy     int // serial of a printed copy
	Device   string
	App      string
	Person   string // part of a member's name, or a job number
	From, To time.Time
	After    string // cursor: older than this scan
	Before   string // cursor: newer than this scan; After wins

	people []int64
}

// maxPeople bounds how many members a typed name may stand for.
const maxPeople = 200

// findPeople looks up whom f.Person may mean. Job numbers are for those who lead the place.
func (f *Filter) findPeople(tx *gorm.DB, p Place) error {
	if f.Person == "" {
		return nil
	}
	where, args := `name LIKE ? ESCAPE '\'`, []any{"%" + database.EscapeLike(f.Person) + "%"}
	if p.Addresses {
		where, args = "("+where+" OR job_number = ?)", append(args, f.Person)
	}
	err := tx.Table("members").Where(where, args...).Order("id").Limit(maxPeople+1).Pluck("id", &f.people).Error
	if err != nil {
		return fmt.Errorf("find whom the history is narrowed to: %w", err)
	}
	if len(f.people) > maxPeople {
		return fault.Invalid{"person": fault.Msg("history.error.person")}
	}
	return nil
}

// nobody reports whether the person looked for is nobody.
func (f Filter) nobody() bool { return f.Person != "" && len(f.people) == 0 }

// indexed are the conditions on scans x that an index answers. Each repeats
// the index's own predicate: a generic plan cannot see it in a parameter.
func (f Filter) indexed() (where []string, args []any) {
	add := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	if !f.From.IsZero() {
		add("x.at >= ?", f.From.UTC())
	}
	if !f.To.IsZero() {
		add("x.at < ?", f.To.UTC())
	}
	if at, id, ok := parseCursor(f.After); ok {
		add("(x.at, x.id) < (?, ?)", at, id)
	} else if at, id, ok := parseCursor(f.Before); ok {
		add("(x.at, x.id) > (?, ?)", at, id)
	}
	if f.Channel != "" {
		add("x.channel = ? AND x.channel <> ''", f.Channel)
	}
	if f.Copy > 0 {
		add("x.copy_serial = ? AND x.copy_serial > 0", f.Copy)
	}
	if f.Outcome != Live && slices.Contains(Outcomes, f.Outcome) {
		add("x.outcome = ? AND x.outcome <> 'live'", f.Outcome)
	}
	if len(f.people) > 0 {
		add("x.member_id IN ? AND x.member_id IS NOT NULL", f.people)
	}
	return where, args
}

// sifted are the conditions that no index answers: the rows are looked through.
func (f Filter) sifted(table string) (where []string, args []any) {
	if f.Outcome == Live {
		where = append(where, table+"outcome = 'live'")
	}
	if slices.Contains(Devices, f.Device) {
		where, args = append(where, table+"device = ?"), append(args, f.Device)
	}
	switch f.App {
	case "wechat", "wecom":
		where, args = append(where, table+"app = ?"), append(args, f.App)
	case "other":
		where = append(where, table+"app NOT IN ('wechat', 'wecom')")
	}
	return where, args
}

// passes is sifted in Go, for an export that reads everything anyway.
func (f Filter) passes(l Line) bool {
	named := l.App == "wechat" || l.App == "wecom"
	switch {
	case f.Outcome == Live && l.Outcome != Live,
		slices.Contains(Devices, f.Device) && l.Device != f.Device,
		f.App == "other" && named,
		(f.App == "wechat" || f.App == "wecom") && l.App != f.App:
		return false
	}
	return true
}

func cursor(l Line) string { return fmt.Sprintf("%d-%d", l.At.UnixMicro(), l.ID) }

// parseCursor reads what cursor wrote; anything else is no cursor.
func parseCursor(text string) (at time.Time, id int64, ok bool) {
	left, right, _ := strings.Cut(text, "-")
	micro, errAt := strconv.ParseInt(left, 10, 64)
	id, errID := strconv.ParseInt(right, 10, 64)
	if errAt != nil || errID != nil || micro <= 0 || micro >= 1<<53 {
		return at, 0, false
	}
	return time.UnixMicro(micro).UTC(), id, true
}
