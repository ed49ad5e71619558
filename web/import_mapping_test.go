package web_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// xlsxOf is a list as XLSX.
func xlsxOf(t *testing.T, rows ...[]any) string {
	t.Helper()
	book := excelize.NewFile()
	for i, row := range rows {
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMappingStory(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		file := "谁,号,<b>备注</b>\n李雷,13900000001,x\n韩梅梅,139,y\n"
		want(t, b.importFile(file), 422) // a script
		rec := b.importFile(file, "ask", "on", "dry_run", "on")
		want(t, rec, 303, "/contacts/import/")
		at := rec.Header().Get("Location")
		want(t, b.get(at), 303, at+"/columns")
		doc := page(t, b.get(at+"/columns"))
		if doc.Find("select").Length() != 3 || doc.Find("select[name=column_1] option[selected]").AttrOr("value", "") != "phone" ||
			doc.Find("select[name=column_0] option[selected]").AttrOr("value", "") != "name" || !strings.Contains(doc.Find("td").Text(), "13900000001") {
			t.Error(doc.Find("table").Text())
		}
		whole(t, at+"/columns", b.get(at+"/columns"))
		want(t, s.as(s.w.Head).get(at+"/columns"), 404)
		want(t, s.as(s.w.Head).post(at+"/columns", "column_0", "name", "column_1", "phone"), 404)
		rec = b.post(at+"/columns", "column_0", "name", "column_1", "name")
		want(t, rec, 422)
		if page(t, rec).Find("select[name=column_1] option[selected]").AttrOr("value", "") != "name" {
			t.Error("what was chosen is gone")
		}
		want(t, b.post(at+"/columns", "column_0", "name", "column_1", "phone"), 303, at)
		s.importWork()
		if state := b.importState(at); state.State != "done" || state.Created != 1 || state.Refused != 1 {
			t.Errorf("%+v", state)
		}
		rec = b.importFile(file, "dry_run", "on")
		want(t, rec, 303, "/contacts/import/")
		s.importWork()
		body := b.get(rec.Header().Get("Location")).Body.String()
		if !strings.Contains(body, "和上次一样") || !strings.Contains(body, rec.Header().Get("Location")+"/columns") {
			t.Error("the page does not say that the columns are those of the last time")
		}
	})
}

func TestWorkbooksComeBackAsWorkbooks(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		rec := b.importFile(xlsxOf(t, []any{"姓名", "手机", "部门"}, []any{"李雷", 13900000001, "市场部"}, []any{"=1+1", "0139", "a&<b>"}))
		want(t, rec, 303, "/contacts/import/")
		s.importWork()
		at := rec.Header().Get("Location")
		if state := b.importState(at); state.Created != 1 || state.Refused != 1 {
			t.Fatalf("%+v", state)
		}
		if page(t, b.get(at)).Find("a[href$='refused.xlsx']").Length() != 1 {
			t.Error("no link to the workbook of refused rows")
		}
		rec = b.get(at + "/refused.xlsx")
		want(t, rec, 200)
		book, err := excelize.OpenReader(bytes.NewReader(rec.Body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := book.GetRows(book.GetSheetList()[0])
		if err != nil || len(rows) != 2 || fmt.Sprintf("%q", rows[1][:3]) != `["'=1+1" "0139" "a&<b>"]` || rows[0][3] != "原因/cause" {
			t.Errorf("%q, %v", rows, err)
		}
		rec = b.importFile(rec.Body.String(), "dry_run", "on")
		want(t, rec, 303)
		s.importWork()
		if state := b.importState(rec.Header().Get("Location")); state.Refused != 1 || state.Rows != 1 {
			t.Errorf("%+v", state)
		}
	})
}

func TestDeparturesOnThePage(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Head)
		list := "工号,姓名,手机\nDP0003,许一诺,13800000003\n"
		want(t, b.importFile(list, "dry_run", "on", "depart", "市场部"), 422)
		want(t, b.importFile(list, "depart", "研发中心"), 422)
		rec := b.importFile(list, "dry_run", "on", "depart", "研发中心")
		want(t, rec, 303, "/contacts/import/")
		s.importWork()
		at := rec.Header().Get("Location")
		doc := page(t, b.get(at))
		if doc.Find("input[name=depart]").Length() != 1 || doc.Find("input[name=depart][checked]").Length() != 0 || !strings.Contains(doc.Find("#list").Text(), "顾晓棠") {
			t.Error(doc.Find("main").Text())
		}
		whole(t, at, b.get(at))
		for _, list := range []string{"created", "kept", "unchanged", "refused", "x"} {
			whole(t, at, b.get(at+"?list="+list+"&q=%00&after=-1"))
		}
		rec = b.post(at+"/apply", "depart", "on", "reason", "", "typed", "7")
		want(t, rec, 422)
		if page(t, rec).Find("#typed").AttrOr("value", "") != "7" {
			t.Error("what was typed is gone")
		}
		rec = b.post(at+"/apply", "depart", "on", "reason", "离开", "typed", "1")
		want(t, rec, 303, "/contacts/import/")
		s.importWork()
		if n := s.count("SELECT count(*) FROM members WHERE id = ? AND status = 'departed' AND departed_reason = '离开'", s.w.Staff.MemberID); n != 1 {
			t.Error("nobody left")
		}
	})
}
