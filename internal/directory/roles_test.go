package directory_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"doorplate/internal/access"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
)

func (o office) role(name string, rights ...access.Right) int64 {
	o.t.Helper()
	d := directory.RoleDraft{Name: name}
	for _, r := range rights {
		d.Rights = append(d.Rights, string(r))
	}
	id, err := o.CreateRole(ctx, o.w.Super, d)
	if err != nil {
		o.t.Fatal(err)
	}
	return id
}

func (o office) grant(role, member, department int64) {
	o.t.Helper()
	if err := o.GrantRole(ctx, o.w.Super, role, itoa(member), "", itoa(department)); err != nil {
		o.t.Fatal(err)
	}
}

func TestARoleCountsFromTheNextRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id := o.role("发码员", access.CodePermanent)
		at := access.Object{Path: o.w.PlatformPath, GroupID: 1}
		if access.Can(o.actor(o.w.OtherStaff.MemberID), access.CodePermanent, at) {
			t.Fatal("before the grant")
		}
		o.grant(id, o.w.OtherStaff.MemberID, o.w.RD)
		o.grant(id, o.w.OtherStaff.MemberID, o.w.RD) // twice changes nothing
		a := o.actor(o.w.OtherStaff.MemberID)
		if !access.Can(a, access.CodePermanent, at) || !access.Can(a, access.CodeTemporary, at) || access.Can(a, access.MembersEdit, at) {
			t.Errorf("granted: %+v", a.Grants)
		}
		if access.Can(a, access.CodePermanent, access.Object{Path: o.w.MarketingPath, GroupID: 1}) {
			t.Error("the role reaches another department")
		}
		if n := o.count("SELECT count(*) FROM audit_entries WHERE action = 'role.grant'"); n != 1 {
			t.Errorf("%d entries about the grant", n)
		}
		if err := o.SaveRole(ctx, o.w.Super, id, directory.RoleDraft{Name: "审计员", Rights: []string{"audit.read"}, Version: "1"}); err != nil {
			t.Fatal(err)
		}
		if a := o.actor(o.w.OtherStaff.MemberID); access.Can(a, access.CodeTemporary, at) || !access.Can(a, access.AuditRead, at) {
			t.Errorf("after the change: %+v", a.Grants)
		}
		var stale fault.Conflict
		if err := o.SaveRole(ctx, o.w.Super, id, directory.RoleDraft{Name: "x", Rights: []string{"audit.read"}, Version: "1"}); !errors.As(err, &stale) {
			t.Errorf("a stale page: %v", err)
		}
		held, err := o.Holders(ctx, o.w.Super, id)
		if err != nil || len(held) != 1 || held[0].Member != o.w.OtherStaff.Name || held[0].Department != "研发中心" {
			t.Fatalf("holders %+v %v", held, err)
		}
		if err := o.WithdrawRole(ctx, o.w.Super, id, held[0].ID); err != nil {
			t.Fatal(err)
		}
		if a := o.actor(o.w.OtherStaff.MemberID); len(a.Grants) != 0 {
			t.Errorf("after the withdrawal: %+v", a.Grants)
		}
		wantNotFound(t, o.WithdrawRole(ctx, o.w.Super, id, held[0].ID))
		o.grant(id, o.w.OtherStaff.MemberID, o.w.RD)
		if err := o.DeleteRole(ctx, o.w.Super, id); err != nil {
			t.Fatal(err)
		}
		if a := o.actor(o.w.OtherStaff.MemberID); len(a.Grants) != 0 {
			t.Errorf("after the deletion: %+v", a.Grants)
		}
		wantNotFound(t, o.DeleteRole(ctx, o.w.Super, id))
	})
}

