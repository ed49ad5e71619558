package scan_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorplate/internal/code"
	"doorplate/internal/scan"
)

// model is one code as anybody would describe it; it knows no SQL.
type model struct {
	id                            string
	until                         time.Time // zero: permanent
	totalCap, dailyCap            int
	total, today                  int
	day                           string
	revoked, replaced, suspended  bool
	ownerless, closed, lost, over bool // issuer gone; outside hours; its copy withdrawn; group disbanded
	byHead                        bool
}

// outcome is the rule, and counts what it lets through.
func (m *model) outcome(now time.Time, copied bool) string {
	if day := now.In(shanghai).Format(time.DateOnly); day != m.day {
		m.day, m.today = day, 0
	}
	switch {
	case copied && m.lost:
		return scan.Revoked
	case m.over:
		return scan.Disbanded
	case m.replaced:
		return scan.Replaced
	case m.revoked:
		return scan.Revoked
	case !m.until.IsZero() && !now.Before(m.until):
		return scan.Expired
	case m.suspended || m.ownerless && m.byHead:
		return scan.Suspended
	case m.closed:
		return scan.Off
	case m.totalCap > 0 && m.total >= m.totalCap, m.dailyCap > 0 && m.today >= m.dailyCap:
		return scan.Exhausted
	}
	m.total++
	m.today++
	return scan.Live
}

// play is a run of the model beside the real thing.
type play struct {
	*gate
	r     *rapid.T
	codes []*model
	gone  bool // the head has left
	over  bool
}

func (p *play) must(err error) {
	if err != nil {
		p.r.Fatal(err)
	}
}

func (p *play) exec(sql string, args ...any) { p.must(p.db.Exec(sql, args...).Error) }

func (p *play) pick() *model { return rapid.SampledFrom(p.codes).Draw(p.r, "code") }

func (p *play) add(id string, m model) {
	m.id, m.ownerless, m.over = id, p.gone, p.over
	p.codes = append(p.codes, &m)
	p.exec("INSERT INTO code_copies (code_id, serial, created_at) SELECT id, 1, ? FROM codes WHERE public_id = ?", p.clock.Now(), id)
}

func (p *play) issue() {
	m := model{totalCap: rapid.IntRange(0, 3).Draw(p.r, "total cap"), dailyCap: rapid.IntRange(0, 2).Draw(p.r, "daily cap"), byHead: !p.gone && rapid.Bool().Draw(p.r, "by head")}
	form := code.Form{Label: "前台", Validity: "7d", TotalCap: itoa(int64(m.totalCap)), DailyCap: itoa(int64(m.dailyCap)), ConfirmPermanent: true}
	by := p.w.Super
	if m.byHead {
		by = p.w.Head
	}
	if rapid.Bool().Draw(p.r, "permanent") {
		form.Validity = code.Permanent
	} else {
		m.until = p.clock.Now().Add(7 * 24 * time.Hour)
	}
	id, err := p.gate.codes.Issue(context.Background(), by, p.gid, form)
	p.must(err)
	p.add(id, m)
}

func (p *play) end() {
	m := p.pick()
	if m.revoked || m.over {
		return
	}
	ctx := context.Background()
	m.revoked = true
	if rapid.Bool().Draw(p.r, "regenerate") && (m.until.IsZero() || p.clock.Now().Before(m.until)) && !m.ownerlessNow() {
		fresh := *m
		id, err := p.gate.codes.Regenerate(ctx, p.w.Super, m.id, "换新")
		p.must(err)
		m.replaced = true
		fresh.revoked, fresh.lost, fresh.suspended, fresh.closed, fresh.byHead = false, false, false, false, false
		fresh.total, fresh.today, fresh.day = 0, 0, ""
		p.add(id, fresh)
		p.adjust(p.codes[len(p.codes)-1])
		return
	}
	p.must(p.gate.codes.Revoke(ctx, p.w.Super, m.id, "照片外传"))
}

func (m *model) ownerlessNow() bool { return m.ownerless && m.byHead }

// adjust takes from the row what regenerating is free to choose: hours, and when it ends.
func (p *play) adjust(m *model) {
	var row struct {
		Hours       string
		ValidUntil  *time.Time
		SuspendedAt *time.Time
	}
	p.must(p.db.Raw("SELECT hours, valid_until, suspended_at FROM codes WHERE public_id = ?", m.id).Scan(&row).Error)
	m.closed, m.suspended = strings.HasPrefix(row.Hours, "0"), row.SuspendedAt != nil
	if m.until = (time.Time{}); row.ValidUntil != nil {
		m.until = *row.ValidUntil
	}
}

