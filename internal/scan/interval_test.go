package scan_test

import (
	"math"
	"testing"

	"doorplate/internal/scan"
)

// Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
func TestWilsonAgainstPublishedValues(t *testing.T) {
	for _, c := range []struct {
		x, n      int64
		low, high float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}} {
		if low, high := scan.Wilson(c.x, c.n); math.Abs(low-c.low) > 0.00006 || math.Abs(high-c.high) > 0.00006 {
			t.Errorf("%d/%d: %.4f–%.4f, want %.4f–%.4f", c.x, c.n, low, high, c.low, c.high)
		}
	}
	if low, high := scan.Wilson(0, 0); low != 0 || high != 1 {
		t.Error("without a scan everything is possible", low, high)
	}
}

// Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10.
func TestDifferenceAgainstPublishedValues(t *testing.T) {
	for _, c := range []struct {
		xb, nb, xa, na int64
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090}, {6, 7, 2, 7, 0.0582, 0.8062}, {5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 20, -0.1611, 0.2775}, {0, 10, 0, 10, -0.2775, 0.2775}, {10, 10, 0, 20, 0.6791, 1}, {10, 10, 0, 10, 0.6075, 1},
	} {
		if _, low, high := scan.Difference(c.xa, c.na, c.xb, c.nb); math.Abs(low-c.low) > 0.00006 || math.Abs(high-c.high) > 0.00006 {
			t.Errorf("%d/%d − %d/%d: %.4f to %.4f, want %.4f to %.4f", c.xb, c.nb, c.xa, c.na, low, high, c.low, c.high)
		}
	}
}

func TestWhatMayBeSaidOfTwoSources(t *testing.T) {
	charts := scan.Charts{
		Channels: []scan.Source{{Channel: "hall", Scans: 1000, Requested: 300}, {Channel: "fair", Scans: 900, Requested: 340}, {Channel: "mail", Scans: 200, Requested: 64},
			{Channel: "new", Scans: 12, Requested: 12}, {Channel: "odd", Scans: 40, Requested: 90}, {Scans: 7}},
		Copies: []scan.Source{{CopySerial: 3, Scans: 40, Requested: 10}, {Scans: 5}},
	}
	better := charts.Compare("chall", "cfair")
	if better == nil || !better.Shown() || better.Low < 3 || better.High > 13 || better.Need != 0 {
		t.Errorf("37.8 %% against 30 %%: %+v", better)
	}
	if worse := charts.Compare("cfair", "chall"); worse == nil || !worse.Shown() || worse.High > -3 {
		t.Errorf("turned round: %+v", worse)
	}
	// 30 % against 32 %: 5 points would need 7.849 × (0.21 + 0.2176) / 0.0025 = 1,343 scans on either side.
	if same := charts.Compare("chall", "cmail"); same == nil || same.Shown() || same.Need != 343+1143 || same.Worth != 5 {
		t.Errorf("30 %% against 32 %%: %+v", same)
	}
	if few := charts.Compare("chall", "cnew"); few == nil || !few.Few || few.Shown() || few.Need < 18 {
		t.Errorf("twelve scans say nothing, whatever they say: %+v", few)
	}
	if odd := charts.Compare("k3", "codd"); odd == nil || odd.HitsB != 40 {
		t.Errorf("more requests than scans count as all: %+v", odd)
	}
	for _, pair := range [][2]string{{"", ""}, {"chall", "chall"}, {"chall", ""}, {"k9", "chall"}, {"x", "y"}, {"k0", "chall"}} {
		if c := charts.Compare(pair[0], pair[1]); c != nil {
			t.Errorf("%v: %+v", pair, c)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		n, of  int64
		target int
		want   scan.Verdict
	}{{7, 20, 35, scan.Met}, {69, 200, 35, scan.Missed}, {70, 200, 35, scan.Met}, {0, 19, 35, scan.TooFew}, {0, 0, 60, scan.TooFew}, {0, 20, 0, scan.Met}} {
		if got := scan.Judge(c.n, c.of, c.target); got != c.want {
			t.Errorf("%d of %d against %d %%: %s", c.n, c.of, c.target, got)
		}
	}
}
