package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
	"doorplate/internal/testkit"
)

// onEmpty runs test on migrated databases that nobody has set up.
func onEmpty(t *testing.T, test func(t *testing.T, d *desk)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) { test(t, newDesk(t, db)) })
}

func firstRun() auth.FirstRun {
	return auth.FirstRun{Organisation: " 晨星科技 ", Timezone: "Europe/Berlin", Language: "en", Name: "周岚", Phone: "138-0000-0001", Password: "correct horse battery"}
}

func TestSetUp(t *testing.T) {
	onEmpty(t, func(t *testing.T, d *desk) {
		older := d.token()
		token := d.token()
		if err := d.CheckSetup(ctx, older); !errors.Is(err, fault.NotFound) {
			t.Errorf("an older token answered %v", err)
		}
		if err := d.CheckSetup(ctx, ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("no token answered %v", err)
		}
		id, err := d.SetUp(ctx, token, firstRun(), here)
		if err != nil {
			t.Fatal(err)
		}
		a, err := d.ActorOf(ctx, id)
		if err != nil || !a.Super || len(a.Own) != 1 {
			t.Fatalf("signed in as %+v, %v", a, err)
		}
		if d.count(`SELECT count(*) FROM departments WHERE name = '晨星科技' AND path = ? AND depth = 0 AND parent_id IS NULL`, a.Own[0]) != 1 {
			t.Error("no root department")
		}
		if d.count(`SELECT count(*) FROM organisation WHERE name = '晨星科技' AND timezone = 'Europe/Berlin' AND language = 'en' AND setup_token_hash = ''`) != 1 {
			t.Error("the organisation was not named")
		}
		if d.count(`SELECT count(*) FROM audit_entries WHERE action IN ('auth.setup', 'auth.signin')`) != 2 {
			t.Error("not audited")
		}
		if again := d.token(); again != "" {
			t.Error("a token after set-up")
		}
		if _, err := d.SetUp(ctx, token, firstRun(), here); !errors.Is(err, fault.NotFound) {
			t.Errorf("a second set-up answered %v", err)
		}
		if _, err := d.WithPassword(ctx, "+8613800000001", "correct horse battery", here); err != nil {
			t.Errorf("the set-up password: %v", err)
		}
	})
}

func (d *desk) token() string {
	d.t.Helper()
	token, err := d.SetupToken(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return token
}

func TestOneOfManySetUpsWins(t *testing.T) {
	onEmpty(t, func(t *testing.T, d *desk) {
		token := d.token()
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wg.Go(func() {
				_, err := d.SetUp(ctx, token, firstRun(), here)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, fault.NotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if members := d.count(`SELECT count(*) FROM members`); won != 1 || members != 1 {
			t.Errorf("%d won, %d members", won, members)
		}
	})
}

func TestSetUpSaysWhatIsWrong(t *testing.T) {
	onEmpty(t, func(t *testing.T, d *desk) {
		token := d.token()
		for field, spoil := range map[string]func(*auth.FirstRun){
			"organisation": func(f *auth.FirstRun) { f.Organisation = " \t" },
			"name":         func(f *auth.FirstRun) { f.Name = strings.Repeat("长", 61) },
			"timezone":     func(f *auth.FirstRun) { f.Timezone = "../../etc/passwd" },
			"phone":        func(f *auth.FirstRun) { f.Phone = "12" },
			"password":     func(f *auth.FirstRun) { f.Password = "elf Zeichen" },
		} {
			in := firstRun()
			spoil(&in)
			if _, err := d.SetUp(ctx, token, in, here); wrongs(err, field) == "" {
				t.Errorf("a wrong %s answered %v", field, err)
			}
		}
		if err := d.CheckSetup(ctx, token); err != nil {
			t.Errorf("after mistakes the token answers %v", err)
		}
	})
}

func TestSetUpDemo(t *testing.T) {
	onEmpty(t, func(t *testing.T, d *desk) {
		token := d.token()
		fill := func(context.Context) error {
			return d.db.Exec(`INSERT INTO members (name, phone, super_admin, created_at, updated_at) VALUES ('周岚', '+8613800000001', ?, ?, ?)`, true, d.clock.Now(), d.clock.Now()).Error
		}
		if _, err := d.SetUpDemo(ctx, "wrong", fill, here); !errors.Is(err, fault.NotFound) {
			t.Errorf("a wrong token answered %v", err)
		}
		id, err := d.SetUpDemo(ctx, token, fill, here)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := d.ActorOf(ctx, id); err != nil || !a.Super {
			t.Errorf("signed in as %+v, %v", a, err)
		}
	})
}

func TestAnotherKeyIsRefused(t *testing.T) {
	onEmpty(t, func(t *testing.T, d *desk) {
		for range 2 {
			if err := d.CheckKey(ctx); err != nil {
				t.Fatal(err)
			}
		}
		other, err := secret.New([]byte(strings.Repeat("another key ", 4)))
		if err != nil {
			t.Fatal(err)
		}
		err = auth.New(d.db, other, audit.New(other, d.clock.Now), d.outbox, d.clock.Now).CheckKey(ctx)
		if err == nil || !strings.Contains(err.Error(), "DOORPLATE_SECRET_KEY") {
			t.Errorf("another key answered %v", err)
		}
	})
}
