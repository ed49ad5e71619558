package qr

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func read(t testing.TB, data []byte) string {
	t.Helper()
	text, err := Decode(data)
	if err != nil {
		t.Error(err)
	}
	return text
}

// zbar reads files with a decoder that shares no code with ours; texts[i] is what file i must say.
func zbar(t *testing.T, files [][]byte, texts []string) {
	t.Helper()
	program, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Fatal("zbarimg is missing: install the package zbar-tools (apt-get install zbar-tools, brew install zbar)")
	}
	dir := t.TempDir()
	args := []string{"--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"}
	for i, data := range files {
		name := filepath.Join(dir, fmt.Sprintf("%04d.png", i))
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	var complaints bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("zbarimg: %v: %s", err, complaints.String())
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i, want := range texts {
		if i >= len(got) || got[i] != want {
			t.Fatalf("zbarimg reads %d of %d files; the first it misses is %d, %q", len(got), len(texts), i, want)
		}
	}
	if len(got) > len(texts) {
		t.Errorf("zbarimg reads %d codes in %d files", len(got), len(texts))
	}
}

func TestEveryVersionIsReadByTwoDecoders(t *testing.T) {
	var files [][]byte
	var texts []string
	everyVersion(t, func(text string, level Level, m *Matrix) {
		data := paint(t, m, max(MinSize, 4*(m.Size()+8)))
		if got := read(t, data); got != text {
			t.Errorf("version %d level %d reads %q, want %q", version(m), level, got, text)
		}
		files, texts = append(files, data), append(texts, text)
	})
	zbar(t, files, texts)
}

func TestEverySizeIsReadByTwoDecoders(t *testing.T) {
	m := encode(t, url, M)
	var files [][]byte
	var texts []string
	for _, size := range []int{128, 163, 164, 200, 256, 300, 511, 512, 1000, 1024, 2048} {
		data := paint(t, m, size)
		if got := read(t, data); got != url {
			t.Errorf("size %d reads %q", size, got)
		}
		files, texts = append(files, data), append(texts, url)
	}
	zbar(t, files, texts)
}

func TestEveryLengthIsReadByTwoDecoders(t *testing.T) {
	var files [][]byte
	var texts []string
	for n := 1; n <= len(url)*2; n++ {
		text := (url + url)[:n]
		data := paint(t, encode(t, text, Level(n%4)), 256)
		if got := read(t, data); got != text {
			t.Errorf("%d bytes read %q", n, got)
		}
		files, texts = append(files, data), append(texts, text)
	}
	zbar(t, files, texts)
}
