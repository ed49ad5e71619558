package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"doorplate/internal/fault"
)

// secretPrefix marks secrets of webhooks, after the Standard Webhooks convention.
const secretPrefix = "whsec_"

// payload is the body of a webhook.
type payload struct {
	Type      string         `json:"type"`
	Timestamp time.Time      `json:"timestamp"`
	Data      map[string]any `json:"data"`
}

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and times only
	}
	return string(raw)
}

// hook writes a fact for the endpoints that want it.
func (b *batch) hook(f *fact) error {
	for _, e := range b.endpoints {
		if !e.Wants(f.Kind) {
			continue
		}
		if err := b.toEndpoint(e, f.Kind, &f.ID, payload{Type: f.Kind, Timestamp: f.At.UTC(), Data: f.public()}); err != nil {
			return err
		}
	}
	return nil
}

// toEndpoint queues one webhook. What is stored is what is signed: each try
// sends the same bytes under the same id.
func (b *batch) toEndpoint(e Endpoint, kind string, event *int64, p payload) error {
	return b.add(Message{Channel: Hook, Kind: kind, EventID: event, EndpointID: &e.ID, Body: jsonText(p), Times: 1, State: Queued,
		NextTryAt: b.now, CreatedAt: b.now, UpdatedAt: b.now})
}

// public is what other systems are told of a fact: no phone, no code, no reason.
func (f *fact) public() map[string]any {
	d := map[string]any{"event": f.ID}
	if f.GroupGID != "" {
		d["group"] = map[string]any{"id": f.GroupGID, "name": f.GroupName, "members": f.GroupMembers}
	}
	if f.RequestID != nil {
		d["request"] = map[string]any{"id": *f.RequestID}
	}
	switch {
	case f.MemberID != nil:
		d["person"] = map[string]any{"kind": "member", "id": *f.MemberID, "name": f.Applicant}
	case f.GuestID != nil:
		d["person"] = map[string]any{"kind": "guest", "name": f.Applicant}
	}
	if f.CodePublicID != "" {
		d["code"] = map[string]any{"id": f.CodePublicID, "label": f.CodeLabel}
	}
	if f.ActorID != nil {
		d["by"] = map[string]any{"id": *f.ActorID, "name": f.ActorName}
	}
	for _, name := range []string{"members", "approval", "until"} {
		if v, there := f.data[name]; there {
			d[name] = v
		}
	}
	return d
}

// Sign is the signature of a webhook after the Standard Webhooks convention.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// sendHook posts one webhook; anything but 2xx is a failure, a redirect too.
func (s *Service) sendHook(ctx context.Context, m *Message) try {
	e, err := endpoint(s.db.WithContext(ctx), *m.EndpointID)
	switch {
	case err == fault.NotFound:
		return try{err: final{fmt.Errorf("the endpoint was removed")}}
	case err != nil:
		return try{err: err}
	case !e.Enabled:
		return try{err: final{fmt.Errorf("the endpoint is switched off")}}
	}
	now := s.now()
	signed, err := s.signatures(e, m, now)
	if err != nil {
		return try{err: err}
	}
	status, err := s.hooks.post(ctx, e.URL, map[string]string{"webhook-id": m.UID, "webhook-timestamp": strconv.FormatInt(now.Unix(), 10), "webhook-signature": signed}, []byte(m.Body))
	switch {
	case err != nil:
		return try{err: err}
	case status >= 300 && status < 400:
		return try{status: status, err: fmt.Errorf("answered %d: redirects are not followed", status)}
	case status == http.StatusGone:
		return try{status: status, err: final{fmt.Errorf("answered 410: it wants no more")}}
	case status < 200 || status > 299:
		return try{status: status, err: fmt.Errorf("answered %d", status)}
	}
	return try{status: status}
}

// signatures are that of the secret and, for a day, that of the one before.
func (s *Service) signatures(e Endpoint, m *Message, at time.Time) (string, error) {
	key, err := s.key(e.Secret)
	if err != nil {
		return "", err
	}
	all := Sign(key, m.UID, at, []byte(m.Body))
	if e.OldUntil != nil && e.OldUntil.After(at) {
		if key, err = s.key(e.OldSecret); err != nil {
			return "", err
		}
		all += " " + Sign(key, m.UID, at, []byte(m.Body))
	}
	return all, nil
}