func TestOnlySuperAdminsHandleRoles(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id := o.role("审计员", access.AuditRead)
		for _, err := range []error{
			func() error {
				_, err := o.CreateRole(ctx, o.w.Head, directory.RoleDraft{Name: "x", Rights: []string{"audit.read"}})
				return err
			}(),
			o.SaveRole(ctx, o.w.Head, id, directory.RoleDraft{Name: "x", Rights: []string{"audit.read"}}),
			o.DeleteRole(ctx, o.w.Head, id),
			o.GrantRole(ctx, o.w.Head, id, itoa(o.w.Staff.MemberID), "", itoa(o.w.RD)),
			o.WithdrawRole(ctx, o.w.Head, id, 1),
		} {
			wantForbidden(t, err)
		}
		if n := o.count("SELECT count(*) FROM role_grants"); n != 0 {
			t.Errorf("%d grants", n)
		}
	})
}

func TestWhatARoleCannotBe(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.role("审计员", access.AuditRead)
		for field, d := range map[string]directory.RoleDraft{
			"name":  {Name: "审计员", Rights: []string{"audit.read"}},
			"right": {Name: "总管", Rights: []string{"audit.read", "supers.appoint"}},
		} {
			var wrong fault.Invalid
			if _, err := o.CreateRole(ctx, o.w.Super, d); !errors.As(err, &wrong) || wrong[field].Key == "" {
				t.Errorf("%+v: %v", d, err)
			}
		}
		for _, r := range []access.Right{access.HeadsAppoint, access.SupersAppoint, access.RolesGrant, access.ApprovalsDecide, access.OrganisationEdit, access.FullExport} {
			if access.Grantable(r) || slices.Contains(access.GrantableRights(), r) {
				t.Errorf("%s can be part of a role", r)
			}
		}
		// A row that says otherwise is of no use either.
		o.exec("INSERT INTO role_rights (role_id, right_name) SELECT id, 'organisation.edit' FROM roles")
		o.grant(int64(o.count("SELECT id FROM roles")), o.w.Staff.MemberID, o.w.Root)
		if access.Can(o.actor(o.w.Staff.MemberID), access.OrganisationEdit, access.Object{}) {
			t.Error("a row in the database gave the organisation away")
		}
	})
}

// Whoever may edit members must not take over the account of somebody above them.
func TestNobodyTakesOverAnAccountWithMoreRights(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id := o.role("人事", access.MembersEdit, access.MemberDepart)
		o.grant(id, o.w.OtherStaff.MemberID, o.w.RD)
		hr := o.actor(o.w.OtherStaff.MemberID)
		in := directory.MemberInput{Name: "改名", Phone: "13900000099", Departments: []int64{o.w.Platform}}
		if err := o.UpdateMember(ctx, hr, o.w.Staff.MemberID, in); err != nil {
			t.Errorf("staff in scope: %v", err)
		}
		in.Departments, in.Phone = []int64{o.w.RD}, "13900000098"
		wantForbidden(t, o.UpdateMember(ctx, hr, o.w.Head.MemberID, in))
		wantForbidden(t, o.UpdateMember(ctx, hr, o.w.OtherHead.MemberID, in))
		o.grant(o.role("审计员", access.AuditRead), o.w.Staff.MemberID, o.w.Platform)
		in.Departments = []int64{o.w.Platform}
		wantForbidden(t, o.UpdateMember(ctx, hr, o.w.Staff.MemberID, in))
		if err := o.UpdateMember(ctx, o.actor(o.w.Head.MemberID), o.w.Staff.MemberID, in); err != nil {
			t.Errorf("the head of all of it: %v", err)
		}
		o.grant(o.role("架构", access.DepartmentsEdit), o.w.Staff.MemberID, o.w.Platform)
		wantForbidden(t, o.UpdateMember(ctx, o.actor(o.w.Head.MemberID), o.w.Staff.MemberID, in))
		if err := o.UpdateMember(ctx, o.w.Super, o.w.Staff.MemberID, in); err != nil {
			t.Error(err)
		}
	})
}

