package paper

import (
	_ "embed" // the fonts
	"encoding/binary"
	"fmt"
	"sort"
	"sync"
)

// Noto Sans SC, cut to what people write here by fonts.sh: the regular weight holds the 20,902 characters of GBK, the
// bold one the 6,763 of GB 2312; what bold lacks is drawn regular. See font/LICENSE.
var (
	//go:embed font/regular.ttf
	regularFile []byte
	//go:embed font/bold.ttf
	boldFile []byte
)

// Face is a weight of the one font that everything is printed in.
type Face int

// The weights.
const (
	Regular Face = iota
	Bold
)

// faces are read at the first print: a server that prints nothing pays nothing.
var faces = sync.OnceValue(func() [2]*font {
	var out [2]*font
	for face, file := range [][]byte{Regular: regularFile, Bold: boldFile} {
		f, err := readFont(file)
		if err != nil {
			panic("paper: the embedded font: " + err.Error()) // a broken build
		}
		out[face] = f
	}
	return out
})

// font is a TrueType file, read in place.
type font struct {
	tables   map[string][]byte
	groups   []group // of characters, in order
	glyphs   int
	metrics  int // how many advances hmtx has; the last one holds for all after it
	perEm    int
	longLoca bool
}

// group maps the characters first…last to glyphs from glyph on.
type group struct{ first, last, glyph uint32 }

func readFont(file []byte) (*font, error) {
	f := &font{tables: map[string][]byte{}}
	for i := range int(binary.BigEndian.Uint16(file[4:])) {
		entry := file[12+16*i:]
		at, size := binary.BigEndian.Uint32(entry[8:]), binary.BigEndian.Uint32(entry[12:])
		f.tables[string(entry[:4])] = file[at : at+size]
	}
	for _, name := range []string{"head", "hhea", "maxp", "hmtx", "loca", "glyf", "cmap", "OS/2"} {
		if f.tables[name] == nil {
			return nil, fmt.Errorf("no table %s", name)
		}
	}
	f.perEm = int(binary.BigEndian.Uint16(f.tables["head"][18:]))
	f.longLoca = binary.BigEndian.Uint16(f.tables["head"][50:]) == 1
	f.glyphs = int(binary.BigEndian.Uint16(f.tables["maxp"][4:]))
	f.metrics = int(binary.BigEndian.Uint16(f.tables["hhea"][34:]))
	return f, f.readCharacters()
}

// readCharacters finds the subtable that lists the characters in segments
// (format 4; the font has none beyond its reach).
func (f *font) readCharacters() error {
	cmap := f.tables["cmap"]
	for i := range int(binary.BigEndian.Uint16(cmap[2:])) {
		if sub := cmap[binary.BigEndian.Uint32(cmap[4+8*i+4:]):]; binary.BigEndian.Uint16(sub) == 4 {
			f.readSegments(sub)
			return nil
		}
	}
	return fmt.Errorf("no table of characters in format 4")
}

func (f *font) readSegments(sub []byte) {
	n := int(binary.BigEndian.Uint16(sub[6:]))
	for i := 0; i < n; i += 2 {
		last, first := binary.BigEndian.Uint16(sub[14+i:]), binary.BigEndian.Uint16(sub[16+n+i:])
		delta, at := binary.BigEndian.Uint16(sub[16+2*n+i:]), 16+3*n+i
		offset := int(binary.BigEndian.Uint16(sub[at:]))
		for r := uint32(first); r <= uint32(last) && r != 0xffff; r++ {
			glyph := uint16(r) + delta
			if offset != 0 {
				if glyph = binary.BigEndian.Uint16(sub[at+offset+2*int(r-uint32(first)):]); glyph != 0 {
					glyph += delta
				}
			}
			f.add(r, uint32(glyph))
		}
	}
}

// add notes a character, in the last group if it goes on with it.
func (f *font) add(r, glyph uint32) {
	if glyph == 0 {
		return
	}
	if n := len(f.groups); n > 0 {
		if g := &f.groups[n-1]; g.last+1 == r && g.glyph+r-g.first == glyph {
			g.last = r
			return
		}
	}
	f.groups = append(f.groups, group{r, r, glyph})
}

// glyph is the glyph of a character, 0 when the font has none.
func (f *font) glyph(r rune) uint16 {
	i := sort.Search(len(f.groups), func(i int) bool { return f.groups[i].last >= uint32(r) })
	if i == len(f.groups) || f.groups[i].first > uint32(r) {
		return 0
	}
	return uint16(f.groups[i].glyph + uint32(r) - f.groups[i].first)
}

// advance is how far a glyph moves the pen, in thousandths of the size.
func (f *font) advance(glyph uint16) int {
	i := min(int(glyph), f.metrics-1)
	return int(binary.BigEndian.Uint16(f.tables["hmtx"][4*i:])) * 1000 / f.perEm
}

// outline is the description of one glyph, empty for a space.
func (f *font) outline(glyph uint16) []byte {
	loca, i := f.tables["loca"], int(glyph)
	if f.longLoca {
		return f.tables["glyf"][binary.BigEndian.Uint32(loca[4*i:]):binary.BigEndian.Uint32(loca[4*i+4:])]
	}
	return f.tables["glyf"][2*int(binary.BigEndian.Uint16(loca[2*i:])) : 2*int(binary.BigEndian.Uint16(loca[2*i+2:]))]
}
