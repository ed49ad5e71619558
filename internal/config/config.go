// Package config reads the environment into one checked struct.
package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is the checked environment. Every field is ready to use.
type Config struct {
	Addr            string   `env:"DOORPLATE_ADDR" envDefault:"127.0.0.1:8080"`
	BaseURL         string   `env:"DOORPLATE_BASE_URL"` // without a trailing slash
	DataDir         string   `env:"DOORPLATE_DATA_DIR" envDefault:"./data"`
	DatabaseURL     string   `env:"DOORPLATE_DATABASE_URL"` // empty = embedded
	SecretKey       string   `env:"DOORPLATE_SECRET_KEY"`
	SMS             string   `env:"DOORPLATE_SMS" envDefault:"log"`
	SMSWebhookURL   string   `env:"DOORPLATE_SMS_WEBHOOK_URL"`
	TrustedProxies  []string `env:"DOORPLATE_TRUSTED_PROXIES" envSeparator:","`
	MetricsToken    string   `env:"DOORPLATE_METRICS_TOKEN"`
	Timezone        string   `env:"DOORPLATE_TIMEZONE" envDefault:"Asia/Shanghai"`
	LogFormat       string   `env:"DOORPLATE_LOG_FORMAT" envDefault:"text"`
	ProxyPrefixes   []netip.Prefix
	SecretKeySource string // where the key came from, for messages

	// WebhookAddresses is "public", or "any" for trying out: http and addresses inside too.
	WebhookAddresses string `env:"DOORPLATE_WEBHOOK_ADDRESSES" envDefault:"public"`
	// SMTPURL is the mail server, for operators who keep secrets out of the console; empty = the console's.
	SMTPURL string `env:"DOORPLATE_SMTP_URL"`
	SMTP    SMTP
}

// Error is one wrong variable: what it holds and what is accepted.
type Error struct{ Name, Value, Accepted string }

func (e Error) Error() string {
	return fmt.Sprintf("%s=%q is not usable: %s", e.Name, e.Value, e.Accepted)
}

