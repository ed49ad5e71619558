package directory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

const header = "工号,姓名,手机,邮箱,部门,负责人\n"

// importFile runs an import to its end and returns what it came to.
func (o office) importFile(by access.Actor, content string, dry bool) (directory.Import, []string) {
	o.t.Helper()
	id, err := o.StartImport(ctx, by, "花名册.csv", []byte(content), dry)
	if err != nil {
		o.t.Fatal(err)
	}
	o.work()
	return o.result(by, id)
}

func (o office) work() {
	o.t.Helper()
	if worked, err := directory.NewImporter(o.Service, slog.New(slog.DiscardHandler)).Next(ctx); !worked || err != nil {
		o.t.Fatalf("importer: worked %v, %v", worked, err)
	}
}

func (o office) result(by access.Actor, id int64) (directory.Import, []string) {
	o.t.Helper()
	i, err := o.ImportByID(ctx, by, id)
	if err != nil {
		o.t.Fatal(err)
	}
	problems, err := o.ImportRows(ctx, by, id, "refused", 0)
	if err != nil {
		o.t.Fatal(err)
	}
	var out []string
	for _, p := range problems {
		out = append(out, fmt.Sprint(p.Row, " ", p.Column, " ", p.Cause.Key))
	}
	return i, out
}

func figures(i directory.Import) string {
	return fmt.Sprintf("%s created %d changed %d unchanged %d refused %d departments %d", i.State, i.Created, i.Changed, i.Unchanged, i.Refused, i.Departments)
}

func wantFigures(t *testing.T, i directory.Import, want string) {
	t.Helper()
	if got := figures(i); got != want {
		t.Errorf("import: %s, want %s", got, want)
	}
}

func wantProblems(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("refused:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const mixed = header +
	"DP0005,顾晓棠,13800000005,,研发中心/平台组,\n" + // as it is
	"DP0006,卢嘉和,13800000006,lu@example.com,晨星科技/市场部,\n" + // name and e-mail
	"DP0101,李雷,１３９０００００００１,,研发中心/算法组/训练,是\n" + // new, in a new department, head of it
	",韩梅梅,+86 139-0000-0002,,,\n" + // new, nowhere
	"DP0103,短号,1390000,,,\n" +
	"DP0104,,13900000004,,,\n" +
	"DP0105,坏邮箱,13900000005,a@,,\n" +
	"DP0101,李雷二,13900000006,,,\n" + // second row of DP0101
	",又是她,13900000002,,,\n" + // second row of that phone
	"DP0003,许一诺,13800000004,,,\n" + // 程远's phone
	"DP0999,冒名,13800000003,,,\n" + // another job number with 许一诺's phone
	"DP0110," + "长" + ",13900000010,,a//b,\n" +
	"DP0111,也许,13900000011,,,maybe\n" +
	"DP0112,=cmd|' /C calc'!A0,13900000012,,,\n"

func TestImport(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		problems := []string{"6 phone contacts.field.phone.bad", "7 name contacts.field.name.missing", "8 email contacts.field.email.bad",
			"9  import.cause.twice", "10  import.cause.twice", "11 phone contacts.field.phone.taken.by", "12 phone contacts.field.phone.taken.by",
			"13 department import.cause.department.path", "14 head import.cause.head"}
		before := o.count("SELECT count(*) FROM members")
		dry, got := o.importFile(o.w.Super, mixed, true)
		wantFigures(t, dry, "done created 3 changed 1 unchanged 1 refused 9 departments 2")
		wantProblems(t, got, problems...)
		if now := o.count("SELECT count(*) FROM members"); now != before || o.count("SELECT count(*) FROM departments") != 4 {
			t.Fatal("a dry run wrote something")
		}
		id, err := o.ApplyImport(ctx, o.w.Super, dry.ID)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := o.ApplyImport(ctx, o.w.Super, dry.ID); err != nil || again != id {
			t.Errorf("pressed twice: run %d, %v; want %d", again, err, id)
		}
		o.work()
		i, got := o.result(o.w.Super, id)
		wantFigures(t, i, "done created 3 changed 1 unchanged 1 refused 9 departments 2")
		wantProblems(t, got, problems...)
		if o.count("SELECT count(*) FROM members") != before+3 || o.count("SELECT sum(length(content)) FROM imports") != 0 {
			t.Error("members written, or the files kept, wrongly")
		}
		lei := o.actor(int64(o.count("SELECT id FROM members WHERE phone = '+8613900000001'")))
		if !lei.Head() || len(lei.Own) != 1 || lei.Own[0] != lei.Led[0] || !o.w.Head.Leads(lei.Own[0]) {
			t.Errorf("the new head: %+v", lei)
		}
		if o.count("SELECT count(*) FROM members WHERE name = '卢嘉和' AND email = 'lu@example.com' AND job_number = 'DP0006'") != 1 {
			t.Error("the changed member is not as in the file")
		}
		third, _ := o.importFile(o.w.Super, mixed, false)
		wantFigures(t, third, "done created 0 changed 0 unchanged 5 refused 9 departments 0")
	})
}

