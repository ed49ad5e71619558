package paper

import (
	_ "embed" // the font
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// fontFile is Noto Sans SC, cut to the 20,902 characters of GBK by fonts.sh. See font/LICENSE.
//
//go:embed font/regular.ttf
var fontFile []byte

// Face is a weight of the one font that everything is printed in.
type Face int

// The weights. Bold is the regular outline drawn thicker: a second file of
// Chinese would be large, and still hold fewer characters.
const (
	Regular Face = iota
	Bold
)

// perEm are the units that advances are counted in.
const perEm = 1000

// typeface is the font, read once.
type typeface struct {
	*opentype.Font
	advances [1 << 16]uint16 // of a character plus one; 0 is one the font does not have
}

// face is read at the first print: a server that prints nothing pays nothing.
var face = sync.OnceValue(func() *typeface {
	file, err := opentype.Parse(fontFile)
	if err != nil {
		panic("paper: the embedded font: " + err.Error()) // a broken build
	}
	t := &typeface{Font: file}
	var b sfnt.Buffer
	for r := range rune(len(t.advances)) {
		glyph, err := file.GlyphIndex(&b, r)
		if err != nil || glyph == 0 {
			continue
		}
		if wide, err := file.GlyphAdvance(&b, glyph, fixed.I(perEm), font.HintingNone); err == nil {
			t.advances[r] = uint16(wide.Round()) + 1
		}
	}
	return t
})

func (t *typeface) has(r rune) bool { return r >= 0 && int(r) < len(t.advances) && t.advances[r] != 0 }

// advance is how far a character moves the pen, in thousandths of the size.
func (t *typeface) advance(r rune) int {
	if !t.has(r) {
		return perEm
	}
	return int(t.advances[r]) - 1
}
