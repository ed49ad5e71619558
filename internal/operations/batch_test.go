package operations_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/operations"
)

func (w *world) order() operations.Order {
	return operations.Order{Type: group.Training, DepartmentID: fmt.Sprint(w.Platform), Purpose: "通知", JoinMode: group.Approval}
}

func (w *world) start(by access.Actor, o operations.Order) int64 {
	w.t.Helper()
	id, err := w.ops.Start(ctx, by, o)
	w.must(err)
	return id
}

func wrongField(err error) string {
	var bad fault.Invalid
	if errors.As(err, &bad) {
		for field, m := range bad {
			return field + " " + m.Key
		}
	}
	return fmt.Sprint(err)
}

// Five hundred groups with a code each are made at once, and pressing twice makes them once. req: D28, D44
func TestABatchOfFiveHundred(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		o := w.order()
		o.Pattern, o.From, o.Count, o.Code, o.Owner = "高一（{n}）班", "1", "500", "30d", "DP0005"
		id := w.start(w.Head, o)
		p, err := w.ops.Preview(ctx, w.Head, id)
		if err != nil || p.Bad != 0 || len(p.Lines) != 500 || p.Lines[499].Seed.Name != "高一（500）班" || p.Lines[0].Owner != "顾晓棠" || p.Lines[0].Lineage != "研发中心 / 平台组" {
			t.Fatalf("%d lines, %d bad, %v, %+v", len(p.Lines), p.Bad, err, p.Lines[0])
		}
		var errs [6]error
		together(func() { errs[0] = w.ops.Create(ctx, w.Head, id) }, func() { errs[1] = w.ops.Create(ctx, w.Head, id) }, func() { errs[2] = w.ops.Create(ctx, w.Head, id) },
			func() { errs[3] = w.ops.Create(ctx, w.Head, id) }, func() { errs[4] = w.ops.Create(ctx, w.Head, id) }, func() { errs[5] = w.ops.Create(ctx, w.Head, id) })
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
		}
		for query, want := range map[string]int{
			"SELECT count(*) FROM groups WHERE type = 'training' AND purpose = '通知' AND capacity = 2000":             500,
			"SELECT count(DISTINCT gid) FROM groups":                                                                 500,
			"SELECT count(*) FROM groups WHERE owner_id IS NOT NULL AND created_by IS NOT NULL AND origin = 'admin'": 500,
			"SELECT count(*) FROM codes c JOIN code_counters n ON n.code_id = c.id WHERE c.validity = '30d'":         500,
			"SELECT count(DISTINCT typed_code) FROM codes":                                                           500,
			"SELECT count(*) FROM audit_entries WHERE action = 'group.create'":                                       500,
			"SELECT count(*) FROM audit_entries WHERE action = 'code.issue'":                                         500,
			"SELECT count(*) FROM audit_entries WHERE action = 'group.batch.create'":                                 1,
			"SELECT count(*) FROM audit_unsealed":                                                                    1001,
			"SELECT count(*) FROM group_batch_rows WHERE outcome = 'done' AND group_id IS NOT NULL":                  500,
		} {
			if got := w.count(query); got != want {
				t.Errorf("%s = %d, want %d", query, got, want)
			}
		}
		plates, err := w.codes.Plates(ctx, w.Head, code.Selection{Batch: id}, false, 1000)
		if err != nil || len(plates) != 500 || plates[0].Now != code.Live {
			t.Errorf("%d plates to print, %v", len(plates), err)
		}
		if plates, err := w.codes.Plates(ctx, w.Super, code.Selection{Batch: id}, false, 1000); err != nil || len(plates) != 0 {
			t.Errorf("somebody else prints %d of them, %v", len(plates), err)
		}
	})
}

// The five hundred and first is refused before anything is written. req: D28
func TestMoreThanABatchIsRefusedAsAWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		o := w.order()
		o.Pattern, o.Count = "{n} 班", "501"
		file := "name\n" + strings.Repeat("a,\n", 501)
		for what, o := range map[string]operations.Order{"pattern": o, "file": {File: []byte(file)}, "names": {Names: strings.Repeat("班\n", 501)}} {
			if _, err := w.ops.Start(ctx, w.Head, o); !strings.Contains(wrongField(err), "many") {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, o := range []operations.Order{{}, {Pattern: "没有编号", Count: "3"}, {Pattern: "{n}", Count: "-1"}, {Pattern: "{n}", Count: "3", From: "x"}, {Names: "a", Code: "x"},
			{File: []byte("只有一列\n甲\n")}, {File: []byte("name\n")}, {File: []byte{0, 1, 2}}, {File: []byte("PK\x03\x04nonsense")}, {File: []byte("name,名称\na,b\n")}} {
			var bad fault.Invalid
			if _, err := w.ops.Start(ctx, w.Head, o); !errors.As(err, &bad) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if n := w.count("SELECT count(*) FROM group_batches") + w.count("SELECT count(*) FROM group_batch_rows"); n != 0 {
			t.Errorf("%d rows were kept", n)
		}
		var missing fault.Forbidden
		if _, err := w.ops.Start(ctx, w.Staff, w.order()); !errors.As(err, &missing) {
			t.Errorf("staff: %v", err)
		}
	})
}

