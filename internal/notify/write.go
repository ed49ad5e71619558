package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/events"
	"doorplate/internal/paths"
	"doorplate/internal/secret"
)

// gather is how long a message waits for more of its kind before it goes.
const gather = time.Minute

// person is a member as messages need them, with how they want to be told.
type person struct {
	ID                  int64
	Email               string
	Phone               string
	Mail, SMS           *bool
	Digest              string
	QuietFrom, QuietTo  string
	Language            string
	unknown, mailWanted bool
}

func (b *batch) person(id int64) (person, error) {
	if p, known := b.people[id]; known {
		return p, nil
	}
	p, err := loadPerson(b.tx, id)
	b.people[id] = p
	return p, err
}

func loadPerson(tx *gorm.DB, id int64) (person, error) {
	var rows []person
	err := tx.Raw(`SELECT m.id, m.email, m.phone, s.mail, s.sms, s.digest, s.quiet_from, s.quiet_to, s.language
		FROM members m LEFT JOIN notice_settings s ON s.member_id = m.id WHERE m.id = ? AND m.status = 'active'`, id).Scan(&rows).Error
	if err != nil {
		return person{}, fmt.Errorf("read how somebody is told: %w", err)
	}
	if len(rows) == 0 {
		return person{ID: id, unknown: true}, nil
	}
	p := rows[0]
	p.mailWanted = p.Email != "" && (p.Mail == nil || *p.Mail)
	return p, nil
}

// tellMember writes a fact to a member's bell and to the other ways they chose.
func (b *batch) tellMember(f *fact, k kind, id int64) error {
	p, err := b.person(id)
	if err != nil || p.unknown {
		return err
	}
	m := b.message(f)
	m.MemberID = &id
	key := fmt.Sprintf("%s:%s:%d", f.Kind, m.Href, id)
	if err := b.ring(m, k, key); err != nil {
		return err
	}
	if p.mailWanted && b.mail {
		if err := b.post(f, k, m, p); err != nil {
			return err
		}
	}
	if k.sms && p.SMS != nil && *p.SMS && b.smsTo(k) {
		m.Channel, m.State = Text, Queued
		m.NextTryAt = b.later(b.now, k, p)
		if k.flood {
			m.NextTryAt = b.later(b.now.Add(gather), k, p)
			return b.gatherInto(m, "sms:"+key)
		}
		return b.add(m)
	}
	return nil
}

// smsTo reports whether text messages to members are on.
func (b *batch) smsTo(kind) bool { return b.policies.NoticeMemberSMS && b.s.opt.SMS != nil }

// tellGuest writes to somebody outside the directory, who has nothing but a phone.
func (b *batch) tellGuest(f *fact, k kind) error {
	if !k.sms || !b.policies.NoticeGuestSMS || b.s.opt.SMS == nil {
		return nil
	}
	m := b.message(f)
	m.GuestID, m.Channel, m.State = f.GuestID, Text, Queued
	return b.add(m)
}

// ring writes to the bell: what is still unread counts up.
func (b *batch) ring(m Message, k kind, key string) error {
	m.Channel, m.State, m.SentAt = Bell, Sent, &b.now
	if k.flood {
		return b.gatherInto(m, "bell:"+key)
	}
	return b.add(m)
}

// post writes a line of a mail: one of its own, or of the digest that is being gathered.
func (b *batch) post(f *fact, k kind, m Message, p person) error {
	m.Channel, m.State = Mail, Queued
	line := m
	key, at := fmt.Sprintf("mail:%d:%s", p.ID, f.Kind), b.now
	switch {
	case k.urgent, p.Digest != "hourly" && p.Digest != "daily" && !k.flood:
		m.NextTryAt = b.later(at, k, p)
		return b.add(m)
	case p.Digest == "hourly":
		key, at = fmt.Sprintf("mail:%d:digest", p.ID), at.Truncate(time.Hour).Add(time.Hour)
	case p.Digest == "daily":
		key, at = fmt.Sprintf("mail:%d:digest", p.ID), nextMorning(at.In(b.zone))
	default:
		at = at.Add(gather)
	}
	m.Kind, m.Href, m.Args, m.NextTryAt = digestKind, "", "", b.later(at, k, p)
	id, err := b.upsert(m, key)
	if err != nil {
		return err
	}
	return b.line(id, f, k, line)
}

// digestKind is a message whose words are its lines.
const digestKind = "digest"

// digestHour is when the daily digest goes.
const digestHour = 9

func nextMorning(at time.Time) time.Time {
	next := time.Date(at.Year(), at.Month(), at.Day(), digestHour, 0, 0, 0, at.Location())
	if !next.After(at) {
		next = next.AddDate(0, 0, 1)
	}
	return next.UTC()
}

