package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/code"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/testkit"
)

func (o office) found(by access.Actor, q directory.Search) []string {
	o.t.Helper()
	page, err := o.Members(ctx, by, q)
	if err != nil {
		o.t.Fatal(err)
	}
	names := make([]string, len(page.Rows))
	for i, r := range page.Rows {
		names[i] = r.Name
	}
	slices.Sort(names)
	return names
}

// req: D29
func TestPeopleAreFoundHoweverTheyAreTyped(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for i, name := range []string{"曾小贤", "单雄信", "张伟", "张伟民", "Alice Wong", "李·四😀"} {
			in := person(name, fmt.Sprintf("139111122%02d", i), o.w.Platform)
			in.JobNumber = fmt.Sprintf("RD-7%02d", i)
			if _, err := o.CreateMember(ctx, o.w.Super, in); err != nil {
				t.Fatal(err)
			}
		}
		for typed, want := range map[string]string{
			"张": "[张伟 张伟民]", "张伟": "[张伟 张伟民]", "伟民": "[张伟民]", "zhangwei": "[张伟 张伟民]", "zwm": "[张伟民]", "zhang weimin": "[张伟民]",
			"zengxiaoxian": "[曾小贤]", "cengxiao": "[曾小贤]", "zxx": "[曾小贤]", "danxiong": "[单雄信]", "shanxiong": "[单雄信]",
			"alice": "[Alice Wong]", "wong ALICE": "[Alice Wong]", "ｗｏｎｇ": "[Alice Wong]", "李四": "[李·四😀]", "😀": "[李·四😀]",
			"11112202": "[张伟]", "+86 139 1111 2202": "[张伟]", "0086-139-1111-2202": "[张伟]", "rd-703": "[张伟民]", "rd703": "[]", "张 2203": "[张伟民]",
			"民伟": "[]", "%": "[]", "_": "[]", "'": "[]", "\"": "[]", "wei zhang xx": "[]", "§": "[]", "  ": "[Alice Wong 单雄信 卢嘉禾 周岚 张伟 张伟民 曾小贤 李·四😀 程远 许一诺 陆望 顾晓棠]",
		} {
			if got := fmt.Sprint(o.found(o.w.Super, directory.Search{Query: typed})); got != want {
				t.Errorf("%q finds %s, want %s", typed, got, want)
			}
		}
		// Outside one's scope there are names only; nobody may probe phones and job numbers there.
		for typed, want := range map[string]string{"张伟": "[张伟 张伟民]", "zw": "[张伟 张伟民]", "11112202": "[]", "rd-703": "[]"} {
			if got := fmt.Sprint(o.found(o.w.OtherHead, directory.Search{Query: typed})); got != want {
				t.Errorf("the head of another department: %q finds %s, want %s", typed, got, want)
			}
		}
		if got := o.found(o.w.OtherStaff, directory.Search{Query: "张"}); len(got) != 0 {
			t.Errorf("staff of another department find %v", got)
		}
	})
}

// What is written before there was an index is found by its name, and by all else once it is indexed.
func TestReindex(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if got := fmt.Sprint(o.found(o.w.Super, directory.Search{Query: "顾晓"}), o.found(o.w.Super, directory.Search{Query: "gxt"})); got != "[顾晓棠] []" {
			t.Errorf("before: %s", got)
		}
		for range 2 {
			if err := o.Reindex(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(o.found(o.w.Super, directory.Search{Query: "顾晓"}), o.found(o.w.Super, directory.Search{Query: "gxt"})); got != "[顾晓棠] [顾晓棠]" {
			t.Errorf("after: %s", got)
		}
		in := person("顾小棠", "13800000005", o.w.Platform)
		if err := o.UpdateMember(ctx, o.w.Head, o.w.Staff.MemberID, in); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(o.found(o.w.Super, directory.Search{Query: "晓棠"}), o.found(o.w.Super, directory.Search{Query: "小棠"}), o.found(o.w.Super, directory.Search{Query: "DP0005"})); got != "[] [顾小棠] []" {
			t.Errorf("renamed: %s", got)
		}
		if o.count("SELECT count(*) FROM members WHERE grams = ''") != 0 {
			t.Error("some are not indexed")
		}
	})
}

