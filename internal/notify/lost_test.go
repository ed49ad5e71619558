package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/events"
	"doorplate/internal/notify"
	"doorplate/internal/testkit"
)

var errKilled = errors.New("killed")

// dying is a service that dies the first time it comes by a step: nothing it
// does after that counts, and another one takes over.
func (w *world) dying(step string) *notify.Service {
	n := w.service()
	n.FailAt(func(at string) error {
		if at == step {
			return errKilled
		}
		return nil
	})
	return n
}

// Wherever a worker is killed, each message arrives at least once, and what
// arrives twice has the same id both times.
func TestKilledAtAnyPointNothingIsLost(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		w.exec("INSERT INTO policies (name, value, updated_at) VALUES ('notice_guest_sms', 'true', ?)", w.clock.Now())
		r := newReceiver(t)
		w.endpoint(r.URL, events.Rejected)
		ctx, done := context.Background(), 0
		for _, step := range []string{"claimed", "written", "noted", "turned", "leased", "sent", "settled"} {
			member := w.memberAsks(w.OtherStaff)
			w.decide(member, "rejected", step)
			w.decide(w.asks("访客"+step), "rejected", step)
			done++
			dying := w.dying(step)
			for _, work := range []func(context.Context) (bool, error){dying.Turn,
				func(ctx context.Context) (bool, error) { return dying.Deliver(ctx, notify.Mail) },
				func(ctx context.Context) (bool, error) { return dying.Deliver(ctx, notify.Text) },
				func(ctx context.Context) (bool, error) { return dying.Deliver(ctx, notify.Hook) }} {
				if _, err := work(ctx); err != nil && !errors.Is(err, errKilled) {
					t.Fatalf("%s: %v", step, err)
				}
			}
			w.turn()
			w.clock.Add(hours(1)) // the leases of the dead are over
			for _, channel := range []string{notify.Mail, notify.Text, notify.Hook} {
				w.deliver(channel)
			}
		}
		w.allArrived(r, done)
	})
}

// allArrived compares what was written with what came out on the other side.
func (w *world) allArrived(r *receiver, n int) {
	w.t.Helper()
	arrived := map[string]int{}
	for _, p := range r.all() {
		arrived[p.id]++
	}
	for _, m := range w.mail.mails() {
		_, id, _ := strings.Cut(m, "Message-ID: <")
		id, _, _ = strings.Cut(id, "@")
		arrived[id]++
	}
	for _, m := range w.texts.sent {
		arrived[m.ID]++
	}
	var written []struct{ UID, Channel, State string }
	w.must(w.db.Raw("SELECT uid, channel, state FROM messages WHERE channel <> 'bell'").Scan(&written).Error)
	twice, per := 0, map[string]int{}
	for _, m := range written {
		per[m.Channel]++
		if arrived[m.UID] == 0 || m.State != notify.Sent {
			w.t.Errorf("%s %s, %s, arrived %d times", m.Channel, m.UID, m.State, arrived[m.UID])
		}
		if arrived[m.UID] > 1 {
			twice++
		}
		delete(arrived, m.UID)
	}
	if len(arrived) > 0 {
		w.t.Errorf("arrived under ids that nobody gave: %v", arrived)
	}
	if per[notify.Mail] != n || per[notify.Text] != n || per[notify.Hook] != 2*n {
		w.t.Errorf("of %d decisions were written %v", n, per)
	}
	if twice == 0 {
		w.t.Error("nothing arrived twice: the worker was never killed between sending and noting it")
	}
	if bells := w.count("SELECT count(*) FROM messages WHERE channel = 'bell' AND member_id = ?", w.OtherStaff.MemberID); bells != n {
		w.t.Errorf("%d in the bell, want %d", bells, n)
	}
	if open := w.count("SELECT count(*) FROM events WHERE handled_at IS NULL"); open != 0 {
		w.t.Errorf("%d events are left", open)
	}
}

