package approval_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"gorm.io/gorm"

	"doorplate/internal/approval"
	"doorplate/internal/testkit"
)

// exported asks for an export of the members, has it approved and fetches it.
func exported(t *testing.T, s *approval.Service, w testkit.World, format string) []byte {
	t.Helper()
	ctx := context.Background()
	id, err := s.AskForExport(ctx, w.Super, approval.ExportDraft{What: "members", Format: format}, "")
	if err == nil {
		err = s.Decide(ctx, w.Super2, id, "approve", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Fetch(ctx, w.Super, id)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(f.Name, "."+format) {
		t.Errorf("a file of %s is named %s", format, f.Name)
	}
	var out bytes.Buffer
	if err := f.Write(ctx, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What went out as a workbook reads back cell by cell, and nothing in it calculates.
func TestAnExportedWorkbookReadsBack(t *testing.T) {
	hostile := map[string]string{ // name → as it is read
		`=HYPERLINK("http://x","点我")`: `'=HYPERLINK("http://x","点我")`, "+A1": "'+A1", "-2+3": "'-2+3", "@SUM(A1:A9)": "'@SUM(A1:A9)",
		`</t></is></c>&amp;<b>"x"`: `</t></is></c>&amp;<b>"x"`, " 前后有空格 ": " 前后有空格 ", "👩‍👩‍👧 𠮷": "👩‍👩‍👧 𠮷", "第一行\n第二行": "第一行\n第二行",
		"\u202eابجد": "\u202eابجد", strings.Repeat("长", 4000): strings.Repeat("长", 4000),
	}
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := service(db, clock)
		want, n := map[string]string{}, 0
		for name, read := range hostile {
			n++
			job := "000" + string(rune('0'+n/10)) + string(rune('0'+n%10)) // a number would lose its zeros
			want[job] = read
			err := db.Exec("INSERT INTO members (name, phone, job_number, status, created_at, updated_at) VALUES (?, ?, ?, 'active', ?, ?)",
				name, "+86138111100"+job[3:], job, clock.Now(), clock.Now()).Error
			if err != nil {
				t.Fatal(err)
			}
		}
		book, err := excelize.OpenReader(bytes.NewReader(exported(t, s, w, approval.XLSX)))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		rows, err := book.GetRows("Sheet1")
		if err != nil || len(rows) != 1+6+len(hostile) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for i, row := range rows {
			for k := range row {
				at, _ := excelize.CoordinatesToCellName(k+1, i+1)
				formula, err1 := book.GetCellFormula("Sheet1", at)
				kind, err2 := book.GetCellType("Sheet1", at)
				if formula != "" || kind != excelize.CellTypeInlineString || err1 != nil || err2 != nil {
					t.Errorf("%s is %v with formula %q, %v %v", at, kind, formula, err1, err2)
				}
			}
			if name, ours := want[row[1]]; ours {
				if delete(want, row[1]); row[2] != name || row[3] != "+86138111100"+row[1][3:] {
					t.Errorf("member %s reads %q", row[1], row[2:])
				}
			}
		}
		if len(want) != 0 {
			t.Errorf("not in the workbook: %q", want)
		}
		plain, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(exported(t, s, w, approval.CSV), []byte("\ufeff")))).ReadAll()
		if err != nil || len(plain) != len(rows) {
			t.Fatalf("%d rows as CSV, %v", len(plain), err)
		}
		for i, row := range rows {
			for len(row) < len(plain[i]) {
				row = append(row, "") // empty cells at the end are left out
			}
			if !reflect.DeepEqual(row, plain[i]) {
				t.Errorf("row %d: %q in the workbook, %q as CSV", i+1, row, plain[i])
			}
		}
	})
}
