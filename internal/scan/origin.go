package scan

import (
	"strconv"
	"strings"

	"doorplate/internal/database"
)

// printed names one printed copy of a code; serial 0 is the code itself.
type printed struct {
	Code   string // public id
	Serial int
}

// origin is where a scan can come from: a copy with its channel, or, with serial
// 0, a channel that the request's utm_* fields lead to.
type origin struct {
	printed
	channel string
	utm     [3]string
	revoked bool
}

// asks is what the calls of a batch want to know about origins: nothing for
// scans of the code itself without utm_*, which are nearly all.
func asks(calls []*call) []printed {
	var all []printed
	seen := map[printed]bool{}
	for _, c := range calls {
		at := printed{c.publicID, c.serial}
		if c.publicID != "" && (c.serial > 0 || c.tagged()) && !seen[at] {
			seen[at] = true
			all = append(all, at)
		}
	}
	return all
}

func (c *call) tagged() bool {
	return c.row.UTMSource != "" || c.row.UTMMedium != "" || c.row.UTMCampaign != ""
}

// originsSQL takes the asked copies as one JSON text, whatever their number.
const originsSQL = `SELECT w.code, w.serial, coalesce(h.name, ''), '', '', '', p.revoked_at IS NOT NULL, 0 AS id
		FROM w JOIN codes c ON c.public_id = w.code JOIN code_copies p ON p.code_id = c.id AND p.serial = w.serial
		LEFT JOIN code_channels h ON h.id = p.channel_id
	UNION ALL SELECT w.code, 0, h.name, h.utm_source, h.utm_medium, h.utm_campaign, 1 = 0, h.id
		FROM w JOIN codes c ON c.public_id = w.code JOIN code_channels h ON h.code_id = c.id WHERE w.serial = 0
	ORDER BY id`

const (
	originsPostgres = `WITH w AS (SELECT * FROM json_to_recordset(CAST(? AS json)) AS r(code text, serial integer)) ` + originsSQL
	originsSQLite   = `WITH w AS (SELECT value->>'code' AS code, value->>'serial' AS serial FROM json_each(?)) ` + originsSQL
)

// askOrigins asks for the copies and channels that the calls name: a copy that
// is withdrawn lets nobody through.
func (b *batch) askOrigins(calls []*call) []statement {
	wanted := asks(calls)
	if len(wanted) == 0 {
		return nil
	}
	text := []byte{'['}
	for _, w := range wanted {
		text = append(text, `{"code":`...)
		text = appendText(text, w.Code)
		text = append(text, `,"serial":`...)
		text = strconv.AppendInt(text, int64(w.Serial), 10)
		text = append(text, '}', ',')
	}
	sql := originsSQLite
	if database.Postgres(b.tx) {
		sql = originsPostgres
	}
	return []statement{{sql: sql, args: []any{closeList(text)}, each: func(scan func(...any) error) error {
		var o origin
		var id int64
		err := scan(&o.Code, &o.Serial, &o.channel, &o.utm[0], &o.utm[1], &o.utm[2], &o.revoked, &id)
		b.origins[o.printed] = append(b.origins[o.printed], o)
		return err
	}}}
}

// from finds the copy that a call names; false for a serial that was never printed.
func (b *batch) from(c *call) (o origin, known bool) {
	if c.serial == 0 {
		return o, true
	}
	all := b.origins[printed{c.publicID, c.serial}]
	if len(all) == 0 {
		return o, false
	}
	return all[0], true
}

// channel names where a call came from: its copy's channel, or the code's oldest
// one with the same utm_*; "" for neither.
func (b *batch) channel(c *call) string {
	if c.serial == 0 && !c.tagged() {
		return ""
	}
	for _, o := range b.origins[printed{c.publicID, c.serial}] {
		if c.serial > 0 || strings.EqualFold(o.utm[0], c.row.UTMSource) && strings.EqualFold(o.utm[1], c.row.UTMMedium) && strings.EqualFold(o.utm[2], c.row.UTMCampaign) {
			return o.channel
		}
	}
	return ""
}
