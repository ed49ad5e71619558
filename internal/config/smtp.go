package config

import (
	"net/mail"
	"net/url"
	"strconv"
)

// SMTP is the mail server of the environment; Host is empty without one.
type SMTP struct {
	Host, Security, Username, Password, Sender string
	Port                                       int
}

// smtpSchemes are the ways to speak with a mail server, with their usual ports.
var smtpSchemes = map[string]struct {
	security string
	port     int
}{"smtp": {"starttls", 587}, "smtps": {"tls", 465}, "smtp+plain": {"none", 25}}

func checkSMTP(c *Config) error {
	if c.SMTPURL == "" {
		return nil
	}
	refuse := Error{"DOORPLATE_SMTP_URL", redacted(c.SMTPURL),
		"it takes smtp://user:password@host:587?from=door@example.com (STARTTLS), smtps:// (TLS) or smtp+plain:// (no encryption)"}
	u, err := url.Parse(c.SMTPURL)
	if err != nil {
		return refuse
	}
	kind, known := smtpSchemes[u.Scheme]
	sender := u.Query().Get("from")
	if _, err := mail.ParseAddress(sender); !known || err != nil || u.Hostname() == "" || !printableASCII(u.Hostname()) {
		return refuse
	}
	c.SMTP = SMTP{Host: u.Hostname(), Port: kind.port, Security: kind.security, Sender: sender}
	if port := u.Port(); port != "" {
		if c.SMTP.Port, err = strconv.Atoi(port); err != nil || c.SMTP.Port < 1 || c.SMTP.Port > 65535 {
			return refuse
		}
	}
	if u.User != nil {
		c.SMTP.Username = u.User.Username()
		c.SMTP.Password, _ = u.User.Password()
	}
	return nil
}
