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
	tool(t, "pdftoppm", "-png", "-r", fmt.Sprint(dpi), file, filepath.Join(dir, "p"))
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

// Three hundred posters of every size, painted, say their URL to two decoders. req: A04, A08
func TestPostersAreReadByTwoDecoders(t *testing.T) {
	var files, want []string
	for i := range 300 {
		data, err := poster(t, i).PDF()
		if err != nil {
			t.Fatal(err)
		}
		file := pages(t, data, []int{50, 70, 100}[i%3])[0] // about as many pixels on every paper
		picture, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 { // the other decoder is slow, and a path is a path
			if said, err := qr.Decode(picture); err != nil || said != address(i) {
				t.Errorf("poster %d says %q (%v)", i, said, err)
			}
		}
		files, want = append(files, file), append(want, address(i))
	}
	if got := zbar(t, files...); !slices.Equal(got, want) {
		t.Errorf("zbarimg reads %d of %d posters", len(got), len(want))
	}
}

// Three hundred labels, on sheets as they are printed. req: A04
func TestLabelsAreReadByTwoDecoders(t *testing.T) {
	for name, grid := range Grids {
		sheets := Labels{Lang: "zh-CN", Organisation: "晨星科技", Path: "研发中心", Group: "平台技术交流群", Grid: grid}
		var want []string
		for i := range 300 {
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
		files := pages(t, data, 120)
		got := zbar(t, files...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: zbarimg reads %d of %d labels", name, len(got), len(want))
		}
		checkCells(t, files[0], grid)
	}
}

// checkCells cuts the first sheet into its labels and reads each with the other decoder.
func checkCells(t *testing.T, file string, grid Grid) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	w, h := grid.cell()
	px := float64(picture.Bounds().Dx()) / a4Width
	for i := range grid.Cells() {
		x, y := grid.MarginX+float64(i%grid.Cols)*w, grid.MarginY+float64(i/grid.Cols)*h
		cut := picture.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(image.Rect(int(x*px), int(y*px), int((x+w)*px), int((y+h)*px)))
		var b bytes.Buffer
		if err := png.Encode(&b, cut); err != nil {
			t.Fatal(err)
		}
		if said, err := qr.Decode(b.Bytes()); err != nil || said != address(i) {
			t.Errorf("label %d says %q (%v)", i, said, err)
		}
	}
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
