package paper

import (
	"image"
	"image/color"
	"unicode/utf8"

	letters "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// markSide is the side of a mark, in pixels.
const markSide = 256

// Mark is a sign for an organisation that has no logo: the first letter of its
// name, white on enamel with round corners.
func Mark(name string) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, markSide, markSide))
	const r = markSide / 5
	for y := range markSide {
		for x := range markSide {
			dx, dy := max(r-x, x-(markSide-1-r), 0), max(r-y, y-(markSide-1-r), 0)
			if dx*dx+dy*dy <= r*r {
				out.SetNRGBA(x, y, color.NRGBA{enamel[0], enamel[1], enamel[2], 0xff})
			}
		}
	}
	first, _ := utf8.DecodeRuneInString(clean(name))
	letter, err := opentype.NewFace(face().Font, &opentype.FaceOptions{Size: 170, DPI: 72})
	if err != nil {
		return out // a plain plate still marks the organisation
	}
	defer letter.Close()
	bounds, _ := letters.BoundString(letter, string(first))
	dot := fixed.Point26_6{
		X: fixed.I(markSide/2) - (bounds.Min.X+bounds.Max.X)/2,
		Y: fixed.I(markSide/2) - (bounds.Min.Y+bounds.Max.Y)/2,
	}
	drawer := letters.Drawer{Dst: out, Src: image.NewUniform(color.White), Face: letter, Dot: dot}
	drawer.DrawString(string(first))
	return out
}
