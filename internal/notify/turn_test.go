package notify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/events"
	"doorplate/internal/notify"
	"doorplate/internal/testkit"
)

func TestDecidersHearOfRequestsAndApplicantsOfDecisions(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.asks("李雷")
		w.turn()
		w.wants("nearest head", w.bell(w.Head), "李雷 申请加入“平台技术交流群”")
		w.wants("another head", w.bell(w.OtherHead))
		w.wants("super admin", w.bell(w.Super))
		w.asks("韩梅梅")
		w.asks("王伟")
		w.turn()
		w.wants("what is unread counts up", w.bell(w.Head), "“平台技术交流群”有 3 条新申请，最近一条来自 王伟")
		_, err := w.n.Read(context.Background(), w.Head, 0)
		w.must(err)
		w.asks("赵敏")
		w.clock.Add(time.Second)
		w.turn()
		w.wants("what was read does not", w.bell(w.Head), "赵敏 申请加入“平台技术交流群”", "“平台技术交流群”有 3 条新申请，最近一条来自 王伟")

		id := w.memberAsks(w.OtherStaff)
		w.turn()
		w.decide(id, "rejected", "人数已满")
		w.turn()
		w.wants("applicant", w.bell(w.OtherStaff), "你加入“平台技术交流群”的申请被拒绝")
		if open := w.count("SELECT count(*) FROM events WHERE handled_at IS NULL"); open != 0 {
			t.Errorf("%d events are left", open)
		}
	})
}

func TestWhoDecidesFollowsAbsenceDutyAndTheApplicant(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.exec("INSERT INTO department_deputies (department_id, member_id) VALUES (?, ?)", w.RD, w.OtherStaff.MemberID)
		w.exec("INSERT INTO absences (member_id, starts_at, ends_at, set_by, set_at) VALUES (?, ?, ?, ?, ?)", w.Head.MemberID, w.clock.Now().Add(-hours(1)), w.clock.Now().Add(hours(24)), w.Head.MemberID, w.clock.Now())
		w.asks("李雷")
		w.turn()
		w.wants("absent", w.bell(w.Head))
		w.wants("deputy", w.bell(w.OtherStaff), "李雷 申请加入“平台技术交流群”")
		w.exec("DELETE FROM absences")
		w.exec("INSERT INTO group_duties (group_id, member_id, duty) VALUES (?, ?, 'review')", w.room, w.Staff.MemberID)
		w.asks("韩梅梅")
		w.turn()
		w.wants("back", w.bell(w.Head), "韩梅梅 申请加入“平台技术交流群”")
		w.wants("duty", w.bell(w.Staff), "韩梅梅 申请加入“平台技术交流群”")
		w.exec("DELETE FROM group_duties")
		w.memberAsks(w.Head)
		w.turn()
		w.wants("nobody hears of their own", w.bell(w.Head), "韩梅梅 申请加入“平台技术交流群”")
		w.wants("a super admin does, where no head is left", w.bell(w.Super), "许一诺 申请加入“平台技术交流群”")
	})
}

func TestADecidedRequestIsNoNews(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.decide(w.asks("李雷"), "approved", "")
		w.turn()
		w.wants("head", w.bell(w.Head))
	})
}

func TestAFloodIsOneMailWithACount(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		for i := range 120 {
			w.asks(fmt.Sprint("人", i))
		}
		w.turn()
		w.deliver(notify.Mail)
		if got := w.mail.mails(); len(got) != 0 {
			t.Fatalf("%d mails before the minute was over", len(got))
		}
		w.clock.Add(time.Minute)
		w.deliver(notify.Mail)
		if got := w.mail.mails(); len(got) != 1 || !strings.Contains(decoded(t, got[0]), "有 120 条新申请") {
			t.Fatalf("%d mails: %s", len(got), got)
		}
		w.asks("后来的人")
		w.turn()
		w.clock.Add(time.Minute)
		w.deliver(notify.Mail)
		if got := w.mail.mails(); len(got) != 2 || !strings.Contains(decoded(t, got[1]), "后来的人 申请加入") {
			t.Fatalf("%d mails", len(got))
		}
	})
}

