package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/testkit"
)

// rehash writes the chain anew so that it holds together, as an attacker would
// who has the database and no key. The entries of seals are taken in their order.
func rehash(t *testing.T, db *gorm.DB) {
	t.Helper()
	var rows []struct {
		Seq int64
		audit.Entry
	}
	must(t, db.Raw("SELECT s.seq, e.* FROM audit_seals s JOIN audit_entries e ON e.id = s.entry_id ORDER BY s.seq").Scan(&rows).Error)
	must(t, db.Exec("DELETE FROM audit_seals").Error)
	previous := ""
	for i, r := range rows {
		hash := linkOf(t, int64(i+1), previous, r.Entry)
		must(t, db.Exec("INSERT INTO audit_seals (seq, entry_id, previous, hash) VALUES (?, ?, ?, ?)", i+1, r.ID, previous, hash).Error)
		previous = hash
	}
}

// linkOf is the format of a seal, written down a second time.
func linkOf(t *testing.T, seq int64, previous string, e audit.Entry) string {
	t.Helper()
	content, err := json.Marshal([]any{e.UID, e.At.UTC().Format(time.RFC3339Nano), e.ActorKind, e.ActorID, e.ActorName, e.Action, e.ObjectKind, e.ObjectID,
		e.ObjectName, e.DepartmentPath, e.Outcome, e.Details, e.Address, e.Device})
	must(t, err)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n%s", seq, previous, e.MAC, content))
	return hex.EncodeToString(sum[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attack is something done to a trail of 6 sealed entries with a checkpoint at 5.
type attack struct {
	do     func(t *testing.T, db *gorm.DB, trail *audit.Trail)
	kind   audit.Cause // what verifying the database says
	seq    int64
	noKey  audit.Cause // of a file, without the secret key but with the checkpoint; kind when empty
	alone  audit.Cause // of a file, with the secret key and no checkpoint; kind when empty
	unseen bool        // a file does not show it: what is wrong is only in the database
}

const nothing audit.Cause = "nothing"

func sqls(statements ...string) func(*testing.T, *gorm.DB, *audit.Trail) {
	return func(t *testing.T, db *gorm.DB, _ *audit.Trail) {
		for _, s := range statements {
			must(t, db.Exec(s).Error)
		}
	}
}

func thenRehash(do func(*testing.T, *gorm.DB, *audit.Trail)) func(*testing.T, *gorm.DB, *audit.Trail) {
	return func(t *testing.T, db *gorm.DB, trail *audit.Trail) { do(t, db, trail); rehash(t, db) }
}

// swap exchanges what two entries are, but for their row numbers.
var swap = sqls("UPDATE audit_seals SET entry_id = -3 WHERE seq = 3", "UPDATE audit_seals SET entry_id = 3 WHERE seq = 4", "UPDATE audit_seals SET entry_id = 4 WHERE seq = 3")

var cutOff = sqls("DELETE FROM audit_seals WHERE seq > 3", "DELETE FROM audit_entries WHERE id > 3")

func goOn(t *testing.T, db *gorm.DB, trail *audit.Trail) {
	cutOff(t, db, trail)
	for range 4 {
		write(t, db, trail)
	}
	must(t, trail.SealAll(context.Background(), db, quiet))
}

var copied = sqls(insertCopy("'copy'"), "UPDATE audit_entries SET uid = (SELECT uid FROM audit_entries WHERE id = 1) || '' WHERE uid = 'copy'")

var attacks = map[string]attack{
	"changed":              {do: sqls("UPDATE audit_entries SET object_name = 'x' WHERE id = 3"), kind: audit.Changed, seq: 3},
	"changed time":         {do: sqls("UPDATE audit_entries SET at = '2020-01-01 00:00:00+00:00' WHERE id = 2"), kind: audit.Changed, seq: 2},
	"changed and rehashed": {do: thenRehash(sqls("UPDATE audit_entries SET object_name = 'x' WHERE id = 3")), kind: audit.NotOurs, seq: 3, noKey: audit.Rewritten},
	"deleted":              {do: sqls("DELETE FROM audit_entries WHERE id = 4"), kind: audit.Deleted, seq: 4},
	"deleted with seal":    {do: sqls("DELETE FROM audit_seals WHERE seq = 2", "DELETE FROM audit_entries WHERE id = 2"), kind: audit.SealMissing, seq: 2},
	"deleted and rehashed": {do: thenRehash(sqls("DELETE FROM audit_seals WHERE seq = 2", "DELETE FROM audit_entries WHERE id = 2")), kind: audit.Rewritten, seq: 5, alone: nothing},
	"inserted":             {do: sqls(insertCopy("'forged'")), kind: audit.Inserted, unseen: true},
	"inserted and sealed": {do: thenRehash(sqls(insertCopy("'forged'"), "INSERT INTO audit_seals (seq, entry_id, previous, hash) SELECT 7, max(id), '', '' FROM audit_entries")),
		kind: audit.NotOurs, seq: 7, noKey: audit.Repeated},
	"a copy inserted and sealed": {do: func(t *testing.T, db *gorm.DB, trail *audit.Trail) {
		dropUnique(t, db)
		copied(t, db, trail)
		must(t, db.Exec("INSERT INTO audit_seals (seq, entry_id, previous, hash) SELECT 7, max(id), '', '' FROM audit_entries").Error)
		rehash(t, db)
	}, kind: audit.Repeated, seq: 7},
	"swapped":               {do: swap, kind: audit.Changed, seq: 3},
	"swapped and rehashed":  {do: thenRehash(swap), kind: audit.Rewritten, seq: 5, alone: nothing},
	"cut off":               {do: cutOff, kind: audit.CutOff, seq: 4, alone: nothing},
	"cut off and continued": {do: goOn, kind: audit.Rewritten, seq: 5, alone: nothing},
	"truncated":             {do: sqls("DELETE FROM audit_seals", "DELETE FROM audit_unsealed", "DELETE FROM audit_entries"), kind: audit.CutOff, seq: 1, alone: nothing},
	"forged checkpoint":     {do: sqls("UPDATE audit_checkpoints SET head = hash FROM audit_seals WHERE seq = 4"), kind: audit.Unsigned, seq: 5, unseen: true},
}

// dropUnique lets a copy of an entry keep its uid: an attacker may drop the rule.
func dropUnique(t *testing.T, db *gorm.DB) {
	t.Helper()
	if db.Name() == "postgres" {
		must(t, db.Exec("ALTER TABLE audit_entries DROP CONSTRAINT audit_entries_uid_key").Error)
		return
	}
	// SQLite cannot; the whole table is written anew, as its file could be.
	sqls("PRAGMA foreign_keys = 0", "CREATE TABLE loose AS SELECT * FROM audit_entries", "DELETE FROM audit_unsealed", "DROP TABLE audit_entries",
		"CREATE TABLE audit_entries (id integer PRIMARY KEY, uid text, at datetime, actor_kind text, actor_id integer, actor_name text, action text, object_kind text, object_id text, object_name text, department_path text, outcome text, details text, address text, device text, mac text)",
		"INSERT INTO audit_entries SELECT * FROM loose", "DROP TABLE loose")(t, db, nil)
}

func TestEveryAttackIsNamed(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			testkit.DB(t, func(t *testing.T, db *gorm.DB) {
				trail := filled(t, db, 5)
				kept := checkpoint(t, db, trail)
				write(t, db, trail)
				must(t, trail.SealAll(context.Background(), db, quiet))
				testkit.Unguard(t, db)
				a.do(t, db, trail)
				r := verify(t, db, trail, audit.Head{})
				if r.Broken == nil || r.Broken.Kind != a.kind || r.Broken.Seq != a.seq {
					t.Fatalf("broken = %+v, want %s at %d", r.Broken, a.kind, a.seq)
				}
				if r.Broken.Cause() == "" || strings.HasPrefix(r.Broken.Cause(), ":") {
					t.Errorf("%s has no sentence", a.kind)
				}
				if !a.unseen {
					a.inFiles(t, db, trail, kept)
				}
			})
		})
	}
}

