package audit

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"
)

// chunkSize is how many seals are read with two statements. A chunk is one
// piece of memory and, on SQLite, one short read beside the writer.
const chunkSize = 8192

// entryColumns are those of Entry, in the order that scanEntry reads.
const entryColumns = "e.id, e.uid, e.at, e.actor_kind, e.actor_id, e.actor_name, e.action, e.object_kind, e.object_id, e.object_name, " +
	"e.department_path, e.outcome, e.details, e.address, e.device, e.mac"

// sealed is one link of the chain with its entry, whose UID is empty when it is gone.
type sealed struct {
	Seq      int64
	SealOf   int64
	Previous string
	Hash     string
	Twice    bool // an earlier seal of the same chunk covers the same entry
	Entry
}

// fields are where a row of entryColumns goes: no reflection a row.
func (e *Entry) fields() []any {
	return []any{&e.ID, &e.UID, &e.At, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Action, &e.ObjectKind, &e.ObjectID, &e.ObjectName,
		&e.DepartmentPath, &e.Outcome, &e.Details, &e.Address, &e.Device, &e.MAC}
}

// eachRow calls f after each row was read into to.
func eachRow(rows *sql.Rows, err error, to []any, f func()) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		f()
	}
	return rows.Err()
}

// readChunk reads the seals after a number, at most limit and none over upto,
// and the entries they cover. Seals and entries are read apart, each in the
// order of its key: a join would cost the database more than all our hashing.
func readChunk(db *gorm.DB, after, upto int64, limit int) ([]sealed, error) {
	chunk := make([]sealed, 0, limit)
	var s sealed
	rows, err := db.Raw("SELECT seq, entry_id, previous, hash FROM audit_seals WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", after, upto, limit).Rows()
	err = eachRow(rows, err, []any{&s.Seq, &s.SealOf, &s.Previous, &s.Hash}, func() { chunk = append(chunk, s) })
	if err != nil {
		return nil, fmt.Errorf("read the seals: %w", err)
	}
	if len(chunk) == 0 {
		return nil, nil
	}
	places := make(map[int64]int, len(chunk))
	least, most := chunk[0].SealOf, chunk[0].SealOf
	for i := range chunk {
		id := chunk[i].SealOf
		_, chunk[i].Twice = places[id]
		places[id] = i
		least, most = min(least, id), max(most, id)
	}
	var e Entry
	rows, err = entriesOf(db, chunk, least, most)
	err = eachRow(rows, err, e.fields(), func() {
		if i, wanted := places[e.ID]; wanted {
			chunk[i].Entry = e
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the entries: %w", err)
	}
	return chunk, nil
}

// entriesOf reads the entries by the range of their ids, which is nearly the
// order of the seals. One that was sealed long after it was written would make
// the range too wide.
func entriesOf(db *gorm.DB, chunk []sealed, least, most int64) (*sql.Rows, error) {
	if most-least <= 4*chunkSize {
		return db.Raw("SELECT "+entryColumns+" FROM audit_entries e WHERE e.id >= ? AND e.id <= ? ORDER BY e.id", least, most).Rows()
	}
	return db.Raw("SELECT "+entryColumns+" FROM audit_seals s JOIN audit_entries e ON e.id = s.entry_id WHERE s.seq >= ? AND s.seq <= ?",
		chunk[0].Seq, chunk[len(chunk)-1].Seq).Rows()
}

// eachChunk reads the chain after a number up to another. The next chunk is read
// while visit looks at one. visit ends the walk by returning false.
func eachChunk(ctx context.Context, db *gorm.DB, after, upto int64, visit func([]sealed) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	db = db.WithContext(ctx)
	type read struct {
		chunk []sealed
		err   error
	}
	ready := make(chan read, 1)
	go func() {
		defer close(ready)
		for {
			chunk, err := readChunk(db, after, upto, chunkSize)
			select {
			case ready <- read{chunk, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || len(chunk) == 0 {
				return
			}
			after = chunk[len(chunk)-1].Seq
		}
	}()
	for r := range ready {
		if r.err != nil || len(r.chunk) == 0 || !visit(r.chunk) {
			return r.err
		}
	}
	return ctx.Err()
}
