package scan

import (
	"context"

	"doorplate/internal/access"
	"doorplate/internal/directory"
)

// Query is what a reader wants to know of a place.
type Query struct {
	Filter
	Days int    // span of the charts: 30, or LongChart
	A, B string // SourceKeys to compare
}

// Report is the page of scans of a code or a group.
type Report struct {
	Place      Place
	Page       Page
	Charts     Charts
	Compared   *Comparison
	ScanTarget int
	StayTarget int
	KeptDays   int // single scans are deleted after so many days; 0 never
}

// Report reads a page of the history and the charts of a place, for somebody
// who may see them. What is wrong with the filter comes back as fault.Invalid
// beside the rest of the report. req: A12, C40, C42, C43, C46
func (s *Service) Report(ctx context.Context, by access.Actor, at Spot, q Query) (Report, error) {
	tx := s.db.WithContext(ctx)
	var r Report
	var err error
	if r.Place, err = place(tx, by, access.ScansSee, at); err != nil {
		return r, err
	}
	policies, err := directory.LoadPolicies(tx)
	if err != nil {
		return r, err
	}
	r.ScanTarget, r.StayTarget, r.KeptDays = policies.ScanTarget, policies.StayTarget, policies.ScanDays
	if q.Days != LongChart {
		q.Days = chartDays
	}
	if r.Charts, err = s.charts(tx, r.Place, q.Days); err != nil {
		return r, err
	}
	r.Compared = r.Charts.Compare(q.A, q.B)
	r.Page, err = page(tx, r.Place, q.Filter, historySize)
	return r, err
}
