package directory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

func (o office) receive(u directory.Upload) directory.Import {
	o.t.Helper()
	u.FileName = "花名册.csv"
	id, err := o.Receive(ctx, o.w.Super, u)
	if err != nil {
		o.t.Fatal(err)
	}
	i, err := o.ImportByID(ctx, o.w.Super, id)
	if err != nil {
		o.t.Fatal(err)
	}
	if !i.Waiting {
		o.work()
	}
	i, _ = o.result(o.w.Super, id)
	return i
}

func (o office) list(id int64, kind string) string {
	o.t.Helper()
	lines, _, err := o.ImportLines(ctx, o.w.Super, id, kind, "", 0)
	if err != nil {
		o.t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprint(l.Row, " ", l.Name, " ", l.Diffs, " ", l.Why().Key))
	}
	return strings.Join(all, "\n")
}

const unknown = "Wer,Wo,Nummer\n李雷,研发中心,13900000001\n韩梅梅,市场部,13900000002\n"

func TestColumnsAreMappedAndRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for _, content := range []string{unknown, "A,B\n1,2\n", "A,B\n13900000001,2\n"} {
			var wrong fault.Invalid
			ask := content != unknown
			if _, err := o.Receive(ctx, o.w.Super, directory.Upload{Content: []byte(content), Ask: ask}); !errors.As(err, &wrong) || wrong["file"].Key != "import.file.header" {
				t.Errorf("%q, somebody to ask %v: %v", content, ask, err)
			}
		}
		i := o.receive(directory.Upload{Content: []byte(unknown), DryRun: true, Ask: true})
		if worked, err := directory.NewImporter(o.Service, slog.New(slog.DiscardHandler)).Next(ctx); worked || err != nil || !i.Waiting {
			t.Fatalf("worked on before the columns are known: %v %v %+v", worked, err, i)
		}
		m, err := o.ImportMapping(ctx, o.w.Super, i.ID)
		if err != nil || fmt.Sprint(m.Files) != "[{Wer [李雷 韩梅梅] name} {Wo [研发中心 市场部] } {Nummer [13900000001 13900000002] phone}]" {
			t.Fatalf("%v, %v", m.Files, err)
		}
		_, err = o.ImportMapping(ctx, o.w.Head, i.ID)
		wantNotFound(t, err)
		for _, bad := range [][]string{nil, {"name"}, {"name", "name", "phone"}, {"name", "super_admin", "phone"}, {"name", "phone", "phone"}} {
			var wrong fault.Invalid
			if _, err := o.MapColumns(ctx, o.w.Super, i.ID, bad); !errors.As(err, &wrong) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		id, err := o.MapColumns(ctx, o.w.Super, i.ID, []string{"name", "department", "phone"})
		if err != nil || id != i.ID {
			t.Fatal(id, err)
		}
		var c fault.Conflict
		if _, err := o.MapColumns(ctx, o.w.Super, i.ID, []string{"name", "department", "phone"}); !errors.As(err, &c) {
			t.Errorf("mapped while it runs: %v", err)
		}
		o.work()
		i, _ = o.result(o.w.Super, id)
		wantFigures(t, i, "done created 2 changed 0 unchanged 0 refused 0 departments 0")
		again, err := o.MapColumns(ctx, o.w.Super, i.ID, []string{"name", "", "phone"})
		if err != nil || again == id {
			t.Fatal(again, err)
		}
		o.work()
		next := o.receive(directory.Upload{Content: []byte(strings.ReplaceAll(unknown, "1390", "1391"))}) // a script: no one to ask
		if !next.Remembered || next.Created != 2 {
			t.Errorf("the columns of the last time: %+v", next)
		}
	})
}

func TestDifferencesAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		i := o.receive(directory.Upload{DryRun: true, Content: []byte(header +
			"DP0005,顾晓棠,13800000005,,研发中心/平台组,\n" +
			"DP0006,卢嘉禾,13800000006,,研发中心,\n" +
			"DP0004,程远,13800000099,c@example.com,,\n" +
			"DP0100,李雷,13900000001,,市场部/新组,是\n")})
		for kind, want := range map[string]string{
			"unchanged": "2 顾晓棠 [] ", "moved": "3 卢嘉禾 [{department 市场部 研发中心}] ",
			"changed": "3 卢嘉禾 [{department 市场部 研发中心}] \n4 程远 [{phone +8613800000004 +8613800000099} {email  c@example.com}] ",
			"created": "5 李雷 [{department  市场部 / 新组} {head  on}] ", "departed": "", "kept": "",
		} {
			if got := o.list(i.ID, kind); got != want {
				t.Errorf("%s: %q, want %q", kind, got, want)
			}
		}
		if i.Moved != 1 || i.Changed != 2 {
			t.Errorf("%+v", i)
		}
		big := o.receive(directory.Upload{DryRun: true, Content: []byte(manyRows(1234))})
		seen, after := 0, 0
		for {
			lines, next, err := o.ImportLines(ctx, o.w.Super, big.ID, "created", "", after)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				if seen++; l.Row != seen+1 {
					t.Fatalf("line %d is %+v", seen, l)
				}
			}
			if after = next; next == 0 {
				break
			}
		}
		if lines, _, err := o.ImportLines(ctx, o.w.Super, big.ID, "created", "员工777", 0); seen != 1234 || err != nil || len(lines) != 1 {
			t.Errorf("%d lines, %d found, %v", seen, len(lines), err)
		}
		_, _, err := o.ImportLines(ctx, o.w.Head, big.ID, "created", "", 0)
		wantNotFound(t, err)
	})
}

func TestWhoIsNotInTheFileLeavesOnlyWithConsent(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		content := header + "DP0005,顾晓棠,13800000005,,研发中心/平台组,\nDP0100,李雷,13900000001,,研发中心,\n,卢嘉禾,1380,,,\n"
		for _, u := range []directory.Upload{{Depart: "没有"}, {Depart: "研发中心"}} { // unknown; not checked first
			u.Content = []byte(content)
			var wrong fault.Invalid
			if _, err := o.Receive(ctx, o.w.Super, u); !errors.As(err, &wrong) || wrong["depart"].Key == "" {
				t.Errorf("%q: %v", u.Depart, err)
			}
		}
		var wrong fault.Invalid
		if _, err := o.Receive(ctx, o.w.Head, directory.Upload{Content: []byte(content), DryRun: true, Depart: "市场部"}); !errors.As(err, &wrong) {
			t.Errorf("a foreign department: %v", err)
		}
		o.exec("INSERT INTO member_departments (member_id, department_id) VALUES (?, ?)", o.w.OtherHead.MemberID, o.w.RD)
		dry := o.receive(directory.Upload{Content: []byte(content), DryRun: true, Depart: "晨星科技"})
		if got := o.list(dry.ID, "departed"); got != "1 许一诺 [{department 研发中心 }] \n2 程远 [{department 市场部；研发中心 }] " || dry.Departed != 2 || dry.DepartOf != 6 {
			t.Fatalf("leaving %q, %+v", got, dry)
		}
		if got := o.list(dry.ID, "kept"); got != "1 周岚 [{department 晨星科技 }] mapping.kept.self\n2 陆望 [{department 晨星科技 }] mapping.kept.super" {
			t.Errorf("kept %q", got)
		}
		for _, c := range []directory.Consent{{Depart: true}, {Depart: true, Reason: "x", Typed: "3"}, {Depart: true, Typed: "2"}} {
			if _, err := o.ApplyWith(ctx, o.w.Super, dry.ID, c); !errors.As(err, &wrong) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		o.exec("UPDATE members SET phone = '+8613800000005x' WHERE id = -1")
		id, err := o.ApplyWith(ctx, o.w.Super, dry.ID, directory.Consent{Depart: true, Reason: "不在花名册里", Typed: "2"})
		if err != nil {
			t.Fatal(err)
		}
		o.exec("UPDATE members SET super_admin = ? WHERE id = ?", true, o.w.OtherHead.MemberID) // after the check
		o.work()
		i, _ := o.result(o.w.Super, id)
		if i.Departed != 1 || i.Created != 1 || o.list(id, "kept") != "2 程远 [{department 市场部；研发中心 }] mapping.kept.changed" {
			t.Errorf("%+v, kept %q", i, o.list(id, "kept"))
		}
		if n := o.count("SELECT count(*) FROM departures WHERE member_id = ?", o.w.Head.MemberID); n != 1 || o.count("SELECT count(*) FROM members WHERE status = 'departed'") != 1 {
			t.Errorf("%d receipts", n)
		}
		second := o.receive(directory.Upload{Content: []byte(header + "DP0005,顾晓棠,13800000005,,,\n\"坏,1,2\n"), DryRun: true, Depart: "晨星科技"})
		if second.Departed != 0 {
			t.Errorf("a row that cannot be read may be anybody: %+v", second)
		}
	})
}

func TestAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		before := o.count("SELECT count(*) FROM members")
		i := o.receive(directory.Upload{Content: []byte(manyRows(8500) + "坏,坏,坏,,,\n"), Whole: true})
		if i.State != directory.Failed || i.Why().Key != "mapping.cause.whole" || i.Refused != 1 || i.Created != 0 || o.count("SELECT count(*) FROM members") != before {
			t.Fatalf("one refused row: %+v", i)
		}
		i = o.receive(directory.Upload{Content: []byte(manyRows(8500)), Whole: true})
		wantFigures(t, i, "done created 8500 changed 0 unchanged 0 refused 0 departments 50")
		i = o.receive(directory.Upload{Content: []byte(manyRows(8500)), Whole: true})
		wantFigures(t, i, "done created 0 changed 0 unchanged 8500 refused 0 departments 0")
	})
}

// Whatever ends a run of all or nothing before its commit leaves nothing, and
// the next importer does it once.
func TestAllOrNothingIsCutOff(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		before := o.count("SELECT count(*) FROM members")
		start := func() int64 {
			id, err := o.Receive(ctx, o.w.Super, directory.Upload{Content: []byte(manyRows(6000)), Whole: true})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		stopped, stop := context.WithCancel(ctx)
		defer stop()
		asked := 0
		clock := func() time.Time { // the process dies while the third batch is written
			if asked++; asked == 25 {
				stop()
			}
			return o.clock.Now()
		}
		id := start()
		dying := directory.New(o.db, audit.New(testkit.Keys(), clock), clock)
		if _, err := directory.NewImporter(dying, slog.New(slog.DiscardHandler)).Next(stopped); err != nil || asked < 25 {
			t.Fatal(err, asked)
		}
		if o.count("SELECT count(*) FROM members") != before || o.count("SELECT rows_done FROM imports WHERE id = ?", id) != 6000 {
			t.Fatal("a killed run left something")
		}
		o.clock.Add(time.Minute)
		o.work()
		i, _ := o.result(o.w.Super, id)
		wantFigures(t, i, "done created 6000 changed 0 unchanged 0 refused 0 departments 50")
	})
}

// A cancellation wins or loses against the commit, and nothing is in between.
func TestAllOrNothingIsCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		before := o.count("SELECT count(*) FROM members")
		id, err := o.Receive(ctx, o.w.Super, directory.Upload{Content: []byte(manyRows(6000)), Whole: true})
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error)
		go func() {
			_, err := directory.NewImporter(o.Service, slog.New(slog.DiscardHandler)).Next(ctx)
			over <- err
		}()
		for o.count("SELECT rows_done FROM imports WHERE id = ?", id) < 6000 {
			runtime.Gosched() // until all are checked and the writing begins
		}
		var c fault.Conflict
		err = o.CancelImport(ctx, o.w.Super, id)
		if err := <-over; err != nil {
			t.Error(err)
		}
		i, _ := o.result(o.w.Super, id)
		now := o.count("SELECT count(*) FROM members")
		if won := err == nil && i.State == directory.Cancelled && now == before; !won && !(errors.As(err, &c) && i.State == directory.Done && now == before+9000) {
			t.Errorf("cancelled: %v; %s with %d members more", err, i.State, now-before)
		}
	})
}