func TestImportByAHead(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.exec("INSERT INTO member_departments (member_id, department_id) VALUES (?, ?), (?, ?), (?, ?)",
			o.w.Super2.MemberID, o.w.Platform, o.w.OtherHead.MemberID, o.w.Platform, o.w.Staff.MemberID, o.w.Marketing)
		i, got := o.importFile(o.w.Head, header+
			"DP0101,李雷,13900000001,,研发中心/平台组,\n"+
			"DP0102,无部门,13900000002,,,\n"+
			"DP0103,新部门,13900000003,,研发中心/算法组,\n"+
			"DP0104,别处,13900000004,,市场部,\n"+
			"DP0002,陆望,13900000005,,研发中心/平台组,\n"+
			"DP0004,程远,13900000006,,研发中心/平台组,\n"+
			"DP0006,卢嘉禾,13900000007,,研发中心/平台组,\n"+
			"DP0108,想当,13900000008,,研发中心/平台组,是\n"+
			"DP0109,占号,13800000006,,研发中心,\n"+
			"DP0005,顾晓棠,13800000005,,研发中心,\n", false)
		wantFigures(t, i, "done created 1 changed 1 unchanged 0 refused 8 departments 0")
		wantProblems(t, got, "3 department import.cause.department.missing", "4 department import.cause.department.unknown",
			"5 department import.cause.department.scope", "6  import.cause.super", "7  import.cause.above", "8  import.cause.foreign",
			"9 head import.cause.appoint", "10 phone contacts.field.phone.taken")
		if own := o.actor(o.w.Staff.MemberID).Own; len(own) != 2 {
			t.Errorf("the member moved inside the scope belongs to %v; 市场部 must stay", own)
		}
		_, err := o.StartImport(ctx, o.w.Staff, "x.csv", []byte(mixed), true)
		wantForbidden(t, err)
		_, err = o.ImportByID(ctx, o.w.OtherHead, i.ID)
		wantNotFound(t, err)
	})
}

// Each row sees what the rows before it did, even when the database would take
// offence at the order inside one statement.
func TestPhonesMoveOnInOneFile(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		i, got := o.importFile(o.w.Super, header+
			"DP0006,卢嘉禾,13900000099,,,\n"+ // gives 13800000006 away
			"DP0005,顾晓棠,13800000006,,,\n"+ // takes it and gives 13800000005 away
			"DP0004,程远,13800000005,,,\n"+
			"DP0300,新人,13800000004,,,\n", false)
		wantFigures(t, i, "done created 1 changed 3 unchanged 0 refused 0 departments 0")
		wantProblems(t, got)
	})
}

