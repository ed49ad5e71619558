package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/testkit"
)

const (
	pageRounds = 5  // paired rounds
	pageRuns   = 20 // of each list in a round
)

// cpuTicks are the hundredths of a second that a process has worked so far.
func cpuTicks(b *testing.B, pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return user + system
}

// BenchmarkPages reads every list of a large organisation, its first page and
// one far down, and reports the median ratio of the two and the CPU that a first
// page costs, the database's included. The absolute figure is of this machine.
func BenchmarkPages(b *testing.B) {
	db := testkit.Postgres(b)
	h := newHall(b, db, testkit.BigCrowd)
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(1) // one backend, whose time is then all the database's
	var backend int
	if err := db.Raw("SELECT pg_backend_pid()").Scan(&backend).Error; err != nil {
		b.Fatal(err)
	}
	cpu := func() int64 { return cpuTicks(b, os.Getpid()) + cpuTicks(b, backend) }
	lists := append(h.lists(b, "super", h.w.Super, 60), h.lists(b, "head", h.w.Head, 4)...)
	for _, l := range lists {
		b.Run(strings.ReplaceAll(l.name, " ", "_"), func(b *testing.B) { measurePage(b, db, l, cpu) })
	}
}

func measurePage(b *testing.B, _ *gorm.DB, l listing, cpu func() int64) {
	h := &historyHall{b: b}
	var ratios, costs []float64
	for b.Loop() {
	}
	for range pageRounds {
		before := cpu()
		first := h.seconds(pageRuns, l.first)
		costs = append(costs, float64(cpu()-before)*10/pageRuns)
		if l.deep != nil {
			ratios = append(ratios, h.seconds(pageRuns, l.deep)/first)
		}
	}
	slices.Sort(costs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(costs[len(costs)/2], "cpu-ms")
	if len(ratios) > 0 {
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "deep/first")
		b.ReportMetric(ratios[0], "deep/first-least")
		b.ReportMetric(ratios[len(ratios)-1], "deep/first-most")
	}
}