// inFiles exports the trail as it is now and verifies the file with and without key and checkpoint.
func (a attack) inFiles(t *testing.T, db *gorm.DB, trail *audit.Trail, kept audit.Checkpoint) {
	t.Helper()
	var file bytes.Buffer
	must(t, trail.Export(context.Background(), db, &file))
	keys := testkit.Keys()
	for what, c := range map[string]struct {
		proof audit.Proof
		want  audit.Cause
	}{
		"all":   {audit.Proof{Keys: &keys, PublicKey: trail.PublicKey(), Known: []audit.Head{kept.Head}}, a.kind},
		"noKey": {audit.Proof{Known: []audit.Head{kept.Head}}, first(a.noKey, a.kind)},
		"alone": {audit.Proof{Keys: &keys, PublicKey: trail.PublicKey()}, first(a.alone, a.kind)},
	} {
		r, err := audit.VerifyFile(bytes.NewReader(file.Bytes()), c.proof)
		must(t, err)
		got := nothing
		if r.Broken != nil {
			got = r.Broken.Kind
		}
		// In a file there is no seal without its entry: an entry that is gone leaves a gap or a link that does not fit.
		if a.kind == audit.Deleted && slices.Contains([]audit.Cause{audit.Deleted, audit.Changed, audit.SealMissing}, got) {
			continue
		}
		if got != c.want {
			t.Errorf("file, %s: %s (%+v), want %s", what, got, r.Broken, c.want)
		}
	}
}