func (o office) withCodes() office {
	codes := code.New(o.db, testkit.Keys(), audit.New(testkit.Keys(), o.clock.Now), o.clock.Now, "http://door.example")
	o.OnMove(codes.OrphansUnder)
	o.OnDepart(directory.Effect{Key: "duties", End: group.EndDuties})
	return o
}

func TestAMoveIsForetold(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o = o.withCodes()
		g, _ := o.w.Group(t, o.db, "平台群", group.Internal, group.Approval, o.w.Platform, 10)
		o.w.Code(t, o.db, g, "门", nil, o.w.Head.MemberID)
		o.w.Code(t, o.db, g, "窗", nil, o.w.Super.MemberID)
		o.exec("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", g, o.w.OtherStaff.MemberID, o.clock.Now())
		m, err := o.PreviewMove(ctx, o.w.Super, o.w.Platform, o.w.Marketing)
		if err != nil {
			t.Fatal(err)
		}
		if m.Departments != 1 || m.Members != 1 || m.Groups != 1 || m.Codes != 2 || m.Requests != 1 || m.Stranded != 0 ||
			len(m.Lose) != 1 || m.Lose[0].ID != o.w.Head.MemberID || len(m.Gain) != 1 || m.Gain[0].ID != o.w.OtherHead.MemberID ||
			len(m.Suspended) != 1 || m.Suspended[0].Label != "门" || len(m.Revived) != 0 || m.From.Title != "研发中心" || m.To.Title != "市场部" {
			t.Errorf("foretold %+v", m)
		}
		if o.count("SELECT count(*) FROM departments WHERE path LIKE ?", o.w.RDPath+"%") != 2 {
			t.Fatal("looking moved it")
		}
		nobody, err := o.PreviewMove(ctx, o.w.Super, o.w.Platform, o.w.Root)
		if err != nil || nobody.Stranded != 1 || len(nobody.Gain) != 0 {
			t.Errorf("to where nobody leads: %+v, %v", nobody, err)
		}
		wantForbidden(t, func() error { _, err := o.PreviewMove(ctx, o.w.Head, o.w.Platform, o.w.RD); return err }())
		// The world changes: another head. What was shown is not what would happen.
		if err := o.AddHead(ctx, o.w.Super, o.w.Marketing, itoa(o.w.OtherStaff.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		var stale fault.Conflict
		if err := o.MoveAsSeen(ctx, o.w.Super, o.w.Platform, o.w.Marketing, m.Seen); !errors.As(err, &stale) || stale.Message.Key != "people.move.stale" {
			t.Errorf("a stale preview: %v", err)
		}
		again, err := o.PreviewMove(ctx, o.w.Super, o.w.Platform, o.w.Marketing)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.MoveAsSeen(ctx, o.w.Super, o.w.Platform, o.w.Marketing, again.Seen); err != nil {
			t.Fatal(err)
		}
		if back, err := o.PreviewMove(ctx, o.w.Super, o.w.Platform, o.w.RD); err != nil || len(back.Revived) != 1 {
			t.Errorf("the way back: %+v, %v", back, err)
		}
	})
}

func outcomes(people []directory.BulkResult) string {
	var parts []string
	for _, r := range people {
		parts = append(parts, fmt.Sprintf("%s:%s", r.Name, r.Outcome))
	}
	return strings.Join(parts, " ")
}

func TestManyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o = o.withCodes()
		ids := []int64{o.w.Super.MemberID, o.w.Head.MemberID, o.w.Staff.MemberID, o.w.OtherStaff.MemberID, 999999}
		do := func(by access.Actor, b directory.Bulk) string {
			t.Helper()
			foretold, err := o.PreviewBulk(ctx, by, b)
			if err != nil {
				t.Fatal(err)
			}
			id, err := o.EditBulk(ctx, by, b)
			if err != nil {
				t.Fatal(err)
			}
			run, err := o.BulkRun(ctx, by, id)
			if err != nil {
				t.Fatal(err)
			}
			if outcomes(foretold) != outcomes(run.People) {
				t.Errorf("foretold %s, happened %s", outcomes(foretold), outcomes(run.People))
			}
			_, err = o.BulkRun(ctx, o.w.Super2, id)
			wantNotFound(t, err)
			return outcomes(run.People)
		}
		if got, want := do(o.w.Head, directory.Bulk{Action: directory.BulkAdd, IDs: ids, Department: o.w.Platform}),
			":not_found 许一诺:done 顾晓棠:same :not_found :not_found"; got != want {
			t.Errorf("add: %s, want %s", got, want)
		}
		if got, want := do(o.w.Head, directory.Bulk{Action: directory.BulkRemove, IDs: ids, Department: o.w.Platform}),
			":not_found 许一诺:done 顾晓棠:only :not_found :not_found"; got != want {
			t.Errorf("remove: %s, want %s", got, want)
		}
		if got, want := do(o.w.Super, directory.Bulk{Action: directory.BulkMove, IDs: ids, Department: o.w.RD}),
			"周岚:done 许一诺:same 顾晓棠:done 卢嘉禾:done :not_found"; got != want {
			t.Errorf("move: %s, want %s", got, want)
		}
		if n := o.count("SELECT count(*) FROM member_departments WHERE department_id = ?", o.w.RD); n != 4 {
			t.Errorf("%d in the department, want 4", n)
		}
		// Now in the head's scope: a super admin still is not theirs to touch.
		if got, want := do(o.w.Head, directory.Bulk{Action: directory.BulkDepart, IDs: ids, Reason: "项目结束"}),
			"周岚:rights 许一诺:self 顾晓棠:done 卢嘉禾:done :not_found"; got != want {
			t.Errorf("depart: %s, want %s", got, want)
		}
		if n := o.count("SELECT count(*) FROM audit_entries WHERE action IN ('member.depart', 'member.bulk.add', 'member.bulk.remove', 'member.bulk.move')"); n != 7 {
			t.Errorf("%d entries in the trail, want one for each person changed: 7", n)
		}
		many := make([]int64, directory.BulkLimit+1)
		for i := range many {
			many[i] = int64(i + 1)
		}
		for _, b := range []directory.Bulk{{Action: "add", IDs: many, Department: o.w.RD}, {Action: "x", IDs: ids, Department: o.w.RD}, {Action: "add", Department: o.w.RD},
			{Action: "add", IDs: ids, Department: 99999}, {Action: "depart", IDs: ids}} {
			var wrong fault.Invalid
			if _, err := o.EditBulk(ctx, o.w.Super, b); !errors.As(err, &wrong) {
				t.Errorf("%+v: %v, want invalid", b.Action, err)
			}
		}
		_, err := o.EditBulk(ctx, o.w.Head, directory.Bulk{Action: "add", IDs: ids, Department: o.w.Marketing})
		wantInvalid(t, err, "department_id", "contacts.member.department.scope")
		_, err = o.EditBulk(ctx, o.w.OtherStaff, directory.Bulk{Action: "add", IDs: ids, Department: o.w.Marketing})
		wantForbidden(t, err)
	})
}