// Several instances at once make one message of each fact, and of a flood one.
func TestManyInstancesTurnEachEventOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		r := newReceiver(t)
		w.endpoint(r.URL, events.Submitted)
		const asked = 250
		for i := range asked {
			w.asks(fmt.Sprint("人", i))
		}
		var all sync.WaitGroup
		for range 4 {
			n := w.service()
			all.Go(func() {
				for worked := true; worked; {
					var err error
					if worked, err = n.Turn(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		w.turn()
		w.clock.Add(hours(1))
		for range 4 {
			n := w.service()
			all.Go(func() {
				for worked := true; worked; {
					var err error
					if worked, err = n.Deliver(context.Background(), notify.Hook); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		w.deliver(notify.Hook)
		seen := map[string]bool{}
		for _, p := range r.all() {
			if seen[p.id] {
				t.Errorf("%s twice", p.id)
			}
			seen[p.id] = true
		}
		if len(seen) != asked {
			t.Errorf("%d webhooks of %d", len(seen), asked)
		}
		if n := w.count("SELECT coalesce(sum(times), 0) FROM messages WHERE channel = 'mail'"); n != asked {
			t.Errorf("the mails count %d of %d", n, asked)
		}
		if n := w.count("SELECT sum(times) FROM messages WHERE channel = 'bell'"); n != asked {
			t.Errorf("the bell counts %d of %d", n, asked)
		}
	})
}

// hole takes connections and never says a word.
func hole(t *testing.T) (port int, met chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	met = make(chan struct{}, 100)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			met <- struct{}{}
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, met
}

// While a mail server and an endpoint swallow everything and answer nothing,
// requests are decided, events become messages and another endpoint gets its own.
func TestASilentServerHoldsUpNobody(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		port, met := hole(t)
		w.must(w.n.SaveMail(context.Background(), w.Super, notify.MailDraft{Host: "127.0.0.1", Port: fmt.Sprint(port), Security: notify.Plain, Sender: "door@example.com"}))
		w.endpoint(fmt.Sprintf("http://127.0.0.1:%d/", port), events.Rejected)
		r := newReceiver(t)
		w.endpoint(r.URL, events.Rejected)
		w.decide(w.memberAsks(w.OtherStaff), "rejected", "一")
		w.turn()
		ctx, stop := context.WithCancel(context.Background())
		var stuck sync.WaitGroup
		for _, channel := range []string{notify.Mail, notify.Hook} {
			n := w.service()
			stuck.Go(func() { _, _ = n.Deliver(ctx, channel) })
			<-met // it hangs in the middle of a try now
		}
		w.decide(w.memberAsks(w.OtherStaff), "rejected", "二")
		w.turn()
		w.deliver(notify.Hook)
		if got := r.all(); len(got) != 2 {
			t.Errorf("the other endpoint has %d of 2", len(got))
		}
		w.wants("the bell", w.bell(w.OtherStaff), "你加入“平台技术交流群”的申请被拒绝", "你加入“平台技术交流群”的申请被拒绝")
		stop()
		stuck.Wait()
		if n := w.count("SELECT count(*) FROM messages WHERE channel <> 'bell' AND state IN ('queued', 'failed')"); n != 4 {
			t.Errorf("%d wait for the silent ones, want 4", n)
		}
	})
}

func TestFailuresAreTriedLaterAndLaterAndThenGivenUp(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		r.status = 500
		w.endpoint(r.URL, events.Rejected)
		w.decide(w.memberAsks(w.OtherStaff), "rejected", "x")
		w.turn()
		for try := 1; try <= 12; try++ {
			w.deliver(notify.Hook)
			if got := len(r.all()); got != try {
				t.Fatalf("%d tries, want %d", got, try)
			}
			w.clock.Add(notify.BackOff(try))
		}
		w.deliver(notify.Hook)
		if n := w.count("SELECT count(*) FROM messages WHERE state = 'given_up'"); n != 1 || len(r.all()) != 12 {
			t.Errorf("%d given up after %d tries", n, len(r.all()))
		}
		p, err := w.n.Log(context.Background(), w.Super, notify.LogFilter{State: notify.GivenUp})
		w.must(err)
		if len(p.Messages) != 1 || p.Messages[0].Receiver != "接收" || len(p.Messages[0].Tries) != 5 || p.Messages[0].Tries[0].Status != 500 {
			t.Fatalf("%+v", p.Messages)
		}
		r.status = 200
		_, err = w.n.Retry(context.Background(), w.Super, p.Messages[0].ID)
		w.must(err)
		w.deliver(notify.Hook)
		got := r.all()
		if len(got) != 13 || got[12].id != got[0].id || got[12].body != got[0].body {
			t.Errorf("replayed as %+v", got[len(got)-1])
		}
		if n := w.count("SELECT count(*) FROM messages WHERE state = 'sent' AND channel = 'webhook'"); n != 1 {
			t.Error("not sent after all")
		}
	})
}

func TestCapsAndTheFreeze(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		ctx := context.Background()
		w.exec("INSERT INTO policies (name, value, updated_at) VALUES ('notice_person_daily', '3', ?), ('notice_daily', '5', ?)", w.clock.Now(), w.clock.Now())
		refused := func(times int, ids ...int64) {
			for range times {
				for _, id := range ids {
					var request int64
					w.must(db.Raw("INSERT INTO join_requests (group_id, member_id, name, created_at) VALUES (?, ?, 'x', ?) RETURNING id", w.room, id, w.clock.Now()).Scan(&request).Error)
					w.decide(request, "rejected", "")
				}
			}
			w.turn()
			w.deliver(notify.Mail)
		}
		refused(4, w.OtherStaff.MemberID)
		if got := len(w.mail.mails()); got != 3 {
			t.Fatalf("%d mails to one person, want 3", got)
		}
		if n := w.count("SELECT count(*) FROM messages WHERE state = 'capped'"); n != 1 {
			t.Errorf("%d capped", n)
		}
		refused(3, w.Staff.MemberID)
		if got := len(w.mail.mails()); got != 5 {
			t.Fatalf("%d mails to all, want 5", got)
		}
		f, err := w.n.Frozen(ctx, w.Super)
		w.must(err)
		if f == nil || f.Sent != 5 {
			t.Fatalf("frozen: %+v", f)
		}
		w.turn()
		w.wants("the warning", w.bell(w.Super), "今天已发出 5 条通知，达到上限：邮件和短信暂停，等待超级管理员恢复")
		if err := w.n.Thaw(ctx, w.Head); err == nil {
			t.Error("a head let it go on")
		}
		w.must(w.n.Thaw(ctx, w.Super))
		w.deliver(notify.Mail)
		if got := len(w.mail.mails()); got != 8 { // the one that waited, and the warning to both super admins
			t.Errorf("%d mails after the thaw, want 8", got)
		}
		if n := w.count("SELECT count(*) FROM messages WHERE channel = 'mail' AND state = 'queued'"); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}
