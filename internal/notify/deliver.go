package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/database"
)

// lease is how long a worker may take for one message before another one tries.
const lease = 2 * time.Minute

// sendTime is what one try may take.
const sendTime = 30 * time.Second

// maxAttempts spread over about a day and a half.
const maxAttempts = 12

// backOff is the wait after a failed try: from 5 s, four times longer each, at most 6 h.
func backOff(attempt int) time.Duration {
	wait := 5 * time.Second
	for range attempt - 1 {
		wait = min(4*wait, 6*time.Hour)
	}
	return wait
}

// final is a failure that no further try would mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// try is what came of one.
type try struct {
	status int // of a webhook's answer
	err    error
}

// Deliver hands over one message of a channel that is due and reports whether
// there was one. A worker that dies after the message left leaves it leased:
// it is sent again, under the same UID.
func (s *Service) Deliver(ctx context.Context, channel string) (bool, error) {
	m, err := s.take(ctx, channel)
	if err != nil || m == nil {
		return false, err
	}
	if err := s.at("leased"); err != nil {
		return true, err
	}
	if channel != Hook {
		stop, err := s.count(ctx, m)
		if err != nil || stop {
			return true, err
		}
	}
	began := s.now()
	limited, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	t := s.send(limited, m)
	if ctx.Err() != nil {
		return true, ctx.Err() // going down: the lease brings it back
	}
	if err := s.at("sent"); err != nil {
		return true, err
	}
	if err := s.settle(ctx, m, t, s.now().Sub(began)); err != nil {
		return true, err
	}
	return true, s.at("settled")
}

// take leases the message that is due first. An endpoint that somebody hands
// something to already waits, so that a slow one holds one worker at most.
func (s *Service) take(ctx context.Context, channel string) (*Message, error) {
	now, skip, busy := s.now().UTC(), "", ""
	args := []any{now.Add(lease), now, channel, now, now}
	if database.Postgres(s.db) {
		skip = "FOR UPDATE SKIP LOCKED"
	}
	if channel == Hook {
		busy = "AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.endpoint_id = m.endpoint_id AND o.id <> m.id AND o.state IN ('queued', 'failed') AND o.locked_until >= ?)"
		args = append(args, now)
	} else {
		busy = "AND NOT EXISTS (SELECT 1 FROM message_freeze)"
	}
	var taken []Message
	err := s.db.WithContext(ctx).Raw(`UPDATE messages SET locked_until = ?, attempts = attempts + 1, open_key = NULL, updated_at = ?
		WHERE id = (SELECT id FROM messages m WHERE m.channel = ? AND m.state IN ('queued', 'failed') AND m.next_try_at <= ?
			AND (m.locked_until IS NULL OR m.locked_until < ?) `+busy+` ORDER BY m.next_try_at, m.id LIMIT 1 `+skip+`) RETURNING *`, args...).Scan(&taken).Error
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return &taken[0], nil
}

// send hands a message over, in no transaction.
func (s *Service) send(ctx context.Context, m *Message) (out try) {
	defer func() {
		if p := recover(); p != nil {
			out.err = fmt.Errorf("panic: %v", p)
		}
	}()
	switch m.Channel {
	case Mail:
		return try{err: s.sendMail(ctx, m)}
	case Text:
		return try{err: s.sendText(ctx, m)}
	case Hook:
		return s.sendHook(ctx, m)
	}
	return try{err: final{fmt.Errorf("no way to send by %q", m.Channel)}}
}

// settle writes down what came of a try.
func (s *Service) settle(ctx context.Context, m *Message, t try, took time.Duration) error {
	now := s.now().UTC()
	set := map[string]any{"locked_until": nil, "updated_at": now, "state": Sent, "sent_at": now, "last_error": ""}
	var over final
	if t.err != nil {
		set = map[string]any{"locked_until": nil, "updated_at": now, "state": Failed, "last_error": storable(t.err), "next_try_at": now.Add(backOff(m.Attempts))}
		if m.Attempts >= maxAttempts || errors.As(t.err, &over) {
			set["state"] = GivenUp
		}
		s.log.Warn("a message was not handed over", "channel", m.Channel, "id", m.UID, "attempt", m.Attempts, "err", storable(t.err))
	}
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row := tx.Model(&Message{}).Where("id = ? AND state IN ?", m.ID, []string{Queued, Failed})
		if t.err != nil {
			row = row.Where("attempts = ?", m.Attempts) // after the lease another worker may be at it
		}
		if err := row.Updates(set).Error; err != nil {
			return fmt.Errorf("note a message: %w", err)
		}
		failed := ""
		if t.err != nil {
			failed = storable(t.err)
		}
		err := tx.Exec("INSERT INTO message_tries (message_id, at, status, took_ms, error) VALUES (?, ?, ?, ?, ?)", m.ID, now, t.status, took.Milliseconds(), failed).Error
		if err != nil {
			return fmt.Errorf("note a try: %w", err)
		}
		if m.EndpointID == nil {
			return nil
		}
		return s.rateEndpoint(tx, *m.EndpointID, t, now)
	})
}

// storable is what went wrong as text that either database takes.
func storable(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "")
	runes := []rune(text)
	return string(runes[:min(len(runes), 300)])
}
