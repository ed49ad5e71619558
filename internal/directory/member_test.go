package directory_test

import (
	"errors"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

func person(name, phone string, departments ...int64) directory.MemberInput {
	return directory.MemberInput{Name: name, Phone: phone, Departments: departments}
}

func TestCreateMember(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		in := directory.MemberInput{JobNumber: "DP0100", Name: " 李\t雷 ", Phone: "0086-138-0001-0001", Email: "li@example.com", Departments: []int64{o.w.RD, o.w.Platform}}
		id, err := o.CreateMember(ctx, o.w.Head, in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := o.Profile(ctx, o.w.Head, id)
		if err != nil || p.Member.Phone != "+8613800010001" || p.Member.Name != "李 雷" || len(p.Departments) != 2 || !p.CanEdit {
			t.Errorf("profile %+v, %v", p, err)
		}
		id, err = o.CreateMember(ctx, o.w.Super, person("无部门", "13800010002"))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.count("SELECT department_id FROM member_departments WHERE member_id = ?", id); int64(got) != o.w.Root {
			t.Errorf("without a department they belong to %d, want the organisation", got)
		}
		_, err = o.CreateMember(ctx, o.w.Staff, person("x", "13800010003", o.w.Platform))
		wantForbidden(t, err)
	})
}

func TestMemberFields(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		bad := []struct {
			in         directory.MemberInput
			field, key string
		}{
			{person("", "13800010001"), "name", "contacts.field.name.missing"},
			{person(strings.Repeat("长", 4000), "13800010001"), "name", "contacts.field.name.long"},
			{person("x", ""), "phone", "contacts.field.phone.missing"},
			{person("x", "12345"), "phone", "contacts.field.phone.bad"},
			{person("x", "\x00"), "phone", "contacts.field.phone.bad"},
			{directory.MemberInput{Name: "x", Phone: "13800010001", Email: "a b@c"}, "email", "contacts.field.email.bad"},
			{directory.MemberInput{Name: "x", Phone: "13800010001", JobNumber: strings.Repeat("9", 41)}, "job_number", "contacts.field.job.long"},
			{directory.MemberInput{Name: "x", Phone: "13800010001", JobNumber: "DP0006"}, "job_number", "contacts.field.job.taken.by"},
			{person("x", "+86 138 0000 0006"), "phone", "contacts.field.phone.taken.by"},
			{person("x", "13800010001", 9999), "department_id", "contacts.member.department.unknown"},
		}
		for _, c := range bad {
			_, err := o.CreateMember(ctx, o.w.Super, c.in)
			wantInvalid(t, err, c.field, c.key)
		}
		// Outside their scope a head does not learn whose number it is.
		_, err := o.CreateMember(ctx, o.w.Head, person("x", "13800000006", o.w.RD))
		wantInvalid(t, err, "phone", "contacts.field.phone.taken")
		_, err = o.CreateMember(ctx, o.w.Head, person("x", "13800010001", o.w.Marketing))
		wantInvalid(t, err, "department_id", "contacts.member.department.scope")
		_, err = o.CreateMember(ctx, o.w.Head, person("x", "13800010001"))
		wantInvalid(t, err, "department_id", "contacts.member.department.missing")
		for _, name := range []string{"<script>alert(1)</script>", "👩‍👩‍👧 مرحبا", "\u202egnp.exe", "a\x00b"} {
			if _, err := o.CreateMember(ctx, o.w.Super, person(name, "1380002"+"000"+string(rune('0'+len(name)%10)))); err != nil && !errors.As(err, new(fault.Invalid)) {
				t.Errorf("name %q: %v", name, err)
			}
		}
	})
}

func TestUpdateMember(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		in := directory.MemberInput{JobNumber: "DP0005", Name: "顾晓", Phone: "13800000005", Departments: []int64{o.w.RD}}
		if err := o.UpdateMember(ctx, o.w.Head, o.w.Staff.MemberID, in); err != nil {
			t.Fatal(err)
		}
		if a := o.actor(o.w.Staff.MemberID); a.Name != "顾晓" || len(a.Own) != 1 || a.Own[0] != o.w.RDPath {
			t.Errorf("updated %+v", a)
		}
		wantNotFound(t, o.UpdateMember(ctx, o.w.OtherHead, o.w.Staff.MemberID, in))
		wantForbidden(t, o.UpdateMember(ctx, o.w.Staff, o.w.Staff.MemberID, in))
		wantNotFound(t, o.UpdateMember(ctx, o.w.Super, 9999, in))
		in.Head = "on"
		wantForbidden(t, o.UpdateMember(ctx, o.w.Head, o.w.Staff.MemberID, in))
		if err := o.UpdateMember(ctx, o.w.Super, o.w.Staff.MemberID, in); err != nil || !o.actor(o.w.Staff.MemberID).Head() {
			t.Errorf("made head: %v", err)
		}
	})
}