func (p *play) stand() {
	m, ctx := p.pick(), context.Background()
	if m.revoked || m.over {
		return
	}
	if m.suspended {
		p.must(p.gate.codes.Resume(ctx, p.w.Super, m.id, ""))
	} else {
		p.must(p.gate.codes.Suspend(ctx, p.w.Super, m.id, ""))
	}
	m.suspended = !m.suspended
}

func (p *play) adopt() {
	m := p.pick()
	if m.revoked || m.over || !m.ownerlessNow() {
		return
	}
	p.must(p.gate.codes.Adopt(context.Background(), p.w.Super, m.id, ""))
	m.byHead = false
}

// leave lets the issuer depart, or come back.
func (p *play) leave() {
	p.gone = !p.gone
	status := "active"
	if p.gone {
		status = "departed"
	}
	p.exec("UPDATE members SET status = ? WHERE id = ?", status, p.w.Head.MemberID)
	for _, m := range p.codes {
		m.ownerless = p.gone
	}
}

func (p *play) disband() {
	if rapid.IntRange(1, 4).Draw(p.r, "really") > 1 {
		return
	}
	p.over = true
	p.exec("UPDATE groups SET status = 'disbanded', disbanded_at = ? WHERE id = ?", p.clock.Now(), p.group)
	for _, m := range p.codes {
		m.over = true
	}
}

func (p *play) withdraw() {
	m := p.pick()
	m.lost = true
	p.exec("UPDATE code_copies SET revoked_at = ? WHERE code_id = (SELECT id FROM codes WHERE public_id = ?)", p.clock.Now(), m.id)
}

func (p *play) hours() {
	m := p.pick()
	m.closed = !m.closed
	week := ""
	if m.closed {
		week = strings.Repeat("0", code.Quarters)
	}
	p.exec("UPDATE codes SET hours = ? WHERE public_id = ?", week, m.id)
}

func (p *play) wait() {
	p.clock.Add(time.Duration(rapid.SampledFrom([]int{1, 600, 1439, 1440, 5 * 1440}).Draw(p.r, "minutes")) * time.Minute)
}

func (p *play) scan() {
	m, copied := p.pick(), rapid.Bool().Draw(p.r, "copied")
	serial := 0
	if copied {
		serial = 1
	}
	asked := p.requestCopy(m.id, serial)
	traced, err := p.scans.Trace(context.Background(), p.w.Super, scan.Question{Code: asked.Token, Address: asked.Address, UserAgent: asked.UserAgent})
	p.must(err)
	got, err := p.scans.Record(context.Background(), asked)
	p.must(err)
	if traced.Outcome != got.Outcome || traced.Cause != got.Cause {
		p.r.Fatalf("the trace said %s (%s), the scan was %s (%s)", traced.Outcome, traced.Cause, got.Outcome, got.Cause)
	}
	if want := m.outcome(p.clock.Now(), copied); got.Outcome != want {
		p.r.Fatalf("a scan was %s, the model says %s: %+v", got.Outcome, want, m)
	}
}

// Whatever happens in whatever order, each scan ends as a handful of rules say.
func TestEveryScanEndsAsTheModelSays(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		g.exec("INSERT INTO policies (name, value, updated_at) VALUES ('address_per_10s', '0', ?)", g.clock.Now())
		rapid.Check(t, func(r *rapid.T) {
			p := &play{gate: g, r: r}
			p.exec("UPDATE members SET status = 'active'")
			g.group, g.gid = g.w.Group(t, g.db, "模型", "internal", "approval", g.w.RD, 500)
			p.issue()
			steps := []func(){p.scan, p.scan, p.scan, p.scan, p.end, p.stand, p.adopt, p.leave, p.disband, p.withdraw, p.hours, p.wait, p.wait}
			for range rapid.IntRange(5, 30).Draw(r, "steps") {
				if !p.over && len(p.codes) < 5 && rapid.IntRange(1, 6).Draw(r, "issue") == 1 {
					p.issue()
				}
				rapid.SampledFrom(steps).Draw(r, "step")()
			}
		})
		g.exact()
	})
}
