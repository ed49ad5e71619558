package scan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

// read is everything that a trace must leave alone.
func (g *gate) read() (all []string) {
	for _, table := range []string{"scans", "code_counters", "scan_days", "audit_entries", "codes", "groups"} {
		var rows []map[string]any
		if err := g.db.Table(table).Find(&rows).Error; err != nil {
			g.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(table, rows))
	}
	return all
}

// ends checks that a trace stops at the last rule it reached, or nowhere, and returns where.
func ends(t interface{ Errorf(string, ...any) }, r scan.Trace) string {
	at := ""
	for _, s := range r.Steps {
		switch {
		case at == "" && s.Verdict == scan.Stopped:
			at = s.Name
		case at == "" && s.Verdict != scan.Passed, at != "" && s.Verdict != scan.Unreached:
			t.Errorf("%s is %s: %+v", s.Name, s.Verdict, r.Steps)
		}
	}
	if (at == "") != (r.Outcome == scan.Live) {
		t.Errorf("stopped at %q, outcome %s", at, r.Outcome)
	}
	return at
}

// req: A19
func TestATraceNamesTheRuleAndLeavesNothingBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		ctx := context.Background()
		id := g.issue(g.w.Super, code.Form{TotalCap: "1", Networks: "192.0.2.0/24", Audience: []string{fmt.Sprint(g.w.RD)}})
		q := scan.Question{Code: id, Address: "192.0.2.7"}
		before := fmt.Sprint(g.read())
		ask := func(rule, outcome string, q scan.Question) {
			t.Helper()
			r, err := g.scans.Trace(ctx, g.w.Super, q)
			if err != nil {
				t.Fatal(err)
			}
			if at := ends(t, r); at != rule || r.Outcome != outcome {
				t.Errorf("stopped at %q with %s, want %q with %s", at, r.Outcome, rule, outcome)
			}
			if now := fmt.Sprint(g.read()); now != before {
				t.Error("the trace left something behind")
			}
		}
		ask("", scan.Live, q)
		ask("", scan.Live, q) // the cap is one
		ask("network", scan.Network, scan.Question{Code: id, Address: "198.51.100.1"})
		ask("robot", scan.Bot, scan.Question{Code: id, UserAgent: "Slackbot 1.0"})
		ask("address", scan.Limited, scan.Question{Code: id, Hits: 1_000_000})
		ask("expired", scan.Expired, scan.Question{Code: id, At: g.clock.Now().AddDate(1, 0, 0)})
		ask("audience", scan.Audience, scan.Question{Code: id, Address: "192.0.2.7", Person: "DP0006", SignedIn: true})
		ask("", scan.Live, scan.Question{Code: id, Address: "192.0.2.7", Person: "DP0006"})
		ask("", scan.Live, scan.Question{Code: id, Address: "192.0.2.7", Person: "13800000005", SignedIn: true})
		ask("token", scan.Unknown, scan.Question{Code: code.Token(testkit.Keys(), id, 0)[:28] + "A"})
		for field, q := range map[string]scan.Question{"code": {}, "person": {Code: id, Person: "nobody"}, "address": {Code: id, Address: "x"}, "ref": {Ref: "0000000000"}} {
			var wrong fault.Invalid
			if _, err := g.scans.Trace(ctx, g.w.Super, q); !errors.As(err, &wrong) || wrong[field].Key == "" {
				t.Errorf("%s: %v", field, err)
			}
		}
		var forbidden fault.Forbidden
		if _, err := g.scans.Trace(ctx, g.w.Head, q); !errors.As(err, &forbidden) {
			t.Errorf("a head: %v", err)
		}
	})
}

