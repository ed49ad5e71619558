package demo

import (
	"fmt"
	"time"

	"doorplate/internal/code"
)

const (
	scanCount = 20000
	scanDays  = 60
)

type scanRow struct {
	ID          int64
	Ref         string
	At          time.Time
	CodeID      *int64
	Outcome     string
	Address     string
	Device, App string
	Channel     string
	UTMSource   string `gorm:"column:utm_source"`
	MemberID    *int64
	Stages      int // 1 asked, 2 was let in
}

func (scanRow) TableName() string { return "scans" }

// hours weighs the day: people scan at work, most around ten and two.
var hours = []int{8, 9, 9, 9, 10, 10, 10, 10, 11, 11, 12, 13, 14, 14, 14, 15, 15, 16, 16, 17, 18, 19, 20, 21}

const refLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func (b *builder) addScans() error {
	rows := make([]*scanRow, 0, scanCount)
	live := map[int64]int64{}
	today := map[int64]int64{}
	day := b.now.In(b.loc).Format(time.DateOnly)
	for i := range scanCount {
		c := b.codes[int(float64(len(b.codes))*b.rng.Float64()*b.rng.Float64())] // a few codes get most
		row := b.scan(i, c)
		if row.Outcome == "live" {
			live[c.ID]++
			if row.At.In(b.loc).Format(time.DateOnly) == day {
				today[c.ID]++
			}
		}
		rows = append(rows, row)
	}
	if err := b.tx.CreateInBatches(&rows, 500).Error; err != nil {
		return fmt.Errorf("scans: %w", err)
	}
	return b.count(live, today, day)
}

func (b *builder) scan(i int, c *code.Code) *scanRow {
	at := b.ago(b.workday(), pick(b, hours), b.rng.IntN(60))
	row := &scanRow{Ref: fmt.Sprintf("D%s%04X", b.text(5, refLetters), i), At: at, CodeID: &c.ID, Outcome: "live",
		Address: fmt.Sprintf("203.0.113.%d", 1+b.rng.IntN(200)), Device: "mobile", App: pick(b, []string{"wechat", "wechat", "wechat", "wecom", "browser"})}
	if end, outcome := b.end(c); !at.Before(end) {
		row.Outcome = outcome
	} else if b.rng.IntN(40) == 0 {
		row.Outcome, row.Device, row.App = "bot", "other", "other"
	}
	if b.rng.IntN(4) == 0 {
		row.Device = pick(b, []string{"desktop", "tablet"})
	}
	if b.rng.IntN(5) == 0 {
		row.UTMSource = pick(b, []string{"poster", "email", "fair"})
	}
	if row.Outcome == "live" && b.rng.IntN(3) == 0 {
		row.MemberID = &pick(b, b.members).ID
		row.Stages = pick(b, []int{0, 0, 1, 3, 3})
	}
	return row
}

// workday draws how many days ago somebody scanned; two of three weekend scans
// happen on another day.
func (b *builder) workday() int {
	days := b.rng.IntN(scanDays)
	switch b.now.In(b.loc).AddDate(0, 0, -days).Weekday() {
	case time.Saturday, time.Sunday:
		if b.rng.IntN(3) > 0 {
			return b.rng.IntN(scanDays)
		}
	}
	return days
}

// count makes the counters agree with the history, and the caps with the states.
func (b *builder) count(live, today map[int64]int64, day string) error {
	for _, c := range b.codes {
		row := map[string]any{"code_id": c.ID, "total": live[c.ID], "day": day, "day_total": today[c.ID]}
		if b.kinds[c.ID] == "limited" {
			row["day_total"] = max(today[c.ID], 1)
		}
		if err := b.tx.Table("code_counters").Create(row).Error; err != nil {
			return fmt.Errorf("counters: %w", err)
		}
		switch b.kinds[c.ID] {
		case "exhausted":
			if err := b.tx.Model(c).Update("total_cap", max(live[c.ID], 1)).Error; err != nil {
				return err
			}
		case "limited":
			if err := b.tx.Model(c).Update("daily_cap", row["day_total"]).Error; err != nil {
				return err
			}
		}
	}
	return nil
}
