package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

// req: D38
func TestTheDatabaseRefusesToForget(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		trail := filled(t, db, 3)
		write(t, db, trail) // waits for its seal
		checkpoint(t, db, trail)
		write(t, db, trail)
		statements := []string{
			"UPDATE audit_entries SET action = 'x'", "UPDATE audit_entries SET action = 'x' WHERE id = 0", "DELETE FROM audit_entries WHERE id = 2",
			"UPDATE audit_seals SET hash = 'x' WHERE seq = 1", "DELETE FROM audit_seals",
			"UPDATE audit_unsealed SET entry_id = 1", "DELETE FROM audit_unsealed",
			"UPDATE audit_checkpoints SET note = ''", "DELETE FROM audit_checkpoints",
		}
		if database.Postgres(db) {
			for _, table := range []string{"audit_entries", "audit_seals", "audit_unsealed", "audit_checkpoints"} {
				statements = append(statements, "TRUNCATE "+table+" CASCADE")
			}
		} else {
			statements[1] = "UPDATE audit_entries SET action = 'x' WHERE id = 1" // triggers ask about rows there
			statements = append(statements, "INSERT OR REPLACE INTO audit_seals (seq, entry_id, previous, hash) VALUES (1, 1, '', 'x')",
				"INSERT OR REPLACE INTO audit_entries (id, uid, at, actor_kind, action, mac) VALUES (2, 'x', '2026-11-22 01:00:00+00:00', 'member', 'x', 'x')",
				"INSERT OR REPLACE INTO audit_checkpoints (size, head, at, note) SELECT size, '', at, '' FROM audit_checkpoints")
		}
		for _, sql := range statements {
			if err := db.Exec(sql).Error; err == nil || !strings.Contains(err.Error(), "only grows") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if r := verify(t, db, trail, audit.Head{}); r.Broken != nil || r.Head.Seq != 4 || r.Unsealed != 1 {
			t.Errorf("afterwards %+v, broken %+v", r, r.Broken)
		}
	})
}

// checkpoint seals everything and keeps a signed checkpoint.
func checkpoint(t *testing.T, db *gorm.DB, trail *audit.Trail) audit.Checkpoint {
	t.Helper()
	if err := trail.SealAll(context.Background(), db, quiet); err != nil {
		t.Fatal(err)
	}
	// Taking it away is an entry itself, which a test would have to count; so it is undone.
	var c audit.Checkpoint
	err := db.Transaction(func(tx *gorm.DB) (err error) {
		c, err = audit.NewLog(tx, trail).Checkpoint(context.Background(), super)
		if err != nil {
			return err
		}
		return errUndo
	})
	if err != errUndo {
		t.Fatal(err)
	}
	if err := db.Exec("INSERT INTO audit_checkpoints (size, head, at, note) VALUES (?, ?, ?, ?)", c.Seq, c.Hash, c.At, c.Note).Error; err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	super   = access.Actor{Kind: access.Member, MemberID: 1, Name: "周岚", Super: true}
	errUndo = fmt.Errorf("undo")
)

// The application's own role needs no UPDATE or DELETE right on the trail: the
// grants are those of the README.
func TestARoleThatMayOnlyAppend(t *testing.T) {
	owner := testkit.PostgresURL(t)
	db, err := database.Open(owner)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close(db)
	role := fmt.Sprintf("app_%d_%d", os.Getpid(), time.Now().UnixNano())
	for _, sql := range append([]string{"DROP ROLE IF EXISTS " + role, "CREATE ROLE " + role + " LOGIN"}, grants(t, role)...) {
		if err := db.Exec(sql).Error; err != nil {
			t.Fatal(sql, err)
		}
	}
	defer func() {
		for _, sql := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if err := db.Exec(sql).Error; err != nil {
				t.Error(sql, err)
			}
		}
	}()
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	app, err := database.Open(u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close(app)
	if err := database.Migrate(context.Background(), app); err != nil {
		t.Error("nothing is pending:", err)
	}
	trail := filled(t, app, 3)
	log := audit.NewLog(app, trail)
	if _, err := log.Checkpoint(context.Background(), super); err != nil {
		t.Error(err)
	}
	if err := trail.Watch(context.Background(), app, quiet); err != nil {
		t.Error(err)
	}
	if r := verifyAsked(t, app, trail); r.State != audit.Intact {
		t.Error(r)
	}
	if err := trail.Export(context.Background(), app, &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
	for _, sql := range []string{"UPDATE audit_entries SET action = ''", "DELETE FROM audit_seals", "TRUNCATE audit_entries CASCADE", "ALTER TABLE audit_entries DISABLE TRIGGER ALL"} {
		if err := app.Exec(sql).Error; err == nil || strings.Contains(err.Error(), "only grows") {
			t.Errorf("%s: %v, want a missing right", sql, err)
		}
	}
}

// grants reads what the README tells an operator to type.
func grants(t *testing.T, role string) (list []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```sql\n")
	block, _, found := strings.Cut(block, "```")
	if !found || strings.Count(block, "doorplate_app") < 5 {
		t.Fatalf("the README has no grants: %q", block)
	}
	for sql := range strings.Lines(block) {
		list = append(list, strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(sql), ";"), "doorplate_app", role))
	}
	return list
}
