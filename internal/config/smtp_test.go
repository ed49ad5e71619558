package config_test

import (
	"strings"
	"testing"

	"doorplate/internal/config"
)

func TestMailServerOfTheEnvironment(t *testing.T) {
	for raw, want := range map[string]config.SMTP{
		"": {},
		"smtp://smtp.example.com?from=door@example.com":                      {Host: "smtp.example.com", Port: 587, Security: "starttls", Sender: "door@example.com"},
		"smtps://u%40x:p%3A@mail.example.com:4465?from=Door%20%3Cd@e.com%3E": {Host: "mail.example.com", Port: 4465, Security: "tls", Username: "u@x", Password: "p:", Sender: "Door <d@e.com>"},
		"smtp+plain://10.0.0.5?from=d@e.com":                                 {Host: "10.0.0.5", Port: 25, Security: "none", Sender: "d@e.com"},
	} {
		t.Setenv("DOORPLATE_SMTP_URL", raw)
		c, err := config.Load()
		if err != nil || c.SMTP != want {
			t.Errorf("%q: %+v, %v", raw, c.SMTP, err)
		}
	}
	for _, raw := range []string{"x", "http://a?from=d@e.com", "smtp://a", "smtp://?from=d@e.com", "smtp://u:geheim@a:0?from=d@e.com", "smtp://u:geheim@a?from=nobody"} {
		t.Setenv("DOORPLATE_SMTP_URL", raw)
		if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), "DOORPLATE_SMTP_URL") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	t.Setenv("DOORPLATE_SMTP_URL", "")
	t.Setenv("DOORPLATE_WEBHOOK_ADDRESSES", "all")
	if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), "DOORPLATE_WEBHOOK_ADDRESSES") {
		t.Error(err)
	}
}
