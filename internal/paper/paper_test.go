package paper

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"doorplate/internal/qr"
)

// tool runs a program of poppler or zbar.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: run `make test-tools` (Debian: apt-get install poppler-utils zbar-tools)", name)
	}
	var out, complaints bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %.500s", name, err, complaints.String())
	}
	return out.String()
}

// pages paints a PDF and returns the files of its pages.
func pages(t *testing.T, data []byte, dpi int) []string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "pdftoppm", "-png", "-gray", "-r", fmt.Sprint(dpi), file, filepath.Join(dir, "p"))
	all, err := filepath.Glob(filepath.Join(dir, "p-*.png"))
	if err != nil || len(all) == 0 {
		t.Fatal("no pages", err)
	}
	return all
}

func words(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return tool(t, "pdftotext", "-layout", file, "-")
}

func zbar(t *testing.T, files ...string) []string {
	t.Helper()
	return strings.Fields(tool(t, "zbarimg", append([]string{"--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"}, files...)...))
}

func address(i int) string { return fmt.Sprintf("https://door.chenxing.example/j/1%028d", i*104729) }

func codeOf(t testing.TB, i int, level qr.Level) *qr.Matrix {
	t.Helper()
	m, err := qr.Encode(address(i), level)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const longName = "这是一个非常非常长的群名称用来看看六十个字的群名在门牌海报上会不会换行缩小或者溢出边界还要再补一些字凑够六十个字才行啊好了"

func poster(t testing.TB, i int) Poster {
	names := []string{"平台技术交流群", "Platform Engineering Knowledge Exchange and Announcements", longName, "👩‍👩‍👧 Q3 🎉 שלום", "<b>群</b>"}
	return Poster{Size: Sizes[i%3], Lang: []string{"zh-CN", "en"}[i%2], Organisation: "晨星科技", Path: "研发中心 / 平台组", Group: names[i%len(names)],
		Seal: []string{"", "官方群"}[i%2], Invite: "微信或相机扫码，申请加入", Benefit: strings.Repeat("好处", i%40), Purpose: strings.Repeat("用途", i%200),
		Validity: "永久有效", Typed: "扫不出来，输入 door.chenxing.example/s 和", TypedCode: "7KD2-MQ9X", Serial: "No. 7", Place: "电梯厅", Code: codeOf(t, i, qr.Q)}
}

// A hundred and twenty posters of every size, painted, say their URL to two decoders.
// They are pages of a few files, which paint faster. req: A04, A08
func TestPostersAreReadByTwoDecoders(t *testing.T) {
	var files, want []string
	for i, dpi := range []int{45, 64, 90} { // about as many pixels on every paper
		sheet := newDocument("", "zh-CN")
		for n := range 40 {
			sheet.poster(poster(t, 3*n+i))
			want = append(want, address(3*n+i))
		}
		data, err := sheet.bytes()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, pages(t, data, dpi)...)
	}
	eachPage(files, func(i int) {
		page := picture(t, files[i])
		w, h := page.Bounds().Dx(), page.Bounds().Dy()
		read(t, page, image.Rect(w/5, h/5, w*4/5, h*4/5), want[i])
	})
	if got := zbar(t, files...); !slices.Equal(got, want) {
		t.Errorf("zbarimg reads %d of %d posters", len(got), len(want))
	}
}

// eachPage works on two pages at a time.
func eachPage(files []string, f func(i int)) {
	var work sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i := range files {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f(i)
		})
	}
	work.Wait()
}

