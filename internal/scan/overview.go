package scan

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Overview counts scans and joins per day over the last 30 days in the groups
// whose scans by may see in scope, or everywhere for a super admin; today last. Anybody else gets
// no days.
func (s *Service) Overview(ctx context.Context, by access.Actor) ([]Day, error) {
	if !by.HoldsAny(access.ScansSee) {
		return nil, nil
	}
	tx := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(tx)
	if err != nil {
		return nil, err
	}
	days := lastDays(s.now().In(org.Location()), chartDays)
	o := overview{tx: tx, days: days, at: map[string]int{}, open: map[string]bool{}}
	o.scope, o.args = access.Scope(by, access.ScansSee, "d.path")
	for i, d := range days {
		o.at[d.key()], o.open[d.key()] = i, true
	}
	for _, part := range []func(all bool) error{o.summed, o.scans, o.joins} {
		if err := part(by.Super); err != nil {
			return nil, err
		}
	}
	return days, nil
}

// lastDays are a chart's days without counts, today last; now is in the organisation's zone.
func lastDays(now time.Time, n int) []Day {
	days := make([]Day, n)
	for i := range days {
		days[i].Date = time.Date(now.Year(), now.Month(), now.Day()-n+1+i, 0, 0, 0, 0, now.Location())
	}
	return days
}

// key is the day as the roll-ups name it.
func (d Day) key() string { return d.Date.Format(time.DateOnly) }

// overview adds up the days of a chart: those that are over from what SumDays
// kept, the others from the rows.
type overview struct {
	tx    *gorm.DB
	scope string
	args  []any
	days  []Day
	at    map[string]int  // index by day
	open  map[string]bool // days that nobody has added up yet
}

// summed reads the days that were added up, as far as they are whole.
func (o *overview) summed(all bool) error {
	var rows []struct {
		Day           string
		Scans, Joined int
	}
	first := o.days[0].key()
	if err := o.tx.Raw("SELECT day, scans, joined FROM day_sums WHERE day >= ? AND department_id = 0", first).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read the days: %w", err)
	}
	for _, r := range rows {
		delete(o.open, r.Day)
	}
	if !all && len(rows) > 0 {
		rows = rows[:0]
		err := o.tx.Raw(`SELECT s.day, CAST(sum(s.scans) AS bigint) AS scans, CAST(sum(s.joined) AS bigint) AS joined FROM departments d JOIN day_sums s ON s.department_id = d.id
			WHERE s.day >= ? AND `+o.scope+" GROUP BY s.day", append([]any{first}, o.args...)...).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("read the days of departments: %w", err)
		}
	}
	for _, r := range rows {
		if i, there := o.at[r.Day]; there && !o.open[r.Day] {
			o.days[i].Scans, o.days[i].Joined = r.Scans, r.Joined
		}
	}
	return nil
}

func (o *overview) missing() (days []string) {
	for _, d := range o.days {
		if o.open[d.key()] {
			days = append(days, d.key())
		}
	}
	return days
}

func (o *overview) scans(all bool) error {
	days := o.missing()
	if len(days) == 0 {
		return nil
	}
	var rows []struct {
		Day  string
		Live int
	}
	sum, args := "SELECT s.day, CAST(sum(s.live) AS bigint) AS live FROM scan_days s WHERE s.day IN ?", []any{days}
	if !all { // who sees all needs no look at each code's department
		sum += " AND s.code_id IN (SELECT c.id FROM codes c JOIN groups g ON g.id = c.group_id JOIN departments d ON d.id = g.department_id WHERE " + o.scope + ")"
		args = append(args, o.args...)
	}
	if err := o.tx.Raw(sum+" GROUP BY s.day", args...).Scan(&rows).Error; err != nil {
		return fmt.Errorf("sum scans per day: %w", err)
	}
	for _, r := range rows {
		o.days[o.at[r.Day]].Scans = r.Live
	}
	return nil
}

func (o *overview) joins(all bool) error {
	for i, d := range o.days {
		if !o.open[d.key()] {
			continue
		}
		count, args := "SELECT count(*) FROM memberships m WHERE m.joined_at >= ? AND m.joined_at < ? AND m.source <> 'merge'", []any{d.Date.UTC(), d.Date.AddDate(0, 0, 1).UTC()}
		if !all {
			count = "SELECT count(*) FROM memberships m JOIN groups g ON g.id = m.group_id JOIN departments d ON d.id = g.department_id WHERE m.joined_at >= ? AND m.joined_at < ? AND m.source <> 'merge' AND " + o.scope
			args = append(args, o.args...)
		}
		if err := o.tx.Raw(count, args...).Scan(&o.days[i].Joined).Error; err != nil {
			return fmt.Errorf("count joins per day: %w", err)
		}
	}
	return nil
}

// settled is how long after its end a day is added up: no instance writes to it any more.
const settled = time.Hour

// SumDays adds up the days of a chart that are over, once each, so that the home
// page need not. It is called every hour.
func (s *Service) SumDays(ctx context.Context) error {
	db := s.db.WithContext(ctx)
	org, err := directory.LoadOrganisation(db)
	if err != nil {
		return err
	}
	days := lastDays(s.now().In(org.Location()), chartDays+1)
	for _, d := range days {
		if s.now().Before(d.Date.AddDate(0, 0, 1).Add(settled)) {
			continue
		}
		if err := db.Transaction(func(tx *gorm.DB) error { return sumDay(tx, d) }); err != nil {
			return fmt.Errorf("add up %s: %w", d.key(), err)
		}
	}
	return db.Exec("DELETE FROM day_sums WHERE day < ?", days[0].key()).Error
}

func sumDay(tx *gorm.DB, d Day) error {
	mark := tx.Exec("INSERT INTO day_sums (day, department_id, scans, joined) VALUES (?, 0, 0, 0) ON CONFLICT DO NOTHING", d.key())
	if mark.Error != nil || mark.RowsAffected == 0 {
		return mark.Error
	}
	err := tx.Exec(`INSERT INTO day_sums (day, department_id, scans, joined) SELECT CAST(? AS text), x.department_id, sum(x.scans), sum(x.joined) FROM (
		SELECT g.department_id, s.live AS scans, 0 AS joined FROM scan_days s JOIN codes c ON c.id = s.code_id JOIN groups g ON g.id = c.group_id WHERE s.day = ?
		UNION ALL SELECT g.department_id, 0, 1 FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.joined_at >= ? AND m.joined_at < ? AND m.source <> 'merge') x GROUP BY x.department_id`,
		d.key(), d.key(), d.Date.UTC(), d.Date.AddDate(0, 0, 1).UTC()).Error
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE day_sums SET scans = (SELECT coalesce(sum(y.scans), 0) FROM day_sums y WHERE y.day = ? AND y.department_id > 0),
		joined = (SELECT coalesce(sum(y.joined), 0) FROM day_sums y WHERE y.day = ? AND y.department_id > 0) WHERE day = ? AND department_id = 0`, d.key(), d.key(), d.key()).Error
}
