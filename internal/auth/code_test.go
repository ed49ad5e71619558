package auth_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"doorplate/internal/auth"
	"doorplate/internal/fault"
)

func TestACodeSignsInOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		challenge, code := d.ask(d.w.StaffPhone)
		if m := d.sent[0]; m["to"] != d.w.StaffPhone || m["for"] != "signin" || m["lang"] != "zh-CN" || m["id"] == "" || len(code) != 6 {
			t.Fatalf("sent %v", m)
		}
		id, err := d.FinishWithCode(ctx, challenge, code[:3]+" "+code[3:], here)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := d.ActorOf(ctx, id); err != nil || a.MemberID != d.w.Staff.MemberID {
			t.Fatalf("the session is %v's, %v", a, err)
		}
		if d.count(`SELECT count(*) FROM audit_entries WHERE action = 'auth.signin' AND actor_id = ? AND address = ?`, d.w.Staff.MemberID, here.Address) != 1 {
			t.Error("no audit entry")
		}
		if _, err := d.FinishWithCode(ctx, challenge, code, here); wrongs(err, "code") != "auth.code.dead" {
			t.Errorf("a used code answered %v", err)
		}
	})
}

func TestACodeDiesOfWrongTries(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		challenge, code := d.ask(d.w.StaffPhone)
		for left := 4; left >= 0; left-- {
			_, err := d.FinishWithCode(ctx, challenge, not(code), here)
			want := "auth.code.wrong"
			if left == 0 {
				want = "auth.code.dead"
			}
			if wrongs(err, "code") != want {
				t.Fatalf("with %d left: %v", left, err)
			}
		}
		if _, err := d.FinishWithCode(ctx, challenge, code, here); wrongs(err, "code") != "auth.code.dead" {
			t.Errorf("the right code after five wrong ones answered %v", err)
		}
	})
}

func TestACodeBelongsToItsBrowserPurposeAndTime(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		challenge, code := d.ask(d.w.StaffPhone)
		other, _ := d.ask(d.w.HeadPhone)
		if _, err := d.FinishWithCode(ctx, other, code, here); err == nil && code != d.sent[1]["code"] {
			t.Error("a code opened another challenge")
		}
		if _, _, err := d.CheckCode(ctx, auth.ForJoin, challenge, code, here.Address); wrongs(err, "code") == "" {
			t.Errorf("a sign-in code proved a phone for joining: %v", err)
		}
		next, _, err := d.Begin(ctx, auth.SignIn{Phone: d.w.StaffPhone, Address: here.Address, Previous: challenge})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.FinishWithCode(ctx, challenge, code, here); wrongs(err, "code") != "auth.code.dead" {
			t.Errorf("the code before the newest answered %v", err)
		}
		d.messages()
		d.clock.Add(auth.CodeLife)
		if _, err := d.FinishWithCode(ctx, next, d.sent[2]["code"], here); wrongs(err, "code") != "auth.code.dead" {
			t.Errorf("a late code answered %v", err)
		}
		if _, err := d.FinishWithCode(ctx, "", "123456", here); wrongs(err, "code") != "auth.code.dead" {
			t.Errorf("no challenge at all answered %v", err)
		}
	})
}

// Sixty guesses at once, one of them right: at most five are compared, however
// they interleave, and the number's own limit of ten holds too.
func TestParallelGuessesDoNotBeatTheLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		challenge, code := d.ask(d.w.StaffPhone)
		var mu sync.Mutex
		var compared, many, in int
		var wg sync.WaitGroup
		for i := range 60 {
			guess := fmt.Sprintf("%06d", i)
			if i == 59 || guess == code {
				guess = code
			}
			wg.Go(func() {
				_, err := d.FinishWithCode(ctx, challenge, guess, here)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					in++
				case tooMany(err):
					many++
				case wrongs(err, "code") == "auth.code.wrong":
					compared++
				case wrongs(err, "code") == "":
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if many != 50 || in > 1 || compared > 5 {
			t.Errorf("%d compared and wrong, %d in, %d over the limit", compared, in, many)
		}
		if n := d.count(`SELECT attempts FROM phone_codes`); n > 5 {
			t.Errorf("%d tries were taken", n)
		}
	})
}

