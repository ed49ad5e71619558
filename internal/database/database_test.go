package database_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/database"
	"doorplate/internal/testkit"
)

// columns returns table.column → nullable, for every table of ours.
func columns(t *testing.T, db *gorm.DB) map[string]bool {
	t.Helper()
	query := `SELECT m.name AS "table", p.name AS "column", (p."notnull" = 0 AND p.pk = 0) AS nullable
		FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'member_grams%' AND m.name NOT LIKE 'request_grams%' AND m.name <> 'tally_paused'` // an index, which postgres has as one, and a row that its triggers do without
	if database.Postgres(db) {
		query = `SELECT table_name AS "table", column_name AS "column", is_nullable = 'YES' AS nullable
			FROM information_schema.columns WHERE table_schema = 'public'`
	}
	var rows []struct {
		Table, Column string
		Nullable      bool
	}
	if err := db.Raw(query).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range rows {
		if !strings.HasPrefix(r.Table, "goose_") {
			out[r.Table+"."+r.Column] = r.Nullable
		}
	}
	return out
}

func TestBothDialectsHaveTheSameColumns(t *testing.T) {
	sqlite, postgres := columns(t, testkit.SQLite(t)), columns(t, testkit.Postgres(t))
	if len(sqlite) < 100 {
		t.Fatalf("only %d columns read", len(sqlite))
	}
	for _, name := range slices.Sorted(maps.Keys(sqlite)) {
		nullable, there := postgres[name]
		if !there {
			t.Errorf("%s is missing on postgres", name)
		} else if nullable != sqlite[name] {
			t.Errorf("%s: nullable %v on sqlite, %v on postgres", name, sqlite[name], nullable)
		}
		delete(postgres, name)
	}
	for name := range postgres {
		t.Errorf("%s is missing on sqlite", name)
	}
}

func TestMigrateTwiceAndSideBySide(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		done := make(chan error, 4)
		for range cap(done) {
			go func() { done <- database.Migrate(context.Background(), db) }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if ok, err := database.Current(context.Background(), db); err != nil || !ok {
			t.Errorf("current = %v, %v", ok, err)
		}
	})
}

// The foreign keys, the write lock taken at BEGIN and the sort order of times
// are what the rest relies on.
func TestSQLiteSettings(t *testing.T) {
	db := testkit.SQLite(t)
	for pragma, want := range map[string]string{"foreign_keys": "1", "journal_mode": "wal", "synchronous": "2", "busy_timeout": "15000"} {
		var got string
		if err := db.Raw("PRAGMA " + pragma).Row().Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

// Two processes on one file: a transaction that reads before it writes has to
// wait its turn, not fail with "locked".
func TestSQLiteTransactionsOfTwoProcessesWait(t *testing.T) {
	path := database.InDir(t.TempDir())
	one, two := mustOpen(t, path), mustOpen(t, path)
	if err := one.Exec("CREATE TABLE tally (n integer)").Error; err != nil {
		t.Fatal(err)
	}
	one.Exec("INSERT INTO tally VALUES (0)")
	const rounds = 100
	done := make(chan error, 2)
	for _, db := range []*gorm.DB{one, two} {
		go func() {
			for range rounds {
				err := db.Transaction(func(tx *gorm.DB) error {
					var n int
					if err := tx.Raw("SELECT n FROM tally").Row().Scan(&n); err != nil {
						return err
					}
					return tx.Exec("UPDATE tally SET n = ?", n+1).Error
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var n int
	if err := one.Raw("SELECT n FROM tally").Row().Scan(&n); err != nil || n != 2*rounds {
		t.Errorf("counted %d, %v; want %d", n, err, 2*rounds)
	}
}

func mustOpen(t *testing.T, path string) *gorm.DB {
	t.Helper()
	db, err := database.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { database.Close(db) })
	return db
}
