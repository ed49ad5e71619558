package scan

import (
	"cmp"
	"strconv"

	"doorplate/internal/database"
)

// row is one line of the table scans, on its way there. Zero ids are null.
type row struct {
	Ref         string
	CodeID      int64
	CopySerial  int
	Outcome     string
	Address     string
	Visitor     string
	Device      string
	App         string
	Channel     string
	UTMSource   string
	UTMMedium   string
	UTMCampaign string
	MemberID    int64
}

// timeFormat is how the embedded database keeps times; PostgreSQL reads it too.
const timeFormat = "2006-01-02 15:04:05.999999-07:00"

const scanColumns = "ref, at, code_id, copy_serial, outcome, address, visitor, device, app, channel, utm_source, utm_medium, utm_campaign, member_id"

// As many parameters whatever the size of the batch: a list for each column of
// the rows on PostgreSQL, else one JSON text per table.
const (
	countPostgres = `UPDATE code_counters n SET total = x.total, day = x.day, day_total = x.day_total
		FROM json_to_recordset(CAST(? AS json)) AS x(code_id bigint, total bigint, day text, day_total bigint) WHERE n.code_id = x.code_id`
	countSQLite = `UPDATE code_counters SET total = x.value->>'total', day = x.value->>'day', day_total = x.value->>'day_total'
		FROM json_each(?) x WHERE code_counters.code_id = x.value->>'code_id'`
	copiesPostgres = `UPDATE code_copies p SET scans = p.scans + coalesce(x.live, 0), last_scan_at = ?
		FROM json_to_recordset(CAST(? AS json)) AS x(code_id bigint, serial integer, live bigint) WHERE p.code_id = x.code_id AND p.serial = x.serial`
	copiesSQLite = `UPDATE code_copies SET scans = scans + coalesce(x.value->>'live', 0), last_scan_at = ?
		FROM json_each(?) x WHERE code_copies.code_id = x.value->>'code_id' AND code_copies.serial = x.value->>'serial'`
	rowsPostgres = `INSERT INTO scans (` + scanColumns + `) SELECT ref, CAST(CAST(? AS text) AS timestamptz), nullif(code_id, 0), copy_serial, outcome, address, visitor,
			device, app, channel, utm_source, utm_medium, utm_campaign, nullif(member_id, 0)
		FROM unnest(CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS integer[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]),
			CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bigint[]))
		AS r(ref, code_id, copy_serial, outcome, address, visitor, device, app, channel, utm_source, utm_medium, utm_campaign, member_id)`
	rowsSQLite = `INSERT INTO scans (` + scanColumns + `) SELECT value->>'ref', ?, value->>'code_id', value->>'copy_serial', value->>'outcome',
		value->>'address', value->>'visitor', value->>'device', value->>'app', value->>'channel', value->>'utm_source', value->>'utm_medium',
		value->>'utm_campaign', value->>'member_id' FROM json_each(?)`
)

// orders write the rows and what they add to counters, copies and roll-ups. The
// counters are locked already, in the order of the codes.
func (b *batch) orders(rows []row) []statement {
	count, copies := countSQLite, copiesSQLite
	insert := statement{sql: rowsSQLite}
	postgres := database.Postgres(b.tx)
	if postgres {
		count, copies = countPostgres, copiesPostgres
		insert = statement{sql: rowsPostgres, args: append([]any{b.now.Format(timeFormat)}, rowLists(rows)...)}
	} else {
		insert.args = []any{b.now.Format(timeFormat), rowLines(rows)}
	}
	var all []statement
	if len(b.counted) > 0 {
		all = append(all, statement{sql: count, args: []any{b.counterLines()}})
	}
	if lines := copyLines(rows); lines != "" {
		all = append(all, statement{sql: copies, args: []any{b.now, lines}})
	}
	all = append(all, b.tally(rows).orders(postgres)...)
	return append(all, insert)
}