func TestDigestsAndQuietHours(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.withMail()
		ctx := context.Background()
		w.must(w.n.SaveSettings(ctx, w.OtherStaff, notify.Settings{Mail: true, Digest: "daily", Language: "en"}))
		first, second := w.memberAsks(w.OtherStaff), int64(0)
		w.decide(first, "rejected", "no")
		w.turn()
		second = w.memberAsks(w.OtherStaff)
		w.decide(second, "approved", "")
		w.turn()
		w.clock.Add(hours(24) - time.Minute) // it is nine in the morning: tomorrow's
		w.deliver(notify.Mail)
		if n := w.count("SELECT count(*) FROM messages WHERE channel = 'mail' AND member_id = ? AND state = 'sent'", w.OtherStaff.MemberID); n != 0 {
			t.Fatalf("%d too early", n)
		}
		w.clock.Add(time.Minute)
		w.deliver(notify.Mail)
		var text string
		for _, m := range w.mail.mails() {
			if strings.Contains(m, fmt.Sprintf("To: <m%d@", w.OtherStaff.MemberID)) {
				text += decoded(t, m)
			}
		}
		for _, want := range []string{"2 new messages", "Your request to join 平台技术交流群 was rejected", "Reason: no", "was approved"} {
			if !strings.Contains(text, want) {
				t.Errorf("the digest lacks %q: %s", want, text)
			}
		}
		at := func(clock string) time.Time {
			v, _ := time.Parse("2006-01-02 15:04", "2026-11-22 "+clock)
			return v
		}
		for _, c := range []struct{ from, to, at, want string }{
			{"22:00", "08:00", "23:30", "32:00"}, {"22:00", "08:00", "03:00", "08:00"}, {"22:00", "08:00", "08:00", "08:00"}, {"22:00", "08:00", "12:00", "12:00"},
			{"12:00", "13:00", "12:30", "13:00"}, {"", "", "03:00", "03:00"}, {"12:00", "12:00", "12:00", "12:00"},
		} {
			want := at("00:00")
			if c.want == "32:00" {
				want = want.Add(32 * time.Hour)
			} else {
				want = at(c.want)
			}
			if got := notify.AfterQuiet(at(c.at), time.UTC, c.from, c.to); !got.Equal(want) {
				t.Errorf("%s in %s–%s goes at %s, want %s", c.at, c.from, c.to, got, want)
			}
		}
	})
}

func TestTextMessagesOnlyWhereSwitchedOn(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		id := w.asks("李雷")
		w.decide(id, "approved", "")
		w.turn()
		w.deliver(notify.Text)
		if len(w.texts.sent) != 0 {
			t.Fatalf("sent %v", w.texts.sent)
		}
		w.exec("INSERT INTO policies (name, value, updated_at) VALUES ('notice_guest_sms', 'true', ?), ('notice_member_sms', 'true', ?)", w.clock.Now(), w.clock.Now())
		w.must(w.n.SaveSettings(context.Background(), w.Head, notify.Settings{SMS: true, Digest: "now"}))
		id = w.asks("韩梅梅")
		w.turn()
		w.clock.Add(time.Minute)
		w.deliver(notify.Text)
		w.decide(id, "rejected", "长")
		w.turn()
		w.deliver(notify.Text)
		if len(w.texts.sent) != 2 {
			t.Fatalf("sent %v", w.texts.sent)
		}
		if m := w.texts.sent[0]; m.To != w.HeadPhone || m.Text != "晨星科技: 韩梅梅 申请加入“平台技术交流群”" || m.Code != "" {
			t.Errorf("to the head: %+v", m)
		}
		if m := w.texts.sent[1]; !strings.HasPrefix(m.To, "+86137") || !strings.Contains(m.Text, "被拒绝") || m.For != "notice" {
			t.Errorf("to the guest: %+v", m)
		}
	})
}

func TestAMilestoneIsToldOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		r := newReceiver(t)
		w.endpoint(r.URL, events.Milestone)
		joined := func(n int) {
			w.exec("UPDATE groups SET member_count = ? WHERE id = ?", n, w.room)
			w.must(db.Transaction(func(tx *gorm.DB) error {
				return events.Publish(tx, events.Event{Kind: events.Joined, GroupID: &w.room, MemberID: &w.Staff.MemberID, At: w.clock.Now()})
			}))
			w.turn()
			w.deliver(notify.Hook)
		}
		for _, n := range []int{99, 100, 101, 99, 100} {
			joined(n)
		}
		got := r.all()
		if len(got) != 1 || got[0].fields["type"] != "group.milestone" || !strings.Contains(got[0].body, `"members":100`) {
			t.Fatalf("posted %v", got)
		}
		if !strings.Contains(got[0].body, `"group":{"id":"`+w.gid+`","members":100,"name":"平台技术交流群"}`) {
			t.Errorf("says %s", got[0].body)
		}
		w.wants("those in charge", w.bell(w.Head), "“平台技术交流群”已有 100 人")
		page, err := w.n.List(context.Background(), w.Head, 0)
		w.must(err)
		if page.Notices[0].Href != "/groups/"+w.gid {
			t.Errorf("leads to %s", page.Notices[0].Href)
		}
	})
}

