package scan

import (
	"testing"
	"time"

	"doorplate/internal/code"
	"doorplate/internal/directory"
)

// The hot path pays nothing for being observable.
func TestADecisionAllocatesNothing(t *testing.T) {
	f := &code.Facts{GroupStatus: "active", IssuerOK: true, JoinMode: "open", Timezone: "Asia/Shanghai"}
	f.PublicID, f.DailyCap, f.TotalCap = "abcdefghijk", 1000, 100_000
	b := &batch{now: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC), policies: directory.DefaultPolicies(), facts: map[string]*code.Facts{f.PublicID: f}}
	c := &call{publicID: f.PublicID}
	day := testing.AllocsPerRun(100, func() { f.DayOf(b.now) }) // the date as a text
	n := testing.AllocsPerRun(100, func() {
		if cause, _, err := b.cause(c); cause != Live || err != nil {
			t.Fatal(cause, err)
		}
	})
	if n > day {
		t.Errorf("%v allocations in a decision, %v of them for the date", n, day)
	}
}