func picture(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// read cuts a part out of a page, which must say a text to the decoder the product has, and returns it.
func read(t *testing.T, page image.Image, part image.Rectangle, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	cut := page.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(part)
	if err := png.Encode(&b, cut); err != nil {
		t.Fatal(err)
	}
	if said, err := qr.Decode(b.Bytes()); err != nil || said != text {
		t.Errorf("%v says %q (%v), want %q", part, said, err, text)
	}
	return b.Bytes()
}

// A hundred and twenty labels of each grid, on sheets as they are printed, cell by cell. req: A04
func TestLabelsAreReadByTwoDecoders(t *testing.T) {
	for name, grid := range Grids {
		sheets := Labels{Lang: "zh-CN", Organisation: "晨星科技", Path: "研发中心", Group: "平台技术交流群", Grid: grid}
		var want []string
		for i := range 120 {
			m, err := grid.Code(address(i))
			if err != nil {
				t.Fatal(err)
			}
			sheets.Labels = append(sheets.Labels, Label{Code: m, Serial: fmt.Sprintf("No. %03d", i), TypedCode: "7KD2-MQ9X", Place: "电梯厅"})
			want = append(want, address(i))
		}
		data, err := sheets.PDF()
		if err != nil {
			t.Fatal(err)
		}
		dir, files := t.TempDir(), pages(t, data, 110)
		cells := make([]string, len(want))
		eachPage(files, func(n int) {
			page := picture(t, files[n])
			for i := range min(grid.Cells(), len(want)-n*grid.Cells()) {
				at := n*grid.Cells() + i
				cells[at] = filepath.Join(dir, fmt.Sprintf("%03d.png", at))
				if err := os.WriteFile(cells[at], read(t, page, grid.pixels(i, page.Bounds().Dx()), want[at]), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
		if got := zbar(t, cells...); !slices.Equal(got, want) {
			t.Errorf("%s: zbarimg reads %d of %d labels", name, len(got), len(want))
		}
	}
}

// pixels is where the code of a cell lies on a picture of the sheet.
func (g Grid) pixels(cell, width int) image.Rectangle {
	w, h := g.cell()
	at := g.layout()
	code := at.panel(at.plate).at(g.MarginX+float64(cell%g.Cols)*(w+g.GapX), g.MarginY+float64(cell/g.Cols)*(h+g.GapY))
	px := float64(width) / a4Width
	return image.Rect(int(code.x*px), int(code.y*px), int((code.x+code.w)*px), int((code.y+code.h)*px))
}

// What a reader copies or searches is what was meant, rare characters included.
func TestTextOnPaperIsText(t *testing.T) {
	p := poster(t, 0)
	p.Group, p.Path, p.Organisation = "龘靐齉爩交流群", "繁體中文 / 𠮷野家", "晨星🌟科技"
	data, err := p.PDF()
	if err != nil {
		t.Fatal(err)
	}
	got := words(t, data)
	for _, want := range []string{"晨星□科技", "繁體中文 / □野家", "龘靐齉爩交流群", "微信或相机扫码，申请加入", "永久有效", "7KD2-MQ9X", "No. 7", "电梯厅"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if len(data) > 120_000 {
		t.Errorf("%d bytes: only what is used of the font belongs into the file", len(data))
	}
	again, err := p.PDF()
	if err != nil || !bytes.Equal(data, again) {
		t.Error("the same poster gives other bytes")
	}
	if _, err := (Poster{Size: "a3", Code: p.Code}).PDF(); !errors.Is(err, ErrSize) {
		t.Errorf("a3: %v", err)
	}
}

func TestSheetHoldsEveryCode(t *testing.T) {
	s := Sheet{Lang: "zh-CN", Title: "研发中心·扫码入群", Lead: "晨星科技", Page: func(n, of int) string { return fmt.Sprintf("%d / %d", n, of) }}
	var want []string
	for i := range 30 {
		m, err := SheetCode(address(i))
		if err != nil {
			t.Fatal(err)
		}
		s.Entries = append(s.Entries, Entry{Code: m, Group: longName[:3*(i+1)], Purpose: strings.Repeat("用途", i), Validity: "永久有效", Typed: "7KD2-MQ9X"})
		want = append(want, address(i))
	}
	data, err := s.PDF()
	if err != nil {
		t.Fatal(err)
	}
	files := pages(t, data, 120)
	got := zbar(t, files...)
	slices.Sort(got)
	slices.Sort(want)
	if len(files) != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages, %d of %d codes", len(files), len(got), len(want))
	}
	if text := words(t, data); !strings.Contains(strings.ReplaceAll(text, " ", ""), "3/3") {
		t.Errorf("the text ends with %q", text[max(0, len(text)-200):])
	}
}

func TestGridsThatCannotBePrinted(t *testing.T) {
	m := codeOf(t, 1, qr.M)
	for _, c := range []struct {
		grid  Grid
		field string
	}{
		{Grid{Cols: 0, Rows: 1}, "cols"}, {Grid{Cols: 9, Rows: 1}, "cols"}, {Grid{Cols: 1, Rows: 21}, "rows"}, {Grid{Cols: 1, Rows: 1, MarginX: -1}, "margin"},
		{Grid{Cols: 1, Rows: 1, MarginY: 61}, "margin"}, {Grid{Cols: 2, Rows: 2, GapX: 41}, "gap"}, {Grid{Cols: 8, Rows: 20}, "module"},
		{Grid{Cols: 8, Rows: 2, MarginX: 60, GapX: 40}, "module"}, {Grid{Cols: 4, Rows: 9}, "module"},
	} {
		var wrong GridError
		if err := c.grid.Check(m); !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%+v: %v, want %s", c.grid, err, c.field)
		}
	}
	for name, g := range Grids {
		if err := g.Check(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if mm := PosterModule("a4", codeOf(t, 1, qr.Q)); mm < 2.5 {
		t.Errorf("a poster's module is %.2f mm", mm)
	}
}
