package auth_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/auth"
	"doorplate/internal/fault"
)

func (d *desk) session(a access.Actor) string {
	d.t.Helper()
	id, err := d.StartSession(ctx, a.MemberID, "192.0.2.1", "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Chrome/120.0 Mobile MicroMessenger/8.0.47")
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *desk) over(id string) bool {
	_, err := d.ActorOf(ctx, id)
	return errors.Is(err, fault.NotFound)
}

func TestSessionsEndIdleAndOverdue(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		idle, busy := d.session(d.w.Staff), d.session(d.w.Staff)
		for range 10 {
			d.clock.Add(71 * time.Hour)
			if d.over(busy) {
				t.Fatal("a busy session ended early")
			}
		}
		if !d.over(idle) {
			t.Error("an idle session lives")
		}
		d.clock.Add(24 * time.Hour)
		if !d.over(busy) {
			t.Error("a session outlives 30 days")
		}
		if err := d.Sweep(ctx); err != nil || d.count(`SELECT count(*) FROM sessions`) != 0 {
			t.Errorf("sweeping left sessions: %v", err)
		}
	})
}

func TestDevices(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		mine, second, third, foreign := d.session(d.w.Staff), d.session(d.w.Staff), d.session(d.w.Staff), d.session(d.w.Head)
		list, err := d.Devices(ctx, d.w.Staff, mine)
		if err != nil || len(list) != 3 || !list[0].Current || list[1].Current {
			t.Fatalf("%+v %v", list, err)
		}
		if b := list[0].Browser; b.App != "WeChat" || b.System != "Android" || !b.Phone {
			t.Errorf("browser %+v", b)
		}
		theirs, err := d.Devices(ctx, d.w.Head, foreign)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.EndDevice(ctx, d.w.Staff, theirs[0].Handle, mine); !errors.Is(err, fault.NotFound) || d.over(foreign) {
			t.Errorf("ending somebody else's answered %v", err)
		}
		if current, err := d.EndDevice(ctx, d.w.Staff, list[1].Handle, mine); err != nil || current {
			t.Errorf("ending another: %v %v", current, err)
		}
		if d.over(second) == d.over(third) {
			t.Error("not exactly one ended")
		}
		if err := d.EndOtherDevices(ctx, d.w.Staff, mine); err != nil || d.over(mine) || !d.over(second) || !d.over(third) || d.over(foreign) {
			t.Errorf("ending the others: %v", err)
		}
		if err := d.SignOut(ctx, mine, here); err != nil || !d.over(mine) {
			t.Errorf("signing out: %v", err)
		}
		if err := d.SignOut(ctx, "never was", here); err != nil {
			t.Errorf("signing out of nothing: %v", err)
		}
		if d.count(`SELECT count(*) FROM audit_entries WHERE action IN ('auth.device.end', 'auth.signout')`) != 3 {
			t.Error("not audited")
		}
	})
}

func TestADepartureEndsEveryWayIn(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		id, token := d.session(d.w.Staff), d.link(d.w.StaffPhone)
		challenge, code := d.ask(d.w.StaffPhone)
		var ended int64
		err := d.db.Transaction(func(tx *gorm.DB) (err error) {
			ended, err = auth.EndSessions(tx, d.w.Super, d.w.Staff.MemberID, d.clock.Now())
			return err
		})
		if err != nil || ended != 1 {
			t.Fatalf("ended %d, %v", ended, err)
		}
		if _, err := d.FinishWithCode(ctx, challenge, code, here); err == nil || !d.over(id) {
			t.Error("the code or the session still works")
		}
		if _, err := d.WithLink(ctx, token, here); !gone(err) {
			t.Errorf("the link answered %v", err)
		}
	})
}

func TestPasswords(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		hash, err := auth.HashPassword(ctx, "correct horse battery")
		if err != nil {
			t.Fatal(err)
		}
		d.db.Exec(`UPDATE members SET password_hash = ? WHERE id IN ?`, hash, []int64{d.w.Staff.MemberID, d.w.OtherStaff.MemberID})
		d.db.Exec(`UPDATE members SET status = 'departed' WHERE id = ?`, d.w.OtherStaff.MemberID)
		if _, err := d.WithPassword(ctx, d.w.StaffPhone, "correct horse battery", here); err != nil {
			t.Fatal(err)
		}
		for cause, try := range map[string][2]string{
			"wrong password":         {d.w.StaffPhone, "correct horse batterx"},
			"member has no password": {d.w.HeadPhone, ""},
			"member has departed":    {d.w.OtherStaffPhone, "correct horse battery"},
			"number not registered":  {"+8613900000000", "correct horse battery"},
		} {
			_, err := d.WithPassword(ctx, try[0], try[1], here)
			var r auth.Refusal
			if !errors.As(err, &r) || r.Cause != cause || wrongs(err, "password") != "auth.password.wrong" {
				t.Errorf("%s: %v", cause, err)
			}
		}
	})
}

func TestSweepKeepsWhatIsAlive(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		d.ask(d.w.StaffPhone)
		d.link(d.w.StaffPhone)
		key := d.NewFormKey()
		if _, err := d.ClaimForm(ctx, key, "a"); err != nil {
			t.Fatal(err)
		}
		rows := func() int {
			return d.count(`SELECT (SELECT count(*) FROM phone_codes) + (SELECT count(*) FROM login_links) + (SELECT count(*) FROM throttles) + (SELECT count(*) FROM form_keys)`)
		}
		if err := d.Sweep(ctx); err != nil || rows() != 5 {
			t.Fatalf("%d rows left, %v", rows(), err)
		}
		d.clock.Add(26 * time.Hour)
		if err := d.Sweep(ctx); err != nil || rows() != 0 {
			t.Errorf("%d rows left, %v", rows(), err)
		}
	})
}

func TestFormKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		key := d.NewFormKey()
		answer := auth.Answer{Status: 303, Header: map[string][]string{"Location": {"/"}}, Body: []byte{}}
		claim := func(key, print string) error {
			t.Helper()
			_, err := d.ClaimForm(ctx, key, print)
			return err
		}
		if err := claim(key, "a"); err != nil {
			t.Fatal(err)
		}
		if err := claim(key, "a"); !errors.Is(err, auth.ErrFormBusy) {
			t.Errorf("a repeat before the answer: %v", err)
		}
		if err := d.FinishForm(ctx, key, "a", answer); err != nil {
			t.Fatal(err)
		}
		if a, err := d.ClaimForm(ctx, key, "a"); err != nil || a == nil || a.Status != 303 || a.Header["Location"][0] != "/" {
			t.Errorf("a repeat: %+v %v", a, err)
		}
		tampered := "A" + key[1:]
		if key[0] == 'A' {
			tampered = "B" + key[1:]
		}
		for why, bad := range map[string]string{"other content": key, "none": "", "made up": "abc", "tampered": tampered} {
			if err := claim(bad, "b"); !errors.Is(err, auth.ErrFormKey) {
				t.Errorf("%s: %v", why, err)
			}
		}
		released := d.NewFormKey()
		if err := errors.Join(claim(released, "a"), d.ReleaseForm(ctx, released), claim(released, "a")); err != nil {
			t.Errorf("a released key: %v", err)
		}
		d.clock.Add(31 * time.Second)
		if err := claim(released, "a"); err != nil {
			t.Errorf("a claim whose holder died: %v", err)
		}
		d.clock.Add(24 * time.Hour)
		if err := claim(key, "a"); !errors.Is(err, auth.ErrFormKey) {
			t.Errorf("an old key: %v", err)
		}
	})
}
