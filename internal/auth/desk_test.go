package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/auth"
	"doorplate/internal/fault"
	"doorplate/internal/jobs"
	"doorplate/internal/testkit"
)

// desk is the identity service on one test database, with a tray of sent messages.
type desk struct {
	*auth.Service
	t      *testing.T
	db     *gorm.DB
	w      testkit.World
	clock  *testkit.Clock
	outbox *jobs.Outbox
	sent   []map[string]string
}

var ctx = context.Background()

func onBoth(t *testing.T, test func(t *testing.T, d *desk)) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		d := newDesk(t, db)
		d.w = testkit.Org(t, db, d.clock)
		test(t, d)
	})
}

func newDesk(t *testing.T, db *gorm.DB) *desk {
	d := &desk{t: t, db: db, clock: testkit.NewClock()}
	keys := testkit.Keys()
	d.outbox = jobs.New(db, keys, d.clock.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	d.outbox.Handle("sms", func(_ context.Context, payload []byte) error {
		var m map[string]string
		if err := json.Unmarshal(payload, &m); err != nil {
			return err
		}
		d.sent = append(d.sent, m)
		return nil
	})
	d.Service = auth.New(db, keys, audit.New(keys, d.clock.Now), d.outbox, d.clock.Now)
	return d
}

// messages sends what is queued and returns all messages so far.
func (d *desk) messages() []map[string]string {
	d.t.Helper()
	for {
		worked, err := d.outbox.Next(ctx)
		if err != nil {
			d.t.Fatal(err)
		}
		if !worked {
			return d.sent
		}
	}
}

// ask begins a sign-in and returns the challenge and the code that was sent.
func (d *desk) ask(phone string) (challenge, code string) {
	d.t.Helper()
	before := len(d.messages())
	challenge, _, err := d.Begin(ctx, auth.SignIn{Phone: phone, Address: "192.0.2.7", Lang: "zh-CN"})
	if err != nil {
		d.t.Fatal(err)
	}
	if all := d.messages(); len(all) > before {
		return challenge, all[len(all)-1]["code"]
	}
	return challenge, ""
}

func (d *desk) count(query string, args ...any) (n int) {
	d.t.Helper()
	if err := d.db.Raw(query, args...).Scan(&n).Error; err != nil {
		d.t.Fatal(err)
	}
	return n
}

// wrongs returns the message key of a fault.Invalid's field, "" for another error.
func wrongs(err error, field string) string {
	var invalid fault.Invalid
	if !errors.As(err, &invalid) {
		return ""
	}
	return invalid[field].Key
}

func tooMany(err error) bool {
	var many fault.TooMany
	return errors.As(err, &many) && many.After > 0
}

// not returns six digits that are not the code.
func not(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

var here = auth.From{Address: "192.0.2.7", Device: "test"}
