package scan

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// Explain returns PostgreSQL's plan, with what it read, for a page of a history.
func (s *Service) Explain(t *testing.T, by access.Actor, at Spot, f Filter) string {
	t.Helper()
	p, err := place(s.db, by, access.ScansSee, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.findPeople(s.db, p); err != nil {
		t.Fatal(err)
	}
	sql := s.db.ToSQL(func(tx *gorm.DB) *gorm.DB {
		from, args := f.candidates(tx, p, historySize+1)
		return tx.Raw(from, args...).Scan(&[]Line{})
	})
	var lines []string
	if err := s.db.Raw("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + sql).Scan(&lines).Error; err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// Difference and Wilson are the intervals, for tests against published values.
var (
	Difference = difference
	Wilson     = wilson
)
