// Package notify turns finished facts into messages.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"doorplate/internal/i18n"
)

// SMS is one text message, in the shape that the webhook receives. ID stays
// the same when a message is tried again.
type SMS struct {
	ID   string `json:"id"`
	To   string `json:"to"` // E.164
	Code string `json:"code"`
	Text string `json:"text"`
	Lang string `json:"lang"`
	For  string `json:"for"` // signin, join or invite; an invitation has no code
}

// Sender hands messages over. There are two: LogSender and Webhook.
type Sender interface {
	Send(ctx context.Context, m SMS) error
}

// LogSender writes a line per message, for trying Doorplate out. It is the only
// place that ever writes a code or a whole phone number.
type LogSender struct {
	mu  sync.Mutex
	out io.Writer
}

// NewLogSender writes to out, normally standard output.
func NewLogSender(out io.Writer) *LogSender { return &LogSender{out: out} }

// Send writes the whole line with one call, so that lines never mix.
func (l *LogSender) Send(_ context.Context, m SMS) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := fmt.Fprintf(l.out, "sms to=%s code=%s for=%s\n", m.To, m.Code, m.For); err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	return nil
}

// webhookTimeout is what the receiver has to answer within.
const webhookTimeout = 5 * time.Second

// Webhook posts messages as JSON and expects 2xx.
type Webhook struct {
	url    string
	client *http.Client
}

// NewWebhook posts to address. Redirects are not followed: a code goes where the
// operator said and nowhere else.
func NewWebhook(address string) *Webhook {
	return &Webhook{url: address, client: &http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send posts one message. An error says nothing of its content.
func (w *Webhook) Send(ctx context.Context, m SMS) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the SMS webhook: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "doorplate")
	answer, err := w.client.Do(r)
	var bare *url.Error
	if errors.As(err, &bare) {
		return fmt.Errorf("ask the SMS webhook: %w", bare.Err) // the address may hold a token
	} else if err != nil {
		return fmt.Errorf("ask the SMS webhook: %w", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return fmt.Errorf("read the SMS webhook's answer: %w", err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the SMS webhook answered %d", answer.StatusCode)
	}
	return nil
}

// SMSJob is what the outbox does with jobs of kind "sms". payload is what auth
// enqueued: id, to, code, lang, for and, in an invitation, link.
func SMSJob(to Sender) func(ctx context.Context, payload []byte) error {
	return func(ctx context.Context, payload []byte) error {
		var m struct {
			SMS
			Link string `json:"link"`
		}
		if err := json.Unmarshal(payload, &m); err != nil {
			return fmt.Errorf("read the message: %w", err)
		}
		m.Text = i18n.In(m.Lang, "notify.sms.code", "Code", m.Code)
		if m.Link != "" {
			m.Text = i18n.In(m.Lang, "notify.sms.invite", "Link", m.Link)
		}
		return to.Send(ctx, m.SMS)
	}
}
