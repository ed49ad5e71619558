package scan

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// Source is where visitors came from: a channel, or a printed copy by its serial.
type Source struct {
	Channel    string // empty: none
	CopySerial int    // 0: none
	Place      string // where the copy hangs
	Scans      int64
	Requested  int64
	Joined     int64
}

// maxSources bounds how many channels or copies one page lists, the busiest first.
const maxSources = 50

// sources sums the funnel up by channel or by copy. by is one of the two columns.
func sources(tx *gorm.DB, p Place, from Day, by string) ([]Source, error) {
	where, args := p.of("f.code_id")
	hung := "''"
	if by == "copy_serial" && !p.whole() { // in a group, serials of several codes meet
		hung = "coalesce((SELECT place FROM code_copies k WHERE k.code_id = ? AND k.serial = f.copy_serial), '')"
		args = append([]any{p.id}, args...)
	}
	var all []Source
	err := tx.Raw(`SELECT f.`+by+`, `+hung+` AS place, CAST(sum(f.live) AS bigint) AS scans, CAST(sum(f.requested) AS bigint) AS requested,
		CAST(sum(f.joined) AS bigint) AS joined FROM scan_funnel f WHERE `+where+` AND f.day >= ?
		GROUP BY f.`+by+` ORDER BY scans DESC, f.`+by+` LIMIT ?`, append(args, from.key(), maxSources)...).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read where visitors came from: %w", err)
	}
	return all, nil
}

// Funnel is how far visitors came.
type Funnel struct {
	Live, Identified, Requested, Joined int64
	// Of those who joined at least 24 hours ago: how many there are, and how many stayed for that long.
	Eligible, Stayed int64
	Open             bool // nobody has to request
}

// Asked is the step that the target of C42 is about: a request, or an entry where none is needed.
func (f Funnel) Asked() int64 {
	if f.Open {
		return f.Joined
	}
	return max(f.Requested, f.Joined)
}

// enough scans or joins are needed before a rate is judged.
const enough = 20

// Verdict is what a rate is worth beside its target.
type Verdict string

// The verdicts.
const (
	TooFew Verdict = "few"
	Missed Verdict = "missed"
	Met    Verdict = "met"
)

// Judge compares a rate with a target in per cent. req: C42, C43
func Judge(n, of int64, target int) Verdict {
	switch {
	case of < enough:
		return TooFew
	case n*100 < int64(target)*of:
		return Missed
	}
	return Met
}

const dayLong = 24 * time.Hour

// funnel sums the steps up and asks the memberships who stayed.
func (s *Service) funnel(tx *gorm.DB, p Place, from Day) (Funnel, error) {
	f := Funnel{Open: p.Open()}
	where, args := p.of("code_id")
	err := tx.Raw(`SELECT CAST(coalesce(sum(live), 0) AS bigint), CAST(coalesce(sum(identified), 0) AS bigint),
		CAST(coalesce(sum(requested), 0) AS bigint), CAST(coalesce(sum(joined), 0) AS bigint) FROM scan_funnel WHERE `+where+` AND day >= ?`,
		append(args, from.key())...).Row().Scan(&f.Live, &f.Identified, &f.Requested, &f.Joined)
	if err != nil {
		return f, fmt.Errorf("read the funnel: %w", err)
	}
	stayed := "ended_at >= joined_at + interval '24 hours'"
	if !database.Postgres(tx) {
		stayed = "julianday(ended_at) - julianday(joined_at) >= 0.999999" // it counts in fractions of days
	}
	where, args = p.of("code_id")
	err = tx.Raw(`SELECT count(*), count(CASE WHEN ended_at IS NULL OR `+stayed+` THEN 1 END) FROM memberships
		WHERE `+where+` AND ended_reason <> 'undone' AND joined_at >= ? AND joined_at <= ?`, append(args, from.Date.UTC(), s.now().UTC().Add(-dayLong))...).Row().Scan(&f.Eligible, &f.Stayed)
	if err != nil {
		return f, fmt.Errorf("count who stayed: %w", err)
	}
	return f, nil
}
