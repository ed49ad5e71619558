package directory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"doorplate/internal/fault"
)

const good = "工号,姓名,手机\nDP1,李雷,13800010001\n\nDP2,\"韩\n梅梅\",13800010002\nDP3,林涛,13800010003\n"

func TestSheetsAreReadByContent(t *testing.T) {
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(good)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"plain": good, "bom": "\ufeff" + good, "gb18030": gb, "utf-16": utf16,
		"crlf": strings.ReplaceAll(good, "\n", "\r\n"), "cr": strings.ReplaceAll(good, "\n", "\r"),
		"semicolon": strings.ReplaceAll(good, ",", ";"), "tab": strings.ReplaceAll(good, ",", "\t"),
		"english": strings.Replace(good, "工号,姓名,手机", " Job_Number , NAME*,Phone", 1), "both": strings.Replace(good, "工号,姓名,手机", "工号/job_number,姓名/name,手机/phone", 1),
	} {
		s, err := readSheet([]byte(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var lines []int
		for _, r := range s.records {
			lines = append(lines, r.line)
		}
		if fmt.Sprint(lines) != "[2 4 6]" || s.cell(s.records[0], "name") != "李雷" || s.cell(s.records[2], "phone") != "13800010003" {
			t.Errorf("%s: lines %v, %v", name, lines, s.records)
		}
	}
}

func TestWhatIsNoSheetIsRefusedWhole(t *testing.T) {
	for name, c := range map[string]struct{ content, key string }{
		"nothing":         {"", "import.file.empty"},
		"blank":           {" \r\n \n", "import.file.empty"},
		"only a header":   {"姓名,手机\n", "import.file.norows"},
		"no header":       {"李雷,13800010001\n", "import.file.header"},
		"one column":      {"姓名\n李雷\n", "import.file.header"},
		"no phone column": {"工号,姓名\n1,李雷\n", "import.file.header"},
		"twice":           {"姓名,手机,phone\na,b,c\n", "import.file.twice"},
		"nul":             {"姓名,手机\n\x00,13800010001\n", "import.file.binary"},
		"png":             {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "import.file.binary"},
		"bytes":           {strings.Repeat("\xff\x81\xfe\x80", 100), "import.file.binary"},
		"broken xlsx":     {"PK\x03\x04 nothing behind it", "import.file.xlsx"},
		"wide":            {strings.Repeat("姓名,手机,", 100_000) + "\n", "import.file.columns"},
		"long":            {"姓名,手机\n" + strings.Repeat("a,b\n", maxRows+1), "import.file.rows"},
	} {
		_, err := readSheet([]byte(c.content))
		var wrong fault.Invalid
		if !errors.As(err, &wrong) || wrong["file"].Key != c.key {
			t.Errorf("%s: %v, want %s", name, err, c.key)
		}
	}
}

// A row that cannot be read must not take the rows below it along.
func TestBrokenRowsDoNotSpread(t *testing.T) {
	s, err := readSheet([]byte("姓名,手机\n\"没有关上,13800010001\n李雷,13800010002\n\"关\"了又来,13800010003\n韩梅梅,13800010004\n" +
		strings.Repeat("x,", 500) + "\n\"林\"\"涛\"\"\" ,13800010005"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.records {
		got = append(got, fmt.Sprint(r.line, r.wrong, s.cell(r, "name")))
	}
	want := []string{"2import.cause.quotes\"没有关上,13800010001", "3李雷", "4import.cause.quotes\"关\"了又来,13800010003", "5韩梅梅", "6import.cause.cellsx", `7林"涛"`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWorkbook(t *testing.T) {
	book := excelize.NewFile()
	for cell, value := range map[string]any{"A1": "姓名", "B1": "手机", "C1": "工号", "A3": "李雷", "B3": 13800010001, "C3": 7} {
		if err := book.SetCellValue("Sheet1", cell, value); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	s, err := readSheet(b.Bytes())
	if err != nil || len(s.records) != 1 || s.records[0].line != 3 || s.cell(s.records[0], "phone") != "13800010001" {
		t.Errorf("workbook: %+v, %v", s, err)
	}
}

func TestDownloadsRunNothing(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCSV(&b, [][]string{{"=1+1", "+86", "-", "@x", "\tx", "a,\"b\"\n", ""}}); err != nil {
		t.Fatal(err)
	}
	if want := "\ufeff'=1+1,'+86,'-,'@x,'\tx,\"a,\"\"b\"\"\r\n\","; b.String() != want+"\r\n" {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

func FuzzReadSheet(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("姓名,手机\n\"a\n\r\"\"b\",c;d\n\"\"\""))
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
			return // excelize has its own fuzzing, and it is slow
		}
		s, err := readSheet(content)
		if err != nil && !errors.As(err, new(fault.Invalid)) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		for i, r := range s.records {
			if r.line < 2 || i > 0 && r.line <= s.records[i-1].line || len(r.cells) == 0 || len(r.cells) > maxCells {
				t.Fatalf("record %d: %+v", i, r)
			}
			s.read(r)
		}
	})
}