// req: D24
func TestTheReceiptTicksItselfOff(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o = o.withCodes()
		g, gid := o.w.Group(t, o.db, "平台群", group.Internal, group.Approval, o.w.Platform, 10)
		h, _ := o.w.Group(t, o.db, "空群", group.Internal, group.Approval, o.w.Platform, 10)
		o.exec("UPDATE groups SET owner_id = ?, entry_custodian_id = ? WHERE id IN (?, ?)", o.w.Staff.MemberID, o.w.Staff.MemberID, g, h)
		for _, duty := range []string{"review", "content"} {
			o.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, ?)", g, o.w.OtherStaff.MemberID, duty)
		}
		o.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'events')", g, o.w.OtherHead.MemberID)
		o.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'review')", h, o.w.Staff.MemberID)
		o.exec("DELETE FROM department_heads WHERE member_id = ?", o.w.Head.MemberID)
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.Platform, o.w.Staff.MemberID)
		o.exec("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?)", h, o.w.OtherStaff.MemberID, o.clock.Now())
		codeID, _ := o.w.Code(t, o.db, g, "门", nil, o.w.Staff.MemberID)
		o.exec("INSERT INTO code_copies (code_id, serial, place, custodian_id, created_at) VALUES (?, 1, '食堂', ?, ?)", codeID, o.w.Staff.MemberID, o.clock.Now())
		if err := o.Depart(ctx, o.w.Super, o.w.Staff.MemberID, "合同到期"); err != nil {
			t.Fatal(err)
		}
		receipt := func() directory.Receipt {
			t.Helper()
			p, err := o.Profile(ctx, o.w.Super, o.w.Staff.MemberID)
			if err != nil || p.Receipt == nil {
				t.Fatalf("%+v, %v", p, err)
			}
			return *p.Receipt
		}
		r := receipt()
		if len(r.Owned) != 2 || r.Owned[0].Heir == nil || r.Owned[0].Heir.ID != o.w.OtherStaff.MemberID || r.Owned[0].Heir.Duties != 2 || r.Owned[1].Heir != nil {
			t.Errorf("owned groups %+v", r.Owned)
		}
		if len(r.Codes) != 1 || len(r.Requests) != 1 || r.Requests[0].Count != 1 || len(r.Heads) != 1 || len(r.Keeps) != 2 || len(r.Copies) != 1 || r.Open() != 8 {
			t.Errorf("receipt with %d open: %+v", r.Open(), r)
		}
		groups := group.New(o.db, audit.New(testkit.Keys(), o.clock.Now), o.clock.Now)
		if err := groups.HandOver(ctx, o.w.Super, gid, itoa(r.Owned[0].Heir.ID), ""); err != nil {
			t.Fatal(err)
		}
		if err := o.AddHead(ctx, o.w.Super, o.w.Platform, itoa(o.w.Head.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		o.exec("UPDATE codes SET issued_by = ? WHERE id = ?", o.w.Super.MemberID, codeID)
		o.exec("UPDATE code_copies SET custodian_id = NULL")
		r = receipt()
		if !r.Owned[0].Done() || r.Owned[0].Holder != o.w.OtherStaff.Name || r.Owned[1].Heir == nil || !r.Owned[1].Heir.Head || r.Owned[1].Heir.ID != o.w.Head.MemberID {
			t.Errorf("after the hand-over: %+v", r.Owned)
		}
		if !r.Codes[0].Done || len(r.Requests) != 0 || !r.Heads[0].Done() || !r.Copies[0].Done || r.Open() != 3 {
			t.Errorf("with %d open: %+v", r.Open(), r)
		}
	})
}

