package paper

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// subset is the part of a font that one document uses. Its glyphs are numbered
// anew, in the order in which they are first drawn; 0 is the missing one.
type subset struct {
	*font
	numbers map[uint16]uint16 // glyph of the font → glyph here
	glyphs  []uint16          // glyph here → glyph of the font
	runes   []rune            // glyph here → what it says, for those who copy or search
}

func newSubset(f *font) *subset {
	return &subset{font: f, numbers: map[uint16]uint16{0: 0}, glyphs: []uint16{0}, runes: []rune{0}}
}

// use returns the number of a character's glyph.
func (s *subset) use(r rune) uint16 { return s.take(s.glyph(r), r) }

func (s *subset) take(glyph uint16, r rune) uint16 {
	if n, known := s.numbers[glyph]; known {
		return n
	}
	n := uint16(len(s.glyphs))
	s.numbers[glyph] = n
	s.glyphs, s.runes = append(s.glyphs, glyph), append(s.runes, r)
	return n
}

// Flags of a part of a compound glyph (OpenType, table glyf).
const (
	argumentsAreWords = 1 << 0
	hasScale          = 1 << 3
	moreParts         = 1 << 5
	hasTwoScales      = 1 << 6
	hasMatrix         = 1 << 7
)

// renumbered is a glyph's outline with its parts, if it is made of others, in
// our numbers. The parts join the subset.
func (s *subset) renumbered(glyph uint16) []byte {
	outline := s.outline(glyph)
	if len(outline) < 10 || int16(binary.BigEndian.Uint16(outline)) >= 0 {
		return outline
	}
	outline = bytes.Clone(outline)
	for at, more := 10, true; more; {
		flags := binary.BigEndian.Uint16(outline[at:])
		part := outline[at+2:]
		binary.BigEndian.PutUint16(part, s.take(binary.BigEndian.Uint16(part), 0))
		at += partLength(flags)
		more = flags&moreParts != 0
	}
	return outline
}

func partLength(flags uint16) int {
	n := 6
	if flags&argumentsAreWords != 0 {
		n += 2
	}
	switch {
	case flags&hasScale != 0:
		n += 2
	case flags&hasTwoScales != 0:
		n += 4
	case flags&hasMatrix != 0:
		n += 8
	}
	return n
}

// file is a TrueType font that holds the glyphs used and nothing else.
func (s *subset) file() []byte {
	var glyf, loca, hmtx []byte
	for i := 0; i < len(s.glyphs); i++ { // grows while parts are found
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, s.renumbered(s.glyphs[i])...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	for _, g := range s.glyphs {
		hmtx = append(hmtx, s.metric(g)...)
	}
	head, hhea, maxp := bytes.Clone(s.tables["head"]), bytes.Clone(s.tables["hhea"]), bytes.Clone(s.tables["maxp"])
	binary.BigEndian.PutUint16(head[50:], 1)
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(s.glyphs)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(s.glyphs)))
	all := map[string][]byte{"head": head, "hhea": hhea, "maxp": maxp, "hmtx": hmtx, "loca": loca, "glyf": glyf}
	for _, name := range []string{"cvt ", "fpgm", "prep"} { // the hints, if there are any
		if table := s.tables[name]; table != nil {
			all[name] = table
		}
	}
	return fontFile(all)
}

// metric is the advance and the left side bearing of a glyph.
func (s *subset) metric(glyph uint16) []byte {
	hmtx, i := s.tables["hmtx"], int(glyph)
	if i < s.metrics {
		return hmtx[4*i : 4*i+4]
	}
	last := hmtx[4*(s.metrics-1):]
	bearing := hmtx[4*s.metrics+2*(i-s.metrics):]
	return []byte{last[0], last[1], bearing[0], bearing[1]}
}

// fontFile puts tables together, with their sums, which some printers check.
func fontFile(tables map[string][]byte) []byte {
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	sort.Strings(names)
	n := len(names)
	step, log := 1, 0
	for step*2 <= n {
		step, log = step*2, log+1
	}
	out := binary.BigEndian.AppendUint32(nil, 0x00010000)
	for _, v := range []int{n, step * 16, log, (n - step) * 16} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	at := 12 + 16*n
	var body []byte
	for _, name := range names {
		table := tables[name]
		out = append(out, name...)
		out = binary.BigEndian.AppendUint32(out, sum(table))
		out = binary.BigEndian.AppendUint32(out, uint32(at+len(body)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(table)))
		body = append(body, table...)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
	}
	return append(out, body...)
}

func sum(table []byte) (total uint32) {
	for len(table) >= 4 {
		total += binary.BigEndian.Uint32(table)
		table = table[4:]
	}
	var rest [4]byte
	copy(rest[:], table)
	return total + binary.BigEndian.Uint32(rest[:])
}
