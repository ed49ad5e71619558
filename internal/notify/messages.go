package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/fault"
)

// States lists the states of a message, for filters.
var States = []string{Queued, Sent, Failed, GivenUp, Capped}

// Outward lists the ways that leave the console, for filters.
var Outward = []string{Mail, Text, Hook}

// LogFilter narrows the list of messages. Unknown values narrow nothing.
type LogFilter struct {
	Channel, State string
	Endpoint       int64
	After          int64
}

// Logged is a message as the list shows it, with whom it is for.
type Logged struct {
	Message
	Receiver string
	Phone    string // of a guest
	Tries    []Try  `gorm:"-"`
}

// Try is one attempt to hand a message over.
type Try struct {
	MessageID int64
	At        time.Time
	Status    int
	TookMS    int64 `gorm:"column:took_ms"`
	Error     string
}

// LogPage is a page of messages, newest first.
type LogPage struct {
	Messages []Logged
	Next     int64
	Freeze   *Freeze
}

// Log lists messages for super admins.
func (s *Service) Log(ctx context.Context, by access.Actor, f LogFilter) (p LogPage, err error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return p, err
	}
	tx := s.db.WithContext(ctx)
	if p.Freeze, err = frozen(tx); err != nil {
		return p, err
	}
	q := tx.Table("messages m").Select("m.*, coalesce(x.name, gu.name, e.label) AS receiver, gu.phone AS phone").
		Joins("LEFT JOIN members x ON x.id = m.member_id LEFT JOIN guests gu ON gu.id = m.guest_id LEFT JOIN webhook_endpoints e ON e.id = m.endpoint_id").
		Where("m.channel <> 'bell'")
	if slices.Contains(Outward, f.Channel) {
		q = q.Where("m.channel = ?", f.Channel)
	}
	if slices.Contains(States, f.State) {
		q = q.Where("m.state = ?", f.State)
	}
	if f.Endpoint > 0 {
		q = q.Where("m.endpoint_id = ?", f.Endpoint)
	}
	if f.After > 0 {
		q = q.Where("m.id < ?", f.After)
	}
	if err := q.Order("m.id DESC").Limit(pageSize + 1).Scan(&p.Messages).Error; err != nil {
		return p, fmt.Errorf("list the messages: %w", err)
	}
	if len(p.Messages) > pageSize {
		p.Messages = p.Messages[:pageSize]
		p.Next = p.Messages[pageSize-1].ID
	}
	return p, tries(tx, p.Messages)
}

// triesShown is how many tries of a message are kept in view.
const triesShown = 5

func tries(tx *gorm.DB, all []Logged) error {
	if len(all) == 0 {
		return nil
	}
	at, ids := map[int64]*Logged{}, []int64{}
	for i := range all {
		at[all[i].ID], ids = &all[i], append(ids, all[i].ID)
	}
	var rows []Try
	if err := tx.Raw("SELECT message_id, at, status, took_ms, error FROM message_tries WHERE message_id IN ? ORDER BY id DESC", ids).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read the tries: %w", err)
	}
	for _, t := range rows {
		if m := at[t.MessageID]; len(m.Tries) < triesShown {
			m.Tries = append(m.Tries, t)
		}
	}
	return nil
}

// Retry queues a message again, whatever became of it: with the same UID, so
// that a receiver who has it already can tell. One that waits goes now.
func (s *Service) Retry(ctx context.Context, by access.Actor, id int64) (m Message, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		err := tx.Where("id = ? AND channel <> 'bell'", id).Take(&m).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.NotFound
		} else if err != nil {
			return fmt.Errorf("read the message: %w", err)
		}
		now := s.now().UTC()
		done := tx.Model(&Message{}).Where("id = ? AND (locked_until IS NULL OR locked_until < ?)", id, now).
			Updates(map[string]any{"state": Queued, "attempts": 0, "next_try_at": now, "updated_at": now, "sent_at": nil, "last_error": ""})
		if done.Error != nil {
			return fmt.Errorf("queue a message again: %w", done.Error)
		} else if done.RowsAffected == 0 {
			return fault.Conflict{Message: fault.Msg("notices.log.busy")}
		}
		return s.trail.Record(tx, by, audit.Event{Action: "message.retry", Object: audit.Object{Kind: "message", ID: strconv.FormatInt(id, 10)},
			Details: map[string]any{"channel": m.Channel, "kind": m.Kind, "state_was": m.State}})
	})
	return m, err
}