// A head changes only what is theirs: a member keeps the departments elsewhere,
// and nobody reaches above themselves through a phone number.
func TestHeadsDoNotReachAboveThemselves(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.exec("INSERT INTO member_departments (member_id, department_id) VALUES (?, ?), (?, ?), (?, ?)",
			o.w.Staff.MemberID, o.w.Marketing, o.w.Super2.MemberID, o.w.Platform, o.w.OtherHead.MemberID, o.w.Platform)
		in := directory.MemberInput{Name: "顾晓棠", Phone: "13800000005", Departments: []int64{o.w.RD}}
		if err := o.UpdateMember(ctx, o.w.Head, o.w.Staff.MemberID, in); err != nil {
			t.Fatal(err)
		}
		if a := o.actor(o.w.Staff.MemberID); len(a.Own) != 2 {
			t.Errorf("belongs to %v, want 研发中心 and 市场部", a.Own)
		}
		wantForbidden(t, o.UpdateMember(ctx, o.w.Head, o.w.Super2.MemberID, person("x", "13900000000", o.w.RD)))
		wantForbidden(t, o.UpdateMember(ctx, o.w.Head, o.w.OtherHead.MemberID, person("x", "13900000000", o.w.RD)))
		wantForbidden(t, o.Depart(ctx, o.w.Head, o.w.OtherHead.MemberID, "x"))
		wantForbidden(t, o.Depart(ctx, o.w.Head, o.w.Super2.MemberID, "x"))
	})
}

func names(t *testing.T, o office, by access.Actor, q directory.Search) []string {
	t.Helper()
	page, err := o.Members(ctx, by, q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range page.Rows {
		out = append(out, r.Name)
		if !r.InScope && (r.Phone != "" || r.JobNumber != "") {
			t.Errorf("%s: phone or job number shown to %s", r.Name, by.Name)
		}
	}
	return out
}

func TestWhoSeesWhom(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		owner := o.w.Staff
		owner.Duties = map[int64]access.Duty{1: access.Owner}
		cases := []struct {
			what string
			by   access.Actor
			q    directory.Search
			want int
		}{
			{"super, all", o.w.Super, directory.Search{}, 6},
			{"super, subtree", o.w.Super, directory.Search{Department: o.w.RD}, 2},
			{"head, own scope", o.w.Head, directory.Search{}, 2},
			{"head, a name elsewhere", o.w.Head, directory.Search{Query: "卢嘉"}, 1},
			{"head, a phone elsewhere", o.w.Head, directory.Search{Query: "13800000006"}, 0},
			{"head, a job number elsewhere", o.w.Head, directory.Search{Query: "DP0006"}, 0},
			{"head, a phone in scope", o.w.Head, directory.Search{Query: "+86 138-0000-0005"}, 1},
			{"head, the tail of a phone", o.w.Head, directory.Search{Query: "0005"}, 1},
			{"staff, own department", o.w.Staff, directory.Search{}, 1},
			{"staff, a name elsewhere", o.w.Staff, directory.Search{Query: "卢嘉"}, 0},
			{"staff, own phone", o.w.Staff, directory.Search{Query: "13800000005"}, 0},
			{"group owner, a name elsewhere", owner, directory.Search{Query: "卢嘉"}, 1},
			{"wildcards are letters", o.w.Super, directory.Search{Query: "%"}, 0},
			{"a backslash", o.w.Super, directory.Search{Query: `\`}, 0},
			{"long", o.w.Super, directory.Search{Query: strings.Repeat("x", 4000)}, 0},
			{"job number, small letters", o.w.Super, directory.Search{Query: "dp0003"}, 1},
		}
		for _, c := range cases {
			if got := names(t, o, c.by, c.q); len(got) != c.want {
				t.Errorf("%s: %v, want %d", c.what, got, c.want)
			}
		}
		for _, by := range []access.Actor{o.w.Head, o.w.Staff, owner} {
			_, err := o.Members(ctx, by, directory.Search{Department: o.w.Marketing})
			wantNotFound(t, err)
			_, err = o.Profile(ctx, by, o.w.OtherStaff.MemberID)
			wantNotFound(t, err)
		}
		p, err := o.Profile(ctx, o.w.Staff, o.w.Staff.MemberID)
		if err != nil || p.Member.Phone == "" || p.CanEdit || p.CanDepart {
			t.Errorf("own page: %+v, %v", p, err)
		}
	})
}

func TestMembersAreListedPageByPage(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		for i := range 7 {
			if _, err := o.CreateMember(ctx, o.w.Super, person("同名", "1390000000"+string(rune('0'+i)), o.w.RD)); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[int64]bool{}
		q := directory.Search{Department: o.w.RD, Limit: 2}
		for pages := 0; ; pages++ {
			page, err := o.Members(ctx, o.w.Super, q)
			if err != nil || pages > 10 {
				t.Fatalf("page %d: %v", pages, err)
			}
			for _, r := range page.Rows {
				if seen[r.ID] {
					t.Errorf("%d twice", r.ID)
				}
				seen[r.ID] = true
			}
			if q.After = page.Next; page.Next == 0 {
				break
			}
		}
		if len(seen) != 9 {
			t.Errorf("%d members on all pages, want 9", len(seen))
		}
	})
}
