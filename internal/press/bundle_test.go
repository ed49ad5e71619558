package press

import (
	"image"
	"strings"
	"testing"

	"doorplate/internal/code"
)

// A file that had to do without the logo is told from the others in the index.
func TestIndexSaysWhichFileLacksTheLogo(t *testing.T) {
	b := &Bundle{order: Order{Format: "png", Look: Look{Size: 128, Margin: 4, ECC: "Q", Logo: LogoOwn}}, logo: image.NewGray(image.Rect(0, 0, 64, 64)),
		prints: []bundled{{name: "a.png", plate: code.Plate{Now: code.Live}}, {name: "b.png", plate: code.Plate{Now: code.Live}, bare: true}}}
	index, err := b.index()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(index); strings.Count(text, ",live,") != 1 || strings.Count(text, ",live (without logo),") != 1 {
		t.Errorf("the index says\n%s", text)
	}
}
