package code

import (
	"time"

	"doorplate/internal/fault"
)

// periods are the validities that count from the moment of issue. req: B01, B11
var periods = map[string]time.Duration{"7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}

// Validities are what the issue form offers, the default first. req: A03
var Validities = []string{"7d", "30d", "until", Permanent}

// validUntil turns the two form fields into an end; nil is permanent. A date
// alone means the end of that day. maxDays bounds every code that expires.
// Days count from start.
func validUntil(validity, until string, now, start time.Time, loc *time.Location, maxDays int, wrong fault.Invalid) *time.Time {
	field := "validity"
	var end time.Time
	switch period, known := periods[validity]; {
	case validity == Permanent:
		return nil
	case known:
		end = start.Add(period)
	case validity == "until":
		field = "valid_until"
		var ok bool
		if end, ok = parseUntil(until, loc); !ok {
			wrong[field] = fault.Msg("codes.error.until")
			return nil
		}
	default:
		wrong[field] = fault.Msg("codes.error.validity")
		return nil
	}
	end = end.UTC().Truncate(time.Microsecond)
	switch latest := now.AddDate(0, 0, maxDays+1); {
	case !end.After(now):
		wrong[field] = fault.Msg("codes.error.past")
	case maxDays > 0 && !end.Before(latest):
		wrong[field] = fault.Msg("codes.error.toolong", "Days", maxDays)
	}
	return &end
}

func parseUntil(text string, loc *time.Location) (time.Time, bool) {
	if day, err := time.ParseInLocation(time.DateOnly, text, loc); err == nil {
		// The first moment of the next day, however long this one is.
		return time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, loc), true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, loc); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
