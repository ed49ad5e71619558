package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"doorplate/internal/notify"
)

const payload = `{"id":"m1","to":"+8613800000005","code":"012345","lang":"en","for":"signin"}`

func TestLogSenderWritesOneLine(t *testing.T) {
	var out bytes.Buffer
	if err := notify.SMSJob(notify.NewLogSender(&out))(context.Background(), []byte(payload)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "sms to=+8613800000005 code=012345 for=signin\n" {
		t.Errorf("wrote %q", got)
	}
}

func TestWebhook(t *testing.T) {
	var got map[string]string
	status := http.StatusAccepted
	var elsewhere bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	defer other.Close()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", other.URL)
		w.WriteHeader(status)
	}))
	defer hook.Close()
	send := notify.SMSJob(notify.NewWebhook(hook.URL + "/?token=geheim"))

	if err := send(context.Background(), []byte(payload)); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"id": "m1", "to": "+8613800000005", "code": "012345", "lang": "en", "for": "signin"} {
		if got[field] != want {
			t.Errorf("%s = %q, want %q", field, got[field], want)
		}
	}
	if !strings.Contains(got["text"], "012345") || len(got) != 6 {
		t.Errorf("posted %v", got)
	}
	for _, status = range []int{302, 307, 404, 500} {
		if err := send(context.Background(), []byte(payload)); err == nil {
			t.Errorf("%d passed as sent", status)
		}
	}
	if elsewhere {
		t.Error("followed a redirect with the code")
	}
	hook.Close()
	if err := send(context.Background(), []byte(payload)); err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "012345") {
		t.Errorf("a dead webhook answered %v", err)
	}
}

func TestInvitationText(t *testing.T) {
	var got map[string]string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer hook.Close()
	const invitation = `{"id":"m2","to":"+8613800000005","lang":"zh-CN","for":"invite","link":"http://door.example/login/link/x"}`
	if err := notify.SMSJob(notify.NewWebhook(hook.URL))(context.Background(), []byte(invitation)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got["text"], "http://door.example/login/link/x") || got["code"] != "" {
		t.Errorf("posted %v", got)
	}
}
