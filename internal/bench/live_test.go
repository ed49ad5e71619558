package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"doorplate/internal/scan"
	"doorplate/internal/testkit"
)

const (
	livePages  = 500
	liveRounds = 5
)

// BenchmarkLive opens the pages of 500 people who wait, decides about all of
// them with one statement and takes the time until the last page heard of it.
// MiB is what the open pages cost, the clients' sockets in the same process
// included; beside it what as many connections cost that only stay open.
func BenchmarkLive(b *testing.B) {
	b.Run("postgres", func(b *testing.B) { live(b, onPostgres(b)) })
	b.Run("sqlite", func(b *testing.B) { live(b, newOurs(b, testkit.SQLite(b))) })
}

func live(b *testing.B, o *ours) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { o.hub.Run(ctx); close(done) }()
	server := httptest.NewServer(o.handler)
	defer func() { o.hub.Close(); server.Close(); stop(); <-done }()
	cookies := o.waiting(b, livePages)
	alone := runtime.NumGoroutine()
	var took, cost, idle []float64
	for range liveRounds {
		calm(b, o, alone)
		o.undecided(b)
		before := memory()
		bare := o.pages(b, server.Listener.Addr().String(), cookies, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK")
		idle = append(idle, memory()-before)
		shut(bare)
		calm(b, o, alone)
		before = memory()
		open := o.pages(b, server.Listener.Addr().String(), cookies, "GET /join/live HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nCookie: doorplate_join=%s\r\n\r\n", "event: changed")
		cost = append(cost, memory()-before)
		start := time.Now()
		if err := o.db.Exec("UPDATE join_requests SET status = 'rejected', reason = 'x', decided_at = ? WHERE status = 'pending'", time.Now().UTC()).Error; err != nil {
			b.Fatal(err)
		}
		hear(b, open, "event: changed")
		took = append(took, time.Since(start).Seconds())
		shut(open)
	}
	for _, all := range [][]float64{took, cost, idle} {
		slices.Sort(all)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took[liveRounds/2], "s-to-all")
	b.ReportMetric(took[liveRounds-1], "s-to-all-most")
	b.ReportMetric(cost[liveRounds/2], "MiB")
	b.ReportMetric(cost[liveRounds-1], "MiB-most")
	b.ReportMetric(idle[liveRounds/2], "MiB-idle")
}

// waiting puts n guests before a group, each with a join cookie and a request.
func (o *ours) waiting(b *testing.B, n int) (cookies []string) {
	exec := func(sql string, args ...any) (id int64) {
		if err := o.db.Raw(sql+" RETURNING id", args...).Scan(&id).Error; err != nil {
			b.Fatal(err)
		}
		return id
	}
	var code struct{ ID, GroupID int64 }
	if err := o.db.Raw("SELECT id, group_id FROM codes ORDER BY id LIMIT 1").Scan(&code).Error; err != nil {
		b.Fatal(err)
	}
	now := time.Now().UTC()
	for i := range n {
		cookie := fmt.Sprintf("cookie-%d", i)
		guest := exec("INSERT INTO guests (name, phone, created_at) VALUES ('x', ?, ?)", fmt.Sprintf("+8613%09d", i), now)
		ref := exec("INSERT INTO scans (ref, at, code_id, outcome) VALUES (?, ?, ?, 'live')", cookie, now, code.ID)
		exec("INSERT INTO join_sessions (secret_hash, scan_id, code_id, guest_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
			scan.SecretHash(testkit.Keys(), cookie), ref, code.ID, guest, now, now.Add(time.Hour))
		exec("INSERT INTO join_requests (group_id, guest_id, name, created_at) VALUES (?, ?, 'x', ?)", code.GroupID, guest, now)
		cookies = append(cookies, cookie)
	}
	return cookies
}

func (o *ours) undecided(b *testing.B) {
	if err := o.db.Exec("UPDATE join_requests SET status = 'pending', reason = '', decided_at = NULL WHERE status = 'rejected'").Error; err != nil {
		b.Fatal(err)
	}
}

// pages opens one connection per cookie, a few at a time, each up to its first sign of life.
func (o *ours) pages(b *testing.B, address string, cookies []string, ask, sign string) []net.Conn {
	open := make([]net.Conn, len(cookies))
	places := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i, cookie := range cookies {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			open[i] = c
			text := ask
			if bytes.Contains([]byte(ask), []byte("%s")) {
				text = fmt.Sprintf(ask, cookie)
			}
			if _, err := c.Write([]byte(text)); err != nil {
				b.Error(err)
			}
			until(b, c, sign)
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return open
}

func hear(b *testing.B, open []net.Conn, sign string) {
	for _, c := range open {
		until(b, c, sign)
	}
}

// until reads up to a sign.
func until(b *testing.B, c net.Conn, sign string) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	var got []byte
	part := make([]byte, 512)
	for !bytes.Contains(got, []byte(sign)) {
		n, err := c.Read(part)
		if err != nil {
			b.Errorf("%q never came: %v after %q", sign, err, got)
			return
		}
		got = append(got, part[:n]...)
	}
}

// calm waits until the connections of before are gone: their goroutines, and their ears.
func calm(b *testing.B, o *ours, alone int) {
	for end := time.Now().Add(time.Minute); o.hub.Subscribers() > 0 || runtime.NumGoroutine() > alone+8; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d listen, %d goroutines", o.hub.Subscribers(), runtime.NumGoroutine())
		}
	}
}

func shut(open []net.Conn) {
	for _, c := range open {
		c.Close()
	}
}

// memory is what the process holds, in MiB.
func memory() float64 {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what pools keep for one round of collecting
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse+m.StackInuse) / (1 << 20)
}