// An unknown, a departed and a known number are answered alike, message by
// message; only the known one gets mail.
func TestUnknownNumbersAreAnsweredAlike(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		d.db.Exec(`UPDATE members SET status = 'departed' WHERE id = ?`, d.w.OtherStaff.MemberID)
		causes := map[string]string{d.w.StaffPhone: "", d.w.OtherStaffPhone: "member has departed", "+8613900000000": "number not registered"}
		for phone, want := range causes {
			before := len(d.messages())
			challenge, cause, err := d.Begin(ctx, auth.SignIn{Phone: phone, Address: here.Address})
			if err != nil || challenge == "" || cause != want {
				t.Fatalf("%s: %q %v", phone, cause, err)
			}
			if got := len(d.messages()) - before; (got == 1) != (want == "") {
				t.Errorf("%s got %d messages", phone, got)
			}
			if shown, err := d.ChallengePhone(ctx, auth.ForSignIn, challenge); err != nil || shown != phone {
				t.Errorf("the challenge shows %q, %v", shown, err)
			}
			for left := 4; left >= 1; left-- {
				_, err = d.FinishWithCode(ctx, challenge, "12345", here)
				var invalid fault.Invalid
				if !errors.As(err, &invalid) || invalid["code"].Key != "auth.code.wrong" || invalid["code"].Args[1] != left {
					t.Fatalf("%s with %d left: %v", phone, left, err)
				}
			}
		}
	})
}

func TestLimitsPerNumberAndAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		for _, phone := range []string{d.w.StaffPhone, "+8613900000000"} {
			for i := range 6 {
				_, _, err := d.Begin(ctx, auth.SignIn{Phone: phone, Address: fmt.Sprintf("198.51.100.%d", i)})
				if tooMany(err) != (i == 5) {
					t.Fatalf("message %d to %s: %v", i+1, phone, err)
				}
			}
		}
		for i := range 31 {
			_, _, err := d.Begin(ctx, auth.SignIn{Phone: fmt.Sprintf("+86139111111%02d", i), Address: fmt.Sprintf("2001:db8::%x", i)})
			if tooMany(err) != (i == 30) {
				t.Fatalf("message %d from one /64: %v", i+1, err)
			}
		}
		d.clock.Add(time.Hour)
		if _, _, err := d.Begin(ctx, auth.SignIn{Phone: d.w.StaffPhone, Address: "2001:db8::1"}); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		for i := range 11 {
			_, err := d.WithPassword(ctx, d.w.HeadPhone, "no such password", auth.From{Address: fmt.Sprintf("203.0.113.%d", i)})
			if tooMany(err) != (i == 10) {
				t.Fatalf("try %d on one number: %v", i+1, err)
			}
		}
		for i := range 101 {
			_, _, err := d.CheckCode(ctx, auth.ForJoin, "none", "123456", "203.0.113.200")
			if tooMany(err) != (i == 100) {
				t.Fatalf("try %d from one address: %v", i+1, err)
			}
		}
	})
}

func TestACodeForJoiningProvesAPhoneAndNothingElse(t *testing.T) {
	onBoth(t, func(t *testing.T, d *desk) {
		challenge, err := d.SendCode(ctx, auth.CodeRequest{Purpose: auth.ForJoin, Phone: "+8613900000000", Address: here.Address, Lang: "en", Deliver: true})
		if err != nil {
			t.Fatal(err)
		}
		m := d.messages()[0]
		if m["for"] != "join" {
			t.Errorf("sent %v", m)
		}
		if _, err := d.FinishWithCode(ctx, challenge, m["code"], here); err == nil {
			t.Error("a join code opened a session")
		}
		phone, member, err := d.CheckCode(ctx, auth.ForJoin, challenge, m["code"], here.Address)
		if err != nil || phone != "+8613900000000" || member != nil {
			t.Errorf("proved %q %v %v", phone, member, err)
		}
	})
}
