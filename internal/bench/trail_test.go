package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

// trailPiece is how many entries longTrail writes with one statement.
const trailPiece = 10_000

// longTrail lays down n sealed entries as a server would have written them, by
// the plain definition of the chain and in large pieces: through the server it
// would take longer than all that is measured.
func longTrail(b *testing.B, db *gorm.DB, n int) *audit.Trail {
	b.Helper()
	clock := testkit.NewClock()
	testkit.Unguard(b, db)
	indexes := dropped(b, db)
	previous := ""
	for first := 1; first <= n; first += trailPiece {
		entries := make([]audit.Entry, min(trailPiece, n-first+1))
		seals := make([]audit.Seal, len(entries))
		for i := range entries {
			entries[i] = plainEntry(int64(first+i), clock.Now())
			seals[i] = plainSeal(int64(first+i), previous, &entries[i])
			previous = seals[i].Hash
		}
		laid(b, db, "audit_entries", entries)
		laid(b, db, "audit_seals", seals)
	}
	for _, sql := range indexes {
		do(b, db, sql)
	}
	if database.Postgres(db) {
		do(b, db, "SELECT setval(pg_get_serial_sequence('audit_entries', 'id'), (SELECT max(id) FROM audit_entries))")
		do(b, db, "VACUUM ANALYZE audit_entries, audit_seals, audit_unsealed")
	} else {
		do(b, db, "ANALYZE")
	}
	return audit.New(testkit.Keys(), clock.Now)
}

func do(b *testing.B, db *gorm.DB, sql string) {
	b.Helper()
	if err := db.Exec(sql).Error; err != nil {
		b.Fatal(err)
	}
}

// dropped drops the indexes of the entries that are no constraints and returns how to make them again.
func dropped(b *testing.B, db *gorm.DB) (again []string) {
	b.Helper()
	list := "SELECT name, sql AS definition FROM sqlite_master WHERE type = 'index' AND tbl_name = 'audit_entries' AND sql IS NOT NULL"
	if database.Postgres(db) {
		list = "SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'audit_entries' AND indexdef NOT LIKE '% UNIQUE %'"
	}
	var indexes []struct{ Name, Definition string }
	if err := db.Raw(list).Scan(&indexes).Error; err != nil {
		b.Fatal(err)
	}
	for _, i := range indexes {
		do(b, db, "DROP INDEX "+i.Name)
		again = append(again, i.Definition)
	}
	return again
}

// laid inserts rows, whose fields are named as their columns once written as JSON.
func laid[R any](b *testing.B, db *gorm.DB, table string, rows []R) {
	b.Helper()
	var err error
	if database.Postgres(db) {
		var text []byte
		if text, err = json.Marshal(asRows(rows)); err == nil {
			err = db.Exec("INSERT INTO "+table+" SELECT * FROM json_populate_recordset(CAST(NULL AS "+table+"), CAST(? AS json))", string(text)).Error
		}
	} else {
		err = db.Transaction(func(tx *gorm.DB) error { return tx.CreateInBatches(&rows, 500).Error })
	}
	if err != nil {
		b.Fatal(err)
	}
}

// asRows gives a seal the number of its entry, which an exported one does not carry.
func asRows[R any](rows []R) any {
	seals, ok := any(rows).([]audit.Seal)
	if !ok {
		return rows
	}
	type row struct {
		audit.Seal
		EntryID int64 `json:"entry_id"`
	}
	all := make([]row, len(seals))
	for i, s := range seals {
		all[i] = row{s, s.EntryID}
	}
	return all
}

// plainEntry is an entry of ordinary length with its MAC.
func plainEntry(id int64, at time.Time) audit.Entry {
	by, what := auditor(int(id/500)), event(int(id))
	details, err := json.Marshal(what.Details)
	if err != nil {
		panic(err)
	}
	uid := sha256.Sum256([]byte(strconv.FormatInt(id, 10)))
	e := audit.Entry{ID: id, UID: hex.EncodeToString(uid[:11]), At: at.Add(time.Duration(id) * 10 * time.Millisecond).UTC(),
		ActorKind: string(by.Kind), ActorID: by.MemberID, ActorName: by.Name, Action: what.Action, ObjectKind: what.Object.Kind, ObjectID: what.Object.ID,
		ObjectName: what.Object.Name, DepartmentPath: what.DepartmentPath, Outcome: audit.Done, Details: string(details), Address: by.Address, Device: by.Device}
	keys := testkit.Keys()
	mac := hmac.New(sha256.New, keys.Derive("audit"))
	mac.Write(plainContent(&e))
	e.MAC = hex.EncodeToString(mac.Sum(nil))
	return e
}

// plainContent is what the MAC and the seal of an entry cover.
func plainContent(e *audit.Entry) []byte {
	text, err := json.Marshal([]any{e.UID, e.At, e.ActorKind, e.ActorID, e.ActorName, e.Action, e.ObjectKind, e.ObjectID, e.ObjectName, e.DepartmentPath,
		e.Outcome, e.Details, e.Address, e.Device})
	if err != nil {
		panic(err)
	}
	return text
}

func plainSeal(seq int64, previous string, e *audit.Entry) audit.Seal {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n%s", seq, previous, e.MAC, plainContent(e)))
	return audit.Seal{Seq: seq, EntryID: e.ID, Previous: previous, Hash: hex.EncodeToString(sum[:])}
}

// memoryOf runs f and returns the most memory that the process had meanwhile,
// in MiB: all of it, with what SQLite holds.
func memoryOf(b *testing.B, f func() error) float64 {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
	if err := f(); err != nil {
		b.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	size, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, err := strconv.ParseFloat(size, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
