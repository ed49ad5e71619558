package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/notify"
)

// noticed gives somebody a notice, and the organisation a webhook (the only one) with a message that failed.
func (s *site) noticed(who access.Actor) (hook, message int64) {
	s.t.Helper()
	now := s.clock.Now()
	s.exec("UPDATE webhook_endpoints SET deleted_at = ? WHERE deleted_at IS NULL", now)
	hook, err := s.deps.Notices.CreateEndpoint(context.Background(), s.w.Super, notify.EndpointDraft{Label: "Coupons", URL: "https://hooks.example.com/x", Kinds: []string{"group.milestone"}})
	if err != nil {
		s.t.Fatal(err)
	}
	n := unique.Add(1)
	message = s.insert(`INSERT INTO messages (uid, channel, kind, endpoint_id, body, state, attempts, last_error, next_try_at, created_at, updated_at)
		VALUES (?, 'webhook', 'group.milestone', ?, '{}', 'failed', 1, 'answered 500', ?, ?, ?)`, fmt.Sprint("m", n), hook, now, now, now)
	s.exec("INSERT INTO message_tries (message_id, at, status, took_ms, error) VALUES (?, ?, 500, 12, 'answered 500')", message, now)
	s.exec(`INSERT INTO messages (uid, channel, kind, member_id, href, args, times, state, next_try_at, created_at, updated_at)
		VALUES (?, 'bell', 'request.submitted', ?, '/notices', '{"Group":"Club","Name":"Eve"}', 3, 'sent', ?, ?, ?)`, fmt.Sprint("b", n), who.MemberID, now, now, now)
	return hook, message
}

func TestTheBellCountsAndIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.noticed(s.w.Staff)
		b := s.as(s.w.Staff)
		doc := page(t, b.get("/"))
		if got := strings.TrimSpace(doc.Find(".dp-bell .dp-count").Text()); got != "1" {
			t.Errorf("the bell says %q", got)
		}
		doc = page(t, b.get("/notices"))
		if got := doc.Find(".dp-notice.is-unread").Text(); !strings.Contains(got, "“Club”有 3 条新申请，最近一条来自 Eve") {
			t.Errorf("the list says %q", got)
		}
		id := doc.Find(`.dp-notice input[name="id"]`).AttrOr("value", "")
		want(t, s.as(s.w.Head).post("/notices/read", "id", id), 404)
		want(t, b.post("/notices/read", "id", id, "open", "on"), 303, "/notices")
		if n := page(t, b.get("/notices")).Find(".dp-notice.is-unread, .dp-bell .dp-count").Length(); n != 0 {
			t.Errorf("%d unread after reading", n)
		}
		if got := page(t, s.as(s.w.OtherStaff).get("/notices")).Find(".dp-empty").Length(); got != 1 {
			t.Error("somebody else's list is not empty")
		}
	})
}

func TestASecretIsShownOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		rec := b.post("/settings/webhooks", "label", "券", "url", "https://hooks.example.com/a", "kind", "group.milestone")
		want(t, rec, 303, "/settings/webhooks/")
		at := rec.Header().Get("Location")
		if strings.Contains(b.get(at).Body.String(), "whsec_") {
			t.Error("shown without being asked for")
		}
		want(t, b.post(at+"/secret"), 303, at)
		if !strings.Contains(b.get(at).Body.String(), "whsec_") {
			t.Error("not shown")
		}
		if strings.Contains(b.get(at).Body.String(), "whsec_") {
			t.Error("shown twice")
		}
		want(t, b.post(at+"/secret"), 409)
		rec = b.post("/settings/webhooks", "label", "x", "url", "https://169.254.169.254/latest", "kind", "group.milestone")
		want(t, rec, 422)
		if doc := page(t, rec); doc.Find("#url").AttrOr("value", "") != "https://169.254.169.254/latest" || !strings.Contains(doc.Find("#url-h").Text(), "不在公网上") {
			t.Errorf("says %q", doc.Find("#url-h").Text())
		}
	})
}

func TestHowIAmTold(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Staff)
		rec := b.post("/notices/settings", "digest", "never", "quiet_from", "25:00", "quiet_to", "", "language", "fr")
		want(t, rec, 422)
		if n := page(t, rec).Find(".invalid-feedback").Length(); n != 3 {
			t.Errorf("%d complaints, want 3", n)
		}
		want(t, b.post("/notices/settings", "mail", "on", "digest", "hourly", "quiet_from", "22:00", "quiet_to", "08:00", "language", "en"), 303, "/notices/settings")
		doc := page(t, b.get("/notices/settings"))
		if doc.Find(`[name="digest"]:checked`).AttrOr("value", "") != "hourly" || doc.Find("#quiet_from").AttrOr("value", "") != "22:00" || doc.Find("#language option[selected]").AttrOr("value", "") != "en" {
			t.Error("not kept")
		}
	})
}

func TestMessagesAreFilteredRetriedAndThawed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		_, message := s.noticed(s.w.Staff)
		b := s.as(s.w.Super)
		rows := func(query string) int { return page(t, b.get("/settings/messages"+query)).Find("tbody tr").Length() }
		if rows("") != 1 || rows("?state=failed&channel=webhook") != 1 || rows("?state=sent") != 0 || rows("?channel=mail") != 0 {
			t.Error("the filters are wrong")
		}
		want(t, b.post(fmt.Sprintf("/settings/messages/%d/retry", message)), 303, "/settings/messages")
		if rows("?state=queued") != 1 {
			t.Error("not queued again")
		}
		s.exec("INSERT INTO message_freeze (id, frozen_at, sent) VALUES (1, ?, 500)", s.clock.Now())
		if got := page(t, b.get("/settings/messages")).Find(".dp-note.is-stop").Text(); !strings.Contains(got, "500") {
			t.Errorf("the warning says %q", got)
		}
		want(t, b.post("/settings/messages/thaw"), 303, "/settings/messages")
		if n := page(t, b.get("/settings/messages")).Find(".dp-note.is-stop").Length(); n != 0 {
			t.Error("still frozen")
		}
	})
}

func TestTheMailServerPageKeepsThePassword(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		b := s.as(s.w.Super)
		rec := b.post("/settings/mail", "host", "bad host\r\nX: y", "port", "0", "security", "x", "sender", "nobody", "password", "geheim-42")
		want(t, rec, 422)
		if n := page(t, rec).Find(".invalid-feedback").Length(); n != 4 || strings.Contains(rec.Body.String(), "geheim-42") {
			t.Errorf("%d complaints, want 4; or the password came back", n)
		}
		want(t, b.post("/settings/mail", "host", "smtp.example.com", "port", "587", "security", "starttls", "username", "door", "password", "geheim-42", "sender", "门牌 <door@example.com>"), 303, "/settings/mail")
		rec = b.get("/settings/mail")
		if strings.Contains(rec.Body.String(), "geheim-42") || page(t, rec).Find("#host").AttrOr("value", "") != "smtp.example.com" {
			t.Error("the page shows the password, or not the server")
		}
		want(t, b.post("/settings/mail/test"), 409)
		want(t, b.post("/settings/mail", "host", ""), 303, "/settings/mail")
		if got := page(t, b.get("/settings/mail")).Find("#host").AttrOr("value", ""); got != "" {
			t.Errorf("still %s", got)
		}
	})
}