// line adds a fact to a digest.
func (b *batch) line(message int64, f *fact, k kind, m Message) error {
	key := fmt.Sprintf("%s:%d", f.Kind, f.ID)
	if k.flood {
		key = f.Kind + ":" + m.Href
	}
	err := b.tx.Exec(`INSERT INTO message_lines (message_id, line_key, kind, href, args, times, at) VALUES (?, ?, ?, ?, ?, 1, ?)
		ON CONFLICT (message_id, line_key) DO UPDATE SET times = message_lines.times + 1, args = excluded.args, at = excluded.at`,
		message, key, f.Kind, m.Href, m.Args, b.now).Error
	if err != nil {
		return fmt.Errorf("add to a digest: %w", err)
	}
	return nil
}

// later is when a message may go that is due at a moment: not in quiet hours.
func (b *batch) later(at time.Time, k kind, p person) time.Time {
	if k.urgent {
		return at
	}
	return afterQuiet(at, b.zone, p.QuietFrom, p.QuietTo)
}

// afterQuiet is at, or the end of the quiet hours that it falls into.
func afterQuiet(at time.Time, zone *time.Location, from, to string) time.Time {
	start, err1 := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", to)
	if err1 != nil || err2 != nil || from == to {
		return at
	}
	local := at.In(zone)
	minute, begin, over := local.Hour()*60+local.Minute(), start.Hour()*60+start.Minute(), end.Hour()*60+end.Minute()
	quiet := minute >= begin && minute < over
	if begin > over {
		quiet = minute >= begin || minute < over
	}
	if !quiet {
		return at
	}
	until := time.Date(local.Year(), local.Month(), local.Day(), end.Hour(), end.Minute(), 0, 0, zone)
	if !until.After(local) {
		until = until.AddDate(0, 0, 1)
	}
	return until.UTC()
}

// message is what all messages about a fact have in common.
func (b *batch) message(f *fact) Message {
	args, err := json.Marshal(f.words())
	if err != nil {
		panic(err) // texts and numbers only
	}
	return Message{Kind: f.Kind, EventID: &f.ID, Href: f.href(), Args: string(args), Times: 1, NextTryAt: b.now, CreatedAt: b.now, UpdatedAt: b.now}
}

// words are the values for the placeholders of a kind's text.
func (f *fact) words() map[string]any {
	w := map[string]any{"Group": f.GroupName, "Name": f.Applicant, "Reason": f.Reason, "By": f.ActorName, "Code": f.CodeLabel, "Welcome": f.Welcome}
	for from, to := range map[string]string{"members": "Members", "sent": "Sent", "label": "Label", "until": "Until", "hours": "Hours", "why": "Why"} {
		if v, there := f.data[from]; there {
			w[to] = v
		}
	}
	for name, v := range w {
		if v == "" {
			delete(w, name)
		}
	}
	return w
}

// href is where a message leads to.
func (f *fact) href() string {
	switch area, _, _ := strings.Cut(f.Kind, "."); {
	case f.Kind == events.Approved || f.Kind == events.Joined || f.Kind == events.Milestone:
		return f.at(paths.Group, f.GroupGID)
	case f.Kind == events.Submitted || f.Kind == events.Moved || f.Kind == "request.due" || f.Kind == "request.escalated":
		return paths.With(paths.Requests, "group", f.GroupGID)
	case area == "code":
		return f.at(paths.Code, f.CodePublicID)
	case area == "approval":
		return f.at(paths.Approval, fmt.Sprint(f.data["approval"]))
	case f.Kind == events.EntryDying:
		return f.at(paths.GroupEntry, f.GroupGID)
	case f.Kind == events.NoticesFrozen:
		return paths.SettingsMessages
	case f.Kind == events.EndpointOff:
		return f.at(paths.SettingsWebhook, fmt.Sprint(f.data["endpoint"]))
	}
	return ""
}

func (f *fact) at(pattern, id string) string {
	if id == "" {
		return ""
	}
	return paths.To(pattern, id)
}

// add writes a message of its own.
func (b *batch) add(m Message) error {
	m.UID = newUID()
	if err := b.tx.Create(&m).Error; err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	return nil
}

// gatherInto writes a message, or counts it to the one that is still open.
func (b *batch) gatherInto(m Message, key string) error {
	_, err := b.upsert(m, key)
	return err
}

// upsert is one statement, so that two instances never open two.
func (b *batch) upsert(m Message, key string) (id int64, err error) {
	err = b.tx.Raw(`INSERT INTO messages (uid, channel, kind, event_id, member_id, href, args, times, open_key, state, next_try_at, created_at, updated_at, sent_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (open_key) DO UPDATE SET times = messages.times + 1, args = excluded.args, event_id = excluded.event_id, updated_at = excluded.updated_at RETURNING id`,
		newUID(), m.Channel, m.Kind, m.EventID, m.MemberID, m.Href, m.Args, key, m.State, m.NextTryAt, m.CreatedAt, m.UpdatedAt, m.SentAt).Scan(&id).Error
	if err != nil {
		return 0, fmt.Errorf("gather a message: %w", err)
	}
	return id, nil
}

func newUID() string { return "msg_" + secret.Token(18) }