func TestARecordedScanIsReplayedByTheRulesOfNow(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		ctx := context.Background()
		id := g.issue(g.w.Super, code.Form{})
		d := g.want(id, scan.Live)
		g.clock.Add(time.Hour)
		if err := g.codes.Revoke(ctx, g.w.Super, id, "照片外传"); err != nil {
			t.Fatal(err)
		}
		r, err := g.scans.Trace(ctx, g.w.Super, scan.Question{Ref: d.Ref})
		if err != nil {
			t.Fatal(err)
		}
		if ends(t, r) != "revoked" || r.Recorded == nil || r.Recorded.Outcome != scan.Live || !r.At.Equal(d.At) || r.Address != "192.0.2.7" {
			t.Errorf("%+v", r)
		}
		// A reference is found as it is stored, and as a person copies it from a print.
		g.exec("UPDATE scans SET ref = 'ImPorted1' WHERE ref = ?", d.Ref)
		for ref, found := range map[string]bool{"ImPorted1": true, " ImPorted1 ": true, "IMPORTED2": false} {
			if _, err := g.scans.Trace(ctx, g.w.Super, scan.Question{Ref: ref}); (err == nil) != found {
				t.Errorf("%q: %v", ref, err)
			}
		}
		g.exec("UPDATE scans SET ref = ? WHERE ref = 'ImPorted1'", d.Ref)
		if _, err := g.scans.Trace(ctx, g.w.Super, scan.Question{Ref: strings.ToLower(d.Ref)}); err != nil {
			t.Errorf("typed in small letters: %v", err)
		}
		if len(r.Since) != 1 || r.Since[0].Action != "code.revoke" || r.Since[0].ActorName != "周岚" {
			t.Errorf("changed since: %+v", r.Since)
		}
	})
}

// Whatever the facts are, a trace ends as the decision on the same facts does.
func TestATraceEndsAsTheDecisionDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('address_per_10s', '0', ?)", g.clock.Now())
		id := g.issue(g.w.Super, code.Form{})
		people := []string{"", "DP0005", "DP0006", "DP0001"}
		members := map[string]int64{"DP0005": g.w.Staff.MemberID, "DP0006": g.w.OtherStaff.MemberID, "DP0001": g.w.Super.MemberID}
		rapid.Check(t, func(r *rapid.T) {
			pick := func(name string, values ...any) any { return rapid.SampledFrom(values).Draw(r, name) }
			now := g.clock.Now()
			past, future := now.Add(-time.Minute), now.Add(time.Minute)
			validity, until := "7d", pick("until", past, now, future, future)
			if pick("permanent", false, true).(bool) {
				validity, until = code.Permanent, nil
			}
			g.exec(`UPDATE codes SET valid_from = ?, valid_until = ?, suspended_at = ?, revoked_at = ?, daily_cap = ?, total_cap = ?, networks = ?, audience = ?, audience_roles = ?, hours = ?, validity = ?, issued_by = ?`,
				pick("from", nil, past, future), until, pick("suspended", nil, nil, past), pick("revoked", nil, nil, nil, past),
				pick("daily", 0, 1, 5), pick("total", 0, 3, 50), pick("networks", "", "192.0.2.0/24", "2001:db8::/32"), pick("audience", "", fmt.Sprint(g.w.RD)),
				pick("roles", "", "super", "member"), pick("hours", "", "", string(allClosed())), validity, pick("issuer", g.w.Super.MemberID, g.w.Head.MemberID, g.w.Staff.MemberID))
			g.exec("UPDATE groups SET join_mode = ?, status = ?, type = ?", pick("mode", "open", "approval", "off", "restricted"), pick("status", "active", "active", "disbanded"), pick("type", "internal", "external"))
			g.exec("UPDATE code_counters SET total = ?, day_total = ?, day = ?", pick("used", 0, 3, 9), pick("today", 0, 1, 9), pick("day", "", "2026-11-22"))
			g.exec("DELETE FROM policies WHERE name = 'joining_off'")
			if pick("organisation", false, false, true).(bool) {
				g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('joining_off', 'true', ?)", now)
			}
			req := g.request(id)
			who := rapid.SampledFrom(people).Draw(r, "who")
			req.MemberID, req.Address = members[who], pick("address", "192.0.2.7", "198.51.100.9", "2001:db8::7").(string)
			req.UserAgent = pick("agent", "", "Mozilla/5.0 (iPhone)", "Slackbot 1.0").(string)
			traced, err := g.scans.Trace(context.Background(), g.w.Super, scan.Question{Code: req.Token, Person: who, SignedIn: who != "", Address: req.Address, UserAgent: req.UserAgent})
			if err != nil {
				r.Fatal(err)
			}
			ends(r, traced)
			d, err := g.scans.Record(context.Background(), req)
			if err != nil {
				r.Fatal(err)
			}
			if d.Outcome != traced.Outcome || d.Cause != traced.Cause || d.After != traced.After {
				r.Fatalf("the trace says %s (%s, %v), the scan was %s (%s, %v)", traced.Outcome, traced.Cause, traced.After, d.Outcome, d.Cause, d.After)
			}
		})
	})
}

func allClosed() code.Hours {
	week := make([]byte, code.Quarters)
	for i := range week {
		week[i] = '0'
	}
	return code.Hours(week)
}
