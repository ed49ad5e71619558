package ui

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestIcon(t *testing.T) {
	want := `<svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" ` +
		`stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M5 12l5 5l10 -10" /></svg>`
	if got := render(t, Icon("check", 18)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryIconIsADrawing(t *testing.T) {
	active := regexp.MustCompile(`(?i)<script|style=|\son[a-z]+=|href`)
	for name, inner := range icons {
		svg := render(t, Icon(name, 16))
		if err := wellFormed(svg); err != nil || !strings.HasPrefix(inner, "<") || active.MatchString(svg) {
			t.Errorf("%s is %s (%v)", name, svg, err)
		}
	}
}

func TestUnknownIconFails(t *testing.T) {
	if err := Icon("no-such-icon", 16).Render(t.Context(), io.Discard); err == nil {
		t.Error("rendered")
	}
}

func TestMark(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "static", "img", "mark.svg"))
	if err != nil {
		t.Fatal(err)
	}
	_, inner, _ := strings.Cut(string(file), ">")
	want := `<svg width="32" height="32" viewBox="0 0 64 64" aria-hidden="true">` + strings.TrimSpace(inner)
	if got := render(t, Mark(32)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// iconCall finds Icon("name" and ui.Icon("name" in Go and templ sources.
var iconCall = regexp.MustCompile(`\bIcon\(\s*["` + "`]([^\"`]*)[\"`]")

// TestIconsUsedByPagesExist reads the sources, because a page may draw an icon only in a rare state.
func TestIconsUsedByPagesExist(t *testing.T) {
	read := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isPage(path) {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		for _, name := range unknownIcons(string(source)) {
			t.Errorf("%s draws the unknown icon %q; add its name as static/vendor.sh says", path, name)
		}
		return nil
	})
	if err != nil || read == 0 {
		t.Fatalf("read %d sources: %v", read, err)
	}
}

func isPage(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".templ" || ext == ".go" && !strings.HasSuffix(path, "_test.go")
}

func unknownIcons(source string) []string {
	var unknown []string
	for _, m := range iconCall.FindAllStringSubmatch(source, -1) {
		if _, ok := icons[m[1]]; !ok {
			unknown = append(unknown, m[1])
		}
	}
	return unknown
}

func TestUnknownIconsAreFound(t *testing.T) {
	got := unknownIcons(`@ui.Icon("check", 18) @ui.Icon("nope", 18) @Icon( "neither", n) ui.Icon(` + "`raw`" + `, 2) @BadgeIcon("x1", 2)`)
	if strings.Join(got, " ") != "nope neither raw" {
		t.Errorf("found %q", got)
	}
}