// rowLists are the rows column by column, in the order of rowsPostgres.
func rowLists(rows []row) []any {
	texts := make([]list, 10)
	for i := range texts {
		texts[i] = make(list, len(rows))
	}
	codes, serials, members := make([]int64, len(rows)), make([]int32, len(rows)), make([]int64, len(rows))
	for i := range rows {
		r := &rows[i]
		codes[i], serials[i], members[i] = r.CodeID, int32(r.CopySerial), r.MemberID
		for k, text := range [...]string{r.Ref, r.Outcome, r.Address, r.Visitor, r.Device, r.App, r.Channel, r.UTMSource, r.UTMMedium, r.UTMCampaign} {
			texts[k][i] = text
		}
	}
	all := []any{texts[0], codes, serials}
	for _, t := range texts[1:] {
		all = append(all, t)
	}
	return append(all, members)
}

// tally adds up what the rows mean for the roll-ups. There is one organisation,
// so all codes live by one clock.
func (b *batch) tally(rows []row) rollup {
	sums := newRollup()
	for _, f := range b.facts {
		hour, day := b.now.In(f.Location()).Hour(), f.DayOf(b.now)
		for _, r := range rows {
			if r.CodeID != 0 {
				sums.add(counted{r.CodeID, day, hour, r.Outcome, r.Device, r.App, r.Channel, r.CopySerial, r.MemberID != 0, 0})
			}
		}
		break
	}
	return sums
}

func (b *batch) counterLines() string {
	out := []byte{'['}
	for id := range b.counted {
		f := b.facts[id]
		out = appendKey(out, dayKey{f.ID, f.Day})
		out = appendCount(out, "total", f.Total)
		out = appendCount(out, "day_total", f.DayTotal)
		out = append(out, '}', ',')
	}
	return closeList(out)
}

// copyLines is what the rows add to the printed copies, "" for nothing.
func copyLines(rows []row) string {
	type copyKey struct {
		code   int64
		serial int
	}
	live := map[copyKey]int64{}
	for _, r := range rows {
		if r.CopySerial > 0 && r.CodeID != 0 {
			n := int64(0)
			if r.Outcome == Live {
				n = 1
			}
			live[copyKey{r.CodeID, r.CopySerial}] += n
		}
	}
	if len(live) == 0 {
		return ""
	}
	out := []byte{'['}
	for _, key := range sorted(live, func(x, y copyKey) int { return cmp.Or(cmp.Compare(x.code, y.code), cmp.Compare(x.serial, y.serial)) }) {
		out = append(out, `{"code_id":`...)
		out = strconv.AppendInt(out, key.code, 10)
		out = appendCount(out, "serial", int64(key.serial))
		out = appendCount(out, "live", live[key])
		out = append(out, '}', ',')
	}
	return closeList(out)
}

func rowLines(rows []row) string {
	out := make([]byte, 0, 320*len(rows))
	out = append(out, '[')
	for i := range rows {
		r := &rows[i]
		out = append(out, `{"copy_serial":`...)
		out = strconv.AppendInt(out, int64(r.CopySerial), 10)
		out = appendCount(out, "code_id", r.CodeID)
		out = appendCount(out, "member_id", r.MemberID)
		for _, f := range [...]struct{ name, value string }{
			{"ref", r.Ref}, {"outcome", r.Outcome}, {"address", r.Address}, {"visitor", r.Visitor}, {"device", r.Device}, {"app", r.App},
			{"channel", r.Channel}, {"utm_source", r.UTMSource}, {"utm_medium", r.UTMMedium}, {"utm_campaign", r.UTMCampaign},
		} {
			out = append(out, ',', '"')
			out = append(out, f.name...)
			out = append(out, '"', ':')
			out = appendText(out, f.value)
		}
		out = append(out, '}', ',')
	}
	return closeList(out)
}

// closeList ends a JSON list whose last entry left a comma.
func closeList(b []byte) string {
	return string(append(b[:max(1, len(b)-1)], ']'))
}

// appendText appends a JSON string. The text is valid UTF-8 without NUL: prepare saw to that.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