func TestReactivationRestoresNothingSilently(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o = o.withCodes()
		g, _ := o.w.Group(t, o.db, "平台群", group.Internal, group.Approval, o.w.Platform, 10)
		o.exec("UPDATE groups SET owner_id = ?, member_count = 1 WHERE id = ?", o.w.Super2.MemberID, g)
		o.exec("INSERT INTO memberships (group_id, member_id, joined_at) VALUES (?, ?, ?)", g, o.w.Super2.MemberID, o.clock.Now())
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.RD, o.w.Super2.MemberID)
		id := o.w.Super2.MemberID
		if err := o.Depart(ctx, o.w.Super, id, "离开"); err != nil {
			t.Fatal(err)
		}
		wantNotFound(t, o.Reactivate(ctx, o.w.OtherHead, id, "回来"))
		wantInvalid(t, o.Reactivate(ctx, o.w.Super, id, " "), "reason", "people.reactivate.reason.missing")
		other, err := o.CreateMember(ctx, o.w.Super, person("新人", "13800000002", o.w.Platform))
		if err != nil {
			t.Fatal(err)
		}
		var taken fault.Conflict
		if err := o.Reactivate(ctx, o.w.Super, id, "回来"); !errors.As(err, &taken) || taken.Message.Key != "people.reactivate.contacts.field.phone.taken.by" {
			t.Errorf("the phone is taken: %v", err)
		}
		in := person("新人", "13800000099", o.w.Platform)
		in.JobNumber = "DP0002"
		if err := o.UpdateMember(ctx, o.w.Super, other, in); err != nil {
			t.Fatal(err)
		}
		if err := o.Reactivate(ctx, o.w.Super, id, "回来"); !errors.As(err, &taken) || taken.Message.Key != "people.reactivate.contacts.field.job.taken.by" {
			t.Errorf("the job number is taken: %v", err)
		}
		in.JobNumber = ""
		if err := o.UpdateMember(ctx, o.w.Super, other, in); err != nil {
			t.Fatal(err)
		}
		results := together(6, func(int) error { return o.Reactivate(ctx, o.w.Super, id, "回来") })
		done := 0
		for _, err := range results {
			var c fault.Conflict
			if err == nil {
				done++
			} else if !errors.As(err, &c) || c.By != o.w.Super.Name {
				t.Errorf("the others learn who was first: %v", err)
			}
		}
		if done != 1 || o.count("SELECT count(*) FROM audit_entries WHERE action = 'member.reactivate'") != 1 {
			t.Errorf("%d of six reactivated", done)
		}
		a := o.actor(id)
		if a.Super || a.Head() || len(a.Duties) != 0 || o.count("SELECT count(*) FROM memberships WHERE member_id = ? AND status = 'active'", id) != 0 {
			t.Errorf("something came back by itself: %+v", a)
		}
		p, err := o.Profile(ctx, o.w.Super, id)
		if err != nil || p.Return == nil || p.Receipt != nil {
			t.Fatalf("%+v, %v", p, err)
		}
		var kinds []string
		for _, i := range p.Return.Items {
			kinds = append(kinds, fmt.Sprint(i.Kind, i.Done, i.Can))
		}
		if got, want := fmt.Sprint(kinds), "[headfalse true membershipfalse true ownerfalse true superfalse true]"; got != want {
			t.Errorf("offers %s, want %s", got, want)
		}
		if err := o.AddHead(ctx, o.w.Super, o.w.RD, itoa(id), ""); err != nil {
			t.Fatal(err)
		}
		if p, _ := o.Profile(ctx, o.w.Super, id); !p.Return.Items[0].Done {
			t.Error("what was restored is not ticked off")
		}
		// They may leave again, with a receipt of its own.
		if err := o.Depart(ctx, o.w.Super, id, "又离开"); err != nil {
			t.Fatal(err)
		}
		if p, _ := o.Profile(ctx, o.w.Super, id); p.Receipt == nil || len(p.Receipt.Heads) != 1 || len(p.Receipt.Owned) != 0 {
			t.Errorf("the second receipt: %+v", p.Receipt)
		}
	})
}

// Whoever comes first: a seat given during a departure is ended by it, or refused.
func TestDepartureAgainstAdmission(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		groups := group.New(o.db, audit.New(testkit.Keys(), o.clock.Now), o.clock.Now)
		_, gid := o.w.Group(t, o.db, "平台群", group.Internal, group.Approval, o.w.Platform, 50)
		for round := range 8 {
			id, err := o.CreateMember(ctx, o.w.Super, person("来去", fmt.Sprintf("1397000%04d", round), o.w.Platform))
			if err != nil {
				t.Fatal(err)
			}
			together(3, func(i int) error {
				switch i {
				case 0:
					return o.Depart(ctx, o.w.Head, id, "x")
				case 1:
					return o.Depart(ctx, o.w.Super, id, "x")
				}
				return groups.AddMember(ctx, o.w.Head, gid, itoa(id), "")
			})
			if n := o.count("SELECT count(*) FROM memberships WHERE member_id = ? AND status = 'active'", id); n != 0 {
				t.Fatal("a departed member sits in a group")
			}
			if n := o.count("SELECT count(*) FROM departures WHERE member_id = ?", id); n != 1 {
				t.Fatalf("%d departures", n)
			}
			ended := o.count("SELECT count(*) FROM memberships WHERE member_id = ?", id)
			if kept := o.count("SELECT count(*) FROM departure_items i JOIN departures d ON d.id = i.departure_id WHERE d.member_id = ? AND i.kind = 'membership'", id); kept != ended {
				t.Errorf("%d memberships ended, %d written down", ended, kept)
			}
		}
		if n := o.count("SELECT member_count FROM groups WHERE gid = ?", gid); n != 0 {
			t.Errorf("%d seats taken, want none", n)
		}
	})
}
