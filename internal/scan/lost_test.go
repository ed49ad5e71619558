package scan_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/scan"
)

// B34
func TestATicketIsGoodOnceAndNotForLong(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		ticket := g.want(id, scan.Live).Ticket
		var wg sync.WaitGroup
		won := make(chan string, 16)
		for range 16 {
			wg.Go(func() {
				cookie, err := g.scans.Redeem(ctx, ticket, "")
				var gone fault.Gone
				if err == nil {
					won <- cookie
				} else if !errors.As(err, &gone) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d redemptions won, want 1", len(won))
		}
		cookie := <-won
		g.clock.Add(time.Minute)
		if again, err := g.scans.Redeem(ctx, ticket, cookie); err != nil || again != cookie {
			t.Errorf("the browser it belongs to: %q %v", again, err)
		}
		late := g.want(id, scan.Live).Ticket
		g.clock.Add(16 * time.Second)
		for _, bad := range []string{late, "", "x", ticket[:len(ticket)-1], flip(ticket[:1]) + ticket[1:]} {
			var gone fault.Gone
			if _, err := g.scans.Redeem(ctx, bad, cookie); !errors.As(err, &gone) {
				t.Errorf("ticket %q: %v", bad, err)
			}
		}
	})
}

// A row the database refuses fails alone; the writer goes on.
func TestAPoisonedScanHarmsNobodyElse(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		bad := g.request(id)
		bad.MemberID = 987654 // no such member
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				r := g.request(id)
				if i%10 == 0 {
					r = bad
				}
				_, err := g.scans.Record(context.Background(), r)
				if (err != nil) != (i%10 == 0) {
					t.Errorf("scan %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := g.count("SELECT total FROM code_counters"); n != 36 {
			t.Errorf("counted %d, want 36", n)
		}
	})
}

// A visitor who leaves does not undo the record, and closing writes what waits.
func TestNothingIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		left, cancel := context.WithCancel(context.Background())
		cancel()
		if d, err := g.scans.Record(left, g.request(id)); err != nil || d.Outcome != scan.Live {
			t.Fatalf("%+v %v", d, err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		answered := 1
		for range 200 {
			wg.Go(func() {
				if _, err := g.scans.Record(context.Background(), g.request(id)); err == nil {
					mu.Lock()
					answered++
					mu.Unlock()
				}
			})
		}
		g.scans.Close()
		wg.Wait()
		var unavailable fault.Unavailable
		if _, err := g.scans.Record(context.Background(), g.request(id)); !errors.As(err, &unavailable) {
			t.Errorf("after Close: %v", err)
		}
		if n := g.count("SELECT count(*) FROM scans"); n < answered {
			t.Errorf("answered %d, recorded %d", answered, n)
		}
	})
}

// A database that does not answer is 503 within the visitor's patience.
func TestADeadDatabaseIsSaid(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{})
		g.exec("ALTER TABLE scans RENAME TO elsewhere")
		d, err := g.scans.Record(context.Background(), g.request(id))
		var unavailable fault.Unavailable
		if !errors.As(err, &unavailable) || d.Ref == "" || d.Ticket != "" {
			t.Errorf("%+v %v", d, err)
		}
		g.exec("ALTER TABLE elsewhere RENAME TO scans")
		g.want(id, scan.Live)
		if n := g.count("SELECT total FROM code_counters"); n != 1 {
			t.Errorf("counted %d", n)
		}
	})
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}
