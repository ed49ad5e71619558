package scan

import (
	"math"
	"strconv"
	"strings"
)

// leastScans on either side, before two sources are compared at all.
const leastScans = 30

// notable is the smallest difference in points worth waiting for.
const notable = 5

// Comparison sets two sources side by side. A and B hold scans and Hits.
type Comparison struct {
	A, B         Source
	HitsA, HitsB int64
	// Points that B's rate is above A's (negative: below), and the 95 % interval around it.
	Points, Low, High float64
	Few               bool  // too few scans on either side to say anything
	Need              int64 // more scans until a difference of Worth points would show; 0 when one is shown
	Worth             int
}

// Shown reports whether the difference is more than chance would make.
func (c Comparison) Shown() bool { return !c.Few && (c.Low > 0 || c.High < 0) }

// SourceKey names a source in a form: "c" and the channel, or "k" and the serial.
func SourceKey(s Source) string {
	if s.CopySerial > 0 {
		return "k" + strconv.Itoa(s.CopySerial)
	}
	return "c" + s.Channel
}

// find looks a key up among the sources of the charts; copies only where there is one code.
func (c Charts) find(key string) (Source, bool) {
	from := c.Channels
	if strings.HasPrefix(key, "k") {
		from = c.Copies
	}
	for _, s := range from {
		if SourceKey(s) == key {
			return s, true
		}
	}
	return Source{}, false
}

// Compare compares two sources of the charts; nil when either is unknown or both are the same. req: C46
func (c Charts) Compare(a, b string) *Comparison {
	left, known := c.find(a)
	right, also := c.find(b)
	if !known || !also || a == b {
		return nil
	}
	out := Comparison{A: left, B: right, HitsA: c.hits(left), HitsB: c.hits(right)}
	d, low, high := difference(out.HitsA, left.Scans, out.HitsB, right.Scans)
	out.Points, out.Low, out.High = 100*d, 100*low, 100*high
	out.Few = left.Scans < leastScans || right.Scans < leastScans
	if !out.Shown() {
		worth := max(math.Abs(d), notable/100.0)
		out.Worth = int(math.Round(100 * worth))
		out.Need = max(needed(out.HitsA, left.Scans, out.HitsB, right.Scans, worth), 2*leastScans-min(left.Scans, leastScans)-min(right.Scans, leastScans))
	}
	return &out
}

// hits are the scans of a source that did what the target is about, never more than there were.
func (c Charts) hits(s Source) int64 {
	asked := Funnel{Requested: s.Requested, Joined: s.Joined, Open: c.Funnel.Open}.Asked()
	return min(asked, s.Scans)
}
