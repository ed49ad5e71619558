package scan_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"

	"doorplate/internal/code"
	"doorplate/internal/scan"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestTheExportIsWholeAndHarmless(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		r := g.request(id)
		r.UTMSource, r.UTMCampaign, r.MemberID = "=cmd()", "春\x00季", g.w.Staff.MemberID
		g.record(r)
		last := g.want(id, scan.Live)
		export, err := g.scans.Export(ctx, g.w.Head, scan.Spot{Code: id}, scan.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := export.Write(ctx, &out); err != nil {
			t.Fatal(err)
		}
		text, marked := strings.CutPrefix(out.String(), "\uFEFF")
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || !marked || len(rows) != 3 {
			t.Fatalf("%v, mark %v, %d rows", err, marked, len(rows))
		}
		if got := strings.Join(rows[0], ","); got != "ref,at,outcome,code,copy,channel,utm_source,utm_medium,utm_campaign,device,app,member" {
			t.Errorf("header %s", got)
		}
		if rows[1][0] != last.Ref || rows[1][1] != "2026-11-22T09:00:00+08:00" {
			t.Errorf("newest first: %q", rows[1])
		}
		if rows[2][6] != "'=cmd()" || rows[2][8] != "春季" || rows[2][11] != "顾晓棠" || rows[2][10] != "wechat" || rows[2][9] != "mobile" {
			t.Errorf("row %q", rows[2])
		}
		if strings.Contains(text, "192.0.2") || strings.Contains(text, "1380000") {
			t.Error("an address or a phone is in the export")
		}
		if n := g.count("SELECT count(*) FROM audit_entries WHERE action = 'scans.export'"); n != 1 {
			t.Errorf("%d audit entries", n)
		}
	})
}
