package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// dayKey is one line of scan_days, funnelKey one of scan_funnel.
type dayKey struct {
	code int64
	day  string
}

type funnelKey struct {
	dayKey
	channel string
	serial  int
}

// Columns of the two tables, in the order of the counts below.
var (
	dayColumns    = []string{"live", "refused", "bots", "mobile", "tablet", "desktop", "wechat", "wecom"}
	funnelColumns = []string{"live", "identified", "requested", "joined"}
)

type dayCounts struct {
	sums  [8]int64
	hours [24]int64
}

type funnelCounts [4]int64

// rollup is what a number of scans adds to the two tables.
type rollup struct {
	days   map[dayKey]*dayCounts
	funnel map[funnelKey]*funnelCounts
}

// counted is a scan as the roll-up sees it.
type counted struct {
	code                          int64
	day                           string // by the organisation's clock
	hour                          int
	outcome, device, app, channel string
	serial                        int
	identified                    bool
	stages                        int
}

func newRollup() rollup {
	return rollup{days: map[dayKey]*dayCounts{}, funnel: map[funnelKey]*funnelCounts{}}
}

// add counts one scan. Only what was answered with a ticket has an hour, a
// device and a place in the funnel.
func (r rollup) add(s counted) {
	key := dayKey{s.code, s.day}
	d := r.days[key]
	if d == nil {
		d = &dayCounts{}
		r.days[key] = d
	}
	switch s.outcome {
	case Live:
		d.sums[0]++
		d.hours[s.hour]++
	case Bot:
		d.sums[2]++
		return
	default:
		d.sums[1]++
		return
	}
	for i, name := range [...]string{"mobile", "tablet", "desktop"} {
		if s.device == name {
			d.sums[3+i]++
		}
	}
	for i, name := range [...]string{"wechat", "wecom"} {
		if s.app == name {
			d.sums[6+i]++
		}
	}
	f := r.step(funnelKey{key, s.channel, s.serial})
	f[0]++
	for i, reached := range [...]bool{s.identified, s.stages&stageBits[Requested] != 0, s.stages&stageBits[Joined] != 0} {
		if reached {
			f[1+i]++
		}
	}
}

func (r rollup) step(key funnelKey) *funnelCounts {
	f := r.funnel[key]
	if f == nil {
		f = &funnelCounts{}
		r.funnel[key] = f
	}
	return f
}

// hours lists the hours that have counts: a batch has one, a rebuild many.
func (r rollup) hours() []int {
	var all []int
	for h := range 24 {
		for _, d := range r.days {
			if d.hours[h] > 0 {
				all = append(all, h)
				break
			}
		}
	}
	return all
}

// The lines are in the order of their keys, so that two writers never wait for each other.

func (r rollup) dayLines(hours []int) string {
	b := []byte{'['}
	for _, key := range sorted(r.days, func(x, y dayKey) int { return cmp.Or(cmp.Compare(x.code, y.code), cmp.Compare(x.day, y.day)) }) {
		b = appendKey(b, key)
		for i, name := range dayColumns {
			b = appendCount(b, name, r.days[key].sums[i])
		}
		for _, h := range hours {
			b = appendCount(b, hourColumn(h), r.days[key].hours[h])
		}
		b = append(b, '}', ',')
	}
	return closeList(b)
}

func (r rollup) funnelLines() string {
	b := []byte{'['}
	for _, key := range sorted(r.funnel, compareFunnel) {
		b = appendKey(b, key.dayKey)
		b = append(b, `,"copy_serial":`...)
		b = strconv.AppendInt(b, int64(key.serial), 10)
		b = append(b, `,"channel":`...)
		b = appendText(b, key.channel)
		for i, name := range funnelColumns {
			b = appendCount(b, name, r.funnel[key][i])
		}
		b = append(b, '}', ',')
	}
	return closeList(b)
}

func compareFunnel(x, y funnelKey) int {
	return cmp.Or(cmp.Compare(x.code, y.code), cmp.Compare(x.day, y.day), cmp.Compare(x.channel, y.channel), cmp.Compare(x.serial, y.serial))
}

func sorted[K comparable, V any](all map[K]V, compare func(x, y K) int) []K {
	keys := make([]K, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

func appendKey(b []byte, key dayKey) []byte {
	b = append(b, `{"code_id":`...)
	b = strconv.AppendInt(b, key.code, 10)
	b = append(b, `,"day":"`...)
	b = append(b, key.day...)
	return append(b, '"')
}

func appendCount(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b // what is left out counts as nothing, or is null
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, n, 10)
}

func hourColumn(hour int) string { return fmt.Sprintf("h%02d", hour) }

// addRows is the statement that adds lines, one JSON text, to a table of counts.
func addRows(postgres bool, table string, keys, counts []string) string {
	from, types := make([]string, 0, len(keys)+len(counts)), []string{}
	sums := make([]string, len(counts))
	for _, k := range keys {
		kind := map[string]string{"code_id": "bigint", "copy_serial": "integer"}[k]
		types = append(types, k+" "+cmp.Or(kind, "text"))
		from = append(from, column(postgres, k))
	}
	for i, c := range counts {
		types = append(types, c+" bigint")
		from = append(from, "coalesce("+column(postgres, c)+", 0)")
		sums[i] = c + " = " + table + "." + c + " + excluded." + c
	}
	source := "json_each(?) WHERE true"
	if postgres {
		source = "json_to_recordset(CAST(? AS json)) AS x(" + strings.Join(types, ", ") + ")"
	}
	return "INSERT INTO " + table + " (" + strings.Join(slices.Concat(keys, counts), ", ") + ") SELECT " + strings.Join(from, ", ") + " FROM " + source +
		" ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + strings.Join(sums, ", ")
}

func column(postgres bool, name string) string {
	if postgres {
		return "x." + name
	}
	return "value->>'" + name + "'"
}

// addDays is asked for with every batch, and its text takes longer to write than to send.
var addDaysTexts sync.Map

func addDays(postgres bool, hours []int) string {
	key := fmt.Sprint(postgres, hours)
	if text, known := addDaysTexts.Load(key); known && len(hours) < 2 {
		return text.(string)
	}
	counts := slices.Clone(dayColumns)
	for _, h := range hours {
		counts = append(counts, hourColumn(h))
	}
	text := addRows(postgres, "scan_days", []string{"code_id", "day"}, counts)
	if len(hours) < 2 {
		addDaysTexts.Store(key, text)
	}
	return text
}

var addFunnelTexts = map[bool]string{true: funnelText(true), false: funnelText(false)}

func addFunnel(postgres bool) string { return addFunnelTexts[postgres] }

func funnelText(postgres bool) string {
	return addRows(postgres, "scan_funnel", []string{"code_id", "day", "channel", "copy_serial"}, funnelColumns)
}

// orders add the counts to the tables.
func (r rollup) orders(postgres bool) (all []statement) {
	if len(r.days) > 0 {
		hours := r.hours()
		all = append(all, statement{sql: addDays(postgres, hours), args: []any{r.dayLines(hours)}})
	}
	if len(r.funnel) > 0 {
		all = append(all, statement{sql: addFunnel(postgres), args: []any{r.funnelLines()}})
	}
	return all
}

// write adds the counts to the tables inside a transaction.
func (r rollup) write(tx *gorm.DB) error {
	return oneByOne(tx, r.orders(database.Postgres(tx)))
}
