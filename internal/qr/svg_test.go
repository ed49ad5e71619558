package qr

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"regexp"
	"strings"
	"testing"
)

var bar = regexp.MustCompile(`^M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// drawPath fills the bars of path into a picture of side × side units, scale pixels each.
func drawPath(t *testing.T, path string, side, scale int) *image.Gray {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	for i := range picture.Pix {
		picture.Pix[i] = 0xff
	}
	for path != "" {
		var x, y, n, back int
		m := bar.FindString(path)
		if _, err := fmt.Sscanf(m, "M%d %dh%dv1h-%dz", &x, &y, &n, &back); err != nil || n != back {
			t.Fatalf("path goes on with %.30q (%v)", path, err)
		}
		for py := y * scale; py < (y+1)*scale; py++ {
			for px := x * scale; px < (x+n)*scale; px++ {
				picture.SetGray(px, py, color.Gray{})
			}
		}
		path = path[len(m):]
	}
	return picture
}

func TestSVGPathDrawsTheCode(t *testing.T) {
	for _, text := range []string{"a", url, strings.Repeat(url, 10)} {
		m := encode(t, text, M)
		path, side := m.SVGPath()
		if side != m.Size()+8 {
			t.Errorf("side %d for %d modules", side, m.Size())
		}
		picture := drawPath(t, path, side, 1)
		for y := range side {
			for x := range side {
				if dark := picture.GrayAt(x, y).Y == 0; dark != m.Dark(x-4, y-4) {
					t.Fatalf("unit %d, %d is dark: %v", x, y, dark)
				}
			}
		}
		if got := read(t, toPNG(t, drawPath(t, path, side, 4))); got != text {
			t.Errorf("the drawn path reads %q", got)
		}
	}
}

func TestSVGIsADocument(t *testing.T) {
	m := encode(t, url, M)
	var doc struct {
		XMLName   xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox   string   `xml:"viewBox,attr"`
		Rendering string   `xml:"shape-rendering,attr"`
		Paths     []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(m.SVG(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.ViewBox != "0 0 41 41" || doc.Rendering != "crispEdges" || len(doc.Paths) != 2 {
		t.Fatalf("%+v", doc)
	}
	if ground := doc.Paths[0]; ground.Fill != "#fff" || ground.D != "M0 0h41v41H0z" {
		t.Errorf("ground %+v", ground)
	}
	if path, _ := m.SVGPath(); doc.Paths[1].D != path || doc.Paths[1].Fill != "#0b1220" {
		t.Errorf("modules are filled with %s", doc.Paths[1].Fill)
	}
	if strings.Contains(string(m.SVG()), "script") {
		t.Error("there is a script")
	}
}
