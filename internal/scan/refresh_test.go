package scan_test

import (
	"context"
	"sync"
	"testing"

	"doorplate/internal/code"
	"doorplate/internal/scan"
)

// However scans and refreshes meet, each scan is counted in one generation, and
// each generation lets in no more than the cap.
func TestNoScanFallsBetweenGenerations(t *testing.T) {
	onBoth(t, func(t *testing.T, g *gate) {
		id := g.issue(g.w.Super, code.Form{TotalCap: "30"})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { _, _ = g.scans.Record(context.Background(), g.request(id)) })
		}
		for range 5 {
			wg.Go(func() {
				if err := g.codes.Refresh(context.Background(), g.w.Head, id, code.Renewal{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		live := g.count("SELECT count(*) FROM scans WHERE outcome = 'live'")
		counted := g.count("SELECT CAST(coalesce(sum(scans), 0) AS bigint) FROM code_generations") + g.count("SELECT total FROM code_counters")
		if live != counted || live < 30 {
			t.Errorf("%d live scans, %d counted", live, counted)
		}
		if n := g.count("SELECT max(scans) FROM code_generations"); n > 30 {
			t.Errorf("a generation let in %d", n)
		}
		if n := g.count("SELECT count(*) FROM code_generations"); n != 5 {
			t.Errorf("%d generations", n)
		}
		g.want(id, map[bool]string{true: scan.Exhausted, false: scan.Live}[g.count("SELECT total FROM code_counters") >= 30])
	})
}
