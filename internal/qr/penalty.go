package qr

import "math/bits"

// Weights of ISO/IEC 18004, table 11.
const (
	runWeight    = 3
	blockWeight  = 3
	finderWeight = 40
	shareWeight  = 10
)

// step is how many places of a line are judged at once, in a word of 64 modules: the longest pattern, 11 modules, must
// not leave the word. All places at once, because choosing a mask looks at every module of eight codes.
const step = 48

// penalty rates how hard a code is to scan; lower is better (ISO/IEC 18004, 7.8.3).
func penalty(rows, columns []line) int {
	sum := blockWeight*blocks(rows) + shareWeight*imbalance(rows)
	for i := range rows {
		sum += runs(&rows[i], len(rows)) + runs(&columns[i], len(rows))
		sum += finderWeight * (finders(&rows[i], len(rows)) + finders(&columns[i], len(rows)))
	}
	return sum
}

// runs gives 3 points for five modules of one colour in a line of n, and one more for each further module.
func runs(l *line, n int) int {
	sum := 0
	for i := 0; i < n; i += step {
		same := alike(l.from(i), n-i)
		fives := same & (same >> 1) & (same >> 2) & (same >> 3)
		ends := fives &^ (fives >> 1)
		sum += count(fives) + (runWeight-1)*count(ends)
	}
	return sum
}

// alike marks each of the first n modules of a word that has the colour of the next one.
func alike(word uint64, n int) uint64 {
	same := ^(word ^ word>>1)
	if n <= 64 {
		same &= 1<<(n-1) - 1
	}
	return same
}

// count returns how many of the first places of a word are marked; the others belong to the next word.
func count(marks uint64) int { return bits.OnesCount64(marks & (1<<step - 1)) }

// blocks counts the squares of 2 × 2 modules of one colour, overlapping ones included.
func blocks(rows []line) int {
	sum, n := 0, len(rows)
	for y := range n - 1 {
		for i := 0; i < n; i += step {
			upper, lower := rows[y].from(i), rows[y+1].from(i)
			sum += count(alike(upper, n-i) & alike(lower, n-i) &^ (upper ^ lower))
		}
	}
	return sum
}

// finders counts what a scanner may take for a finder: dark-light-dark-dark-dark-light-dark, with four light modules
// before or behind it. The quiet zone counts as light.
func finders(l *line, n int) int {
	sum := 0
	for i := -quiet; i < n; i += step {
		w := l.from(i)
		light := ^(w | w>>1 | w>>2 | w>>3)
		core := w & (w >> 2) & (w >> 3) & (w >> 4) & (w >> 6) &^ (w >> 1) &^ (w >> 5)
		sum += count(light&(core>>4)) + count(core&(light>>7))
	}
	return sum
}

// imbalance counts the whole steps of 5 percent by which the share of dark modules is away from one half.
func imbalance(rows []line) int {
	dark, all := 0, len(rows)*len(rows)
	for _, row := range rows {
		dark += bits.OnesCount64(row[0]) + bits.OnesCount64(row[1]) + bits.OnesCount64(row[2])
	}
	return max(2*dark-all, all-2*dark) * 10 / all
}
