package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorplate/internal/config"
)

func TestWrongValuesAreNamed(t *testing.T) {
	for name, values := range map[string][]string{
		"DOORPLATE_ADDR":            {"8080", "host", "127.0.0.1:99999", "127.0.0.1:"},
		"DOORPLATE_BASE_URL":        {"door.example.com", "ftp://x", "https://", "https://x/path", "https://x?q", "https://门牌.example", "https://u:p@x"},
		"DOORPLATE_DATABASE_URL":    {"mysql://x", "doorplate.db"},
		"DOORPLATE_SECRET_KEY":      {"short"},
		"DOORPLATE_SMS":             {"pigeon"},
		"DOORPLATE_TRUSTED_PROXIES": {"10.0.0.0/99", "proxy"},
		"DOORPLATE_TIMEZONE":        {"Mars/Olympus", "Local"},
		"DOORPLATE_LOG_FORMAT":      {"xml"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Setenv(name, value)
				_, err := config.Load()
				var wrong config.Error
				if !errors.As(err, &wrong) || wrong.Name != name || wrong.Accepted == "" {
					t.Errorf("err = %v", err)
				}
				if name == "DOORPLATE_SECRET_KEY" && strings.Contains(err.Error(), value) {
					t.Error("the message repeats the secret")
				}
			})
		}
	}
}

func TestAWebhookNeedsItsAddress(t *testing.T) {
	t.Setenv("DOORPLATE_SMS", "webhook")
	if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), "DOORPLATE_SMS_WEBHOOK_URL") {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.BaseURL != "http://127.0.0.1:8080" || !c.Embedded() || !c.Loopback() || c.HTTPS() {
		t.Errorf("%+v", c)
	}
}

func TestTheSecretKeyIsMadeOnce(t *testing.T) {
	c := config.Config{DataDir: t.TempDir()}
	first, err := c.ResolveSecretKey()
	if err != nil || len(first) < 32 {
		t.Fatal(err, len(first))
	}
	second, err := c.ResolveSecretKey()
	if err != nil || string(second) != string(first) {
		t.Error("the key changed", err)
	}
	info, err := os.Stat(filepath.Join(c.DataDir, "secret.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestAnUnusableDataDirIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := config.Config{DataDir: file}.PrepareDataDir()
	if err == nil || !strings.Contains(err.Error(), "DOORPLATE_DATA_DIR") {
		t.Error(err)
	}
}

func TestAnAddressTheDriverCannotReadIsNamedWithoutItsPassword(t *testing.T) {
	c := config.Config{DatabaseURL: "postgres://door:s3cret@db:port/door"}
	said := c.WrongDatabaseURL(errors.New("cannot parse `postgres://door:xxxxx@db:port/door`: invalid port")).Error()
	if !strings.Contains(said, "DOORPLATE_DATABASE_URL") || !strings.Contains(said, "invalid port") || strings.Contains(said, "s3cret") {
		t.Error(said)
	}
}
