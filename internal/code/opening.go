package code

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"doorplate/internal/fault"
)

// Opening is one row of the form for opening hours, as it was typed. To at or
// before From means the next morning; 00:00 as an end is midnight.
type Opening struct {
	Days     []string // 1 = Monday … 7 = Sunday
	From, To string   // HH:MM at a quarter of an hour
}

// MaxOpenings is how many rows the form takes.
const MaxOpenings = 8

func (o Opening) empty() bool { return len(o.Days) == 0 && o.From == "" && o.To == "" }

// checkOpening turns the rows into Hours; no row at all is always open.
func checkOpening(rows []Opening, wrong fault.Invalid) Hours {
	week := []byte(strings.Repeat("0", Quarters))
	any := false
	for _, row := range rows {
		if row.empty() {
			continue
		}
		any = true
		if !row.open(week, wrong) {
			return ""
		}
	}
	if !any || !slices.Contains(week, '0') {
		return ""
	}
	return Hours(week)
}

// open marks the row's quarters of an hour in the week.
func (o Opening) open(week []byte, wrong fault.Invalid) bool {
	from, ok1 := quarter(o.From)
	to, ok2 := quarter(o.To)
	switch {
	case len(o.Days) == 0:
		wrong["hours"] = fault.Msg("terms.error.hours.days")
		return false
	case !ok1 || !ok2 || from == 96:
		wrong["hours"] = fault.Msg("terms.error.hours.time")
		return false
	case to == 0:
		to = 96
	case to == from:
		wrong["hours"] = fault.Msg("terms.error.hours.same")
		return false
	}
	if to <= from {
		to += 96
	}
	for _, text := range o.Days {
		day, err := strconv.Atoi(text)
		if err != nil || day < 1 || day > 7 {
			wrong["hours"] = fault.Msg("terms.error.hours.days")
			return false
		}
		for q := from; q < to; q++ {
			week[((day-1)*96+q)%Quarters] = '1'
		}
	}
	return true
}

// quarter reads 09:15; 24:00 is the end of the day.
func quarter(text string) (int, bool) {
	if text = strings.TrimSpace(text); text == "24:00" {
		return 96, true
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		at, err = time.Parse("15:04:05", text)
	}
	if err != nil || at.Minute()%15 != 0 || at.Second() != 0 {
		return 0, false
	}
	return at.Hour()*4 + at.Minute()/15, true
}

// openings fills the form's rows from the hours.
func (h Hours) openings() []Opening {
	var rows []Opening
	for _, span := range h.Spans() {
		row := Opening{From: Clock(span.From), To: Clock(span.To % 96)}
		for _, day := range span.Days {
			row.Days = append(row.Days, strconv.Itoa(day))
		}
		rows = append(rows, row)
	}
	return rows
}
