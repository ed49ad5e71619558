package scan

import "math"

// z95 is the normal deviate of a two-sided 95 % interval, z80 the one of 80 % power.
const (
	z95 = 1.959963984540054
	z80 = 0.8416212335729143
)

// wilson is the 95 % score interval of x out of n (Wilson 1927).
func wilson(x, n int64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	p, m := float64(x)/float64(n), float64(n)
	centre := 2*m*p + z95*z95
	spread := z95 * math.Sqrt(z95*z95+4*m*p*(1-p))
	return max(0, (centre-spread)/(2*(m+z95*z95))), min(1, (centre+spread)/(2*(m+z95*z95)))
}

// difference is b's rate less a's, with its 95 % interval by Newcombe's hybrid
// score method (1998, method 10).
func difference(xa, na, xb, nb int64) (d, low, high float64) {
	pa, pb := rate(xa, na), rate(xb, nb)
	la, ua := wilson(xa, na)
	lb, ub := wilson(xb, nb)
	d = pb - pa
	return d, d - math.Hypot(pb-lb, ua-pa), d + math.Hypot(ub-pb, pa-la)
}

func rate(x, n int64) float64 {
	if n <= 0 {
		return 0
	}
	return float64(x) / float64(n)
}

// needed is how many more scans both together need before a difference of d
// (as a share of 1) would be shown with 80 % likelihood.
func needed(xa, na, xb, nb int64, d float64) int64 {
	pa, pb := rate(xa, na), rate(xb, nb)
	variance := pa*(1-pa) + pb*(1-pb)
	variance = max(variance, 0.05) // rates of nothing and of all are seldom that sure
	each := math.Ceil((z95 + z80) * (z95 + z80) * variance / (d * d))
	return max(0, int64(each)-na) + max(0, int64(each)-nb)
}
