package auth_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/auth"
	"doorplate/internal/fault"
)

func TestALoginLinkWorksOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		token := d.link("138 0000 0005")
		for range 3 {
			if name, err := d.LinkHolder(ctx, token); err != nil || name != d.w.Staff.Name {
				t.Fatalf("looking used it up: %q %v", name, err)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		in := 0
		for range 10 {
			wg.Go(func() {
				id, err := d.WithLink(ctx, token, here)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && id != "" {
					in++
				} else if !gone(err) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in != 1 {
			t.Errorf("%d got in", in)
		}
		if _, err := d.LinkHolder(ctx, token); !gone(err) {
			t.Errorf("a used link answered %v", err)
		}
		late, older := d.link(d.w.HeadPhone), d.link(d.w.HeadPhone)
		if _, err := d.WithLink(ctx, late, here); !gone(err) {
			t.Errorf("a replaced link answered %v", err)
		}
		d.clock.Add(auth.LoginLinkLife)
		if _, err := d.WithLink(ctx, older, here); !gone(err) {
			t.Errorf("a late link answered %v", err)
		}
		if d.count(`SELECT count(*) FROM audit_entries WHERE action = 'auth.loginlink' AND actor_kind = 'system'`) != 3 {
			t.Error("not audited")
		}
		for _, phone := range []string{"+8613900000000", "nonsense", ""} {
			if _, err := d.CreateLoginLink(ctx, phone); !errors.Is(err, fault.NotFound) {
				t.Errorf("%q answered %v", phone, err)
			}
		}
	})
}

func (d *desk) link(phone string) string {
	d.t.Helper()
	token, err := d.CreateLoginLink(ctx, phone)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

func gone(err error) bool {
	var g fault.Gone
	return errors.As(err, &g)
}

func TestADepartedMembersLinkIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		token := d.link(d.w.StaffPhone)
		d.db.Exec(`UPDATE members SET status = 'departed' WHERE id = ?`, d.w.Staff.MemberID)
		if _, err := d.WithLink(ctx, token, here); !gone(err) {
			t.Errorf("answered %v", err)
		}
		if _, err := d.CreateLoginLink(ctx, d.w.StaffPhone); !errors.Is(err, fault.NotFound) {
			t.Errorf("a new one answered %v", err)
		}
	})
}

func TestWhoMayInviteWhom(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		w := d.w
		// The second super admin also belongs to the department that Head leads.
		d.db.Exec(`INSERT INTO member_departments (member_id, department_id) VALUES (?, ?)`, w.Super2.MemberID, w.RD)
		for _, c := range []struct {
			why  string
			by   access.Actor
			whom int64
			want error
		}{
			{"super admin, anybody", w.Super, w.Staff.MemberID, nil},
			{"super admin, super admin", w.Super, w.Super2.MemberID, nil},
			{"head, own scope", w.Head, w.Staff.MemberID, nil},
			{"head, somebody else's", w.Head, w.OtherStaff.MemberID, fault.NotFound},
			{"head, a super admin in own scope", w.Head, w.Super2.MemberID, fault.Forbidden{Right: string(access.HeadsAppoint)}},
			{"staff, a colleague", w.Staff, w.Staff.MemberID, fault.Forbidden{Right: string(access.MembersEdit)}},
			{"staff, a stranger", w.Staff, w.OtherStaff.MemberID, fault.NotFound},
			{"nobody", w.Super, 987654, fault.NotFound},
		} {
			token, err := d.Invite(ctx, c.by, c.whom, "zh-CN", false, nil)
			if !errors.Is(err, c.want) || (c.want == nil) != (token != "") {
				t.Errorf("%s: %v, want %v", c.why, err, c.want)
			}
		}
	})
}

func TestAnInvitationSignsInAWeekLater(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		url := func(token string) string { return "http://door.example/login/link/" + token }
		token, err := d.Invite(ctx, d.w.Head, d.w.Staff.MemberID, "en", true, url)
		if err != nil {
			t.Fatal(err)
		}
		if m := d.messages(); len(m) != 1 || m[0]["link"] != url(token) || m[0]["to"] != d.w.StaffPhone || m[0]["for"] != "invite" {
			t.Errorf("sent %v", m)
		}
		d.clock.Add(auth.InvitationLife - 1e9)
		id, err := d.WithLink(ctx, token, here)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := d.ActorOf(ctx, id); err != nil || a.MemberID != d.w.Staff.MemberID {
			t.Errorf("signed in as %v, %v", a, err)
		}
		var details string
		d.db.Raw(`SELECT details FROM audit_entries WHERE action = 'auth.invite'`).Scan(&details)
		if details == "" || strings.Contains(details, token) {
			t.Errorf("audited as %s", details)
		}
	})
}