func TestADepartedMemberIsNotRaised(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.Depart(ctx, o.w.Super, o.w.Staff.MemberID, "x"); err != nil {
			t.Fatal(err)
		}
		i, _ := o.importFile(o.w.Super, header+"DP0005,顾晓棠,13800000005,,研发中心,\n", false)
		wantFigures(t, i, "done created 1 changed 0 unchanged 0 refused 0 departments 0")
		if o.count("SELECT count(*) FROM members WHERE id = ? AND status = 'departed'", o.w.Staff.MemberID) != 1 {
			t.Error("the departed member changed")
		}
	})
}

func manyRows(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "N%05d,员工%d,1370%07d,p%d@example.com,研发中心/组%d,\n", i, i, i, i, i%50)
	}
	return b.String()
}

// A run cut off between two batches goes on where it was, and counts nothing twice.
func TestAnImportSurvivesARestart(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		content := manyRows(8500) + "N00001,第二次,13900000001,,,\n坏,坏,坏,,,\n"
		id, err := o.StartImport(ctx, o.w.Super, "x.csv", []byte(content), false)
		if err != nil {
			t.Fatal(err)
		}
		stopped, stop := context.WithCancel(ctx)
		defer stop()
		clock := func() time.Time { // the process dies in the batch after the first
			if o.count("SELECT rows_done FROM imports WHERE id = ?", id) > 0 {
				stop()
			}
			return o.clock.Now()
		}
		dying := directory.New(o.db, audit.New(testkit.Keys(), clock), clock)
		if _, err := directory.NewImporter(dying, slog.New(slog.DiscardHandler)).Next(stopped); err != nil {
			t.Fatal(err)
		}
		i, _ := o.result(o.w.Super, id)
		if i.State != directory.Running || i.RowsDone == 0 || i.RowsDone == i.RowsTotal {
			t.Fatalf("not cut off in the middle: %+v", i)
		}
		o.clock.Add(time.Minute) // the dead process's lease
		o.work()
		i, got := o.result(o.w.Super, id)
		wantFigures(t, i, "done created 8500 changed 0 unchanged 0 refused 2 departments 50")
		wantProblems(t, got, "8502  import.cause.twice", "8503 phone contacts.field.phone.bad")
	})
}

func TestCancelAndLostRights(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id, err := o.StartImport(ctx, o.w.Head, "x.csv", []byte(header+"A1,李雷,13900000001,,研发中心,\n"), false)
		if err != nil {
			t.Fatal(err)
		}
		wantNotFound(t, o.CancelImport(ctx, o.w.OtherHead, id))
		if err := o.CancelImport(ctx, o.w.Head, id); err != nil {
			t.Fatal(err)
		}
		var c fault.Conflict
		if err := o.CancelImport(ctx, o.w.Head, id); !errors.As(err, &c) {
			t.Errorf("cancelled twice: %v", err)
		}
		id, err = o.StartImport(ctx, o.w.Head, "x.csv", []byte(header+"A1,李雷,13900000001,,研发中心,\n"), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Depart(ctx, o.w.Super, o.w.Head.MemberID, "x"); err != nil {
			t.Fatal(err)
		}
		o.work()
		if i, _ := o.result(o.w.Super, id); i.State != directory.Failed || i.Why().Key != "import.cause.rights" || i.Created != 0 {
			t.Errorf("after its author departed: %+v", i)
		}
	})
}

// A large organisation at once; the benches have the largest.
func TestTwentyThousandRows(t *testing.T) {
	content := manyRows(20_000)
	onBoth(t, func(t *testing.T, o office) {
		for _, want := range []string{"done created 20000 changed 0 unchanged 0 refused 0 departments 50", "done created 0 changed 0 unchanged 20000 refused 0 departments 0"} {
			i, _ := o.importFile(o.w.Super, content, false)
			wantFigures(t, i, want)
		}
		for _, q := range []directory.Search{{}, {Query: "员工4999"}, {Query: "4999"}, {Department: o.w.RD}} {
			if _, err := o.Members(ctx, o.w.Super, q); err != nil {
				t.Fatal(err)
			}
		}
	})
}
