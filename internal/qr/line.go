package qr

// line is one row or column of modules: module i is bit i, dark is 1. The largest code has 177 modules; the spare bits
// stay 0.
type line [3]uint64

func (l line) at(i int) bool { return l[i/64]>>(i%64)&1 == 1 }

func (l *line) set(i int) { l[i/64] |= 1 << (i % 64) }

func (l line) xor(other line) line {
	return line{l[0] ^ other[0], l[1] ^ other[1], l[2] ^ other[2]}
}

// from returns 64 modules, beginning with module i, which may be negative; outside the line they are light.
func (l *line) from(i int) uint64 {
	if i < 0 {
		return l[0] << -i
	}
	word := l[i/64] >> (i % 64)
	if i/64+1 < len(l) {
		word |= l[i/64+1] << (64 - i%64)
	}
	return word
}

func masked(lines, mask []line) []line {
	out := make([]line, len(lines))
	for i := range lines {
		out[i] = lines[i].xor(mask[i])
	}
	return out
}

// transpose turns rows into columns and the other way round.
func transpose(lines []line) []line {
	out := make([]line, len(lines))
	for y, l := range lines {
		for x := range lines {
			if l.at(x) {
				out[x].set(y)
			}
		}
	}
	return out
}
