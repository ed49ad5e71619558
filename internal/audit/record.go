// Package audit keeps the append-only trail: entries are written in the
// transaction they describe, each with a MAC, and sealed into a hash chain
// within a second of their commit.
package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/database"
	"doorplate/internal/secret"
)

// Outcomes of an entry.
const (
	Done    = "done"
	Refused = "refused" // somebody asked for what they may not have
	Failed  = "failed"  // it was allowed and did not work
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
	keys   secret.Keys
	now    func() time.Time
	wake   chan struct{}
	asked  chan struct{} // a verification was asked for
	signer func() signer
	bound  *bound
	looks  sync.Mutex // held by whoever verifies the whole chain

	// Only the sealer touches these.
	kept     Head      // what the file beside the database says
	signed   Head      // the newest checkpoint in the database
	signedAt time.Time // and when it was signed
	alarmed  bool      // the loss of the kept head was logged
}

// New returns a trail that authenticates entries under keys.
func New(keys secret.Keys, now func() time.Time) *Trail {
	return &Trail{keys: keys, now: now, wake: make(chan struct{}, 1), asked: make(chan struct{}, 1), bound: newBound(now),
		signer: sync.OnceValue(func() signer { return newSigner(keys) })}
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
	h := newHasher(&t.keys)
	for i, e := range events {
		entry, err := t.entry(at, by, e)
		if err != nil {
			return err
		}
		h.take(&entry)
		entry.MAC = string(h.code())
		entries[i] = entry
	}
	for batch := range slices.Chunk(entries, recordBatch) {
		if err := insert(tx, batch); err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
	}
	t.Wake()
	return nil
}

// recordBatch is how many entries one statement takes.
const recordBatch = 2000

// insert writes entries and queues them for sealing: on PostgreSQL with one
// statement, for the way to the server and back is the larger part of its price.
func insert(tx *gorm.DB, entries []Entry) error {
	sql, args := inserting(tx, entries)
	if database.Postgres(tx) {
		return tx.Exec("WITH e AS ("+sql+") INSERT INTO audit_unsealed (entry_id) SELECT id FROM e", args...).Error
	}
	var ids []int64
	if err := tx.Raw(sql, args...).Scan(&ids).Error; err != nil {
		return err
	}
	v, arg := database.Values(tx, database.Numbers("id", ids))
	return tx.Exec("INSERT INTO audit_unsealed (entry_id) SELECT v.id FROM "+v, arg...).Error
}

// insertColumns are those of Entry but the row's number.
const insertColumns = "uid, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, department_path, outcome, details, address, device, mac"

// inserting is the statement that writes entries of one moment and one actor and
// returns their numbers. What differs comes as an array a column: a placeholder
// for each cell of thousands costs more than the rows.
func inserting(tx *gorm.DB, entries []Entry) (sql string, args []any) {
	e := &entries[0]
	by := []any{e.At, e.ActorKind, e.ActorID, e.ActorName, e.Address, e.Device}
	if len(entries) == 1 {
		return "INSERT INTO audit_entries (" + insertColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
			[]any{e.UID, e.At, e.ActorKind, e.ActorID, e.ActorName, e.Action, e.ObjectKind, e.ObjectID, e.ObjectName, e.DepartmentPath, e.Outcome, e.Details, e.Address, e.Device, e.MAC}
	}
	fields := []string{"uid", "action", "object_kind", "object_id", "object_name", "department_path", "outcome", "details", "mac"}
	cells := make([][]string, len(fields))
	for i := range entries {
		e := &entries[i]
		for n, text := range []string{e.UID, e.Action, e.ObjectKind, e.ObjectID, e.ObjectName, e.DepartmentPath, e.Outcome, e.Details, e.MAC} {
			cells[n] = append(cells[n], text)
		}
	}
	columns := make([]database.Column, len(fields))
	for n, name := range fields {
		columns[n] = database.Texts(name, cells[n])
	}
	v, values := database.Values(tx, columns...)
	return "INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, address, device, " + strings.Join(fields, ", ") + ") SELECT ?, ?, ?, ?, ?, ?, v." + strings.Join(fields, ", v.") + " FROM " + v + " RETURNING id",
		append(by, values...)
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
		if strings.HasSuffix(e.Action, ".fail") {
			entry.Outcome = Failed
		}
	}
	return entry, nil
}