func TestDepartmentsByARole(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.grant(o.role("架构", access.DepartmentsEdit), o.w.OtherStaff.MemberID, o.w.RD)
		a := o.actor(o.w.OtherStaff.MemberID)
		id, err := o.CreateDepartment(ctx, a, "测试组", o.w.RD)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.MoveDepartment(ctx, a, id, o.w.Platform); err != nil {
			t.Errorf("within the scope: %v", err)
		}
		wantInvalid(t, o.MoveDepartment(ctx, a, id, o.w.Marketing), "parent_id", "roles.move.reach")
		wantForbidden(t, o.MoveDepartment(ctx, a, o.w.Marketing, o.w.RD))
		_, err = o.CreateDepartment(ctx, a, "x", o.w.Root)
		wantNotFound(t, err)
		// To where they lead, nothing moves: that would make it theirs.
		o.exec("INSERT INTO department_heads (department_id, member_id) VALUES (?, ?)", o.w.Platform, a.MemberID)
		other, err := o.CreateDepartment(ctx, a, "别组", o.w.RD)
		if err != nil {
			t.Fatal(err)
		}
		wantInvalid(t, o.MoveDepartment(ctx, o.actor(a.MemberID), other, o.w.Platform), "parent_id", "roles.move.reach")
	})
}

// away makes a head absent from now until a day from now.
func (o office) away(head access.Actor) {
	o.t.Helper()
	if err := o.SetAbsence(ctx, head, head.MemberID, "2026-11-22", "2026-11-22"); err != nil {
		o.t.Fatal(err)
	}
}

func TestDeputiesActWhileAllHeadsAreAway(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.AddHead(ctx, o.w.Super, o.w.RD, itoa(o.w.Super2.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		if err := o.AddDeputy(ctx, o.w.Super, o.w.RD, "", o.w.StaffPhone); err != nil {
			t.Fatal(err)
		}
		acts := func(want bool, when string) {
			t.Helper()
			a := o.actor(o.w.Staff.MemberID)
			if a.Head() != want || a.Leads(o.w.PlatformPath) != want || access.Can(a, access.GroupDisband, access.Object{Path: o.w.PlatformPath, GroupID: 1}) != want {
				t.Errorf("%s: %+v, want acting %v", when, a.Acting, want)
			}
			l, err := o.Leadership(ctx, o.w.Super, o.w.RD)
			if err != nil || l.Acting != want {
				t.Errorf("%s: %+v %v", when, l, err)
			}
		}
		acts(false, "both heads are here")
		o.away(o.w.Head)
		acts(false, "one head is here")
		if err := o.SetAbsence(ctx, o.w.Super, o.w.Super2.MemberID, "2026-11-22", "2026-11-23"); err != nil {
			t.Fatal(err)
		}
		acts(true, "both are away")
		a := o.actor(o.w.Staff.MemberID)
		if len(a.Acting) != 1 || a.Acting[0].For != "许一诺, 陆望" || a.OnBehalf(o.w.PlatformPath) != "许一诺, 陆望" || a.OnBehalf(o.w.MarketingPath) != "" {
			t.Errorf("on behalf of %+v", a.Acting)
		}
		o.clock.Add(15 * time.Hour) // midnight in Shanghai
		acts(false, "the first is back")
		o.exec("DELETE FROM department_heads")
		acts(true, "there is no head")
		if err := o.RemoveDeputy(ctx, o.w.Super, o.w.RD, itoa(o.w.Staff.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		acts(false, "no deputy any more")
	})
}

func TestAnAbsenceIsAnnouncedAndEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id := o.w.Head.MemberID
		for name, c := range map[string]struct{ from, until, field, key string }{
			"nonsense":  {"x", "2026-11-23", "from", "date"},
			"yesterday": {"2026-11-21", "2026-11-23", "from", "past"},
			"backwards": {"2026-11-24", "2026-11-23", "until", "order"},
			"too long":  {"2026-11-22", "2028-01-01", "until", "long"},
		} {
			t.Run(name, func(t *testing.T) {
				wantInvalid(t, o.SetAbsence(ctx, o.w.Head, id, c.from, c.until), c.field, "roles.absence.error."+c.key)
			})
		}
		o.away(o.w.Head)
		if err := o.SetAbsence(ctx, o.w.Head, id, "2026-12-01", "2026-12-24"); err != nil {
			t.Fatal(err)
		}
		p, err := o.AbsencePage(ctx, o.w.Head, id)
		if err != nil || p.Absence == nil || p.Running || len(p.Covers) != 1 || p.Covers[0].Title != "研发中心" {
			t.Errorf("%+v %v", p, err)
		}
		wantForbidden(t, o.SetAbsence(ctx, o.w.Staff, o.w.Staff.MemberID, "2026-12-01", "2026-12-02"))
		wantNotFound(t, o.SetAbsence(ctx, o.w.OtherHead, id, "2026-12-01", "2026-12-02"))
		var none fault.Conflict
		if err := o.SetAbsence(ctx, o.w.Super, o.w.Staff.MemberID, "2026-12-01", "2026-12-02"); !errors.As(err, &none) {
			t.Errorf("of somebody who leads nothing: %v", err)
		}
		if err := o.EndAbsence(ctx, o.w.Super, id); err != nil {
			t.Error(err)
		}
		if err := o.EndAbsence(ctx, o.w.Head, id); !errors.As(err, &none) {
			t.Errorf("twice: %v", err)
		}
	})
}