func TestAWelcomeForWhoWalksIn(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.exec("UPDATE groups SET welcome = '周五有分享' WHERE id = ?", w.room)
		w.must(db.Transaction(func(tx *gorm.DB) error {
			return events.Publish(tx, events.Event{Kind: events.Joined, GroupID: &w.room, MemberID: &w.Staff.MemberID, At: w.clock.Now()})
		}))
		w.turn()
		p, err := w.n.List(context.Background(), w.Staff, 0)
		w.must(err)
		if len(p.Notices) != 1 {
			t.Fatalf("%+v", p)
		}
		if title, more := p.Notices[0].Say("en"); title != "You are in 平台技术交流群 now" || more != "周五有分享" {
			t.Errorf("%q %q", title, more)
		}
	})
}

func TestASecondPersonIsAskedFor(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		var id int64
		w.must(db.Raw("INSERT INTO approvals (kind, payload, requested_by, requested_at, expires_at) VALUES ('export', '{}', ?, ?, ?) RETURNING id", w.Super.MemberID, w.clock.Now(), w.clock.Now()).Scan(&id).Error)
		w.turn()
		w.wants("the other super admin", w.bell(w.Super2), "周岚 的操作等待双人复核")
		w.wants("not who asked", w.bell(w.Super))
		w.exec("UPDATE approvals SET status = 'approved', decided_by = ?, decided_at = ? WHERE id = ?", w.Super2.MemberID, w.clock.Now(), id)
		w.turn()
		w.wants("the outcome", w.bell(w.Super), "你发起的复核已通过")
		page, err := w.n.List(context.Background(), w.Super, 0)
		w.must(err)
		if page.Notices[0].Href != fmt.Sprintf("/approvals/%d", id) {
			t.Errorf("leads to %s", page.Notices[0].Href)
		}
	})
}

func TestADyingChatImageIsAnnouncedOnce(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		w.exec("UPDATE groups SET entry_kind = 'upstream' WHERE id = ?", w.room)
		w.exec("INSERT INTO files (id, sha256, content_type, content, created_at) VALUES (1, 'x', 'image/png', ?, ?)", []byte("x"), w.clock.Now())
		image := func(days int) {
			w.exec("INSERT INTO entry_images (group_id, file_id, url, position, valid_until, added_at) VALUES (?, 1, ?, ?, ?, ?)", w.room, fmt.Sprint(days), days, w.clock.Now().AddDate(0, 0, days), w.clock.Now())
		}
		look := func() {
			w.must(w.n.Remind(context.Background()))
			w.turn()
		}
		image(1)
		image(7)
		look()
		w.wants("there is a spare", w.bell(w.Head))
		w.clock.Add(hours(6 * 24))
		look()
		look()
		w.wants("there is none", w.bell(w.Head), "“平台技术交流群”的上游群二维码快过期了，没有备用的")
	})
}

// One event of which no message can be made is tried again; those behind it are not held up.
func TestAStuckEventHoldsUpNoOther(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		w := start(t, db)
		spoil, mend := []string{"ALTER TABLE messages ADD CONSTRAINT spoilt CHECK (args NOT LIKE '%坏%')"}, []string{"ALTER TABLE messages DROP CONSTRAINT spoilt"}
		if db.Name() != "postgres" {
			spoil, mend = nil, []string{"DROP TRIGGER spoilt_insert", "DROP TRIGGER spoilt_update"}
			for _, on := range []string{"insert", "update"} {
				spoil = append(spoil, "CREATE TRIGGER spoilt_"+on+" BEFORE "+on+" ON messages WHEN NEW.args LIKE '%坏%' BEGIN SELECT RAISE(ABORT, 'spoilt'); END")
			}
		}
		for _, sql := range spoil {
			w.exec(sql)
		}
		id := w.memberAsks(w.OtherStaff)
		w.turn()
		w.asks("坏")
		w.decide(id, "rejected", "人数已满")
		if worked, err := w.n.Turn(context.Background()); !worked || err == nil || !strings.Contains(err.Error(), "request.submitted") {
			t.Fatalf("%v, %v", worked, err)
		}
		w.wants("applicant behind it", w.bell(w.OtherStaff), "你加入“平台技术交流群”的申请被拒绝")
		if open := w.count("SELECT count(*) FROM events WHERE handled_at IS NULL"); open != 1 {
			t.Errorf("%d events are left, want the stuck one", open)
		}
		for _, sql := range mend {
			w.exec(sql)
		}
		w.turn()
		if open := w.count("SELECT count(*) FROM events WHERE handled_at IS NULL"); open != 0 {
			t.Errorf("%d events are left", open)
		}
	})
}
