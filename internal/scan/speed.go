package scan

import (
	"net/netip"
	"sync"
	"time"
)

// span is the window of the speed limits.
const span = 10 * time.Second

// maxWindows bounds the memory that strangers can make us use.
const maxWindows = 100_000

// windows counts arrivals per key in windows that begin with the first arrival.
// They live in this process: a limit on speed needs no durable truth.
type windows struct {
	mu  sync.Mutex
	all map[string]window
}

type window struct {
	start time.Time
	n     int
}

// hit counts one arrival and returns how many the window has, and when it ends.
func (w *windows) hit(key string, now time.Time) (n int, left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil || len(w.all) >= maxWindows {
		w.sweep(now)
	}
	current, known := w.all[key]
	if age := now.Sub(current.start); !known || age < 0 || age >= span {
		current = window{start: now}
	}
	current.n++
	w.all[key] = current
	return current.n, span - now.Sub(current.start)
}

// sweep forgets windows that are over; when all are fresh it forgets them all.
func (w *windows) sweep(now time.Time) {
	kept := map[string]window{}
	for key, one := range w.all {
		if now.Sub(one.start) < span {
			kept[key] = one
		}
	}
	if len(kept) >= maxWindows {
		kept = map[string]window{}
	}
	w.all = kept
}

// network is what an address limit counts: the address, or the /64 of an IPv6
// one, since a single phone owns that many.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