// What a deputy does is written down with whom they stand in for.
func TestTheTrailSaysOnWhoseBehalf(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		if err := o.AddDeputy(ctx, o.w.Super, o.w.RD, itoa(o.w.Staff.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		o.away(o.w.Head)
		in := directory.MemberInput{Name: "新人", Phone: "13900000097", Departments: []int64{o.w.Platform}}
		if _, err := o.CreateMember(ctx, o.actor(o.w.Staff.MemberID), in); err != nil {
			t.Fatal(err)
		}
		var details string
		o.db.Raw("SELECT details FROM audit_entries WHERE action = 'member.create'").Scan(&details)
		if details != `{"on_behalf_of":"许一诺"}` {
			t.Error(details)
		}
		// The head whom they stand in for stays out of their hands.
		in = directory.MemberInput{Name: "许一诺", Phone: "13900000096", Departments: []int64{o.w.RD}}
		wantForbidden(t, o.UpdateMember(ctx, o.actor(o.w.Staff.MemberID), o.w.Head.MemberID, in))
	})
}

func TestDepartureTakesRolesAndDeputyships(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		o.grant(o.role("审计员", access.AuditRead), o.w.Head.MemberID, o.w.Marketing)
		if err := o.AddDeputy(ctx, o.w.Super, o.w.Marketing, itoa(o.w.Head.MemberID), ""); err != nil {
			t.Fatal(err)
		}
		o.away(o.w.Head)
		if err := o.Depart(ctx, o.w.Super, o.w.Head.MemberID, "调走"); err != nil {
			t.Fatal(err)
		}
		if n := o.count("SELECT (SELECT count(*) FROM role_grants) + (SELECT count(*) FROM department_deputies) + (SELECT count(*) FROM absences)"); n != 0 {
			t.Errorf("%d things are left", n)
		}
		p, err := o.Profile(ctx, o.w.Super, o.w.Head.MemberID)
		if err != nil || !slices.Contains(p.Receipt.Ended, directory.Ended{Key: "roles", Count: 2}) {
			t.Errorf("receipt %+v %v", p.Receipt, err)
		}
	})
}

func TestADepartmentSomebodyHoldsARoleForStays(t *testing.T) {
	onBoth(t, func(t *testing.T, o office) {
		id, err := o.CreateDepartment(ctx, o.w.Super, "空的", o.w.RD)
		if err != nil {
			t.Fatal(err)
		}
		o.grant(o.role("审计员", access.AuditRead), o.w.Staff.MemberID, id)
		var used fault.Conflict
		if _, err := o.DeleteDepartment(ctx, o.w.Super, id); !errors.As(err, &used) || used.Message.Key != "contacts.department.notempty.grants" {
			t.Errorf("err = %v", err)
		}
	})
}
