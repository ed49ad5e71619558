// Package audit keeps the append-only trail: entries are written in the
// transaction they describe, each with a MAC, and sealed into a hash chain
// within a second of their commit.
package audit

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/secret"
)

// Outcomes of an entry.
const (
	Done    = "done"
	Refused = "refused"
)

// Entry is one line of the trail. Entries are never updated or deleted.
type Entry struct {
	ID             int64     `json:"id"`
	UID            string    `json:"uid"` // random; the MAC covers it
	At             time.Time `json:"at"`
	ActorKind      string    `json:"actor_kind"`
	ActorID        int64     `json:"actor_id"`
	ActorName      string    `json:"actor_name"`
	Action         string    `json:"action"` // catalog key "audit.action."+Action
	ObjectKind     string    `json:"object_kind"`
	ObjectID       string    `json:"object_id"`
	ObjectName     string    `json:"object_name"`
	DepartmentPath string    `json:"department_path"` // decides which heads may read it
	Outcome        string    `json:"outcome"`
	Details        string    `json:"details"` // a JSON object
	Address        string    `json:"address"`
	Device         string    `json:"device"`
	MAC            string    `json:"mac"`
}

// TableName is for gorm.
func (Entry) TableName() string { return "audit_entries" }

// Event is what a domain method says happened. Details must hold no codes,
// tokens, passwords or full phone numbers.
type Event struct {
	Action         string // area.verb, e.g. "code.revoke"
	Object         Object
	DepartmentPath string
	Outcome        string // empty means Done
	Details        map[string]any
}

// Object is what an event happened to. ID is the one that its page's address carries.
type Object struct{ Kind, ID, Name string }

// Trail writes entries. It is safe for concurrent use.
type Trail struct {
	keys secret.Keys
	now  func() time.Time
	wake chan struct{}
	kept int64 // the checkpoint's number; only the sealer touches it
}

// New returns a trail that authenticates entries under keys.
func New(keys secret.Keys, now func() time.Time) *Trail {
	return &Trail{keys: keys, now: now, wake: make(chan struct{}, 1)}
}

// Record appends e inside the caller's transaction, so that the trail and the
// change it describes commit or vanish together.
func (t *Trail) Record(tx *gorm.DB, by access.Actor, e Event) error {
	return t.RecordAll(tx, by, []Event{e})
}

// RecordAll appends several entries with a few statements.
func (t *Trail) RecordAll(tx *gorm.DB, by access.Actor, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	at := t.now().UTC().Truncate(time.Microsecond)
	entries := make([]Entry, len(events))
	for i, e := range events {
		entry, err := t.entry(at, by, e)
		if err != nil {
			return err
		}
		entries[i] = entry
	}
	if err := tx.CreateInBatches(&entries, 500).Error; err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	waiting := make([]unsealed, len(entries))
	for i, e := range entries {
		waiting[i] = unsealed{EntryID: e.ID}
	}
	if err := tx.CreateInBatches(&waiting, 500).Error; err != nil {
		return fmt.Errorf("queue for sealing: %w", err)
	}
	t.Wake()
	return nil
}

// Wake asks the sealer to look soon; it looks every second anyway.
func (t *Trail) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *Trail) entry(at time.Time, by access.Actor, e Event) (Entry, error) {
	details := []byte("{}")
	if whose := by.OnBehalf(e.DepartmentPath); whose != "" {
		e.Details = maps.Clone(e.Details)
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		e.Details["on_behalf_of"] = whose
	}
	if len(e.Details) > 0 {
		var err error
		if details, err = json.Marshal(e.Details); err != nil {
			return Entry{}, fmt.Errorf("audit details of %s: %w", e.Action, err)
		}
	}
	entry := Entry{
		UID: secret.Token(16), At: at,
		ActorKind: string(by.Kind), ActorID: by.MemberID, ActorName: clean(by.Name),
		Action: e.Action, ObjectKind: e.Object.Kind, ObjectID: clean(e.Object.ID), ObjectName: clean(e.Object.Name),
		DepartmentPath: e.DepartmentPath, Outcome: e.Outcome, Details: string(details),
		Address: clean(by.Address), Device: clean(by.Device),
	}
	if by.Kind == access.Guest {
		entry.ActorID = by.GuestID
	}
	if entry.Outcome == "" {
		entry.Outcome = Done
	}
	entry.MAC = t.mac(entry)
	return entry, nil
}

// content is what the MAC covers: everything but the row's number and the MAC.
func content(e Entry) []byte {
	b, err := json.Marshal([]any{
		e.UID, e.At.UTC().Format(time.RFC3339Nano), e.ActorKind, e.ActorID, e.ActorName, e.Action,
		e.ObjectKind, e.ObjectID, e.ObjectName, e.DepartmentPath, e.Outcome, e.Details, e.Address, e.Device,
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

func (t *Trail) mac(e Entry) string {
	return hex.EncodeToString(t.keys.MAC("audit", content(e)))
}

func (t *Trail) fits(e Entry) bool { return hmac.Equal([]byte(t.mac(e)), []byte(e.MAC)) }