// One wrong row, and none is made; each says what is wrong with it.
func TestABatchIsMadeWholeOrNotAtAll(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		file := `群名称,类型,部门,人数上限,用途,加入方式,群主,入群链接
好的,内部群,研发中心/平台组,30,通知,需审批,13800000005,https://chat.example/a
别的部门,内部群,市场部,30,,,,
外部的,外部群,晨星科技/研发中心,30,,,,
好的,,研发中心 / 平台组,,,,,
,内部群,研发中心,0,,瞎写,没有这人,javascript:alert(1)
`
		want := []string{"", "department_id", "type", "name", "name capacity join_mode owner entry_url"}
		gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(file))
		w.must(err)
		for what, content := range map[string][]byte{"csv": []byte("\ufeff" + file), "gb18030": gb, "xlsx": workbook(t, file)} {
			o := w.order()
			o.File, o.Type = content, group.Internal
			id := w.start(w.Head, o)
			p, err := w.ops.Preview(ctx, w.Head, id)
			w.must(err)
			for i, l := range p.Lines {
				var fields []string
				for _, f := range l.Wrong {
					fields = append(fields, f.Field)
				}
				if got := strings.Join(fields, " "); got != want[i] || l.Row != i+2 {
					t.Errorf("%s, row %d: wrong are %q, want %q", what, l.Row, got, want[i])
				}
			}
			var c fault.Conflict
			if err := w.ops.Create(ctx, w.Head, id); p.Bad != 4 || !errors.As(err, &c) {
				t.Errorf("%s: %d bad, %v", what, p.Bad, err)
			}
			if _, err := w.ops.Preview(ctx, w.Super, id); !errors.Is(err, fault.NotFound) {
				t.Errorf("somebody else reads it: %v", err)
			}
			if err := w.ops.Create(ctx, w.Super, id); !errors.Is(err, fault.NotFound) {
				t.Errorf("somebody else makes it: %v", err)
			}
		}
		if n := w.count("SELECT count(*) FROM groups") + w.count("SELECT count(*) FROM audit_entries"); n != 0 {
			t.Errorf("%d traces of batches that were refused", n)
		}
	})
}

// Between preview and press the world changes: nothing is made then.
func TestABatchIsCheckedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		o := w.order()
		o.Names, o.Owner = "甲\n\n 乙 \n", w.StaffPhone
		id := w.start(w.Head, o)
		w.exec("UPDATE members SET status = 'departed' WHERE id = ?", w.Staff.MemberID)
		var c fault.Conflict
		if err := w.ops.Create(ctx, w.Head, id); !errors.As(err, &c) {
			t.Errorf("with an owner who left: %v", err)
		}
		w.exec("UPDATE members SET status = 'active' WHERE id = ?", w.Staff.MemberID)
		lost := w.Head
		lost.Led = []string{w.MarketingPath}
		if err := w.ops.Create(ctx, lost, id); !errors.As(err, &c) {
			t.Errorf("without the department: %v", err)
		}
		w.must(w.ops.Create(ctx, w.Head, id))
		if n := w.count("SELECT count(*) FROM groups WHERE name IN ('甲', '乙')"); n != 2 {
			t.Errorf("%d groups", n)
		}
	})
}

func TestCodesOfABatchObeyTheTable(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			by         access.Actor
			kind, mode string
			validity   string
			want       string
		}{
			{w.Head, group.Internal, group.Open, code.Permanent, "operations.batch.error.permanent"},
			{w.Super, group.Internal, group.Open, code.Permanent, "codes.error.second"},
			{w.Super, group.External, group.Approval, code.Permanent, "operations.batch.error.permanent"},
			{w.Super, group.External, group.Approval, "7d", ""},
			{w.Head, group.Internal, group.Approval, code.Permanent, ""},
			{w.Super, group.Training, group.Approval, code.Permanent, "charter.error.code.end"},
			{w.Head, group.Training, group.Approval, "30d", ""},
			{w.Head, group.Internal, group.Open, "30d", ""},
		} {
			o := w.order()
			o.Names, o.Type, o.JoinMode, o.Code = "甲", c.kind, c.mode, c.validity
			p, err := w.ops.Preview(ctx, c.by, w.start(c.by, o))
			w.must(err)
			got := ""
			if len(p.Lines[0].Wrong) > 0 {
				got = p.Lines[0].Wrong[0].Key
			}
			if got != c.want {
				t.Errorf("%s %s %s by %s: %q, want %q", c.kind, c.mode, c.validity, c.by.Name, got, c.want)
			}
		}
	})
}

// workbook is the text of a CSV as an XLSX.
func workbook(t *testing.T, text string) []byte {
	t.Helper()
	book := excelize.NewFile()
	for r, line := range strings.Split(strings.TrimSpace(text), "\n") {
		for c, cell := range strings.Split(line, ",") {
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err == nil {
				err = book.SetCellStr("Sheet1", at, cell)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