func first(a, b audit.Cause) audit.Cause {
	if a != "" {
		return a
	}
	return b
}

// What is done to the file itself, whose author holds neither key.
func TestTamperedFilesAreNamed(t *testing.T) {
	db := testkit.SQLite(t)
	trail := filled(t, db, 5)
	kept := checkpoint(t, db, trail)
	var file bytes.Buffer
	must(t, trail.Export(context.Background(), db, &file))
	lines := strings.SplitAfter(strings.TrimSpace(file.String())+"\n", "\n")
	lines = lines[:6]
	forgedHead := func(seq int) string {
		var l struct{ Hash string }
		must(t, json.Unmarshal([]byte(lines[seq-1]), &l))
		return fmt.Sprintf(`{"head":{"seq":%d,"hash":%q}}`+"\n", seq, l.Hash)
	}
	stolen := strings.Replace(lines[5], `"seq":5`, `"seq":4`, 1)
	stolen = strings.Replace(stolen, kept.Hash, between(t, lines[3], `"hash":"`, `"`), 1)
	for name, c := range map[string]struct {
		text string
		kind audit.Cause
		seq  int64
	}{
		"whole":                     {file.String(), nothing, 0},
		"changed":                   {strings.Replace(file.String(), "照片外传", "照片", 1), audit.Changed, 1},
		"line deleted":              {strings.Join(slices.Delete(slices.Clone(lines), 1, 2), ""), audit.SealMissing, 2},
		"line twice":                {strings.Join(slices.Insert(slices.Clone(lines), 2, lines[1]), ""), audit.SealMissing, 3},
		"two swapped":               {lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""), audit.SealMissing, 2},
		"cut off before its head":   {strings.Join(lines[:3], "") + lines[5], audit.CutOff, 4},
		"cut off with a head":       {strings.Join(lines[:3], "") + forgedHead(3), audit.CutOff, 4},
		"cut off, head's signature": {strings.Join(lines[:4], "") + stolen, audit.CutOff, 5},
	} {
		r, err := audit.VerifyFile(strings.NewReader(c.text), audit.Proof{PublicKey: trail.PublicKey(), Known: []audit.Head{kept.Head}})
		must(t, err)
		got, seq := nothing, int64(0)
		if r.Broken != nil {
			got, seq = r.Broken.Kind, r.Broken.Seq
		}
		if got != c.kind || seq != c.seq {
			t.Errorf("%s: %s at %d (%+v), want %s at %d", name, got, seq, r.Broken, c.kind, c.seq)
		}
	}
	// Without an earlier checkpoint the file's own signature still shows that its end was cut off.
	r, err := audit.VerifyFile(strings.NewReader(strings.Join(lines[:4], "")+stolen), audit.Proof{PublicKey: trail.PublicKey()})
	if err != nil || r.Broken == nil || r.Broken.Kind != audit.Rewritten {
		t.Errorf("a stolen signature: %+v %v", r.Broken, err)
	}
	old := strings.Join(lines[:5], "") + forgedHead(5) // as files were written before
	if r, err := audit.VerifyFile(strings.NewReader(old), audit.Proof{}); err != nil || r.Broken != nil || r.Head.Seq != 5 {
		t.Errorf("an older file: %+v %v", r.Broken, err)
	}
}

func between(t *testing.T, text, left, right string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, left)
	got, _, closed := strings.Cut(rest, right)
	if !found || !closed {
		t.Fatalf("nothing between %q and %q", left, right)
	}
	return got
}

func TestCheckpointsAreSignedNotes(t *testing.T) {
	db := testkit.SQLite(t)
	trail := filled(t, db, 3)
	c := checkpoint(t, db, trail)
	got, err := audit.ParseCheckpoint(c.Note, trail.PublicKey())
	if err != nil || got.Head != c.Head || !got.Signed || got.Seq != 3 {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := audit.ParseCheckpoint(strings.ReplaceAll(c.Note, "\n", "\r\n"), trail.PublicKey()); err != nil || !got.Signed {
		t.Error("line ends of another system:", err)
	}
	if _, err := audit.ParseCheckpoint(strings.Replace(c.Note, "\n3\n", "\n2\n", 1), trail.PublicKey()); err != audit.ErrSignature {
		t.Error("a changed size:", err)
	}
	for name, text := range map[string]string{"empty": "", "no signature": "a\n3\nx\n", "no number": strings.Replace(c.Note, "\n3\n", "\nx\n", 1), "markup": "<html>\n\n"} {
		if _, err := audit.ParseCheckpoint(text, ""); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	if _, err := audit.ParseCheckpoint(c.Note, "nonsense"); err == nil {
		t.Error("a nonsense key passed")
	}
}