// Load reads and checks the environment. It creates nothing.
func Load() (Config, error) {
	var c Config
	if err := env.Parse(&c); err != nil {
		return c, fmt.Errorf("read the environment: %w", err)
	}
	for _, check := range []func(*Config) error{
		checkAddr, checkBaseURL, checkDatabaseURL, checkSecretKey, checkSMS, checkProxies, checkTimezone, checkLogFormat, checkWebhooks, checkSMTP,
	} {
		if err := check(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

func checkAddr(c *Config) error {
	if _, port, err := net.SplitHostPort(c.Addr); err != nil || !validPort(port) {
		return Error{"DOORPLATE_ADDR", c.Addr, "it takes host:port with a port from 0 to 65535, e.g. 127.0.0.1:8080 or :8080"}
	}
	return nil
}

func validPort(port string) bool {
	_, err := net.LookupPort("tcp", port)
	return err == nil && port != ""
}

func checkBaseURL(c *Config) error {
	given := c.BaseURL
	if given == "" {
		host := c.Addr
		if strings.HasPrefix(host, ":") {
			host = "127.0.0.1" + host
		}
		c.BaseURL = "http://" + host
		return nil
	}
	u, err := url.Parse(given)
	bad := err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil
	if bad || !printableASCII(given) || strings.Trim(u.Path, "/") != "" {
		return Error{"DOORPLATE_BASE_URL", given, "it takes http:// or https:// and a host in ASCII, nothing behind it, e.g. https://door.example.com"}
	}
	c.BaseURL = strings.TrimRight(given, "/")
	return nil
}

func printableASCII(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

func checkDatabaseURL(c *Config) error {
	ok := c.DatabaseURL == "" || strings.HasPrefix(c.DatabaseURL, "postgres://") || strings.HasPrefix(c.DatabaseURL, "postgresql://")
	if !ok {
		return Error{"DOORPLATE_DATABASE_URL", redacted(c.DatabaseURL), "it takes postgres://user:password@host:5432/database, or nothing for the embedded database"}
	}
	return nil
}

// redacted keeps a password that was typed into the wrong place out of the log.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil {
		return u.Redacted()
	}
	if at := strings.LastIndex(raw, "@"); err != nil && at >= 0 {
		scheme, _, _ := strings.Cut(raw[:at], "://")
		return scheme + "://xxxxx" + raw[at:]
	}
	return raw
}

// WrongDatabaseURL is what to say when the driver cannot read DatabaseURL.
func (c Config) WrongDatabaseURL(err error) error {
	why := err.Error()
	if i := strings.LastIndex(why, "`: "); i >= 0 {
		why = why[i+len("`: "):] // the driver's copy of the address
	}
	return Error{"DOORPLATE_DATABASE_URL", redacted(c.DatabaseURL), "it takes postgres://user:password@host:5432/database (" + why + ")"}
}

func checkSecretKey(c *Config) error {
	if c.SecretKey != "" && len(c.SecretKey) < 32 {
		return Error{"DOORPLATE_SECRET_KEY", fmt.Sprintf("(%d bytes)", len(c.SecretKey)), "it takes 32 bytes or more, e.g. the output of openssl rand -hex 32"}
	}
	return nil
}

func checkSMS(c *Config) error {
	switch c.SMS {
	case "log":
		return nil
	case "webhook":
		u, err := url.Parse(c.SMSWebhookURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return Error{"DOORPLATE_SMS_WEBHOOK_URL", c.SMSWebhookURL, "with DOORPLATE_SMS=webhook it takes an http:// or https:// address"}
		}
		return nil
	}
	return Error{"DOORPLATE_SMS", c.SMS, "it takes log or webhook"}
}

func checkProxies(c *Config) error {
	for _, p := range c.TrustedProxies {
		p = strings.TrimSpace(p)
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			addr, err := netip.ParseAddr(p)
			if err != nil {
				return Error{"DOORPLATE_TRUSTED_PROXIES", p, "it takes CIDRs separated by commas, e.g. 10.0.0.0/8,192.168.1.5/32"}
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.ProxyPrefixes = append(c.ProxyPrefixes, prefix)
	}
	return nil
}

func checkTimezone(c *Config) error {
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "" || c.Timezone == "Local" {
		return Error{"DOORPLATE_TIMEZONE", c.Timezone, "it takes an IANA time zone name, e.g. Asia/Shanghai or Europe/Berlin"}
	}
	return nil
}

func checkLogFormat(c *Config) error {
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return Error{"DOORPLATE_LOG_FORMAT", c.LogFormat, "it takes text or json"}
	}
	return nil
}

func checkWebhooks(c *Config) error {
	if c.WebhookAddresses != "public" && c.WebhookAddresses != "any" {
		return Error{"DOORPLATE_WEBHOOK_ADDRESSES", c.WebhookAddresses, "it takes public or any (http and addresses inside too, for trying out)"}
	}
	return nil
}

// Embedded reports whether the embedded database is used.
func (c Config) Embedded() bool { return c.DatabaseURL == "" }

// Loopback reports whether other machines cannot open the base URL.
func (c Config) Loopback() bool {
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

// HTTPS reports whether the public address is encrypted.
func (c Config) HTTPS() bool { return strings.HasPrefix(c.BaseURL, "https://") }

// PrepareDataDir makes the data dir (0700) and proves that it can be written.
func (c Config) PrepareDataDir() error {
	refuse := func(err error) error {
		return Error{"DOORPLATE_DATA_DIR", c.DataDir, "it takes a folder this user can read and write (" + cause(err) + ")"}
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return refuse(err)
	}
	probe, err := os.CreateTemp(c.DataDir, ".probe-*")
	if err != nil {
		return refuse(err)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return refuse(err)
	}
	return nil
}

func cause(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// ResolveSecretKey returns the secret key: from the environment, else from the
// data dir, where it is generated once. DataDir must exist.
func (c *Config) ResolveSecretKey() ([]byte, error) {
	key, err := c.ExistingSecretKey()
	if errors.Is(err, os.ErrNotExist) {
		return generateKey(c.SecretKeySource)
	}
	return key, err
}

// ExistingSecretKey is ResolveSecretKey for who must not make one: os.ErrNotExist when there is none.
func (c *Config) ExistingSecretKey() ([]byte, error) {
	if c.SecretKey != "" {
		c.SecretKeySource = "DOORPLATE_SECRET_KEY"
		return []byte(c.SecretKey), nil
	}
	c.SecretKeySource = filepath.Join(c.DataDir, "secret.key")
	raw, err := os.ReadFile(c.SecretKeySource)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	} else if err != nil {
		return nil, Error{"DOORPLATE_DATA_DIR", c.DataDir, "secret.key in it cannot be read (" + cause(err) + ")"}
	}
	key := strings.TrimSpace(string(raw))
	if len(key) < 32 {
		return nil, Error{"DOORPLATE_DATA_DIR", c.DataDir, "secret.key in it is shorter than 32 bytes; restore it from the backup or set DOORPLATE_SECRET_KEY"}
	}
	return []byte(key), nil
}

// generateKey writes a new key; of two processes that start together one wins
// and the other reads its key.
func generateKey(path string) ([]byte, error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(hex.EncodeToString(raw)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the secret key: %w", err)
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("write the secret key: %w", err)
	}
	key, err := os.ReadFile(path)
	return []byte(strings.TrimSpace(string(key))), err
}
